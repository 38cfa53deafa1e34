#!/usr/bin/env python3
"""Makes the golden files of the tokenizer: small vocabularies and the results of transformers 4.57.

Run from the root of the repository, with transformers 4.57, tokenizers 0.22 and sentencepiece 0.2 installed:

    python3 tests/golden/tokenizer/make.py --corpus TEXT [TEXT ...]

TEXT is any plain English text with one paragraph per line (.gz files are decompressed). The first 20,000
lines of all files together are used. The vocabularies are trained on them, so another text gives other ids
but the same tests. `--keep` keeps the vocabularies and only rewrites the expected values. `--fuzz N FILE`
writes N random strings with their expected values to FILE instead (for manual comparison).

Output, all in this folder:

  spiece.model         SentencePiece unigram model with ALBERT's options
  hub2020.json         tokenizer.json as in the ALBERT models of 2020 (symbols are ordinary pieces)
  fast457.json         tokenizer.json as converted by transformers 4.57 (symbols are added tokens), here
                       without the Precompiled normalizer to keep it small
  vocab.txt            a WordPiece vocabulary, English and Chinese
  strings.json         the texts: singles, pairs, truncations
  expected_*.jsonl     per text: ids, tokens, offsets, decode(ids), decode(ids, skip_special_tokens=True);
                       for pairs also type_ids and special_tokens_mask. Offsets count code points.

The slow AlbertTokenizer has no offsets. Those in expected_spiece.jsonl are computed here by tracking the
position of each character through its steps. A token covers the characters that it was made of, without
the white space before it. A lone "▁" covers the character that follows. The offsets are compared with those
of hub2020 wherever both give the same ids, and differences are printed.
"""

import argparse
import functools
import gzip
import io
import json
import os
import random
import re
import sys
import unicodedata

HERE = os.path.dirname(os.path.abspath(__file__))
SYMBOLS = ["(", ")", '"', "-", ".", "–", "£", "€"]
VOCAB = 1500


def path(name):
    return os.path.join(HERE, name)


def lines_of(files, limit=20000):
    for name in files:
        with (gzip.open if name.endswith(".gz") else open)(name, "rt", encoding="utf-8") as f:
            for line in f:
                if limit == 0:
                    return
                if line.strip():
                    limit -= 1
                    yield line.strip()


def clean(text):
    text = unicodedata.normalize("NFKD", text.replace("``", '"').replace("''", '"'))
    return "".join(c for c in text if not unicodedata.combining(c)).lower()


def make_spiece(corpus):
    import sentencepiece as spm

    lines = [clean(line)[:2000] for line in lines_of(corpus)]
    # digits before commas, so that the vocabulary has pieces such as "0," and "▁1990,"
    lines += [f"in {year}, and {year}, or {n},000, but 9, 10, {n}, " * 3 for year in range(1990, 2030) for n in (1, 2, 30)]
    model = io.BytesIO()  # a file's path would be stored in the model
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=VOCAB,
        model_type="unigram",
        character_coverage=0.9999,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        user_defined_symbols=SYMBOLS,
        num_threads=1,
        minloglevel=2,
    )
    with open(path("spiece.model"), "wb") as f:
        f.write(model.getvalue())


