"""Makes the fill-mask files of this folder: tiny ALBERT checkpoints with tokenizers, and transformers' predictions.

    python make.py            (from this folder; see README.md for the pinned versions)

Every folder has config.json, weights, tokenizer files and expected.json: a list of calls with their
inputs, arguments, and the output (or the error). The vocabularies are trained here, on sentences made here.
"""

import io
import json
import random
import shutil
import warnings
from pathlib import Path

import sentencepiece
import torch
import transformers
from safetensors.torch import save_file
from transformers import (AlbertConfig, AlbertForMaskedLM, AlbertTokenizer, AlbertTokenizerFast, BertTokenizer,
                          pipeline)

HERE = Path(__file__).resolve().parent
SYMBOLS = ["(", ")", '"', "-", ".", "–", "£", "€"]

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")


# ---------------------------------------------------------------- text and vocabularies

def sentences():
    """A few hundred sentences from a small grammar, with numbers, symbols, accents and a little Chinese."""
    r = random.Random(7)
    who = ["the old captain", "a young doctor", "my sister", "the river", "every student", "the café owner",
           "naïve travellers", "Paris", "the United States", "U.S.A.", "a résumé", "the state capital"]
    did = ["was walking to", "bought", "painted", "is the capital of", "likes the music of", "forgot",
           "has written about", "went back to", "rebuilt", "sold"]
    what = ["the harbour", "a small house", "France", "the market", "an unbelievable story", "the station",
            "seven red apples", "the meaning of life", "the state", "a well-known song", "northern Germany"]
    how = ["in the morning", "yesterday", "for £20", "for 3,000 euros (€)", "in 2014, again", "before the winter",
           "with great care", '("really")', "- or so they say -", "during the years 1914–18", "twice"]
    out = []
    for _ in range(400):
        s = f"{r.choice(who)} {r.choice(did)} {r.choice(what)} {r.choice(how)}."
        out.append(s[0].upper() + s[1:] if r.random() < 0.6 else s)
    chinese = ["巴黎是法国的首都。", "北京是中国的首都。", "我喜欢你的音乐。", "他昨天去了车站。"]
    out += [r.choice(chinese) for _ in range(24)]
    out += [" ".join(str(r.randrange(3000)) for _ in range(4)) for _ in range(12)]
    return out


def train_spiece(folder, lower, rule, size):
    text = sentences()
    if lower:  # as in the training of the models: the tokenizer lowercases and strips accents before SentencePiece
        import unicodedata
        text = ["".join(c for c in unicodedata.normalize("NFKD", t) if not unicodedata.combining(c)).lower()
                for t in text]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=model, model_type="unigram", vocab_size=size, pad_id=0, unk_id=1,
        bos_id=-1, eos_id=-1, control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=SYMBOLS,
        normalization_rule_name=rule, character_coverage=0.99995, hard_vocab_limit=False, num_threads=1,
        minloglevel=2)
    if folder is not None:
        (folder / "spiece.model").write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def json_2020(sp):
    """The tokenizer.json that the hub's ALBERT checkpoints have carried since 2020: user symbols are plain pieces."""
    def score(i):
        piece = sp.IdToPiece(i)
        number_comma = len(piece) >= 2 and piece[-1] == "," and piece[-2].isdigit()
        return [piece, sp.GetScore(i) - (100 if number_comma else 0)]

    def special(i, text, lstrip=False):
        return {"id": i, "special": True, "content": text, "single_word": False, "lstrip": lstrip, "rstrip": False,
                "normalized": False}

    def template(*parts):
        return [{"Sequence": {"id": p, "type_id": t}} if len(p) == 1 else {"SpecialToken": {"id": p, "type_id": t}}
                for p, t in parts]

    cls, sep = sp.PieceToId("[CLS]"), sp.PieceToId("[SEP]")
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(0, "<pad>"), special(1, "<unk>"), special(cls, "[CLS]"), special(sep, "[SEP]"),
                         special(sp.PieceToId("[MASK]"), "[MASK]", lstrip=True)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "``"}, "content": '"'},
            {"type": "Replace", "pattern": {"String": "''"}, "content": '"'},
            {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": template(("[CLS]", 0), ("A", 0), ("[SEP]", 0)),
            "pair": template(("[CLS]", 0), ("A", 0), ("[SEP]", 0), ("B", 1), ("[SEP]", 1)),
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [cls], "tokens": ["[CLS]"]},
                               "[SEP]": {"id": "[SEP]", "ids": [sep], "tokens": ["[SEP]"]}}},
        "decoder": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True},
        "model": {"type": "Unigram", "unk_id": 1, "vocab": [score(i) for i in range(len(sp))]},
    }


