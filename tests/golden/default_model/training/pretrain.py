"""Pretraining with masked LM, sentence order and distillation of sentence vectors, within a given time."""

import argparse
import json
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as M
import start
import text

ap = argparse.ArgumentParser()
ap.add_argument("--data", default=".")
ap.add_argument("--text", default="all.xz")
ap.add_argument("--out", default="run")
ap.add_argument("--seconds", type=float, default=480)
ap.add_argument("--init")
ap.add_argument("--quantize", action="store_true")
ap.add_argument("--peak", type=float, default=1e-3)
ap.add_argument("--end", type=float, default=0.25, help="share of the peak at the end")
ap.add_argument("--warm", type=float, default=0.04)
ap.add_argument("--rows", type=int, default=320)
ap.add_argument("--sent", type=int, default=20480, help="tokens of sentences per step")
ap.add_argument("--layers", type=int, default=4)
ap.add_argument("--limit", type=int)
ap.add_argument("--compile", action="store_true")
ap.add_argument("--max-steps", type=int, default=10**9)
a = ap.parse_args()
T0 = time.time()
dev = "cuda" if torch.cuda.is_available() else "cpu"
torch.manual_seed(1)
random.seed(1)
rng = np.random.default_rng(1)
torch.backends.cuda.matmul.allow_tf32 = True
os.makedirs(a.out, exist_ok=True)
say = lambda *x: print(f"[{time.time() - T0:.0f}s]", *x, flush=True)
tok = Tokenizer.from_file(a.data + "/tokenizer.json")
workers = os.cpu_count()
cache = a.out + "/text.npz"
w = start.load_teacher(a.data)
from transformers import BertConfig, BertModel  # noqa: E402

if not os.path.exists(cache):
    sents, docs = text.sentences(f"{a.data}/{a.text}", a.limit)
    say("sentences", len(sents))
    ids, so = text.tokenize(a.data + "/tokenizer.json", sents, workers)
    say("tokens", len(ids))
    pick = [s for s, d in zip(sents, docs) if 15 <= len(s) <= 260 and d > 0]
    for f, keys in (
        ("sentiment", ["text"]),
        ("pair", ["text", "text_pair"]),
        ("topic", ["text"]),
        ("choice", ["prompt", "choices"]),
        ("choice4", ["prompt"]),
        ("regression", ["text", "text_pair"]),
        ("regression_valence", ["text"]),
        ("qa", ["question"]),
    ):
        p = f"{a.data}/{f}.train.jsonl"
        if os.path.exists(p):
            for line in open(p):
                r = json.loads(line)
                for k in keys:
                    pick += r[k] if isinstance(r[k], list) else [r[k]]
    pick = list(dict.fromkeys(pick))
    random.shuffle(pick)
    pick = pick[:300] if a.limit else pick
    sid, sso = text.tokenize(a.data + "/tokenizer.json", pick, workers)
    tid, tso = text.tokenize(a.data + "/teacher_tokenizer.json", pick, workers)
    say("single sentences", len(pick), len(sid), len(tid))
    if a.text.startswith("all") and not a.limit:
        np.savez(cache, ids=ids, so=so, docs=docs, sid=sid, sso=sso, tid=tid, tso=tso)
        say("saved")
else:
    z = np.load(cache)
    ids, so, docs, sid, sso, tid, tso = (z[k] for k in ("ids", "so", "docs", "sid", "sso", "tid", "tso"))
rows = text.Rows(ids, so, docs, tok, dev)

vec_path = a.out + "/vectors.pt"
if os.path.exists(vec_path):
    vectors = torch.load(vec_path, map_location=dev)
