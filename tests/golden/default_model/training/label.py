"""Labels sentences with the mean distribution of several teachers of task_teacher.py.

    python label.py entities --minilm MODEL --data DATA --corpus CORPUS --teachers teacher*.pt --out labels.pkl

CORPUS holds files `NAME_*.txt.gz` with one paragraph per line. Sentences with names are preferred for entities. For sentiment,
most sentences consist of parts of two training sentences.
"""

import argparse
import collections
import glob
import gzip
import os
import pickle
import random
import re

import numpy as np
import torch

import labelled as L
from task_teacher import Teacher, tokenizer
from text import SPLIT

# The share of each part of the corpus.
SHARES = {
    "wikipedia": 0.3,
    "news_events": 0.12,
    "news_articles": 0.05,
    "mixed_gum": 0.03,
    "dialogue": 0.1,
    "tech": 0.1,
    "government": 0.08,
    "economy": 0.03,
    "factbook": 0.04,
    "speeches": 0.06,
    "health": 0.03,
    "science": 0.02,
    "textbooks": 0.04,
}
# Unlabelled sentences of task files: name, fields.
OTHERS = [
    ("regression_valence", ["text"]),
    ("regression", ["text", "text_pair"]),
    ("qa", ["question"]),
    ("sentiment", ["text"]),
    ("choice_reading", ["context"]),
]


def sentences(text):
    return [s for s in SPLIT.split(text.strip()) if 20 <= len(s) <= 220]


def collected(a):
    pool = collections.defaultdict(list)
    for path in sorted(glob.glob(a.corpus + "/*.txt.gz")):
        name = next((k for k in SHARES if os.path.basename(path).startswith(k)), None)
        for line in gzip.open(path, "rt") if name else ():
            pool[name] += sentences(line)
    texts = []
    for name, found in pool.items():
        random.shuffle(found)
        n = int(a.sentences * SHARES[name])
        texts += [s for s in found if re.search(r"\s[A-Z]", s)][: n * 3 // 4] + found[-(n // 4) :]
    for name, fields in OTHERS:
        found = sorted({s for r in L.load(a.data, name, "train") for f in fields for s in sentences(r[f])})
        random.shuffle(found)
        texts += found[: a.sentences // 25]
    return texts


def recombined(a):
    """Parts of two training sentences, and whole ones."""
    train = [text.split() for text, _ in L.sentiment(a.data, "train")]
    texts = [" ".join(words) for words in train]
    while len(texts) < a.sentences * 4 // 5:
        x, y = random.choice(train), random.choice(train)
        i, j = random.randint(0, len(x)), random.randint(0, len(y))
        words = x[i : i + random.randint(3, 20)] + y[j : j + random.randint(0, 20)]
        if len(words) >= 3:
            texts.append(" ".join(words))
    return texts


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=L.CLASSES)
    for name in ("minilm", "data", "corpus", "out"):
        ap.add_argument("--" + name, required=True)
    ap.add_argument("--teachers", nargs="+", required=True)
    ap.add_argument("--sentences", type=int, default=100000)
    a = ap.parse_args()
    random.seed(5)
    texts = collected(a)
    if a.task == "sentiment":
        random.shuffle(texts)
        texts = texts[: a.sentences // 5] + recombined(a)
    texts = list(dict.fromkeys(texts))
    words = tokenizer(a.minilm)
    enc = words.tok.encode_batch(texts, add_special_tokens=False)
    nets = []
    for path in a.teachers:
        nets.append(Teacher(a.minilm, a.task).eval())
        nets[-1].load_state_dict(torch.load(path))
    out, order = [None] * len(texts), sorted(range(len(texts)), key=lambda i: len(enc[i].ids))
    for b in range(0, len(order), 64):
        part = order[b : b + 64]
        n = max(len(enc[i].ids) for i in part) + 2
        x, m = torch.zeros(len(part), n, dtype=torch.long), torch.zeros(len(part), n, dtype=torch.bool)
        for r, i in enumerate(part):
            ids = [words.cls, *enc[i].ids, words.sep]
            x[r, : len(ids)], m[r, : len(ids)] = torch.tensor(ids), True
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            p = sum(net(x, m).float().softmax(-1) for net in nets) / len(nets)
        p = p.numpy().astype(np.float16)
        for r, i in enumerate(part):
            if a.task == "sentiment":
                out[i] = texts[i], None, p[r]
                continue
            first = {}
            for j, (start, _) in enumerate(enc[i].offsets):
                first.setdefault(start, j + 1)
            spans = [w.span() for w in L.WORD.finditer(texts[i]) if w.start() in first]
            out[i] = texts[i], spans, p[r, [first[start] for start, _ in spans]]
    pickle.dump([row for row in out if row[1] is None or row[1]], open(a.out, "wb"))
    print(len(out), "sentences", flush=True)


if __name__ == "__main__":
    main()
