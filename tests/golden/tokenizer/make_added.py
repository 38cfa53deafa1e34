#!/usr/bin/env python3
"""Makes the golden files of added tokens: small configuration files, random texts, and the results of transformers 4.57.

Run from the root of the repository, with transformers 4.57, tokenizers 0.22 and sentencepiece 0.2 installed:

    python3 tests/golden/tokenizer/make_added.py

Writes into tests/golden/tokenizer/added/:

  bert.json            tokenizer.json of BertTokenizerFast with vocab.txt
  FLAVOUR/             the configuration files of one tokenizer; flavours.json lists its other parts
  flavours.json        per flavour: the main file (a name in tests/golden/tokenizer and its name in the directory), and
                       the number of tokens
  spiece.jsonl, vocab.jsonl, json.jsonl
                       500 texts for each kind of tokenizer, each with one flavour: ids, tokens, offsets (code
                       points, start and end of each token in one list; the slow AlbertTokenizer has none)

`--fuzz N FILE SEED` writes N more texts for every flavour to FILE instead (for manual comparison: the test
`more_random_texts` reads the file that ALBERT_TEST_ADDED names).
"""

import argparse
import json
import os
import random
import shutil
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "added")


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": False, **flags}


def typed(content, **flags):
    return {"__type": "AddedToken", **token(content, **flags)}


ALBERT = {"bos_token": "[CLS]", "cls_token": "[CLS]", "eos_token": "[SEP]", "sep_token": "[SEP]", "pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "[MASK]"}
BERT = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}


def special(ids, mask_lstrip):
    return {str(i): token(t, special=True, lstrip=mask_lstrip and t == "[MASK]") for t, i in ids.items()}


