"""Masked LM on single short sentences, as users type them, and on facts about countries that the corpus lacks.

    python sentences.py --text all.txt --data DATA --init final.pt --output adapted.pt --seconds 1200

A mean squared error keeps the hidden states of unmasked sentences close to their original values, so that the deltas of
the tasks still fit the encoder.
"""

import argparse
import copy
import json
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as M
import text

FORMS = [
    "The capital of {0} is {1}.",
    "{1} is the capital of {0}.",
    "The capital city of {0} is {1}.",
    "{1} is the capital city of {0}.",
    "{0} is a country in {2}.",
    "In {0}, people speak {3}.",
    "Most people in {0} speak {3}.",
    "The official language of {0} is {3}.",
    "They live in {1}, the capital of {0}.",
    "{1} is a city in {0}.",
]

ap = argparse.ArgumentParser()
for name in ("text", "data", "init", "output"):
    ap.add_argument("--" + name, required=True)
ap.add_argument("--seconds", type=float, default=1200)
ap.add_argument("--peak", type=float, default=1.5e-4)
ap.add_argument("--rows", type=int, default=64)
ap.add_argument("--keep", type=float, default=2.0)
ap.add_argument("--facts", type=float, default=0.25)
ap.add_argument("--sentences", type=int, default=150000)
a = ap.parse_args()
torch.manual_seed(3)
random.seed(3)
dev = "cuda" if torch.cuda.is_available() else "cpu"
tok = Tokenizer.from_file(a.data + "/tokenizer.json")
sents, docs = text.sentences(a.text)
pick = [s for s, d in zip(sents, docs) if 25 <= len(s) <= 140 and d > 0 and s[-1] in ".!?"]
random.shuffle(pick)
pick = pick[: a.sentences]
held = [s for s, d in zip(sents, docs) if 25 <= len(s) <= 140 and d < 0 and s[-1] in ".!?"][:600]
here = os.path.dirname(os.path.abspath(__file__))
facts = [line.rstrip("\n").split("\t") for line in open(os.path.join(here, "facts.tsv"))]
facts = [f.format(*r) for r in facts for f in FORMS]
facts = [f[0].upper() + f[1:] for f in facts]
enc = lambda x: [e.ids for e in tok.encode_batch(x, add_special_tokens=False)]
ids, fact_ids, held_ids = enc(pick), enc(facts), enc(held)
print(len(ids), "sentences,", len(fact_ids), "facts", flush=True)
names = [tok.id_to_token(i) for i in range(tok.get_vocab_size())]
begin = np.array([n.startswith("▁") or not any(c.isalpha() for c in n) for n in names])


def rows(some):
    n = max(len(x) for x in some) + 2
    x, m = np.zeros((len(some), n), np.int64), np.zeros((len(some), n), bool)
    for r, s in enumerate(some):
        x[r, : len(s) + 2], m[r, : len(s) + 2] = [2, *s, 3], True
    return x, m


# Words of the fact templates, which are never masked.
FORM = set("the is of a an capital city country in people speak most official language they live".split())


def masked(x, m, rng, rate=0.15, eighty=True, facts=0):
    """Masks words. In the last `facts` rows, this is one word that is not part of the template."""
    y = np.full_like(x, -100)
    out = x.copy()
    for r in range(len(x)):
        n = m[r].sum() - 1
        starts = [i for i in range(1, n) if begin[x[r, i]] and any(c.isalpha() for c in names[x[r, i]])]
        fact = r >= len(x) - facts
        if fact:
            starts = [i for i in starts if names[x[r, i]].strip("▁") not in FORM] or starts
        if not starts:
            continue
        for s in rng.choice(starts, 1 if fact else max(1, round(len(starts) * rate)), replace=False):
            e = s + 1
            while e < n and not begin[x[r, e]]:
                e += 1
            y[r, s:e] = x[r, s:e]
            k = rng.random()
            if k < 0.9 or not eighty:
                out[r, s:e] = 4
    return out, y


net = M.Albert(tok.get_vocab_size()).to(dev)
net.load_state_dict(torch.load(a.init, map_location=dev))
old = copy.deepcopy(net).eval()
with torch.no_grad():
    OW = old.weights(True, torch.float32)
    OT = old.task(OW)


def evaluate():
    rng = np.random.default_rng(9)
    with torch.no_grad():
        W = net.weights(True, torch.float32)
        T = net.task(W)
        res = []
        for some, rate in ((held_ids, 0.05), (fact_ids[::10], 0.01), (fact_ids[4::10], 0.01)):
            hit = n = 0
            for i in range(0, len(some), 64):
                x, m = rows(some[i : i + 64])
                o, y = masked(x, m, rng, rate, False)
                if rate == 0.01:
                    # Masks the last word.
                    o, y = x.copy(), np.full_like(x, -100)
                    for r in range(len(x)):
                        e = m[r].sum() - 2
                        s = e - 1
                        while not begin[x[r, s]]:
                            s -= 1
                        y[r, s:e] = x[r, s:e]
                        o[r, s:e] = 4
                o, y, m = (torch.from_numpy(v).to(dev) for v in (o, y, m))
                at = (y != -100).nonzero(as_tuple=True)
                ok = net.mlm(W, net.encode(W, T, o, m)[at]).argmax(-1) == y[at]
                hit, n = hit + ok.sum().item(), n + len(ok)
            res.append(round(100 * hit / n, 1))
    return res


print("short sentences, capitals, continents:", evaluate(), flush=True)
skip = ("steps.", "left.", "right.", "head_", "sop", "pool")
params = [p for n, p in net.named_parameters() if not n.startswith(skip)]
opt = torch.optim.AdamW(params, lr=a.peak, betas=(0.9, 0.98), weight_decay=0.0)
rng = np.random.default_rng(4)
t0, n, log, nextsay = time.time(), 0, [], 120
while (p := (time.time() - t0) / a.seconds) < 1:
    for g in opt.param_groups:
        g["lr"] = a.peak * (min(1, p / 0.05 + 0.02) if p < 0.05 else (1 - p) / 0.95 + 0.01)
    k = round(a.rows * a.facts)
    i = rng.integers(0, len(ids) - a.rows)
    some = ids[i : i + a.rows - k] + [fact_ids[j] for j in rng.integers(0, len(fact_ids), k)]
    x, m = rows(some)
    o, y = masked(x, m, rng, facts=k)
    o, y, x, m = (torch.from_numpy(v).to(dev) for v in (o, y, x, m))
    W = net.weights(True, torch.float32)
    T = net.task(W)
    h = net.encode(W, T, o, m)
    at = (y != -100).nonzero(as_tuple=True)
    loss = F.cross_entropy(net.mlm(W, h[at]), y[at])
    u = slice(0, a.rows // 3)
    with torch.no_grad():
        target = old.encode(OW, OT, x[u], m[u])
    d = net.encode(W, T, x[u], m[u]) - target
    keep = (d.pow(2).mean(-1) * m[u]).sum() / m[u].sum()
    (loss + a.keep * keep).backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    opt.zero_grad(set_to_none=True)
    n += 1
    log.append((loss.item(), keep.item()))
    if time.time() - t0 > nextsay:
        print(n, round(time.time() - t0), np.mean(log[-100:], 0).round(3), evaluate(), flush=True)
        torch.save(net.state_dict(), a.output)
        nextsay += 180
print(n, "steps", np.mean(log[-100:], 0).round(3), evaluate(), flush=True)
torch.save(net.state_dict(), a.output)
