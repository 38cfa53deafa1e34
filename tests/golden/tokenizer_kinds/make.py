"""Makes small SentencePiece models of every type and Japanese tokenizers, with the results of transformers' slow tokenizers.

Needs transformers 4.57.6, sentencepiece 0.2.3 and protobuf. Writes next to itself: texts.json (the shared texts),
spiece/NAME.model and spiece/NAME.json ("config" is its tokenizer_config.json), japanese/vocab.txt,
japanese/spiece.model and japanese/NAME.json.
"""

import io
import json
import os
import random
import shutil
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from transformers import AlbertTokenizer, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL = ["[CLS]", "[SEP]", "[MASK]"]
UNUSED, NORMAL = 5, 1

SENTENCES = [
    "the quick brown fox jumps over the lazy dog in 1990, and again in 3,5 years.",
    "a new model of language (small, but useful) reads the text of new york twice a day.",
    "there are 12 old trees - and 345 new ones - near the river, the house and the road.",
    "the cat sat on the mat; the other cats sat in the car. they ran, we ran, all ran.",
    "我爱北京天安门 the 的一是不了人我在有他这",
    "東京タワーはとても高いです。これはペンです、それはノートです。",
    "naïve café résumé über straße é è ü ä ö",
]

TEXTS = [
    "", " ", "  ", "\t\n", "a", "the quick brown fox", "  the   old  cats ran ", "The Quick Brown FOX",
    "1990, 3,5 9,9, 12,a 3, x3, in 345, there", "``the'' 'it''s' ``", "new york newyork NEW york  new  york",
    "<e1> anna </e1> <E1>(a-b)–c x,y", "naïve café Ångström ÀÉÎ é ﬁ ﬀ ½ ² ① Ⅷ", "我爱北京天安门的他", "東京タワー、日本。これはペンです",
    "ガギグ か\u3099き\u3099 ｶﾞｷﾞ ㌔ ㍿ ＡＢＣ　１２３", "한국어 텍스트", "😀😀 the 👨‍👩‍👧 🇩🇪 ❤️ cat", "a\u00a0b\u3000c\u2003d\u200be\ufefff\u00adg",
    "x\u0000y\u0001z\u001f\u007f\u0085w", "[CLS] a [SEP] [MASK] b[MASK]c [mask] <unk> <pad>", "a" * 120, "ab" * 60, "1," * 20,
    "aaaa aaaaa aaaaaa", "trail   ", "   lead", "▁▁a ▁ b▁ the▁cat", "İSTANBUL Σίσυφος ΑΣ ß ẞ", "\u2028 \u2029 x\u2028y",
    "नमस्ते", "5️⃣ ²³, x², ٣, ③,", "<0x41> <0xE2>", "don't can't I'm they're", "the@cat @ <ctl> unaffable UN-AFFABLE", "Hello-World keep.this Keep.This 私はアリババが好きです",
    "あ" * 101, "あ" * 100,
]  # fmt: skip


def random_texts(count):
    r = random.Random(4)
    pools = ["aeinorst", "ABCÀÉ", "0123456789,.", "  \t\u00a0\u3000", "()-\"'`–", "的一是我爱", "あいがアカ\u3099ー、。", "😀👍", "\u0301\u0323", "\x01\x7f\u200b", "ﬁ½①㍿"]
    words = ["the", "new york", "<e1>", "[MASK]", "1990,", "3,", "cats", "ペン", "です"]
    out = []
    for _ in range(count):
        text = ""
        for _ in range(r.randrange(2, 9)):
            pool = r.choice(pools)
            text += r.choice(words) if r.random() < 0.4 else "".join(r.choice(pool) for _ in range(r.randrange(1, 5)))
            text += " " * r.choice([0, 0, 1, 1, 2])
        out.append(text)
    return out


def train(kind, unused=0.0, escape=True, control=(), **options):
    r = random.Random(1)
    lines = [" ".join(r.sample(sentence.split(), len(sentence.split()))) for sentence in SENTENCES * 8] + SENTENCES
    sizes = {"unigram": 170, "bpe": 200, "char": 140, "word": 100}
    size = sizes[kind] + (256 if options.get("byte_fallback") else 0)
    written = io.BytesIO()
    defaults = dict(normalization_rule_name="identity", pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, character_coverage=0.98)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=written, model_type=kind, vocab_size=size, minloglevel=2,
        hard_vocab_limit=False, num_threads=1, control_symbols=CONTROL + list(control), **{**defaults, **options},
    )  # fmt: skip
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(written.getvalue())
    for piece in model.pieces:
        if piece.type == NORMAL and r.random() < unused:
            piece.type = UNUSED
        if piece.type == NORMAL and not escape:
            piece.piece = piece.piece.replace("▁", " ")
    model.normalizer_spec.escape_whitespaces = escape
    return model.SerializeToString()


