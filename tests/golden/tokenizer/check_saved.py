#!/usr/bin/env python3
"""Compares the tokenizers that `albert convert` writes with transformers' reading of them, for every flavour of added/.

    python check_saved.py ALBERT          (the program; works with transformers 4.57 and 5.x)

For each flavour, prints the number of texts for which transformers' AutoTokenizer and ALBERT disagree on ids, before and
after the conversion, and whether all added tokens have the same ids.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import transformers

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "cases" / "models" / "base"
transformers.logging.set_verbosity_error()


def ids(model, texts, work):
    lines = Path(work) / "texts.jsonl"
    lines.write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    command = [sys.argv[1], "tokenize", "-q", "-m", str(model), "-i", str(lines), "--format", "jsonl"]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return [json.loads(line)["predictions"][0]["ids"] for line in out.splitlines()]


def main():
    flavours = json.loads((HERE / "added" / "flavours.json").read_text())
    wrong = 0
    for name, of in flavours.items():
        with tempfile.TemporaryDirectory() as work:
            source, target = Path(work) / "source", Path(work) / "target"
            shutil.copytree(MODEL, source)
            for stale in ("tokenizer.json", "spiece.model", "vocab.txt"):
                (source / stale).unlink(missing_ok=True)
            shutil.copytree(HERE / "added" / name, source, dirs_exist_ok=True)
            shutil.copy(HERE / of["main"], source / of["named"])
            subprocess.run([sys.argv[1], "convert", "-q", str(source), str(target)], check=True)
            texts = [json.loads(line) for line in (HERE / "added" / f"{name.split('-')[0]}.jsonl").read_text().splitlines()]
            texts = [line["text"] for line in texts if line["flavour"] == name]
            before, after = ids(source, texts, work), ids(target, texts, work)
            try:
                tokenizer = transformers.AutoTokenizer.from_pretrained(target)
            except Exception as error:
                print(f"{name}: not loaded: {type(error).__name__}: {error}")
                wrong += 1
                continue
            theirs = [tokenizer(text)["input_ids"] for text in texts]
            moved = {t: (i, tokenizer.convert_tokens_to_ids(t)) for t, i in of["added"].items() if tokenizer.convert_tokens_to_ids(t) != i}
            slow = ""
            if hasattr(transformers, "AlbertTokenizerFast") and of["main"] == "spiece.model" and transformers.__version__ < "5":
                slow = transformers.AlbertTokenizer.from_pretrained(target)
                slow = f", the slow one {sum(slow(t)['input_ids'] != b for t, b in zip(texts, before))}"
            other, changed = sum(t != a for t, a in zip(theirs, after)), sum(a != b for a, b in zip(after, before))
            print(f"{name}: {type(tokenizer).__name__} gives {other} of {len(texts)} texts other ids{slow}; {changed} changed in the conversion; moved: {moved}")
            if "-v" in sys.argv:
                for text, t, a in zip(texts, theirs, after):
                    if t != a:
                        print("  ", repr(text), "\n     theirs", tokenizer.convert_ids_to_tokens(t), "\n     ours  ", tokenizer.convert_ids_to_tokens(a))
            wrong += other + len(moved)
    print(f"transformers {transformers.__version__}: {wrong} differences")


if __name__ == "__main__":
    main()
