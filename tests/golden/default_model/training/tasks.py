"""Trains the tasks on the pretrained encoder: first text, sentence vectors and all tasks together, with low-rank deltas for
each task, then only the deltas of each task on the frozen quantized encoder."""

import argparse
import collections
import json
import os
import random
import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as M
import text
from labelled import TAGS, WNUT, spans

ap = argparse.ArgumentParser()
ap.add_argument("--data", default=".")
ap.add_argument("--run", default="run", help="folder with text.npz, vectors.pt")
ap.add_argument("--init", required=True)
ap.add_argument("--out", required=True)
ap.add_argument("--joint", type=float, default=200, help="seconds of joint training")
ap.add_argument("--alone", type=float, default=90, help="seconds of training of the deltas, all tasks together")
ap.add_argument("--peak", type=float, default=4e-4)
ap.add_argument("--alone-peak", type=float, default=6e-4)
ap.add_argument("--rows", type=int, default=128)
ap.add_argument("--sent", type=int, default=8192)
ap.add_argument("--scale", type=float, default=1.0, help="factor of batch sizes")
ap.add_argument("--few", type=int)
ap.add_argument("--skip-text", action="store_true")
ap.add_argument("--only", nargs="*", help="tasks whose deltas are trained alone")
ap.add_argument("--judged", type=int, help="records of each development set")
a = ap.parse_args()
T0 = time.time()
dev = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(2)
random.seed(2)
rng = np.random.default_rng(2)
os.makedirs(a.out, exist_ok=True)
say = lambda *x: print(f"[{time.time() - T0:.0f}s]", *x, flush=True)
tok = Tokenizer.from_file(a.data + "/tokenizer.json")
dt = torch.bfloat16 if dev == "cuda" else torch.float32


def load(name, split):
    rows = [json.loads(x) for x in open(f"{a.data}/{name}.{split}.jsonl")]
    return rows[: a.few] if a.few else rows


def enc(texts):
    return [e.ids for e in tok.encode_batch(texts, add_special_tokens=False)]


def pairs(first, second=None, longest=128):
    """[CLS] a [SEP] (b [SEP]). The longer side is truncated first."""
    A, B = enc(first), enc(second) if second is not None else None
    out = []
    for i, x in enumerate(A):
        if B is None:
            out.append(([2, *x[: longest - 2], 3], None))
            continue
        y = B[i]
        while len(x) + len(y) > longest - 3:
            if len(x) >= len(y):
                x = x[:-1]
            else:
                y = y[:-1]
        out.append(([2, *x, 3, *y, 3], [0] * (len(x) + 2) + [1] * (len(y) + 1)))
    return out


def sentiment(split):
    rows = load("sentiment", split)
    texts, labels = [r["text"] for r in rows], [int(r["label"] == "positive") for r in rows]
    if split == "train":
        for r in load("regression_valence", "train"):
            if r["score"] >= 3.4 or r["score"] <= 2.6:
                texts.append(r["text"])
                labels.append(int(r["score"] > 3))
    return [(i, t, y) for (i, t), y in zip(pairs(texts), labels)]


def entities(split, name="ner"):
    out = []
    for r in load(name, split):
        e = tok.encode(r["tokens"], is_pretokenized=True, add_special_tokens=False)
        ids, tags, seen = [], [], set()
        for i, wd in zip(e.ids, e.word_ids):
            g = r["tags"][wd]
            if name != "ner" and g != "O":
                g = g[:2] + WNUT[g[2:]] if g[2:] in WNUT else "O"
            ids.append(i)
            tags.append(-100 if wd in seen else TAGS.index(g))
            seen.add(wd)
        ids, tags = ids[:254], tags[:254]
        out.append(([2, *ids, 3], None, [-100, *tags, -100]))
    return out


def choices(name, split):
    out = []
    for r in load(name, split):
        c = r.get("context")
        p = [(c, f"{r['prompt']} {x}") if c else (r["prompt"], x) for x in r["choices"]]
        out.append((pairs([x for x, _ in p], [y for _, y in p], 320 if c else 128), r["label"]))
    return out


def entailment(name, split):
    L = ["contradiction", "entailment", "neutral"]
    rows = load(name, split)
    return [(i, t, L.index(r["label"])) for (i, t), r in zip(pairs([r["text"] for r in rows], [r["text_pair"] for r in rows]), rows)]