SYMBOLS = ["<e1>", "</e1>", "new york", "(", ")", "-", "–", "x,"]
RAW = {"do_lower_case": False, "remove_space": False, "keep_accents": True}
SPIECE = {
    "bpe": ({}, dict(kind="bpe")),
    "bpe-bytes-symbols": ({"do_lower_case": False}, dict(kind="bpe", byte_fallback=True, user_defined_symbols=SYMBOLS)),
    "bpe-unused": ({}, dict(kind="bpe", unused=0.3)),
    "bpe-across-words": ({}, dict(kind="bpe", split_by_whitespace=False, split_by_number=False)),
    "bpe-suffix": ({"keep_accents": True}, dict(kind="bpe", treat_whitespace_as_suffix=True, user_defined_symbols=SYMBOLS)),
    "bpe-unescaped": (RAW, dict(kind="bpe", escape=False, remove_extra_whitespaces=False)),
    "char": ({}, dict(kind="char", user_defined_symbols=SYMBOLS, control=["@", "<ctl>"])),
    "char-suffix-bytes": (RAW, dict(kind="char", treat_whitespace_as_suffix=True, byte_fallback=True, remove_extra_whitespaces=False)),
    "char-unused": ({}, dict(kind="char", unused=0.3, add_dummy_prefix=False)),
    "word": ({}, dict(kind="word", control=["▁the", "<ctl>"])),
    "word-suffix": ({}, dict(kind="word", treat_whitespace_as_suffix=True)),
    "word-bytes-unused": ({}, dict(kind="word", byte_fallback=True, unused=0.3)),
    "unigram-suffix": ({}, dict(kind="unigram", treat_whitespace_as_suffix=True)),
    "unigram-unescaped": (RAW, dict(kind="unigram", escape=False, remove_extra_whitespaces=False, split_digits=True)),
    "unigram-no-prefix": ({}, dict(kind="unigram", add_dummy_prefix=False, byte_fallback=True)),
}

JAPANESE = {
    "wordpiece": {},
    "wordpiece-lower": {"do_lower_case": True, "never_split": ["keep.this", "Keep.This", "ペン"]},
    "wordpiece-no-words": {"do_word_tokenize": False},
    "words": {"do_subword_tokenize": False},
    "character": {"subword_tokenizer_type": "character"},
    "character-lower": {"subword_tokenizer_type": "character", "do_lower_case": True},
    "character-no-words": {"subword_tokenizer_type": "character", "do_word_tokenize": False},
    "sentencepiece": {"subword_tokenizer_type": "sentencepiece"},
    "sentencepiece-no-words": {"subword_tokenizer_type": "sentencepiece", "do_word_tokenize": False},
}


def japanese_vocabulary():
    kana = [chr(c) for c in [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)]]
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEHKTW0123456789")
    words = ["これは", "です", "ペン", "東京", "タワー", "the", "cat", "##s", "un", "##aff", "##able", "keep.this", "ノート"]
    others = list("私好東京日本語的一是我、。「」・ー!,.-()'\"<>[]éè\u3099") + ["キロ", "##です", "##ー", "##\u3099"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, *others, *kana, *letters, *["##" + c for c in kana[:120] + letters]]
    return list(dict.fromkeys(tokens))


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=True, separators=(",", ":"))
        file.write("\n")


def expected(tokenizer, texts, config):
    ids = [tokenizer(text)["input_ids"] for text in texts]
    decoded = [tokenizer.decode(one, skip_special_tokens=True) for one in ids]
    pair = tokenizer("the cat", "ran, a", return_token_type_ids=True)
    return {"config": config, "ids": ids, "decode": decoded, "pair": [pair["input_ids"], pair["token_type_ids"]]}


def main():
    texts = TEXTS + random_texts(30)
    write(os.path.join(HERE, "texts.json"), texts)
    for folder in ["spiece", "japanese"]:
        shutil.rmtree(os.path.join(HERE, folder), ignore_errors=True)
        os.makedirs(os.path.join(HERE, folder))
    for name, (config, options) in SPIECE.items():
        with tempfile.TemporaryDirectory() as work:
            model = train(**options)
            for path in [os.path.join(work, "spiece.model"), os.path.join(HERE, "spiece", name + ".model")]:
                with open(path, "wb") as file:
                    file.write(model)
            config = {"tokenizer_class": "AlbertTokenizer", **config}
            write(os.path.join(work, "tokenizer_config.json"), config)
            tokenizer = AlbertTokenizer.from_pretrained(work)
            write(os.path.join(HERE, "spiece", name + ".json"), expected(tokenizer, texts, config))
    folder = os.path.join(HERE, "japanese")
    with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as file:
        file.write("".join(token + "\n" for token in japanese_vocabulary()))
    with open(os.path.join(folder, "spiece.model"), "wb") as file:
        file.write(train("unigram", unk_piece="[UNK]", pad_piece="[PAD]"))
    for name, config in JAPANESE.items():
        with tempfile.TemporaryDirectory() as work:
            for file in ["vocab.txt", "spiece.model"]:
                shutil.copy(os.path.join(folder, file), work)
            config = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "basic", **config}
            write(os.path.join(work, "tokenizer_config.json"), config)
            write(os.path.join(work, "config.json"), {"model_type": "albert"})
            write(os.path.join(folder, name + ".json"), expected(AutoTokenizer.from_pretrained(work), texts, config))


main()
