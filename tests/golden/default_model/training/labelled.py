"""Labelled data for the entity and sentiment tasks: rows of ids with a distribution per token or per text.

A row is (ids, targets, weights): targets [tokens, classes] and weights [tokens] for entities, [classes] and [] for sentiment.
"""

import json
import random
import re

import numpy as np
import torch

TAGS = ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"]
CLASSES = {"entities": len(TAGS), "sentiment": 2}
WNUT = {"person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG"}
WORD = re.compile(r"\w+(?:['’.&/-]\w+)*|[^\w\s]")
# Tags of the pieces of a word after the first: B-X becomes I-X.
INSIDE = np.zeros((len(TAGS), len(TAGS)), np.float32)
for i, tag in enumerate(TAGS):
    INSIDE[i, TAGS.index("I" + tag[1:]) if tag != "O" else 0] = 1
# Weight of the pieces of a word after the first.
LATER = 0.25
LONGEST = 200


def load(data, name, split):
    return [json.loads(line) for line in open(f"{data}/{name}.{split}.jsonl")]


class Words:
    """A tokenizer, with the ids of [CLS] and [SEP]."""

    def __init__(self, tok, cls, sep):
        self.tok, self.cls, self.sep = tok, cls, sep

    def row(self, ids, targets, weights):
        targets, weights = np.array(targets[:LONGEST], np.float32), np.array(weights[:LONGEST], np.float32)
        return [self.cls, *ids[:LONGEST], self.sep], targets, weights

    def tagged(self, words, tags):
        """A row of separate words with a distribution of tags for each."""
        e = self.tok.encode(words, is_pretokenized=True, add_special_tokens=False)
        targets, weights, seen = [], [], set()
        for word in e.word_ids:
            targets.append(tags[word] @ INSIDE if word in seen else tags[word])
            weights.append(LATER if word in seen else 1.0)
            seen.add(word)
        return self.row(e.ids, targets, weights)

    def tagged_text(self, text, spans, tags):
        """A row of running text, with a distribution of tags for each span of a word."""
        e = self.tok.encode(text, add_special_tokens=False)
        targets, weights, seen, k = [], [], set(), 0
        for start, _ in e.offsets:
            start += start < len(text) and text[start] == " "
            while k + 1 < len(spans) and spans[k + 1][0] <= start:
                k += 1
            known = spans[k][0] <= start < spans[k][1]
            targets.append(tags[k] @ INSIDE if k in seen else tags[k])
            weights.append((LATER if k in seen else 1.0) if known else 0.0)
            if known:
                seen.add(k)
        return self.row(e.ids, targets, weights)

    def classified(self, text, target):
        """A row of a text with a distribution of classes."""
        ids = self.tok.encode(text, add_special_tokens=False).ids
        return [self.cls, *ids[:LONGEST], self.sep], np.array(target, np.float32), np.float32(1)


def sentiment(data, split):
    """Texts and labels. Training data includes EmoBank's sentences of high and low valence."""
    pairs = [(r["text"], int(r["label"] == "positive")) for r in load(data, "sentiment", split)]
    if split == "train":
        far = [r for r in load(data, "regression_valence", "train") if abs(r["score"] - 3) >= 0.4]
        pairs += [(r["text"], int(r["score"] > 3)) for r in far]
    return pairs


def gold(task, data, words, split):
    """The labelled rows of a split. Training data for entities includes WNUT-17, all splits."""
    if task == "sentiment":
        return [words.classified(text, np.eye(2)[label]) for text, label in sentiment(data, split)]
    one = np.eye(len(TAGS), dtype=np.float32)
    rows = [words.tagged(r["tokens"], [one[TAGS.index(t)] for t in r["tags"]]) for r in load(data, "ner", split)]
    if split == "train":
        kind = lambda t: t[:2] + WNUT[t[2:]] if t[2:] in WNUT else "O"
        for part in ("train", "dev", "test"):
            for r in load(data, "ner_wnut17", part):
                rows.append(words.tagged(r["tokens"], [one[TAGS.index(kind(t))] for t in r["tags"]]))
    return rows


def batches(rows, size):
    """Batches of similar length, in random order."""
    key = sorted(range(len(rows)), key=lambda i: len(rows[i][0]) + random.random() * 8)
    parts = [key[i : i + size] for i in range(0, len(key), size)]
    random.shuffle(parts)
    return [[rows[i] for i in part] for part in parts]


def pad(rows):
    """Ids and mask [B, T], targets [B, T, classes] or [B, classes], weights [B, T] or [B]."""
    n = -(-max(len(ids) for ids, _, _ in rows) // 8) * 8
    x, m = torch.zeros(len(rows), n, dtype=torch.long), torch.zeros(len(rows), n, dtype=torch.bool)
    for r, (ids, _, _) in enumerate(rows):
        x[r, : len(ids)], m[r, : len(ids)] = torch.tensor(ids), True
    if rows[0][1].ndim == 1:
        return x, m, torch.tensor(np.array([t for _, t, _ in rows])), torch.ones(len(rows))
    y, w = torch.zeros(len(rows), n, rows[0][1].shape[1]), torch.zeros(len(rows), n)
    for r, (_, targets, weights) in enumerate(rows):
        y[r, 1 : 1 + len(targets)], w[r, 1 : 1 + len(targets)] = torch.from_numpy(targets), torch.from_numpy(weights)
    return x, m, y, w


def loss(logits, y, w):
    cross_entropy = -(y * logits.log_softmax(-1)).sum(-1)
    return (cross_entropy * w).sum() / w.sum()


def spans(tags):
    out, cur = set(), None
    for i, g in enumerate([*tags, "O"]):
        if cur and (g == "O" or g[0] == "B" or g[2:] != cur[0]):
            out.add((cur[0], cur[1], i))
            cur = None
        if g != "O" and cur is None:
            cur = (g[2:], i)
    return out


def judge(task, rows, logits):
    """F1 of entities or accuracy, in percent."""
    rows = sorted(rows, key=lambda r: len(r[0]))
    hits = found = expected = 0
    for i in range(0, len(rows), 64):
        x, m, y, w = pad(rows[i : i + 64])
        p, g = logits(x, m).argmax(-1), y.argmax(-1)
        if task == "sentiment":
            hits, found, expected = hits + int((p == g).sum()), found + len(p), expected + len(p)
            continue
        for r in range(len(p)):
            at = (w[r] == 1).nonzero()[:, 0].tolist()
            P, G = (spans([TAGS[t[r, j]] for j in at]) for t in (p, g))
            hits, found, expected = hits + len(P & G), found + len(P), expected + len(G)
    return 200 * hits / max(1, found + expected)