def answers(name, split, longest=384, crop=False):
    """Windows that contain the answer (training), or all windows with offsets (dev)."""
    out = []
    rows = load(name, split)
    ctx = tok.encode_batch([r["context"] for r in rows], add_special_tokens=False)
    qs = enc([r["question"] for r in rows])
    for r, c, q in zip(rows, ctx, qs):
        q = q[:64]
        room = longest - len(q) - 3
        ans = r["answers"]
        ans = [{"text": t, "answer_start": s} for t, s in zip(ans["text"], ans["answer_start"])] if isinstance(ans, dict) else ans
        if split != "train":
            wins, s = [], 0
            while True:
                wins.append((s, min(s + room, len(c.ids))))
                if s + room >= len(c.ids):
                    break
                s += room - 128
            out.append((r, q, c, wins, [x["text"] if isinstance(x, dict) else x for x in ans]))
            continue
        x = random.choice(ans)
        st, en = x["answer_start"], x["answer_start"] + len(x["text"])
        at = [i for i, (u, v) in enumerate(c.offsets) if v > st and u < en]
        if not at or at[-1] - at[0] > 40:
            continue
        lo, hi = 0, len(c.ids)
        if crop:
            # A few sentences around the answer.
            before, after = random.randint(0, 3), random.randint(0, 3)
            marks = [m.end() for m in re.finditer(r"[.!?]\s", r["context"])]
            left = [m for m in marks if m <= st]
            right = [m for m in marks if m >= en]
            cl = left[-1 - before] if len(left) > before else 0
            cr = right[after] if len(right) > after else len(r["context"])
            lo = next((i for i, (u, v) in enumerate(c.offsets) if u >= cl), 0)
            hi = next((i for i, (u, v) in enumerate(c.offsets) if u >= cr), len(c.ids))
            lo, hi = min(lo, at[0]), max(hi, at[-1] + 1)
        if hi - lo > room:
            s = random.randint(max(lo, at[-1] + 1 - room), min(at[0], hi - room))
            lo, hi = s, s + room
        ids = [2, *q, 3, *c.ids[lo:hi], 3]
        k = len(q) + 2 - lo
        out.append((ids, [0] * (len(q) + 2) + [1] * (hi - lo + 1), (at[0] + k, at[-1] + k)))
    return out


def pad(items):
    n = -(-max(len(i) for i, _ in items) // 8) * 8
    x, m, t = np.zeros((len(items), n), np.int64), np.zeros((len(items), n), bool), np.zeros((len(items), n), np.int64)
    for r, (i, k) in enumerate(items):
        x[r, : len(i)], m[r, : len(i)] = i, True
        if k is not None:
            t[r, : len(k)] = k
    return [torch.from_numpy(v).to(dev) for v in (x, m, t)], n


class Source:
    """Batches of similar length, in random order, epoch after epoch."""

    def __init__(self, make, size, name):
        self.make, self.size, self.name, self.queue, self.epochs, self.data = make, max(2, int(size * a.scale)), name, [], -1, None

    def next(self):
        if not self.queue:
            self.data = self.make() if self.data is None or self.name == "answers" and self.epochs % 3 == 2 else self.data
            self.epochs += 1
            ln = (lambda d: max(len(i) for i, _ in d[0])) if self.name == "choices" else (lambda d: len(d[0]))
            key = sorted(range(len(self.data)), key=lambda i: ln(self.data[i]) + random.random() * 8)
            self.queue = [key[i : i + self.size] for i in range(0, len(key), self.size)]
            random.shuffle(self.queue)
        return [self.data[i] for i in self.queue.pop()]


def loss_of(task, W, T, net, b, drop):
    if task == "choices":
        flat = [x for c, _ in b for x in c]
        (x, m, t), _ = pad(flat)
        h = net.encode(W, T, x, m, t, drop)
        s = net.linear(task, W, F.dropout(net.pooled(W, h), drop))[:, 0]
        k = [len(c) for c, _ in b]
        parts = torch.split(s, k)
        lg = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=-1e4)
        return F.cross_entropy(lg, torch.tensor([y for _, y in b], device=dev))
    (x, m, t), n = pad([(i, k) for i, k, _ in b])
    h = net.encode(W, T, x, m, t, drop)
    if task == "entities":
        y = np.full((len(b), n), -100)
        for r, (_, _, g) in enumerate(b):
            y[r, : len(g)] = g
        return F.cross_entropy(
            net.linear(task, W, F.dropout(h, drop)).flatten(0, 1), torch.from_numpy(y).to(dev).flatten(), ignore_index=-100
        )
    if task == "answers":
        lg = net.linear(task, W, h).masked_fill(~m[..., None], -1e4)
        y = torch.tensor([y for _, _, y in b], device=dev)
        return (F.cross_entropy(lg[..., 0], y[:, 0]) + F.cross_entropy(lg[..., 1], y[:, 1])) / 2
    return F.cross_entropy(net.linear(task, W, F.dropout(net.pooled(W, h), drop)), torch.tensor([y for _, _, y in b], device=dev))


