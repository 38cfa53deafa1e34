"""Compares fine-tuning by albert with fine-tuning by transformers and PyTorch, with the same model, data, order and recipe.

    python check_finetune.py ALBERT DATA [--model DIR] [--seeds N] [--only TASK]    (torch 2.x, transformers 4.57 or 5.x)

ALBERT is the program, DATA a folder with sentiment.train.jsonl, sentiment.dev.jsonl, ner.*, regression.*, choice4.*, qa.* as
`albert finetune` reads them. For each task:
* the model that the program writes loads in transformers without missing or unexpected weights, and gives the same predictions;
* over the seeds, the dev metric equals that of PyTorch within the spread of both.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

torch.set_num_threads(2)


def lines(path, count):
    return [json.loads(line) for line in open(path, encoding="utf-8")][:count]


def write(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


class Classify:
    name, cls, train_count, dev_count = "classify", "AlbertForSequenceClassification", 1200, 500
    file = "sentiment"

    def config(self, train):
        self.labels = sorted({r["label"] for r in train})
        return dict(num_labels=len(self.labels))

    def encode(self, tokenizer, record):
        rows = tokenizer(record["text"], return_token_type_ids=True, truncation=True, max_length=128)
        return [rows], self.labels.index(record["label"])

    def loss(self, model, batch, answers):
        return model(**batch, labels=torch.tensor(answers)).loss

    def figure(self, outputs, answers):
        return float(np.mean([o.argmax() == a for o, a in zip(outputs, answers)]))

    def predicted(self, record):
        return record["predicted"]

    def own(self, output, answer):
        return self.labels[int(output.argmax())]


class Regression(Classify):
    file, train_count, dev_count = "regression", 1200, 500

    def config(self, train):
        return dict(num_labels=1, problem_type="regression")

    def encode(self, tokenizer, record):
        rows = tokenizer(record["text"], record["text_pair"], return_token_type_ids=True, truncation=True, max_length=128)
        return [rows], record["score"]

    def figure(self, outputs, answers):
        ranks = lambda values: np.argsort(np.argsort(values)).astype(float)
        return float(np.corrcoef(ranks([o[0] for o in outputs]), ranks(answers))[0, 1])

    def own(self, output, answer):
        return float(output[0])


class Choose:
    name, cls, file, train_count, dev_count = "choose", "AlbertForMultipleChoice", "choice4", 800, 300

    def config(self, train):
        return {}

    def encode(self, tokenizer, record):
        rows = [tokenizer(record["prompt"], choice, return_token_type_ids=True, truncation=True, max_length=128)
                for choice in record["choices"]]
        return rows, record["label"]

    def loss(self, model, batch, answers):
        grouped = {key: value.view(len(answers), -1, value.shape[-1]) for key, value in batch.items()}
        return model(**grouped, labels=torch.tensor(answers)).loss

    figure = Classify.figure

    def predicted(self, record):
        return record["predicted"]

    def own(self, output, answer):
        return int(output.argmax())


class Ner:
    name, cls, file, train_count, dev_count = "ner", "AlbertForTokenClassification", "ner", 1500, 500

    def config(self, train):
        found = {tag for r in train for tag in r["tags"]}
        self.labels = sorted(found, key=lambda tag: (tag != "O", tag[2:], tag))
        return dict(num_labels=len(self.labels))

    def encode(self, tokenizer, record):
        """Tags each word with the tag of its first token."""
        row = tokenizer(record["tokens"], is_split_into_words=True, return_token_type_ids=True, truncation=True, max_length=128)
        words = row.word_ids()
        first = [word is not None and (i == 0 or words[i - 1] != word) for i, word in enumerate(words)]
        tags = [self.labels.index(record["tags"][word]) if begins else -100 for word, begins in zip(words, first)]
        return [{key: row[key] for key in row}], dict(tags=tags, words=[w for w, begins in zip(words, first) if begins],
                                                      first=[i for i, begins in enumerate(first) if begins], gold=record["tags"])

    def loss(self, model, batch, answers):
        length = batch["input_ids"].shape[1]
        labels = torch.tensor([a["tags"] + [-100] * (length - len(a["tags"])) for a in answers])
        return model(**batch, labels=labels).loss

    def entities(self, tags):
        found, start = set(), None
        for i, tag in enumerate(tags + ["O"]):
            if start is not None and tag != "I-" + tags[start][2:]:
                found.add((tags[start][2:], start, i))
                start = None
            if tag != "O" and start is None:
                start = i
        return found

    def figure(self, outputs, answers):
        right = said = there = 0
        for output, answer in zip(outputs, answers):
            own, gold = self.entities(self.own(output, answer)), self.entities(answer["gold"])
            right, said, there = right + len(own & gold), said + len(own), there + len(gold)
        return 2 * right / max(said + there, 1)

    def predicted(self, record):
        return record["predicted"]

    def own(self, output, answer):
        tags = ["O"] * len(answer["gold"])
        for word, place in zip(answer["words"], answer["first"]):
            tags[word] = self.labels[int(output[place].argmax())]
        return tags


TASKS = {"classify": Classify, "regression": Regression, "choose": Choose, "ner": Ner}


def padded(rows):
    longest = max(len(row["input_ids"]) for row in rows)
    fill = lambda row, key: row[key] + [0] * (longest - len(row[key]))
    return {key: torch.tensor([fill(row, key) for row in rows]) for key in ("input_ids", "token_type_ids", "attention_mask")}


def outputs_of(task, model, data):
    model.eval()
    found = []
    with torch.no_grad():
        for rows, _ in data:
            batch = padded(rows)
            if task.name == "choose":
                batch = {key: value[None] for key, value in batch.items()}
            found.append(model(**batch).logits[0].double().numpy())
    return found


def pytorch(task, folder, train, dev, seed, args):
    torch.manual_seed(seed)
    changes = task.config(train)
    # Version 5 computes in the file's type, which is half precision.
    model = getattr(transformers, task.cls).from_pretrained(folder, **changes).float()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    data = [task.encode(tokenizer, record) for record in train]
    held = [task.encode(tokenizer, record) for record in dev]
    named = list(model.named_parameters())
    plain = [p for n, p in named if "bias" in n or "LayerNorm" in n or "layer_norm" in n]
    other = [p for n, p in named if not ("bias" in n or "LayerNorm" in n or "layer_norm" in n)]
    groups = [dict(params=plain, weight_decay=0.0), dict(params=other, weight_decay=0.01)]
    optimizer = torch.optim.AdamW(groups, lr=args.rate)
    per_pass = -(-len(data) // 32)
    total = args.epochs * per_pass
    warm = total // 10
    step = 0
    for _ in range(args.epochs):
        for at in range(0, len(data), 32):
            part = data[at:at + 32]
            share = (step + 1) / warm if step < warm else (total - step) / (total - warm)
            for group in optimizer.param_groups:
                group["lr"] = args.rate * share
            model.train()
            loss = task.loss(model, padded([row for rows, _ in part for row in rows]), [answer for _, answer in part])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
    return task.figure(outputs_of(task, model, held), [answer for _, answer in held])


def ours(task, folder, train, dev, seed, args, work):
    out = work / f"{task.file}-{seed}"
    write(work / "train.jsonl", train)
    write(work / "dev.jsonl", dev)
    goal = ["--goal", "number"] if task.file == "regression" else []
    run = [args.albert, "finetune", task.name, "-q", "--model", str(folder), "--train", str(work / "train.jsonl"),
           "--output", str(out), "--order", "as-given", "--epochs", str(args.epochs), "--learning-rate", str(args.rate),
           "--batch-size", "32", "--max-length", "128", "--seeds", str(seed), "--device", "flex", *goal]
    subprocess.run(run, check=True)
    predictions = work / "predictions.jsonl"
    goal = ["--goal", "number"] if task.file == "regression" else []
    judge = [args.albert, "eval", task.name, "-q", "--model", str(out), "--data", str(work / "dev.jsonl"), "--max-length", "128",
             "--predictions", str(predictions), "--format", "json", *goal]
    report = json.loads(subprocess.run(judge, check=True, capture_output=True).stdout)
    model, info = getattr(transformers, task.cls).from_pretrained(out, output_loading_info=True)
    model = model.float()
    for key in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[key], f"{key}: {info[key]}"
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    held = [task.encode(tokenizer, record) for record in dev]
    found = outputs_of(task, model, held)
    said = [task.predicted(record) for record in lines(predictions, None)]
    theirs = [task.own(output, answer) for output, (_, answer) in zip(found, held)]
    if task.file == "regression":
        apart = max(abs(a - b) for a, b in zip(said, theirs))
        assert apart < 1e-4, f"scores are {apart} apart"
        return report["spearman"]
    assert said == theirs, [(a, b) for a, b in zip(said, theirs) if a != b][:5]
    return report["f1" if task.name == "ner" else "accuracy"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("albert")
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--only")
    args = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        folder = args.model
        if folder is None:
            # Saved by transformers from the built-in model.
            subprocess.run([args.albert, "convert", "embedded", str(work / "embedded"), "-q"], check=True)
            folder = work / "saved"
            transformers.AlbertModel.from_pretrained(work / "embedded").float().save_pretrained(folder)
            transformers.AutoTokenizer.from_pretrained(work / "embedded").save_pretrained(folder)
        for name, task in TASKS.items():
            if args.only not in (None, name):
                continue
            task = task()
            train = lines(args.data / f"{task.file}.train.jsonl", task.train_count)
            dev = lines(args.data / f"{task.file}.dev.jsonl", task.dev_count)
            task.config(train)
            own = [ours(task, folder, train, dev, seed, args, work) for seed in range(1, args.seeds + 1)]
            theirs = [pytorch(task, folder, train, dev, seed, args) for seed in range(1, args.seeds + 1)]
            # One seed has no spread.
            least = 0.01 if args.seeds > 1 else 0.06
            spread = max(max(own) - min(own), max(theirs) - min(theirs), least)
            apart = abs(np.mean(own) - np.mean(theirs))
            good = apart <= spread
            failed |= not good
            show = lambda values: " ".join(f"{v:.4f}" for v in values)
            print(f"{name}: ours {show(own)}; PyTorch {show(theirs)}; means {apart:.4f} apart: {'ok' if good else 'NOT within the spread'}",
                  flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