ALBERT_IDS = {"<pad>": 0, "<unk>": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
BERT_IDS = {"[PAD]": 0, "[UNK]": 10, "[CLS]": 11, "[SEP]": 12, "[MASK]": 13}
# N is the size of the vocabulary. All kinds of attributes occur.
def attributes(n):
    kinds = [
        token("<l>", lstrip=True, special=True), token("<r>", rstrip=True, special=True), token("<lr>", lstrip=True, rstrip=True),
        token("cat", single_word=True, normalized=True), token("<w>", single_word=True, lstrip=True), token("Paris", normalized=True),
        token("LONDON", normalized=False), token("<Hidden>", special=True), token("<shown>", special=True, normalized=True),
        token("two words", normalized=True), token("é", normalized=True), token("中文", normalized=False),
    ]
    return {str(n + i): t for i, t in enumerate(kinds)}


OVERLAP = ["ab", "abc", "abcd", "bcd", "cde", "<e1>", "<e1>x", "e1", "[X]", "[X", "X]y", "aa", "aab", "😀", "ﬁ", "Straße", "1,000", "\u00a0", "the "]

# name: (main file, its name there, class, {file: content})
FLAVOURS = {
    "spiece-legacy": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "added_tokens.json": {"<e1>": 1500, "</e1>": 1501, "skype": 1502, "Covid": 1503, "<ENT>": 1504},
        "special_tokens_map.json": {**ALBERT, "additional_special_tokens": ["<e1>", "</e1>", "<ENT>"]},
        "tokenizer_config.json": {"do_lower_case": True, "max_len": 128}}),
    "spiece-decoder": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "tokenizer_config.json": {**ALBERT, "added_tokens_decoder": {**special(ALBERT_IDS, True), **attributes(1500)}, "additional_special_tokens": ["<l>", "<r>", "<shown>"]},
        "special_tokens_map.json": {"additional_special_tokens": ["<not read>"]}}),
    "spiece-names": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "tokenizer_config.json": {"additional_special_tokens": [typed("<a>", rstrip=True), "<B>", "(", "£", "▁the", "ing", typed("<a> <B>")], "extra_special_tokens": {"image_token": "<image>"}},
        "special_tokens_map.json": {"additional_special_tokens": [token("<c>", lstrip=True), "<B>"], "sep_token": token("[SEP]", rstrip=True)}}),
    "spiece-overlap": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "added_tokens.json": {t: 1500 + i for i, t in enumerate(OVERLAP)}}),
    "spiece-cased": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "added_tokens.json": {"<E1>": 1501, "Skype": 1505, "é": 1507},
        "tokenizer_config.json": {"do_lower_case": False, "keep_accents": True, "remove_space": False, "additional_special_tokens": ["<E1>", "<new>"]}}),
    "spiece-roles": ("spiece.model", "spiece.model", "AlbertTokenizer", {
        "tokenizer_config.json": {"bos_token": "<BOS>", "eos_token": typed("<eos>", lstrip=True), "mask_token": typed("[MASK]", rstrip=True), "additional_special_tokens": ["<z>"], "keep_accents": True}}),
    "vocab-legacy": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "added_tokens.json": {"[E1]": None, "[E2]": None, "skype": None, "Covid": None},
        "special_tokens_map.json": {**BERT, "additional_special_tokens": ["[E1]", "[E2]", "[unused1]"]},
        "tokenizer_config.json": {"do_lower_case": True}}),
    "vocab-decoder": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "tokenizer_config.json": {**BERT, "added_tokens_decoder": {**special(BERT_IDS, False), "N": None}, "additional_special_tokens": ["<l>", "<r>"]}}),
    "vocab-names": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "tokenizer_config.json": {"additional_special_tokens": [typed("<a>", rstrip=True), "<B>", "[unused2]", "the", "##s"], "mask_token": typed("[MASK]", lstrip=True)},
        "special_tokens_map.json": {"additional_special_tokens": [token("<c>", lstrip=True), "<B>"]}}),
    "vocab-overlap": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "added_tokens.json": {t: None for t in OVERLAP + ["AB", "Abc", "E", "É", "e"]}}),
    "vocab-cased": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "added_tokens.json": {"Skype": None, "é": None, "中文": None, "<E1>": None},
        "tokenizer_config.json": {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False, "additional_special_tokens": ["<E1>"]}}),
    "vocab-accents": ("vocab.txt", "vocab.txt", "BertTokenizerFast", {
        "added_tokens.json": {"CAFÉ": None}, "tokenizer_config.json": {"strip_accents": False, "never_split": ["Hello"]}}),
    "json-albert-decoder": ("hub2020.json", "tokenizer.json", "AlbertTokenizerFast", {
        "tokenizer_config.json": {**ALBERT, "added_tokens_decoder": {**special(ALBERT_IDS, True), **attributes(1500)}, "additional_special_tokens": ["<l>", "<r>", "<late>"]}}),
    "json-albert-legacy": ("fast457.json", "tokenizer.json", "AlbertTokenizerFast", {
        "added_tokens.json": {"<e1>": 1500, "skype": 1501, "Covid": 1502},
        "special_tokens_map.json": {**ALBERT, "additional_special_tokens": ["<e1>", "<E2>"], "mask_token": token("[MASK]")},
        "tokenizer_config.json": {"do_lower_case": False, "keep_accents": True}}),
    "json-albert-bare": ("hub2020.json", "tokenizer.json", "AlbertTokenizerFast", {
        "added_tokens.json": {"Paris": 1500, "Foo": 1501, "FOO": 1502, "foo": 1503}}),
    "json-bert-cased": ("added/bert.json", "tokenizer.json", "BertTokenizerFast", {
        "tokenizer_config.json": {**BERT, "added_tokens_decoder": {**special(BERT_IDS, False), "N": None}, "do_lower_case": False, "tokenize_chinese_chars": False, "additional_special_tokens": ["<late>"]}}),
    "json-bert-accents": ("added/bert.json", "tokenizer.json", "BertTokenizerFast", {
        "added_tokens.json": {"[E1]": None, "café": None},
        "tokenizer_config.json": {"strip_accents": False}}),
    "json-other": ("added/bert.json", "tokenizer.json", "PreTrainedTokenizerFast", {
        "tokenizer_config.json": {**BERT, "do_lower_case": False, "additional_special_tokens": ["<a>", typed("<b>", lstrip=True, rstrip=True)]},
        "added_tokens.json": {"Paris": None}}),
}

CLASS = {"AlbertTokenizer": "AlbertTokenizer", "AlbertTokenizerFast": "AlbertTokenizer", "BertTokenizerFast": "BertTokenizer"}


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fill(value, n):
    """Fills in the ids that depend on the size of the vocabulary."""
    if isinstance(value, dict) and "N" in value:
        return {**{k: v for k, v in value.items() if k != "N"}, **attributes(n)}
    if isinstance(value, dict) and value and all(v is None for v in value.values()):
        return {k: n + i for i, k in enumerate(value)}
    if isinstance(value, dict):
        return {k: fill(v, n) for k, v in value.items()}
    return value


def build():
    """Writes the configuration files. Returns a transformers tokenizer for each flavour."""
    import transformers

    os.makedirs(OUT, exist_ok=True)
    bert = transformers.BertTokenizerFast(vocab_file=os.path.join(HERE, "vocab.txt"))
    with open(os.path.join(OUT, "bert.json"), "w", encoding="utf-8") as f:
        f.write(compact(json.loads(bert.backend_tokenizer.to_str())))
    tokenizers, flavours = {}, {}
    for name, (main, named, cls, files) in FLAVOURS.items():
        folder = os.path.join(OUT, name)
        os.makedirs(folder, exist_ok=True)
        files = {"tokenizer_config.json": {}, **files}
        files["tokenizer_config.json"] = {**files["tokenizer_config.json"], "tokenizer_class": CLASS.get(cls, cls)}
        for file, content in files.items():
            with open(os.path.join(folder, file), "w", encoding="utf-8") as f:
                f.write(json.dumps(fill(content, len(bert)), ensure_ascii=False, indent=1) + "\n")
        with tempfile.TemporaryDirectory() as whole:
            shutil.copytree(folder, whole, dirs_exist_ok=True)
            shutil.copy(os.path.join(HERE, main), os.path.join(whole, named))
            tokenizers[name] = getattr(transformers, cls).from_pretrained(whole)
        flavours[name] = {"main": main, "named": named, "tokens": len(tokenizers[name]), "added": tokenizers[name].get_added_vocab()}
    return tokenizers, flavours