def bert_vocab():
    chinese = sorted(set("".join(s for s in sentences() if ord(s[0]) > 0x4e00)) - {"。"})
    words = ("the a an of in to is was and state states capital paris france music river doctor captain walk like "
             "buy sold house red apple old my re for 20 2014 3 000 cafe").split()
    parts = ["##" + p for p in "ed ing er build ly un able 0 4".split() + list("abcdefghijklmnopqrstuvwxyz")]
    marks = list("!\"'(),-.:;?€£。，、？《》")
    head = ["[PAD]", "[unused1]", "[unused2]", "[unused3]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789")
    return list(dict.fromkeys(head + marks + letters + chinese + words + parts))


# ---------------------------------------------------------------- models

def make_model(folder, vocab, seed, weights="safetensors", **over):
    cfg = AlbertConfig(**(dict(
        vocab_size=vocab, embedding_size=16, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=40, architectures=["AlbertForMaskedLM"]) | over))
    model = AlbertForMaskedLM(cfg).eval()
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=g)
            norm = "layernorm" in name.lower() or "layer_norm" in name
            p.copy_(1 + 0.25 * noise if norm and name.endswith("weight") else 0.3 * noise)
        model.predictions.LayerNorm.weight.mul_(2.5)  # probabilities from 1e-6 to one half
    value = {k: v for k, v in json.loads(cfg.to_json_string(use_diff=True)).items() if k != "transformers_version"}
    value["model_type"] = "albert"
    write_json(folder / "config.json", value)
    state = model.state_dict()
    if weights == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file({k: v.contiguous() for k, v in state.items() if not k.startswith("predictions.decoder.")},
                  folder / "model.safetensors", metadata={"format": "pt"})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# ---------------------------------------------------------------- calls

