"""Trains the low-rank deltas of one task from labelled data and from the teachers' labels, on the frozen encoder.

    python student.py entities --assets ASSETS --tokenizer TOKENIZER --data DATA --labels labels.pkl --out NEW

Besides the deltas, the task gets its own head, biases and layer norms. Weights are averaged (EMA). NEW/model.safetensors is
the model in ASSETS with the new tensors of the task.
"""

import argparse
import os
import pickle
import random
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import Tokenizer

import assets
import labelled as L
import model as M


class Student:
    """The encoder with one task's deltas. Only `parameters` are trained."""

    def __init__(self, net, task):
        self.net, self.task = net, task
        net.requires_grad_(False)
        mine = (f"left.{task}_", f"right.{task}_", f"head_w.{task}", f"head_b.{task}", "bias.", "ln1_", "ln2_")
        self.parameters = {n: p for n, p in net.named_parameters() if n.startswith(mine)}
        for p in self.parameters.values():
            p.requires_grad_(True)
        self.frozen = {m: net.mats[m].detach().bfloat16() for m in M.MATRICES}

    def linear(self, x, m, l):
        left, right = self.net.left[f"{self.task}_{m}"][l], self.net.right[f"{self.task}_{m}"][l]
        delta = F.linear(F.linear(x, right.to(x.dtype)), left.to(x.dtype))
        return F.linear(x, self.frozen[m][l].to(x.dtype), self.net.bias[m][l].to(x.dtype)) + delta

    def logits(self, x, mask, drop=0.0):
        net, d = self.net, torch.bfloat16
        B, N = x.shape
        with torch.no_grad():
            h = F.embedding(x, net.word) + net.pos[:N] + net.kinds[0]
            h = F.layer_norm(h, (net.E,), net.eln_w, net.eln_b, 1e-12)
            h = F.linear(h, net.map_w, net.map_b).to(d)
        for l in range(net.layers):
            q, k, v = (self.linear(h, m, l).view(B, N, net.heads, -1).transpose(1, 2) for m in "qkv")
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None]).transpose(1, 2).reshape(B, N, -1)
            a = dropout(self.linear(a, "o", l), drop)
            h = F.layer_norm(h + a, (net.H,), net.ln1_w[l].to(d), net.ln1_b[l].to(d), 1e-12)
            y = dropout(self.linear(F.gelu(self.linear(h, "f", l)), "g", l), drop)
            h = F.layer_norm(h + y, (net.H,), net.ln2_w[l].to(d), net.ln2_b[l].to(d), 1e-12)
        h = h.float()
        if self.task == "sentiment":
            h = torch.tanh(F.linear(h[:, 0], net.pool_w, net.pool_b))
        return F.linear(dropout(h, drop), net.head_w[self.task], net.head_b[self.task])


def dropout(x, rate):
    """Dropout with NumPy's generator, which is faster than PyTorch's on a processor."""
    if not rate:
        return x
    k = round(rate * 256)
    kept = torch.from_numpy(np.random.randint(0, 256, x.shape, np.uint8)) >= k
    return x * kept.to(x.dtype) * (256 / (256 - k))


def taught(path, words):
    """The rows of label.py. Half of those for entities are separate words, half are running text."""
    rng, rows = random.Random(3), []
    for text, spans, p in pickle.load(open(path, "rb")):
        p = p.astype(np.float32)
        p /= p.sum(-1, keepdims=True)
        if spans is None:
            rows.append(words.classified(text, p))
        elif rng.random() < 0.5:
            rows.append(words.tagged([text[u:v] for u, v in spans], p))
        else:
            rows.append(words.tagged_text(text, spans, p))
    return rows


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=L.CLASSES)
    for name in ("assets", "tokenizer", "data", "labels", "out"):
        ap.add_argument("--" + name, required=True)
    ap.add_argument("--state", help="continue from this file")
    ap.add_argument("--rank", type=int, default=12)
    ap.add_argument("--seconds", type=float, default=1500)
    ap.add_argument("--peak", type=float, default=2e-3)
    a = ap.parse_args()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    os.makedirs(a.out, exist_ok=True)
    words = L.Words(Tokenizer.from_file(a.tokenizer + "/tokenizer.json"), 2, 3)
    net = assets.read(a.assets, a.task, a.rank)
    student = Student(net, a.task)
    own = student.parameters
    if a.state:
        with torch.no_grad():
            for name, value in torch.load(a.state).items():
                own[name].copy_(value)
    dev, gold, soft = L.gold(a.task, a.data, words, "dev"), L.gold(a.task, a.data, words, "train"), taught(a.labels, words)
    with torch.no_grad():
        print(len(gold), "labelled,", len(soft), "taught, dev", L.judge(a.task, dev, student.logits), flush=True)
    opt = torch.optim.AdamW(own.values(), lr=a.peak, weight_decay=0.0, betas=(0.9, 0.98), fused=True)
    mean = {name: p.detach().clone() for name, p in own.items()}
    queues, losses, n, tokens, start = {"gold": [], "soft": []}, [], 0, 0, time.time()
    marks = [0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0]
    while marks:
        p = (time.time() - start) / a.seconds
        if p >= marks[0]:
            marks.pop(0)
            with torch.no_grad():
                last = {name: q.detach().clone() for name, q in own.items()}
                for name, q in own.items():
                    q.copy_(mean[name])
                score = L.judge(a.task, dev, student.logits)
                for name, q in own.items():
                    q.copy_(last[name])
            print(f"{p:.2f}, {n} steps, {tokens} tokens: loss {np.mean(losses):.4f}, dev {score:.2f}", flush=True)
            losses = []
            torch.save(mean, a.out + "/state.pt")
            continue
        opt.param_groups[0]["lr"] = a.peak * (min(1, p / 0.04 + 0.02) if p < 0.04 else (1 - p) / 0.96 + 0.003)
        kind = "gold" if n % 4 == 3 else "soft"
        queues[kind] = queues[kind] or (L.batches(gold, 48) if kind == "gold" else L.batches(soft, 96))
        x, m, y, w = L.pad(queues[kind].pop())
        loss = L.loss(student.logits(x, m, 0.1 if kind == "gold" else 0.0), y, w)
        loss.backward()
        nn.utils.clip_grad_norm_(own.values(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        n, tokens = n + 1, tokens + int(m.sum())
        losses.append(loss.item())
        keep = min(0.998, n / (n + 9))
        with torch.no_grad():
            for name, q in own.items():
                mean[name].lerp_(q, 1 - keep)
    assets.replace(a.assets, a.task, mean, a.out)


if __name__ == "__main__":
    main()
