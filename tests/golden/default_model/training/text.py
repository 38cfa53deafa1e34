"""The corpus as token ids: documents of sentences, rows for masked LM and sentence order, and sentences for distillation."""

import lzma
import multiprocessing as mp
import re

import numpy as np
import torch
from tokenizers import Tokenizer

SPLIT = re.compile(r"(?<=[.!?])[\"')\]”’]*\s+(?=[\"'(\[“‘]*[A-Z0-9])")
_tok = {}


def pieces(args):
    path, lines = args
    if path not in _tok:
        _tok[path] = Tokenizer.from_file(path)
    enc = _tok[path].encode_batch(lines, add_special_tokens=False)
    n = np.array([len(e.ids) for e in enc], np.int32)
    return np.concatenate([np.array(e.ids, np.uint16) for e in enc] or [np.zeros(0, np.uint16)]), n


def tokenize(path, lines, workers):
    """Token ids of all lines, and the offsets of the lines [len + 1]."""
    size = max(1, min(20000, len(lines) // workers + 1))
    parts = [(path, lines[i : i + size]) for i in range(0, len(lines), size)]
    with mp.Pool(workers) as pool:
        done = pool.map(pieces, parts, chunksize=1)
    ids = np.concatenate([d[0] for d in done])
    return ids, np.concatenate([[0], np.cumsum(np.concatenate([d[1] for d in done]))])


def split(part):
    """The sentences of complete documents, and the number of documents before each."""
    out, docs, doc, open_ = [], [], 0, False
    for line in part.split("\n"):
        if not line.strip():
            doc += open_
            open_ = False
            continue
        open_ = True
        for s in SPLIT.split(line.strip()):
            if s:
                out.append(s)
                docs.append(doc)
    return out, docs


def sentences(path, limit=None):
    """The sentences, and the document number of each. One document in a hundred is held out and has a negative number."""
    data = open(path, "rb").read()
    text = lzma.decompress(data).decode() if path.endswith(".xz") else data.decode()
    parts, i, size = [], 0, max(20000, len(text) // 64)
    while i < len(text):
        j = text.find("\n\n", i + size)
        j = len(text) if j < 0 else j + 2
        parts.append(text[i:j])
        i = j
    with mp.Pool(mp.cpu_count()) as pool:
        done = pool.map(split, parts, chunksize=1)
    out, docs, base = [], [], 1
    for o, d in done:
        out += o
        docs.append(np.array(d, np.int32) + base)
        base += (d[-1] if d else 0) + 1
    docs = np.concatenate(docs)
    docs = np.where(docs % 100 == 7, -docs, docs)
    return out[:limit], docs[:limit]


class Rows:
    """Rows of two runs of complete sentences, swapped or not, with whole-word masking. Everything is on the device."""

    def __init__(self, ids, so, docs, tok, dev):
        self.dev = dev
        self.ids = torch.from_numpy(ids.astype(np.int32)).to(dev)
        self.so = torch.from_numpy(so.astype(np.int64)).to(dev)
        bounds = np.flatnonzero(np.diff(docs)) + 1
        ends = np.concatenate([bounds, [len(docs)]])
        self.doc_end = torch.from_numpy(np.repeat(ends, np.diff(np.concatenate([[0], ends])))).to(dev)
        lens = np.diff(so)
        fits = np.flatnonzero((lens < 400) & (docs > 0) & (np.arange(len(docs)) + 1 < self.doc_end.cpu().numpy()))
        held = np.flatnonzero((lens < 400) & (docs < 0) & (np.arange(len(docs)) + 1 < self.doc_end.cpu().numpy()))
        self.starts, self.held = torch.from_numpy(fits).to(dev), torch.from_numpy(held).to(dev)
        V = tok.get_vocab_size()
        names = [tok.id_to_token(i) for i in range(V)]
        self.begin = torch.tensor([n.startswith("▁") or not any(c.isalpha() for c in n) for n in names], device=dev)
        self.vocab = V

    def batch(self, rows, length, held=False, rate=0.15, gen=None):
        """ids, labels (-100: none), mask, types, swapped, each [rows, length] or [rows]."""
        dev = self.dev
        pool = self.held if held else self.starts
        s = pool[torch.randint(0, len(pool), (rows,), device=dev, generator=gen)]
        room = length - 3
        e = torch.searchsorted(self.so, self.so[s] + room, right=True) - 1
        e = torch.minimum(e, self.doc_end[s])
        ok = e - s >= 2
        e = torch.maximum(e, s + 2)
        m = s + 1 + (torch.rand(rows, device=dev, generator=gen) * (e - s - 1)).long()
        # A pair that does not fit is cut at the row's end.
        swap = torch.rand(rows, device=dev, generator=gen) < 0.5
        a0, a1, b0, b1 = self.so[s], self.so[m], self.so[m], self.so[e]
        a0, a1, b0, b1 = (torch.where(swap, y, x) for x, y in ((a0, b0), (a1, b1), (b0, a0), (b1, a1)))
        la = torch.minimum(a1 - a0, torch.full_like(a0, room - 1))
        lb = torch.minimum(b1 - b0, room - la)
        i = torch.arange(length, device=dev)[None]
        la_, lb_ = la[:, None], lb[:, None]
        src = torch.where(i <= la_, a0[:, None] + i - 1, b0[:, None] + i - la_ - 2).clamp(0, len(self.ids) - 1)
        ids = self.ids[src].long()
        text = ((i >= 1) & (i <= la_)) | ((i >= la_ + 2) & (i < la_ + 2 + lb_))
        ids = torch.where(text, ids, 0)
        ids = torch.where(i == 0, 2, ids)
        ids = torch.where((i == la_ + 1) | (i == la_ + 2 + lb_), 3, ids)
        mask = i <= la_ + 2 + lb_
        types = ((i >= la_ + 2) & mask).long()
        word = torch.cumsum((self.begin[ids] | ~text).long(), 1)
        r = torch.rand(rows, length + 1, device=dev, generator=gen)
        chosen = text & (torch.gather(r, 1, word) < rate)
        labels = torch.where(chosen, ids, -100)
        how = torch.rand(rows, length, device=dev, generator=gen)
        rnd = torch.randint(5, self.vocab, (rows, length), device=dev, generator=gen)
        ids = torch.where(chosen & (how < 0.8), 4, torch.where(chosen & (how > 0.9), rnd, ids))
        return ids, labels, mask, types, torch.where(ok, swap.long(), torch.full_like(swap.long(), -100))


class Sentences:
    """Single sentences by length, with the teacher's vectors."""

    WIDTHS = (16, 32, 64)

    def __init__(self, ids, so, vectors, dev):
        self.ids = torch.from_numpy(ids.astype(np.int32)).to(dev)
        self.so = torch.from_numpy(so.astype(np.int64)).to(dev)
        self.vectors = vectors
        lens = np.diff(so) + 2
        self.groups, low = [], 0
        for w in self.WIDTHS:
            self.groups.append(torch.from_numpy(np.flatnonzero((lens > low) & (lens <= w))).to(dev))
            low = w
        self.shares = np.array([len(g) for g in self.groups], float)
        self.shares /= self.shares.sum()
        self.dev = dev

    def batch(self, tokens, rng):
        k = rng.choice(len(self.groups), p=self.shares)
        w = self.WIDTHS[k]
        rows = max(2, tokens // w)
        g = self.groups[k]
        s = g[torch.randint(0, len(g), (rows,), device=self.dev)]
        ids, mask = self.rows(s, w)
        return ids, mask, self.vectors[s].float()

    def rows(self, s, w):
        i = torch.arange(w, device=self.dev)[None]
        n = (self.so[s + 1] - self.so[s])[:, None]
        ids = self.ids[(self.so[s][:, None] + i - 1).clamp(0, len(self.ids) - 1)].long()
        ids = torch.where((i >= 1) & (i <= n), ids, 0)
        ids = torch.where(i == 0, 2, torch.where(i == n + 1, 3, ids))
        return ids, i <= n + 1