def make_jsons():
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import AlbertTokenizer, AlbertTokenizerFast
    from transformers.convert_slow_tokenizer import import_protobuf

    pb = import_protobuf().ModelProto()
    with open(path("spiece.model"), "rb") as f:
        pb.ParseFromString(f.read())
    slow = AlbertTokenizer(path("spiece.model"))
    parts = json.loads(AlbertTokenizerFast(vocab_file=path("spiece.model")).backend_tokenizer.to_str())
    parts["normalizer"]["normalizers"] = [n for n in parts["normalizer"]["normalizers"] if n["type"] != "Precompiled"]
    with open(path("fast457.json"), "w", encoding="utf-8") as f:
        json.dump(parts, f, ensure_ascii=False, separators=(",", ":"))

    def score(piece):
        bare = piece.piece
        comma = len(bare) > 1 and bare[-1] == "," and bare[-2].isdigit()
        return piece.score - 100 if comma else piece.score

    hub = Tokenizer(models.Unigram([(p.piece, score(p)) for p in pb.pieces], unk_id=1))
    hub.normalizer = normalizers.Sequence(
        [
            normalizers.Replace("``", '"'),
            normalizers.Replace("''", '"'),
            normalizers.NFKD(),
            normalizers.StripAccents(),
            normalizers.Lowercase(),
            normalizers.Precompiled(pb.normalizer_spec.precompiled_charsmap),
        ]
    )
    hub.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    hub.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", slow.cls_token_id), ("[SEP]", slow.sep_token_id)],
    )
    hub.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    hub.add_special_tokens(
        [AddedToken(t, special=True, normalized=False) for t in ("<pad>", "<unk>", "[CLS]", "[SEP]")]
        + [AddedToken("[MASK]", special=True, normalized=False, lstrip=True)]
    )
    with open(path("hub2020.json"), "w", encoding="utf-8") as f:
        json.dump(json.loads(hub.to_str()), f, ensure_ascii=False, separators=(",", ":"))


