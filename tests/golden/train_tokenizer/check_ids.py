#!/usr/bin/env python3
"""Compares the ids that every reader gives for a directory written by `albert train-tokenizer`.

    python3 tests/golden/train_tokenizer/check_ids.py ALBERT DIR TEXT [TEXT ...]

ALBERT is the program, DIR the directory, and TEXT a text with one paragraph per line, of which every 97th is taken
(.gz files are decompressed). The strings of tests/golden/tokenizer/strings.json are compared too. Needs
sentencepiece and transformers: 4.57, where the slow and the fast tokenizer are compared, or 5.x, which has one.

For each reader, prints the number of texts whose ids differ from those of albert's `tokenizer.json`, and the first
of them. The exit code is 1 if a line of TEXT differs. README.md in this folder lists the strings that differ, and why.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata

import sentencepiece
import transformers

STRINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tokenizer", "strings.json")


def lines_of(names):
    for name in names:
        with (gzip.open if name.endswith(".gz") else open)(name, "rt", encoding="utf-8") as text:
            for number, line in enumerate(text):
                if number % 97 == 0 and line.strip():
                    yield line.rstrip("\n")


def ours(albert, model, texts):
    records = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    command = [albert, "tokenize", "--model", model]
    done = subprocess.run(command, input=records, capture_output=True, text=True, check=True)
    return [json.loads(line)["predictions"][0]["ids"] for line in done.stdout.splitlines()]


def plain(model):
    """SentencePiece alone, after ALBERT's preprocess_text."""
    processor = sentencepiece.SentencePieceProcessor(model_file=os.path.join(model, "spiece.model"))

    def encode(text):
        text = " ".join(text.strip().split()).replace("``", '"').replace("''", '"')
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c)).lower()
        return [2, *processor.encode(text), 3]

    return encode


def readers(model, alone):
    yield "sentencepiece", plain(model)
    if transformers.__version__.startswith("4."):
        slow = transformers.AlbertTokenizer.from_pretrained(model)
        yield "slow", lambda text: slow(text)["input_ids"]
        fast = transformers.AlbertTokenizerFast.from_pretrained(model)
        yield "fast", lambda text: fast(text)["input_ids"]
        converted = transformers.AlbertTokenizerFast.from_pretrained(alone)
        yield "fast, from spiece.model", lambda text: converted(text)["input_ids"]
    else:
        one = transformers.AlbertTokenizer.from_pretrained(model)
        yield "AlbertTokenizer", lambda text: one(text)["input_ids"]
        auto = transformers.AutoTokenizer.from_pretrained(model)
        yield "AutoTokenizer", lambda text: auto(text)["input_ids"]
        converted = transformers.AlbertTokenizer.from_pretrained(alone)
        yield "AlbertTokenizer, from spiece.model", lambda text: converted(text)["input_ids"]


def main():
    albert, model, *names = sys.argv[1:]
    lines = list(lines_of(names))
    with open(STRINGS, encoding="utf-8") as file:
        strings = json.load(file)["singles"]
    texts = lines + strings
    failed = 0
    with tempfile.TemporaryDirectory() as alone:
        shutil.copy(os.path.join(model, "spiece.model"), alone)
        expected = ours(albert, model, texts)
        print(f"transformers {transformers.__version__}, {len(lines)} lines, {len(strings)} strings")
        from_model = lambda text: given[text]
        given = dict(zip(texts, ours(albert, alone, texts)))
        for name, encode in [("albert, spiece.model", from_model), *readers(model, alone)]:
            other = [n for n, text in enumerate(texts) if encode(text) != expected[n]]
            in_lines = sum(n < len(lines) for n in other)
            failed += in_lines > 0 and "from spiece.model" not in name
            print(f"{name}: {in_lines} lines and {len(other) - in_lines} strings differ")
            for n in other[: 5 if in_lines else 30]:
                print(f"    {texts[n][:80]!r}")
                if len(texts[n]) < 60:
                    print(f"        {encode(texts[n])}\n        {expected[n]}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
