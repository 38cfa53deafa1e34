"""Expected results of the pipelines with `model_max_length` and `truncation_side`: writes expected.json.

    python make.py [texts per variant [output file]]

Made with transformers 4.57.6 and torch 2.15.0. The models are those of ../cases/models and ../tasks/models.
"""

import json
import os
import random
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModel, AutoModelForMultipleChoice, AutoTokenizer, pipeline

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "cases", "models")
TASKS = os.path.join(HERE, "..", "tasks", "models")
WORDS = ("the good film and bad plot Anna lives in Paris street number Berlin works , . U.S. café - ( it ) 1990, was never "
         "Müller's 2 3.5 question answer \"so\" is that a long text").split()
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 2
VARIANTS = [
    {"model_max_length": 16},
    {"model_max_length": 16, "truncation_side": "left"},
    {"model_max_length": 33, "truncation_side": "left"},
    {"model_max_length": 1000000000000000019884624838656, "truncation_side": "left"},
    {"max_len": 21},
    {"model_max_length": 24, "truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0}},
]
rng = random.Random(19)


def text(low, high):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high)))


def model_of(folder, variant, source, nli=False):
    """Writes the model with the variant's keys in its tokenizer files."""
    if source in ("bio", "order"):
        shutil.copytree(os.path.join(TASKS, source), folder)
    else:
        shutil.copytree(os.path.join(CASES, source), folder)
        for name in ("tokenizer.json", "special_tokens_map.json", "tokenizer_config.json"):
            shutil.copy(os.path.join(CASES, "tokenizer", name), folder)
    path = os.path.join(folder, "tokenizer_config.json")
    config = json.load(open(path))
    config.pop("model_max_length", None)
    config.update({k: v for k, v in variant.items() if k != "truncation"})
    json.dump(config, open(path, "w"))
    if "truncation" in variant:
        path = os.path.join(folder, "tokenizer.json")
        file = json.load(open(path))
        file["truncation"] = variant["truncation"]
        json.dump(file, open(path, "w"))
    if nli:
        path = os.path.join(folder, "config.json")
        file = json.load(open(path))
        file["id2label"] = {"0": "contradiction", "1": "neutral", "2": "entailment"}
        file["label2id"] = {"contradiction": 0, "neutral": 1, "entailment": 2}
        json.dump(file, open(path, "w"))
    return folder


def rounded(value):
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(rounded(float(value))) if hasattr(value, "item") else value


def longest(variant):
    """Pipelines fail beyond the positions of the model (128)."""
    n = variant.get("model_max_length", variant.get("max_len"))
    return 30 if n > 128 else 3 * n