def pieces(strings):
    words = [w for s in strings for w in s.split()]
    return words


def variants(rng, t):
    """A token in one of the forms that occur in texts."""
    return rng.choice([t, t, t, t, t.lower(), t.upper(), t.title(), t[:-1], t[1:], t + t, t + " " + t, f" {t} ", f"{t}\t", f"\u00a0{t}", f"  {t}  ", f"{t},", f"({t})", t + "s", "x" + t, "_" + t, "1" + t])


def texts(rng, words, added, number):
    odd = ["😀", "👨‍👩‍👧", "中文", "我爱北京", "é", "É", "e\u0301", "ñ", "İ", "Σ", "ΑΣ", "ﬁ", "①", "½", "²", "\x00", "\x1f", "\x0b", "\u200b", "\u00a0", "\u3000", "\ufeff", "\u0301", "▁", "한", "カ", "Ａ", "１,", "\ufffd", "\u200d", "ſ", "K"]
    spaces = [" ", " ", " ", " ", "", "", "  ", "\t", "\n", "\u00a0", "   ", "\r\n", "\u2003"]
    roles = ["[MASK]", "[CLS]", "[SEP]", "<pad>", "[UNK]", "<unk>", "[PAD]", "[mask]", "<MASK>"]
    for _ in range(number):
        out = []
        for _ in range(rng.randint(1, 9)):
            r = rng.random()
            if r < 0.45:
                out.append(variants(rng, rng.choice(added)))
            elif r < 0.75:
                word = rng.choice(words)
                out.append(rng.choice([word, word, word.upper(), word.title(), word[: rng.randint(1, len(word))]]))
            elif r < 0.82:
                out.append(rng.choice(roles))
            elif r < 0.92:
                out.append(rng.choice(odd) * rng.choice([1, 1, 2]))
            else:
                out.append("".join(rng.choice("abcdex<>[]1 9,.'`\"-()XE") for _ in range(rng.randint(1, 7))))
            out.append(rng.choice(spaces))
        text = "".join(out)
        yield text if rng.random() < 0.3 else text.strip()


def expected(tokenizer, text):
    try:
        if tokenizer.is_fast:
            e = tokenizer(text, return_offsets_mapping=True)
            offsets = [n for pair in e["offset_mapping"] for n in pair]
        else:
            e, offsets = tokenizer(text), None
    except Exception:
        return None  # if the reference fails, there is nothing to compare
    ids = e["input_ids"]
    return {"ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids), "offsets": offsets, "decode": tokenizer.decode(ids)}


def lines(rng, tokenizers, words, names, number):
    count = 0
    while count < number:
        name = names[count % len(names)]
        tokenizer = tokenizers[name]
        added = [t for t in tokenizer.get_added_vocab()] + ["café", "CAFÉ", "abcde", "aaab"]
        text = next(texts(rng, words, added, 1))
        want = expected(tokenizer, text)
        if want is not None:
            count += 1
            yield {"flavour": name, "text": text, **want}


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--fuzz", nargs=3, metavar=("N", "FILE", "SEED"))
    args = args.parse_args()
    tokenizers, flavours = build()
    with open(os.path.join(HERE, "strings.json"), encoding="utf-8") as f:
        words = pieces(json.load(f)["singles"])
    if args.fuzz:
        number, file, seed = int(args.fuzz[0]), args.fuzz[1], int(args.fuzz[2])
        with open(file, "w", encoding="utf-8") as f:
            for line in lines(random.Random(seed), tokenizers, words, list(FLAVOURS), number * len(FLAVOURS)):
                f.write(compact(line) + "\n")
        return
    with open(os.path.join(OUT, "flavours.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(flavours, ensure_ascii=False, indent=1) + "\n")
    for kind in ("spiece", "vocab", "json"):
        names = [name for name in FLAVOURS if name.startswith(kind)]
        with open(os.path.join(OUT, f"{kind}.jsonl"), "w", encoding="utf-8") as f:
            for line in lines(random.Random(kind), tokenizers, words, names, 500):
                f.write(compact(line) + "\n")


if __name__ == "__main__":
    main()