def calls(tokenizer):
    """(name, inputs, arguments) of every call."""
    vocab = tokenizer.get_vocab()
    size = len(tokenizer)
    mark = "▁" if any(t.startswith("▁") for t in vocab) else ""
    known = [t for t, _ in sorted(vocab.items(), key=lambda x: x[1])
             if t.startswith(mark) and t.removeprefix(mark).isalpha() and len(t) > 3][:3]
    assert len(known) == 3
    long = "the old captain was walking to the harbour in the morning and " * 6
    one = "The capital of [MASK] is Paris."
    yield "one mask", one, {}
    for k in (1, 5, 20, size):
        yield f"top_k {k if k < size else 'whole vocabulary'}", "My sister bought a [MASK] house.", {"top_k": k}
    yield "top_k larger than the vocabulary", one, {"top_k": size + 1}
    yield "two masks", "The [MASK] captain was walking to the [MASK].", {"top_k": 3}
    yield "three masks side by side", "the [MASK] [MASK][MASK] of life", {"top_k": 2}
    yield "nothing but masks", "[MASK][MASK]", {"top_k": 2}
    yield "batch", [one, "A [MASK] and a [MASK].", "x [MASK]"], {"top_k": 2}
    yield "batch of one", [one], {"top_k": 2}
    yield "batch with a text without a mask", [one, "no mask here"], {}
    yield "mask at the beginning", "[MASK] was walking to the river.", {}
    yield "mask at the end, no full stop", "the river was [MASK]", {}
    yield "mask alone", "[MASK]", {}
    yield "mask with white space", "  \t [MASK] \n ", {}
    yield "mask glued to the word before", "walk[MASK] to the river", {}
    yield "mask glued to the word after", "re [MASK]ing the house", {}
    yield "mask inside a word", "un[MASK]able", {}
    yield "mask beside symbols", 'the ("[MASK]") - for £[MASK].', {"top_k": 2}
    yield "no mask", "The capital of France is Paris.", {}
    yield "empty", "", {}
    yield "white space only", "   ", {}
    yield "mask in small letters", "the [mask] of life", {}
    yield "accents", "The Café owner's résumé is naïve, [MASK].", {}
    yield "accents, decomposed", "The cafe\u0301 owner is nai\u0308ve [MASK]", {}
    yield "Chinese", "巴黎是[MASK]国的首都。", {}
    yield "Chinese, two masks", "北[MASK]是中国的[MASK]都。", {"top_k": 2}
    yield "unknown characters", "the 𝔘 ☃ и [MASK] 😀", {}
    yield "unknown characters, two masks", "☃ [MASK] и [MASK]", {"top_k": 2}
    yield "capitals", "THE CAPITAL OF [MASK]", {}
    yield "numbers and commas", "in 2014, for 3,000 and 20, [MASK]", {}
    yield "``quotes''", "``the [MASK]'' is 'old'", {}
    yield "special tokens in the text", "one [SEP] two [MASK] [CLS] three", {}
    yield "many spaces", "the    old   captain  \u00a0 was\u2003[MASK]   .", {}
    yield "long, no truncation", long + "[MASK].", {}
    yield "long, the mask survives", "[MASK] " + long, {"tokenizer_kwargs": {"truncation": True}, "top_k": 3}
    yield "long, the mask is cut off", long + "[MASK].", {"tokenizer_kwargs": {"truncation": True}}
    yield "max_length 8", "the [MASK] old captain was walking to the harbour", {
        "tokenizer_kwargs": {"truncation": True, "max_length": 8}, "top_k": 2}
    yield "targets: pieces", one, {"targets": known}
    yield "targets: one string", one, {"targets": known[1]}
    yield "targets: top_k below their number", one, {"targets": known, "top_k": 2}
    yield "targets: top_k above their number", one, {"targets": known, "top_k": 50}
    yield "targets: words", one, {"targets": [k.removeprefix(mark) for k in known] + ["river", "paris"]}
    yield "targets: capitals and spaces", one, {"targets": ["State", " capital", "PARIS"]}
    yield "targets: cut to their first piece", one, {"targets": ["unbelievables", "qwertyuiop"]}
    yield "targets: two that become one", one, {"targets": ["zzzzz", "zzzzzzzz", known[0], known[0]]}
    yield "targets: unknown characters", one, {"targets": ["☃", known[0]]}
    yield "targets: empty string beside another", one, {"targets": ["", known[0]]}
    yield "targets: empty string only", one, {"targets": [""]}
    yield "targets: none", one, {"targets": []}
    yield "targets: special tokens", one, {"targets": [tokenizer.cls_token, tokenizer.mask_token, tokenizer.pad_token]}
    yield "targets: two masks", "the [MASK] of [MASK]", {"targets": known}
    yield "targets: batch", [one, "the [MASK]"], {"targets": known[:2], "top_k": 1}