def make_vocab(corpus):
    words = {}
    for line in lines_of(corpus):
        for word in re.findall(r"[a-z]+", clean(line)):
            words[word] = words.get(word, 0) + 1
    common = sorted(words, key=lambda w: (-words[w], w))[:600]
    tails = {}
    for word in words:
        for n in (2, 3):
            if len(word) > n + 1:
                tails[word[-n:]] = tails.get(word[-n:], 0) + words[word]
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    chinese = "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组造落视济喜离虽坏兴欢"
    marks = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~。，、；：？！“”‘’（）《》—…·￥°€£")
    rows = ["[PAD]"] + [f"[unused{i}]" for i in range(1, 10)] + ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    rows += marks + list("0123456789") + letters + list(dict.fromkeys(chinese))
    rows += [w for w in common if len(w) > 1]
    rows += ["##" + t for t in list("0123456789") + letters + sorted(tails, key=lambda w: (-tails[w], w))[:150]]
    rows += ["é", "##é", "Hello", "##的", "한", "カ", "##ー"]
    with open(path("vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(dict.fromkeys(rows)) + "\n")


ODD = {
    "nbsp": "\u00a0", "ideographic space": "\u3000", "en quad": "\u2000", "hair space": "\u200a", "ogham": "\u1680",
    "line separator": "\u2028", "nel": "\u0085", "vt": "\x0b", "ff": "\x0c", "fs": "\x1c", "us": "\x1f",
    "zwsp": "\u200b", "zwnj": "\u200c", "zwj": "\u200d", "bom": "\ufeff", "word joiner": "\u2060",
    "soft hyphen": "\u00ad", "lrm": "\u200e", "rlo": "\u202e", "nul": "\x00", "bell": "\x07", "del": "\x7f",
    "c1": "\x9f", "escape": "\x1b", "replacement": "\ufffd", "object": "\ufffc", "private": "\ue000",
    "noncharacter": "\uffff", "last": "\U0010ffff", "keycap": "\u20e3", "enclosing circle": "\u20dd",
    "grave": "\u0300", "double grave": "\u030f\u0301", "variation selector": "\ufe0f", "cgj": "\u034f",
    "devanagari vowel": "\u0940", "virama": "\u094d", "thai vowel": "\u0e35", "hangul jamo": "\u1100\u1161\u11a8",
    "hangul": "한", "arabic shadda": "\u0651", "hebrew point": "\u05b4", "fi": "ﬁ", "ffl": "ﬄ", "long s": "ſ",
    "half": "½", "trade": "™", "degree C": "℃", "roman": "Ⅷ", "circled": "①", "super": "²", "full width A": "Ａ",
    "full width comma": "，", "half width kana": "ｶﾞ", "ij": "ĳ", "kelvin": "K", "angstrom": "Å", "ohm": "Ω",
    "sharp s": "ß", "capital sharp s": "ẞ", "dotted I": "İ", "dotless i": "ı", "sigma": "ΟΔΟΣ", "math sigma": "𝚺",
    "diaeresis": "¨", "cedilla": "¸", "macron": "¯", "ellipsis": "…", "em dash": "—", "en dash": "–", "minus": "−",
    "underline piece": "▁", "low line": "_", "backtick": "`", "math bold": "𝐀𝐛", "compat ideograph": "豈",
    "arabic ligature": "ﷺ", "square": "㍿", "tibetan": "\u0f73", "emoji": "😀", "skin": "👍🏽", "family": "👨‍👩‍👧",
    "flag": "🇫🇷", "keycap emoji": "1️⃣", "pound": "£", "euro": "€", "cyrillic": "Й", "vietnamese": "ệ",
    "greek": "ά", "musical": "\U0001d15e", "tag": "\U000e0041",
}

HAND = [
    "", " ", "  ", "\n", "\t\n\r ", "\u00a0", "\u200b", "\u0301", "▁", "▁▁", "a", "A", ".", "...", ",", "0", "000",
    "Hello world", "Hello, world!", " leading", "trailing ", "  both  ", "many    spaces   here", "tab\there", "line\nbreak",
    "line\r\nbreak\r\n", "a\n\nb", "U.S.A.", "the U.S. economy", "(hello)", "((hello))", 'he said "hello" to her',
    "``quoted''", "'' `` ''", "'''", "````", "it's", "don't", "rock 'n' roll", "O'Neil''s", "-5", "well-known", "1990–2000",
    "£5.00", "€10,000.50", "$9.99", "50%", "9,9", "9, 9", "1,000,000", "2014,", "in 2014, the", "x2,", "2,a", "7,,",
    "1990, 1991, 1992,", "10,", "30,000,", ",9,", "9,", "99,", "٣,", "²,", "①,", "a9,b", "9,(", "(9,)", "30, 40,",
    "3.0,", "3.14159", "1e-12", "0x1F", "v2.0.1", "192.168.0.1", "10:30", "2/3", "a/b/c", "a_b_c", "#tag @user",
    "https://example.org/a?b=c&d=1#x", "user@example.org", "C++", "C#", "f(x) = x^2", "{}[]<>|\\~", "100%!?", "!!!", "?!?",
    "[MASK]", "[MASK].", "the [MASK] of", "the[MASK]of", "the  [MASK]  of", "[MASK][MASK]", "[MASK] [MASK]", " [MASK]",
    "[MASK] ", "a [MASK]b", "a[MASK] b", "The capital of France is [MASK].", "([MASK])", "[mask]", "[Mask]", "[MASK", "MASK]",
    "[[MASK]]", "\n[MASK]\n", "\u00a0[MASK]\u00a0", "x\u200b[MASK]", "é [MASK] é", "[CLS]", "[SEP]", "[CLS] a [SEP]", "a[SEP]b",
    "[CLS][SEP][MASK]", "[cls] [sep]", "<pad>", "<PAD>", "a<pad>b", "a <pad> b", "<unk>", "<UNK> x", "a<unk>b", "<pad><pad>", "[PAD]",
    "[UNK]", "<s>", "</s>", "<p>html</p>", "&amp; &#39;", "café", "cafe\u0301", "CAFÉ", "naïve façade", "Ångström", "ñandú",
    "Straße", "STRASSE", "İstanbul", "ıstanbul", "ΑΣ ΑΣΑ Σ", "ὈΔΥΣΣΕΎΣ", "Ǆ ǅ ǆ", "Łódź", "Đặng Thị Ngọc", "Příliš žluťoučký kůň",
    "Съешь ещё этих мягких булок", "ЙОЛКА й", "Ελληνικά", "עִבְרִית", "שלום world", "العَرَبِيَّة", "مرحبا 123 hello", "हिन्दी में", "ภาษาไทย",
    "தமிழ்", "한국어 텍스트", "한국어", "日本語のテキスト", "カタカナ ｶﾀｶﾅ", "がぎぐ がぎぐ", "中文文本", "中文，标点。", "我爱北京天安门", "北京 2008 奥运会",
    "Ｆｕｌｌ　ｗｉｄｔｈ　１２３，", "ﬁne ﬂow eﬃcient", "ﬀ ﬅ", "x² + y³", "H₂O", "½ cup", "№ 5", "℡ ☎", "㎏ ㎡ ㌔", "Ⅳ ⅳ", "①②③",
    "𝓗𝓮𝓵𝓵𝓸 𝟙𝟚𝟛", "𝚺𝚨𝚺", "ℌ ℍ ℎ", "ⓐⓑⓒ", "😀", "😀😀😀", "hi 😀 there", "hi😀there", "👍🏽", "👨‍👩‍👧‍👦 family", "🇫🇷🇩🇪", "1️⃣ 2️⃣", "❤️ ❤",
    "🏳️‍🌈", "a\u0301\u0302\u0303b", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘", "a\u20dd b\u20e3", "e\u0301e\u0301", "\u0301a", "a \u0301 b", "a¨b", "¨ ¨", "a´b",
    "\ufeffbom at start", "zero\u200bwidth", "zero\u200dwidth", "soft\u00adhyphen", "non\u2011breaking", "a\u00a0b", "a\u202fb", "a\u2009b",
    "a\u3000b", "a\u2028b", "a\u0085b", "a\x0bb", "a\x1cb", "a\x1d\x1eb", "\x1f", "a\x00b", "\x00", "\x00\x00a", "a\x01\x02b", "a\x7fb", "a\x1b[31mb",
    "\u202eevil\u202c", "\u2066iso\u2069", "\ue000\uf8ff", "\U000f0000", "\U0010ffff", "\ufffd", "\ufffe", "a▁b", "▁a", "a ▁ b", "a▁ ▁b", "a▁",
    "a—b", "a--b", "– –", "“curly” ‘quotes’", "«guillemets»", "„low“", "…", "a…b", "·•◦", "→ ← ⇒", "≤ ≥ ≠ ∞", "♠♣♥♦", "°C 25°", "™ ® ©", "¿qué? ¡sí!",
    "¥ ₹ ₽ ₿", "supercalifragilisticexpialidocious", "antidisestablishmentarianism's", "x" * 40, "ab" * 60, "9" * 30, "." * 20, "-" * 15, "é" * 20, "中" * 25,
    "!" * 12, "a " * 20, "The quick brown fox jumps over the lazy dog.", "GEORGE WASHINGTON WAS THE FIRST PRESIDENT OF THE UNITED STATES.",
    "In 1995, more than 2,500 people (about 12%) lived in St. John's; 3,000 left.", "e.g., i.e., etc.", "Mr. O'Brien-Smith, Ph.D., said: \"No.\"",
    "state-of-the-art", "a,b;c:d.e", "one\ttwo\tthree", "end.", "end .", "( a )", '" a "', "- a -", "a-", "-a", "a–", "£", "£ 5", "5£", "€5€", "().\"-–£€",
    "\"(-.)\"", "A.B", "A. B", "a .b", "...a...", "1.", "1.5.", "(1)", "[1]", "[1, 2, 3]", "1,2,3", "word,", ", word", "word , word", "2020,2021", "5, 000",
    "Tom’s", "l’été", "Μ μ µ", "ſtraſſe", "Ωmega Ω", "KELVIN K", "ﷺ", "ﷲ", "㍿", "豈更", "가나다", "ก็", "ကို", "ሰላም", "ᚠᚢᚦ", "𐍈", "𝄞", "🜁", "Ꭰꭰ", "ǰ ŉ", "ᾳ ᾼ", "Ⅻ,", "x①,", "५,", "1５,",
]

CONTEXTS = ["ab{}cd", "the {} of", "{}the", "the{}"]

PAIRS = [
    ("Hello", "world"), ("", ""), ("a", ""), ("", "b"), (" ", "b"), ("a", " "), ("the [MASK]", "[MASK] of"), ("x [SEP]", "[CLS] y"),
    ("What is the capital?", "The capital of France is Paris."), ("U.S.A.", "(hello)"), ("café", "naïve"), ("中文", "文本"),
    ("😀", "👍🏽"), ("9,9", "2014,"), ("\u00a0", "\u200b"), ("a\x00b", "c\nd"), ("one two three four five six", "seven"),
    ("seven", "one two three four five six"), ("This example is politics.", "The election was held in 2014, they said."),
    ("``a''", "'b'"), ("a" * 50, "b" * 50), ("word " * 20, "other " * 20), ("<pad>", "<unk>"), ("é [MASK]", "é [MASK]"),
    ("A man inspects the uniform.", "The man is sleeping."), ("Premise (one)", "Hypothesis – two"), ("שלום", "مرحبا"),
    ("ﬁne", "ﬀ"), ("Ｆｕｌｌ", "ｗｉｄｔｈ"), ("\t", "\n"), ("1,000", "1.000"), ("x", "x"), ("end .", ". start"),
    ("a\u0301", "\u0301"), ("[MASK][MASK]", "[MASK]"), ("İ", "ı"), ("ΟΔΟΣ", "οδος"), ("한국어", "日本語"), ("?", "!"), ("▁", "a▁b"),
]

SHORT, MIDDLE, LONG = "one small", "the people of the city", "The government of the United States said in 1995, that people were many."
TRUNCATIONS = [
    (a, b, n)
    for a, b in [(LONG, None), (SHORT, None), (LONG, SHORT), (SHORT, LONG), (LONG, LONG), (MIDDLE, LONG), ("word " * 12, "word " * 11),
                 ("word " * 11, "word " * 12), ("", LONG), (LONG, ""), ("é [MASK] 9, é", "(a.b) 1,000, c")]
    for n in (4, 5, 6, 7, 8, 9, 10, 13, 16, 64)
]


def singles():
    texts = HAND + [c.format(o) for o in ODD.values() for c in CONTEXTS[:2]]
    texts += [CONTEXTS[2 + i % 2].format(o) for i, o in enumerate(ODD.values())]
    return list(dict.fromkeys(texts))


class Slow:
    """The slow AlbertTokenizer, with offsets computed from its own steps."""

    def __init__(self):
        from transformers import AlbertTokenizer

        self.t = AlbertTokenizer(path("spiece.model"))
        self.space = re.compile(r"\s")

    def segments(self, text):
        """(special token or None, [(character, position)]) for each part that the tokenizer splits off."""
        special = sorted(self.t.all_special_tokens, key=len, reverse=True)
        low, i = [], 0
        while i < len(text):
            hit = next((s for s in special if text.startswith(s, i)), None)
            for j in range(i, i + len(hit or "x")):
                low += [(c, j) for c in (text[j] if hit or text[j] == "\n" else text[j].lower())]
            i += len(hit or "x")
        word, parts, start, i = "".join(c for c, _ in low), [], 0, 0
        while i < len(word):
            hit = next((s for s in special if word.startswith(s, i)), None)
            if hit:
                parts += [(None, low[start:i]), (hit, low[i : i + len(hit)])]
                start = i = i + len(hit)
            else:
                i += 1
        parts.append((None, low[start:]))
        for n, (s, _) in enumerate(parts):
            if s == self.t.mask_token:
                while parts[n - 1][1] and parts[n - 1][0] is None and parts[n - 1][1][-1][0].isspace():
                    parts[n - 1][1].pop()
        return [(s, cs) for s, cs in parts if cs]

    def preprocessed(self, chars):
        out = []
        for c, i in chars:
            if c.isspace():
                if out and out[-1][0] != " ":
                    out.append((" ", (i, i + 1)))
            else:
                out.append((c, (i, i + 1)))
        if out and out[-1][0] == " ":
            out.pop()
        for mark in "`'":
            new = []
            while out:
                if len(out) > 1 and out[0][0] == out[1][0] == mark:
                    new.append(('"', (out[0][1][0], out[1][1][1])))
                    out = out[2:]
                else:
                    new.append(out.pop(0))
            out = new
        out = [(d, i) for c, i in out for d in unicodedata.normalize("NFKD", c) if not unicodedata.combining(d)]
        low = "".join(c for c, _ in out).lower()
        if len(low) == len(out):
            return [(c, i) for c, (_, i) in zip(low, out)]
        return [(d, i) for c, i in out for d in c.lower()]

    def pieces(self, chars):
        """SentencePiece's pieces of these characters: (piece, [positions])."""
        text = "".join(c for c, _ in chars)
        at = [k for k, c in enumerate(text) for _ in c.encode()] + [len(text)]  # byte -> character
        out = []
        for p in self.t.sp_model.encode(text, return_type="proto").pieces:
            own = chars[at[p.begin] : at[p.end]]
            places = [i for c, i in own if self.shows(c)]
            out.append((p.piece, places, own))
        for n, (piece, _, own) in enumerate(out):
            if not piece.strip("▁"):
                # covers the character that follows, which may be several (the letters of a Hangul syllable)
                first = next((p for p, places, _ in out[n + 1 :] if places), "").strip("▁")[:1]
                places = [i for _, after, _ in out[n + 1 :] for i in after]
                syllable = len(unicodedata.normalize("NFD", first)) if "가" <= first <= "힣" else 1
                out[n] = (piece, places[:syllable], own)
        return out

    @functools.cache
    def shows(self, c):
        """Returns true unless the character is white space or SentencePiece drops it."""
        return c in SYMBOLS or self.t.sp_model.normalize("a" + c + "b").strip("▁")[1:-1].strip("▁ ") != ""

    def tokens(self, text):
        out = []
        for special, chars in self.segments(text):
            if special:
                out.append((special, (chars[0][1], chars[-1][1] + 1)))
                continue
            chars = self.preprocessed(chars)
            for piece, places, own in self.pieces(chars):
                cut = [(piece, places)]
                if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
                    inner = self.pieces([c for c in own[:-1] if c[0] not in " ▁"])
                    cut = [(p, q) for p, q, _ in inner]
                    if piece[0] != "▁" and cut[0][0][0] == "▁":
                        if len(cut[0][0]) == 1:
                            cut = cut[1:]
                        else:
                            cut[0] = (cut[0][0][1:], cut[0][1])
                    cut.append((piece[-1], places[-1:]))
                out += [(p, (min(q)[0], max(q)[1]) if q else None) for p, q in cut]
        assert [p for p, _ in out] == self.t.tokenize(text), (text, out, self.t.tokenize(text))
        return out

    def single(self, text):
        ids = self.t(text)["input_ids"]
        offsets = [(0, 0)] + [o for _, o in self.tokens(text)] + [(0, 0)]
        assert len(ids) == len(offsets), text
        return ids, offsets


def dump(f, row):
    f.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def flat(offsets):
    return [n for o in offsets for n in o]


def decodes(t, ids):
    return {"decode": t.decode(ids), "decode_skip": t.decode(ids, skip_special_tokens=True)}


def write_slow(texts, pairs, truncations, name, hub=None):
    slow, differ, same = Slow(), 0, 0
    with open(name, "w", encoding="utf-8") as f:
        for text in texts:
            ids, offsets = slow.single(text)
            if hub:
                e = hub(text, return_offsets_mapping=True)
                # hub2020's offsets of [MASK] include the spaces before it
                theirs = [o for i, o in zip(ids, e["offset_mapping"]) if i != slow.t.mask_token_id]
                ours = [o for i, o in zip(ids, offsets) if i != slow.t.mask_token_id]
                if e["input_ids"] == ids:
                    same += 1
                    if theirs != ours:
                        differ += 1
                        print("offsets differ:", repr(text), slow.t.convert_ids_to_tokens(ids), ours, theirs, file=sys.stderr)
                else:
                    print("ids differ:", repr(text), file=sys.stderr)
            e = slow.t(text, return_special_tokens_mask=True)
            assert not any(e["token_type_ids"]) and sum(e["special_tokens_mask"]) == 2
            row = {"ids": ids, "tokens": slow.t.convert_ids_to_tokens(ids), "offsets": flat(offsets), **decodes(slow.t, ids)}
            dump(f, row)
        for a, b in pairs:
            e = slow.t(a, b, return_special_tokens_mask=True)
            offsets = slow.single(a)[1] + slow.single(b)[1][1:]
            dump(f, {"ids": e["input_ids"], "type_ids": e["token_type_ids"], "special": e["special_tokens_mask"], "offsets": flat(offsets)})
        for a, b, n in truncations:
            e = slow.t(a, b, truncation="longest_first", max_length=n)
            dump(f, {"ids": e["input_ids"], "type_ids": e["token_type_ids"]})
    print(f"{name}: hub2020 gives the same ids for {same} texts, other offsets for {differ} of these", file=sys.stderr)


def write_fast(t, texts, pairs, truncations, name):
    def call(a, b=None, **more):
        # as a batch, because a single empty second text would be dropped
        batch = [(a, b)] if b is not None else [a]
        e = t(batch, return_offsets_mapping=True, return_special_tokens_mask=True, return_token_type_ids=True, **more)
        return {k: v[0] for k, v in e.items()}

    with open(name, "w", encoding="utf-8") as f:
        for text in texts:
            e = call(text)
            assert not any(e["token_type_ids"]) and sum(e["special_tokens_mask"]) == 2
            ids = e["input_ids"]
            dump(f, {"ids": ids, "tokens": t.convert_ids_to_tokens(ids), "offsets": flat(e["offset_mapping"]), **decodes(t, ids)})
        for a, b in pairs:
            e = call(a, b)
            dump(f, {"ids": e["input_ids"], "type_ids": e["token_type_ids"], "special": e["special_tokens_mask"], "offsets": flat(e["offset_mapping"])})
        for a, b, n in truncations:
            e = call(a, b, truncation="longest_first", max_length=n)
            dump(f, {"ids": e["input_ids"], "type_ids": e["token_type_ids"]})


def fuzz(count, name):
    slow, rng = Slow(), random.Random(7)
    seeds = singles() + ["the people of the government", "in 1995, and 2,000, or 9,", "[MASK]", " ", "  "]
    with open(name, "w", encoding="utf-8") as f:
        for _ in range(count):
            parts = []
            for _ in range(rng.randint(1, 5)):
                r = rng.random()
                if r < 0.5:
                    s = rng.choice(seeds)
                    i = rng.randint(0, len(s))
                    parts.append(s[i : i + rng.randint(1, 12)])
                elif r < 0.7:
                    parts.append(chr(rng.choice([rng.randint(0, 0x250), rng.randint(0, 0xD7FF), rng.randint(0xE000, 0x1FFFF)])))
                elif r < 0.85:
                    parts.append("".join(rng.choice("aeinst .,0129'`\"-()▁[]") for _ in range(rng.randint(1, 9))))
                else:
                    parts.append(rng.choice([" ", "[MASK]", "<pad>", "\n", "9,", "[SEP]", "``", "é"]))
            text = "".join(parts)
            try:
                ids, offsets = slow.single(text)
            except AssertionError:
                ids, offsets = slow.t(text)["input_ids"], None
            dump(f, {"text": text, "ids": ids, "offsets": flat(offsets) if offsets else None, **decodes(slow.t, ids)})


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--corpus", nargs="*", default=[])
    args.add_argument("--keep", action="store_true")
    args.add_argument("--fuzz", nargs=2, metavar=("N", "FILE"))
    args = args.parse_args()
    if args.fuzz:
        return fuzz(int(args.fuzz[0]), args.fuzz[1])
    if not args.keep:
        if not args.corpus:
            sys.exit("--corpus: name at least one text file")
        make_spiece(args.corpus)
        make_jsons()
        make_vocab(args.corpus)
    from transformers import AlbertTokenizerFast, BertTokenizerFast

    texts = singles()
    with open(path("strings.json"), "w", encoding="utf-8") as f:
        json.dump({"singles": texts, "pairs": PAIRS, "truncations": TRUNCATIONS}, f, ensure_ascii=False, separators=(",", ":"))
    hub = AlbertTokenizerFast(tokenizer_file=path("hub2020.json"))
    write_slow(texts, PAIRS, [t for t in TRUNCATIONS if t[2] > 4], path("expected_spiece.jsonl"), hub)
    write_fast(hub, texts, PAIRS, TRUNCATIONS, path("expected_hub2020.jsonl"))
    write_fast(AlbertTokenizerFast(tokenizer_file=path("fast457.json")), texts, PAIRS, TRUNCATIONS, path("expected_fast457.jsonl"))
    write_fast(BertTokenizerFast(vocab_file=path("vocab.txt")), texts, PAIRS, TRUNCATIONS, path("expected_vocab.jsonl"))


if __name__ == "__main__":
    main()