def words_of(s):
    s = re.sub(r"\b(a|an|the)\b", " ", re.sub(r"[^\w\s]", "", s.lower()))
    return s.split()


def f1(p, g):
    p, g = words_of(p), words_of(g)
    if not p or not g:
        return float(p == g)
    k = sum((collections.Counter(p) & collections.Counter(g)).values())
    return 0.0 if not k else 2 * k / (len(p) + len(g))


DEV = {}


def dev_data():
    DEV["sentiment"] = [("sentiment", sentiment("dev"))]
    DEV["entities"] = [("ner", entities("dev"))]
    DEV["entailment"] = [("pair", entailment("pair", "dev"))]
    DEV["choices"] = [(n, choices(n, "dev")) for n in ("choice", "choice4", "choice_reading")]
    DEV["answers"] = [(n, answers(n, "dev")) for n in ("qa", "qa_fairytale")]

    for task, sets in DEV.items():
        DEV[task] = [(name, data[:a.judged]) for name, data in sets]


@torch.no_grad()
def judge(task, net, W):
    T = net.task(W, task)
    res = {}
    for name, data in DEV[task]:
        B = 128
        if task in ("sentiment", "entailment"):
            ok = 0
            for i in range(0, len(data), B):
                b = data[i : i + B]
                (x, m, t), _ = pad([(i, k) for i, k, _ in b])
                p = net.linear(task, W, net.pooled(W, net.encode(W, T, x, m, t))).argmax(-1).tolist()
                ok += sum(u == y for u, (_, _, y) in zip(p, b))
            res[name] = 100 * ok / len(data)
        elif task == "entities":
            tp = np_ = ng = 0
            for i in range(0, len(data), B):
                b = data[i : i + B]
                (x, m, t), _ = pad([(i, k) for i, k, _ in b])
                p = net.linear(task, W, net.encode(W, T, x, m, t)).argmax(-1).tolist()
                for row, (_, _, g) in zip(p, b):
                    P = spans([TAGS[row[j]] for j, y in enumerate(g) if y != -100])
                    G = spans([TAGS[y] for y in g if y != -100])
                    tp, np_, ng = tp + len(P & G), np_ + len(P), ng + len(G)
            res[name] = 200 * tp / max(1, np_ + ng)
        elif task == "choices":
            ok = 0
            for i in range(0, len(data), 64):
                b = data[i : i + 64]
                (x, m, t), _ = pad([z for c, _ in b for z in c])
                s = net.linear(task, W, net.pooled(W, net.encode(W, T, x, m, t)))[:, 0].tolist()
                for c, y in b:
                    v, s = s[: len(c)], s[len(c) :]
                    ok += int(np.argmax(v)) == y
            res[name] = 100 * ok / len(data)
        else:
            tot, items = 0, []
            for r, (_, q, c, wins, _) in enumerate(data):
                items += [(r, s, e) for s, e in wins]
            best = {}
            items.sort(key=lambda z: z[2] - z[1])
            for i in range(0, len(items), 64):
                b = items[i : i + 64]
                rows = []
                for r, s, e in b:
                    q, c = data[r][1], data[r][2]
                    rows.append(([2, *q, 3, *c.ids[s:e], 3], [0] * (len(q) + 2) + [1] * (e - s + 1)))
                (x, m, t), _ = pad(rows)
                lg = net.linear(task, W, net.encode(W, T, x, m, t))
                for (r, s, e), l in zip(b, lg):
                    k = len(data[r][1]) + 2
                    u, v = l[k : k + e - s, 0], l[k : k + e - s, 1]
                    z = (u[:, None] + v[None]).triu().masked_fill_(torch.ones(e - s, e - s, device=dev).triu(30).bool(), -1e9)
                    z = torch.where(torch.ones_like(z).triu().bool(), z, -1e9)
                    j = int(z.argmax())
                    sc = float(z.flatten()[j])
                    if sc > best.get(r, (-1e9,))[0]:
                        off = data[r][2].offsets
                        best[r] = (sc, off[s + j // (e - s)][0], off[s + j % (e - s)][1])
            for r, (row, _, _, _, gold) in enumerate(data):
                p = row["context"][best[r][1] : best[r][2]].strip()
                tot += max(f1(p, g) for g in gold)
            res[name] = 100 * tot / len(data)
    return {k: round(v, 2) for k, v in res.items()}


sources = {
    ("sentiment", "sentiment"): (Source(lambda: sentiment("train"), 64, "sentiment"), 1.0),
    ("entities", "ner"): (Source(lambda: entities("train"), 48, "entities"), 1.2),
    ("entities", "wnut"): (Source(lambda: entities("train", "ner_wnut17"), 48, "entities"), 0.2),
    ("answers", "qa"): (Source(lambda: answers("qa", "train"), 32, "answers"), 1.6),
    ("answers", "crop"): (Source(lambda: answers("qa", "train", crop=True), 64, "answers"), 0.8),
    ("choices", "choice"): (Source(lambda: choices("choice", "train"), 48, "choices"), 1.6),
    ("choices", "choice4"): (Source(lambda: choices("choice4", "train"), 24, "choices"), 0.5),
    ("choices", "reading"): (Source(lambda: choices("choice_reading", "train"), 8, "choices"), 0.3),
    ("entailment", "pair"): (Source(lambda: entailment("pair", "train"), 64, "entailment"), 1.6),
    ("entailment", "zero"): (Source(lambda: entailment("zero_shot", "train"), 64, "entailment"), 1.0),
}
net = M.Albert(tok.get_vocab_size()).to(dev)
net.load_state_dict(torch.load(a.init, map_location=dev))
if float(net.steps["q"].detach().abs().sum()) == 0:
    net.set_steps()
dev_data()
say("dev data")
sts = [(r["text"], r["text_pair"], r["score"] / 5) for r in load("regression", "train")]
sts_ids = enc([x for r in sts for x in r[:2]])
z = None
if not a.skip_text:
    z = np.load(a.run + "/text.npz")
    rows = text.Rows(z["ids"], z["so"], z["docs"], tok, dev)
    single = text.Sentences(z["sid"], z["sso"], torch.load(a.run + "/vectors.pt", map_location=dev), dev)


def optimizer(names, peak):
    sel = [(n, p) for n, p in net.named_parameters() if names(n)]
    g = [
        {"params": [p for n, p in sel if n.startswith("steps.")], "weight_decay": 0.0, "k": 0.02},
        {"params": [p for n, p in sel if n.startswith(("left.", "right.", "head_"))], "weight_decay": 0.0, "k": 1.0},
        {
            "params": [p for n, p in sel if not n.startswith(("steps.", "left.", "right.", "head_")) and p.dim() >= 2],
            "weight_decay": 0.01,
            "k": 1.0,
        },
        {
            "params": [p for n, p in sel if not n.startswith(("steps.", "left.", "right.", "head_")) and p.dim() < 2],
            "weight_decay": 0.0,
            "k": 1.0,
        },
    ]
    g = [x for x in g if x["params"]]
    return torch.optim.AdamW(g, lr=peak, betas=(0.9, 0.98), eps=1e-6, fused=dev == "cuda"), [p for x in g for p in x["params"]]


def rate(p, warm=0.05):
    return min(1, p / warm + 0.01) if p < warm else (1 - p) / (1 - warm) + 0.002


keys, share = list(sources), np.array([sources[k][1] for k in sources])
share /= share.sum()
# The time limit does not include the preparation of data.
for (task, _), (s, _) in sources.items():
    if a.only and task not in a.only:
        continue
    s.data = s.make()
    s.epochs = 0
    s.queue = []
say("train data", {"/".join(k): len(s.data) for k, (s, _) in sources.items() if s.data})
opt, params = optimizer(lambda n: True, a.peak)
t1, n, sums, log = time.time(), 0, collections.defaultdict(list), []
next_say = 0.25
while a.joint > 0 and (p := (time.time() - t1) / a.joint) < 1:
    for g in opt.param_groups:
        g["lr"] = a.peak * rate(p) * g["k"]
    W = net.weights(True, dt)
    T = net.task(W)
    if z is not None:
        long_ = n % 8 == 7
        x, y, m, t, s = rows.batch(max(1, a.rows // 4) if long_ else a.rows, 512 if long_ else 128)
        h = net.encode(W, T, x, m, t)
        at = (y != -100).nonzero(as_tuple=True)
        mlm = F.cross_entropy(net.mlm(W, h[at]), y[at])
        sop = F.cross_entropy(F.linear(net.pooled(W, h), net.sop_w.to(dt), net.sop_b.to(dt)).float(), s, ignore_index=-100)
        x2, m2, v = single.batch(a.sent, rng)
        u = M.mean_pool(net.encode(W, T, x2, m2), m2)
        k = slice(0, 512)
        dis = (1 - (u * v).sum(1)).mean() + ((u[k] @ u[k].T - v[k] @ v[k].T) ** 2).mean()
        (mlm + 0.5 * sop + 4 * dis).backward(retain_graph=True)
        sums["mlm"].append(mlm.detach())
        sums["sop"].append(sop.detach())
        sums["dis"].append(dis.detach())
    if n % 4 == 0:
        b = random.sample(range(len(sts)), min(32, len(sts)))
        (x, m, t), _ = pad([([2, *sts_ids[2 * i + j][:126], 3], None) for i in b for j in (0, 1)])
        u = M.mean_pool(net.encode(W, T, x, m, None, 0.1), m)
        l = ((u[0::2] * u[1::2]).sum(1) - torch.tensor([sts[i][2] for i in b], device=dev)).pow(2).mean()
        (2 * l).backward(retain_graph=True)
        sums["sts"].append(l.detach())
    for k in random.choices(range(len(keys)), share, k=3):
        task = keys[k][0]
        l = loss_of(task, W, net.task(W, task), net, sources[keys[k]][0].next(), 0.1)
        l.backward(retain_graph=True)
        sums["/".join(keys[k])].append(l.detach())
    torch.nn.utils.clip_grad_norm_(params, 2.0)
    opt.step()
    opt.zero_grad(set_to_none=True)
    n += 1
    if p > next_say or n == 2:
        cur = {k: round(float(torch.stack(v).mean()), 3) for k, v in sums.items()}
        say(n, cur)
        log.append(dict(step=n, seconds=time.time() - t1, **cur))
        sums.clear()
        next_say += 0.25 if n > 2 else 0
        if n > 2:
            W = net.weights(True, dt)
            with torch.no_grad():
                say({t: judge(t, net, W) for t in M.TASKS})
say("joint steps", n, {"/".join(k): s.epochs for k, (s, _) in sources.items()})
torch.save(net.state_dict(), a.out + "/joint.pt")
with torch.no_grad():
    W = net.weights(True, dt)
    res = {t: judge(t, net, W) for t in a.only or M.TASKS}
say("joint", res)
json.dump([log, res], open(a.out + "/joint.json", "w"))

# Only deltas and heads change from here on. The encoder is frozen.
score = lambda r: sum(r.values()) / len(r)
with torch.no_grad():
    fixed = net.weights(True, torch.float32)
    fixed = {
        k: ({m: w.detach() for m, w in v.items()} if k == "base" else v.detach() if torch.is_tensor(v) else v) for k, v in fixed.items()
    }
    fixed = {k: (v if k == "base" else v.to(dt) if torch.is_tensor(v) else dt) for k, v in fixed.items()}
parts = {"sentiment": 0.12, "entities": 0.18, "answers": 0.3, "choices": 0.25, "entailment": 0.15}
for task in a.only or M.TASKS:
    opt, params = optimizer(
        lambda n: n.startswith((f"left.{task}_", f"right.{task}_")) or n in (f"head_w.{task}", f"head_b.{task}"), a.alone_peak
    )
    mine = [k for k in keys if k[0] == task]
    sh = [sources[k][1] for k in mine]
    keep = {k: v.clone() for k, v in net.state_dict().items() if f"{task}_" in k or k.startswith("head_") and k.endswith("." + task)}
    best, t1, n, tries = score(res[task]), time.time(), 0, [res[task]]
    marks = [0.34, 0.67, 1.0]
    while marks:
        p = (time.time() - t1) / (a.alone * parts[task])
        if p >= marks[0]:
            marks.pop(0)
            r = judge(task, net, fixed)
            tries.append(r)
            if score(r) > best:
                best = score(r)
                keep = {k: net.state_dict()[k].clone() for k in keep}
            if not marks:
                break
        for g in opt.param_groups:
            g["lr"] = a.alone_peak * rate(min(p, 1)) * g["k"]
        k = random.choices(mine, sh)[0]
        l = loss_of(task, fixed, net.task(fixed, task), net, sources[k][0].next(), 0.1)
        l.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        n += 1
    net.load_state_dict(keep, strict=False)
    say(task, n, tries)
torch.save(net.state_dict(), a.out + "/final.pt")
say("final", {t: judge(t, net, fixed) for t in a.only or M.TASKS})