def run(folder, tokenizer):
    model = AlbertForMaskedLM.from_pretrained(folder, attn_implementation="eager").eval()
    assert model.config.vocab_size == len(tokenizer), (model.config.vocab_size, len(tokenizer))
    pipe = pipeline("fill-mask", model=model, tokenizer=tokenizer, device="cpu")
    entries = []
    for name, inputs, args in calls(tokenizer):
        texts = inputs if isinstance(inputs, list) else [inputs]
        ids = [tokenizer(t, **args.get("tokenizer_kwargs", {}))["input_ids"] for t in texts]
        entry = {"name": name, "inputs": inputs, "args": args, "input_ids": ids}
        try:
            entry["output"] = pipe(inputs, **args)
        except Exception as e:  # noqa: BLE001 - the kind of failure is part of the expected output
            entry["error"] = {"type": type(e).__name__, "message": str(e)}
        # If scores are nearly tied, rounding decides their order.
        rows = entry.get("output", [])
        for row in walk(rows):
            gaps = [(a["score"] - b["score"]) / a["score"] for a, b in zip(row, row[1:])]
            assert all(g >= 0 for g in gaps), (name, gaps)
            entry["min_relative_gap"] = min([entry.get("min_relative_gap", 1.0), *gaps])
        entries.append(entry)
    lines = ",\n".join(" " + json.dumps(e, ensure_ascii=False) for e in entries)
    (folder / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return entries


def walk(output):
    """The lists of predictions, at any depth."""
    if output and isinstance(output[0], dict):
        yield output
    elif isinstance(output, list):
        for item in output:
            yield from walk(item)


def folder_of(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def main():
    assert transformers.__version__.startswith("4.57"), transformers.__version__
    limit = {"model_max_length": 40}
    report = {}

    f = folder_of("spiece_nfkc")  # spiece.model alone
    make_model(f, len(train_spiece(f, True, "nmt_nfkc_cf", 260)), 1)
    report[f.name] = run(f, AlbertTokenizer.from_pretrained(f, **limit))

    f = folder_of("spiece_cased")  # no normalization anywhere
    write_json(f / "tokenizer_config.json", {"tokenizer_class": "AlbertTokenizer", "do_lower_case": False,
                                             "keep_accents": True, **limit})
    make_model(f, len(train_spiece(f, False, "identity", 300)), 2, weights="bin", num_hidden_layers=4,
               num_hidden_groups=2, hidden_act="gelu")
    report[f.name] = run(f, AlbertTokenizer.from_pretrained(f, **limit))

    f = folder_of("json_2020")  # tokenizer.json as on the hub
    sp = train_spiece(None, True, "identity", 240)
    write_json(f / "tokenizer_config.json", {"do_lower_case": True, **limit})
    (f / "tokenizer.json").write_text(json.dumps(json_2020(sp), ensure_ascii=False), encoding="utf-8")
    make_model(f, len(sp), 3)
    report[f.name] = run(f, AlbertTokenizerFast.from_pretrained(f))

    f = folder_of("json_saved")  # the same tokenizer saved again by transformers 4.57, with cleaned-up spaces
    fast = AlbertTokenizerFast.from_pretrained(HERE / "json_2020", clean_up_tokenization_spaces=True)
    fast.save_pretrained(f)
    train_spiece(f, True, "identity", 240)  # next to it, as on the hub; tokenizer.json takes precedence
    make_model(f, len(sp), 6, weights="bin", inner_group_num=2, num_hidden_layers=2, hidden_act="relu")
    report[f.name] = run(f, AlbertTokenizerFast.from_pretrained(f))

    f = folder_of("bert_vocab")  # as in the Chinese ALBERT checkpoints
    (f / "vocab.txt").write_text("\n".join(bert_vocab()) + "\n", encoding="utf-8")
    make_model(f, len(bert_vocab()), 5, hidden_act="relu")
    report[f.name] = run(f, BertTokenizer.from_pretrained(f, **limit))

    for name, entries in report.items():
        size = sum(p.stat().st_size for p in (HERE / name).iterdir())
        print(f"{size:8} {name}: {len(entries)} calls, {sum('error' in e for e in entries)} errors,"
              f" smallest relative gap {min(e.get('min_relative_gap', 1) for e in entries):.1e}")
    print(sum(p.stat().st_size for p in HERE.rglob("*") if p.is_file()), "bytes")


if __name__ == "__main__":
    main()