def classify(folder, variant):
    pipe = pipeline("text-classification", folder, top_k=None, dtype=torch.float32)
    high = longest(variant)
    inputs = [{"text": text(1, high)} for _ in range(COUNT)]
    inputs += [{"text": text(1, high), "text_pair": text(1, high // 2)} for _ in range(COUNT)]
    return inputs, [pipe(x, truncation=True) for x in inputs]


def qa(folder, variant):
    pipe = pipeline("question-answering", folder, dtype=torch.float32)
    pieces = sorted(p[1:] for p in pipe.tokenizer.get_vocab() if p[0] == "▁" and p[1:].isalpha())
    single = [word for word in pieces if len(pipe.tokenizer.tokenize(word)) == 1]
    inputs, results = [], []
    for _ in range(20 * COUNT):
        if len(inputs) == COUNT:
            break
        # Words are distinct and single tokens, because this does not test which equal answers are added up.
        context = " ".join(rng.sample(single, rng.randint(10, 90)))
        x = {"question": text(1, 4), "context": context}
        try:
            found = pipe(**x, top_k=1)
        except BaseException:  # a panic: the question leaves no space for the stride
            continue
        # Strips white space around answers, as albert does.
        answer = x["context"][found["start"]:found["end"]]
        inputs.append(x)
        results.append({"score": found["score"], "start": found["start"] + len(answer) - len(answer.lstrip()),
                        "end": found["end"] - len(answer) + len(answer.rstrip())})
    return inputs, results


def zero_shot(folder, variant):
    pipe = pipeline("zero-shot-classification", folder, dtype=torch.float32)
    inputs = [{"text": text(1, longest(variant)), "labels": ["good", "bad", "a very long name of Paris street"]} for _ in range(COUNT)]
    results = []
    for x in inputs:
        out = pipe(x["text"], x["labels"])
        results.append([{"label": l, "score": s} for l, s in zip(out["labels"], out["scores"])])
    return inputs, results


def fill_mask(folder, variant):
    pipe = pipeline("fill-mask", folder, tokenizer_kwargs={"truncation": True}, top_k=2, dtype=torch.float32)
    inputs, results = [], []
    for _ in range(20 * COUNT):
        if len(inputs) == COUNT:
            break
        words = text(1, 12).split()
        words[rng.randrange(len(words))] = "[MASK]"
        x = {"text": " ".join(words)}
        try:
            out = pipe(x["text"])
        except Exception as error:
            print("left out:", error, file=sys.stderr)  # the mask was truncated
            continue
        inputs.append(x)
        results.append([{k: p[k] for k in ("score", "token")} for p in out])
    return inputs, results


def embed(folder, variant):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32)
    inputs = [{"text": text(1, longest(variant))} for _ in range(COUNT)]
    inputs += [{"text": text(1, 30), "text_pair": text(1, 30)} for _ in range(COUNT)]
    results = []
    for x in inputs:
        encoded = tokenizer(x["text"], x.get("text_pair"), truncation=True, return_tensors="pt")
        with torch.no_grad():
            results.append(model(**encoded).last_hidden_state[0].mean(0)[:8].tolist())
    return inputs, results


def choose(folder, variant):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForMultipleChoice.from_pretrained(folder, dtype=torch.float32)
    inputs = [{"prompt": text(1, 40), "choices": [text(1, 20), text(1, 20)]} for _ in range(COUNT)]
    results = []
    for x in inputs:
        encoded = tokenizer([x["prompt"]] * 2, x["choices"], truncation=True, padding=True, return_tensors="pt")
        with torch.no_grad():
            logits = model(**{k: v[None] for k, v in encoded.items()}).logits[0]
        results.append(logits.softmax(0).tolist())
    return inputs, results


def ner(stride, strategy):
    def run(folder, variant):
        extra = {"stride": stride} if stride else {}
        pipe = pipeline("token-classification", folder, aggregation_strategy=strategy, ignore_labels=[], dtype=torch.float32, **extra)
        inputs = [{"text": text(1, 18 if longest(variant) > 30 else 8)} for _ in range(COUNT)]
        keys = ("entity", "entity_group", "index", "score", "start", "end")
        return inputs, [[{k: e[k] for k in keys if k in e} for e in pipe(x["text"])] for x in inputs]
    return run


RUNS = [
    (["classify", "-k", "all"], "classify", classify, {}),
    (["qa"], "qa", qa, {}),
    (["zero-shot"], "classify", zero_shot, {"nli": True}),
    (["fill-mask", "-k", "2"], "order", fill_mask, {}),
    (["embed"], "base", embed, {}),
    (["choose"], "choose", choose, {}),
    (["ner", "--word-boundaries", "hf", "--ignore-labels", ""], "bio", ner(None, "simple"), {}),
    (["ner", "--aggregation", "none", "--ignore-labels", ""], "bio", ner(None, "none"), {}),
    (["ner", "--word-boundaries", "hf", "--ignore-labels", "", "--stride", "5"], "bio", ner(5, "simple"), {}),
]
made = []
for variant in VARIANTS:
    for command, source, run, options in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            inputs, results = run(model_of(os.path.join(folder, "model"), variant, source, **options), variant)
        made.append({"variant": variant, "command": command, "model": source, "nli": "nli" in options,
                     "inputs": inputs, "expected": rounded(results)})
        print(variant, command, len(inputs), file=sys.stderr)
with open(sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "expected.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(m, ensure_ascii=False) for m in made) + "\n]\n")