else:
    cfg = json.load(open(a.data + "/teacher_config.json"))
    cfg = {
        k: cfg[k]
        for k in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "type_vocab_size",
            "hidden_act",
            "layer_norm_eps",
        )
    }
    teacher = BertModel(BertConfig(**cfg))
    missing = teacher.load_state_dict({k: v for k, v in w.items()}, strict=False)
    say("teacher", missing.missing_keys, missing.unexpected_keys[:3])
    teacher = teacher.to(dev, torch.float16 if dev == "cuda" else torch.float32).eval()
    ti, to = torch.from_numpy(tid.astype(np.int32)).to(dev), torch.from_numpy(tso.astype(np.int64)).to(dev)
    n = (to[1:] - to[:-1]).clamp(max=62)
    order = torch.argsort(n)
    vectors = torch.zeros(len(n), 384, dtype=torch.float16, device=dev)
    i, j = 0, torch.arange(64, device=dev)[None]
    with torch.no_grad():
        while i < len(order):
            width = int(n[order[min(len(order) - 1, i + (2048 if dev == "cuda" else 64))]]) + 2
            step = max(64, (131072 if dev == "cuda" else 4096) // width)
            s = order[i : i + step]
            width = int(n[s].max()) + 2
            k, jj = n[s][:, None], j[:, :width]
            x = ti[(to[s][:, None] + jj - 1).clamp(0, len(ti) - 1)].long()
            x = torch.where((jj >= 1) & (jj <= k), x, 0)
            x = torch.where(jj == 0, 101, torch.where(jj == k + 1, 102, x))
            m = jj <= k + 1
            h = teacher(input_ids=x, attention_mask=m.long()).last_hidden_state
            vectors[s] = M.mean_pool(h, m).half()
            i += len(s)
    if not a.limit:
        torch.save(vectors, vec_path)
    say("teacher vectors", tuple(vectors.shape))
    del teacher
single = text.Sentences(sid, sso, vectors, dev)
say("shares of widths", single.shares)

net = M.Albert(tok.get_vocab_size(), a.layers).to(dev)
net.mln_w.data.fill_(1)
net.reset_heads()
if a.init:
    net.load_state_dict(torch.load(a.init, map_location=dev))
else:
    wp = Tokenizer.from_file(a.data + "/teacher_tokenizer.json")
    start.start(net, w, tok, wp, dev, 1500 if dev == "cuda" else 100)
    with torch.no_grad():
        # The masked-LM head begins with the projection from hidden states back to embeddings.
        net.mlm_w.copy_(torch.linalg.pinv(net.map_w))
if a.quantize and float(net.steps["q"].detach().abs().sum()) == 0:
    net.set_steps()
if a.compile:
    M.layer = torch.compile(M.layer, dynamic=False)

tasks_only = ("left.", "right.", "head_")
named = [(n, p) for n, p in net.named_parameters() if not n.startswith(tasks_only) and (a.quantize or not n.startswith("steps."))]
decay = [p for n, p in named if p.dim() >= 2 and ("mats" in n or n in ("word", "map_w", "pool_w", "mlm_w"))]
plain = [
    p for n, p in named if not (p.dim() >= 2 and ("mats" in n or n in ("word", "map_w", "pool_w", "mlm_w"))) and not n.startswith("steps.")
]
steps = [p for n, p in named if n.startswith("steps.")]
groups = [{"params": decay, "weight_decay": 0.01, "k": 1.0}, {"params": plain, "weight_decay": 0.0, "k": 1.0}]
if steps:
    groups.append({"params": steps, "weight_decay": 0.0, "k": 0.02})
opt = torch.optim.AdamW(groups, lr=a.peak, betas=(0.9, 0.98), eps=1e-6, fused=dev == "cuda")
params = [p for g in groups for p in g["params"]]
dt = torch.bfloat16 if dev == "cuda" else torch.float32


def evaluate(net, quantized):
    res = {}
    with torch.no_grad():
        W = net.weights(quantized, dt)
        T = net.task(W)
        g = torch.Generator(device=dev).manual_seed(5)
        hit = n = whit = wn = sh = sn = nll = 0
        for _ in range(24 if dev == "cuda" else 2):
            x, y, m, t, s = rows.batch(128 if dev == "cuda" else 4, 128, held=True, gen=g)
            h = net.encode(W, T, x, m, t)
            at = (y != -100).nonzero(as_tuple=True)
            lg = net.mlm(W, h[at])
            ok = lg.argmax(-1) == y[at]
            nll += F.cross_entropy(lg, y[at], reduction="sum").item()
            hit, n = hit + ok.sum().item(), n + len(ok)
            word = torch.cumsum(rows.begin[torch.where(y != -100, y, x)].long(), 1)[at] + at[0] * 1000
            u, inv = torch.unique(word, return_inverse=True)
            wrong = torch.zeros(len(u), device=dev).index_add_(0, inv, (~ok).float())
            whit, wn = whit + (wrong == 0).sum().item(), wn + len(u)
            v = s != -100
            so_ = F.linear(net.pooled(W, h), net.sop_w.to(dt), net.sop_b.to(dt)).argmax(-1)
            sh, sn = sh + ((so_ == s) & v).sum().item(), sn + v.sum().item()
        res.update(
            mlm=round(100 * hit / n, 2), words=round(100 * whit / wn, 2), ppl=round(float(np.exp(nll / n)), 1), sop=round(100 * sh / sn, 2)
        )
        pairs = [json.loads(l) for l in open(a.data + "/regression.dev.jsonl")][: None if dev == "cuda" else 40]
        flat = [r[k] for r in pairs for k in ("text", "text_pair")]
        enc = [e.ids[:62] for e in tok.encode_batch(flat, add_special_tokens=False)]
        v = []
        for i in range(0, len(enc), 256):
            b = enc[i : i + 256]
            x = torch.zeros(len(b), 64, dtype=torch.long, device=dev)
            m = torch.zeros(len(b), 64, dtype=torch.bool, device=dev)
            for r, e in enumerate(b):
                x[r, : len(e) + 2] = torch.tensor([2, *e, 3])
                m[r, : len(e) + 2] = True
            v.append(M.mean_pool(net.encode(W, T, x, m), m))
        v = torch.cat(v)
        c = (v[0::2] * v[1::2]).sum(1).cpu().numpy()
        y = np.array([r["score"] for r in pairs])
        from scipy.stats import spearmanr

        res["sts"] = round(100 * float(spearmanr(c, y)[0]), 2)
    return res


say("before", evaluate(net, a.quantize))
ema = {n: p.detach().clone() for n, p in named}
log, n, tokens, t1 = [], 0, 0, time.time()
budget = a.seconds - (t1 - T0)
say("training for", round(budget))
avg = {}
last = t1
while time.time() - t1 < budget and n < a.max_steps:
    p = (time.time() - t1) / budget
    rate = a.peak * (min(1, p / a.warm + 0.01) if p < a.warm else 1 - (1 - a.end) * (p - a.warm) / (1 - a.warm))
    for g in opt.param_groups:
        g["lr"] = rate * g["k"]
    W = net.weights(a.quantize, dt)
    T = net.task(W)
    long_ = n % 8 == 7
    x, y, m, t, s = rows.batch(max(1, a.rows // 4) if long_ else a.rows, 512 if long_ else 128, rate=0.2)
    h = net.encode(W, T, x, m, t)
    at = (y != -100).nonzero(as_tuple=True)
    mlm = F.cross_entropy(net.mlm(W, h[at]), y[at])
    sop = F.cross_entropy(F.linear(net.pooled(W, h), net.sop_w.to(dt), net.sop_b.to(dt)).float(), s, ignore_index=-100)
    (mlm + 0.5 * sop).backward(retain_graph=True)
    x2, m2, v = single.batch(a.sent, rng)
    z = M.mean_pool(net.encode(W, T, x2, m2), m2)
    k = slice(0, 512)
    dis = (1 - (z * v).sum(1)).mean() + ((z[k] @ z[k].T - v[k] @ v[k].T) ** 2).mean()
    (4 * dis).backward()
    norm = torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    opt.zero_grad(set_to_none=True)
    n += 1
    tokens += x.numel() + x2.numel()
    if n % 10 == 0:
        with torch.no_grad():
            d = min(0.995, n / (n + 50))
            torch._foreach_lerp_([ema[k] for k, _ in named], [q.detach() for _, q in named], 1 - d)
    if n % 100 == 0 or n <= 3 or dev == "cpu":
        cur = dict(
            step=n,
            mlm=mlm.item(),
            sop=sop.item(),
            dis=dis.item(),
            norm=norm.item(),
            lr=rate,
            tokens=tokens,
            seconds=round(time.time() - t1, 1),
        )
        log.append(cur)
        if n % 500 == 0 or n <= 3:
            say({k: (round(v, 5) if isinstance(v, float) else v) for k, v in cur.items()})
say("steps", n, "tokens", tokens, "per second", round(tokens / (time.time() - t1)))
say("after", evaluate(net, a.quantize))
raw = {k: v.clone() for k, v in net.state_dict().items()}
with torch.no_grad():
    for k, q in net.named_parameters():
        if k in ema:
            q.copy_(ema[k])
say("averaged", evaluate(net, a.quantize))
torch.save(raw, a.out + "/last.pt")
torch.save(net.state_dict(), a.out + "/state.pt")
json.dump(log, open(a.out + "/log.json", "w"))
