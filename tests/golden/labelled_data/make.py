"""Writes small files in the formats of published data sets, and the results of reference readers (expected.json).

    HF_HUB_OFFLINE=1 python make.py        (transformers 4.57.6, conllu 6.0.0)

GLUE: the processors of transformers, and for SNLI the reader of GLUE-baselines (below). CoNLL: the package conllu, and the
parsing loops of the data sets' own scripts (below).
"""

import json
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
HERE = Path(__file__).parent


def write(name, text):
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def rows(*rows):
    return "".join("\t".join(row) + "\n" for row in rows)


PARSES = ["sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse", "sentence1", "sentence2"]


def inference(number, first, second, *labels, ids=2):
    head = [str(number), *[f"{number}n"] * ids, *["fiction"] * (ids == 2 and IS_MNLI)]
    return [*head, "( \" a", "( b )", "(ROOT a", "(ROOT b)", first, second, *labels]


GLUE = {
    "cola": rows(["gj04", "1", "", "Our friends won't buy this."], ["gj04", "0", "*", '"Odd one.']),
    "sst-2": rows(["sentence", "label"], ['hide " it ', "0"], ["a great film", "1"]),
    "mrpc": "\ufeff" + rows(
        ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"],
        ["1", "7", "8", '"A , " B .', "C ."],
        ["0", "9", "10", "D .", "E .", "a cell too many"],
    ).replace("\n", "\r\n"),
    "sts-b": rows(
        "index genre filename year old_index source1 source2 sentence1 sentence2 score".split(),
        ["0", "main", "MSRvid", "2012", "1", "none", "none", "A.", '"B.', "4.750"],
        ["1", "main", "MSRvid", "2012", "1", "none", "none", "C.", "D.", "e", "0.5"],
    ),
    "qqp": rows(
        "id qid1 qid2 question1 question2 is_duplicate".split(),
        ["0", "1", "2", "How?", "Why?", "0"],
        ['"', "Was there a person? What shows it?", "0"],
        ["1", "3", "4", '"Who"?', "Where?", "1"],
        ["2", "5", "6", "Cut"],
        ["3", "7", "8", "Cut", "before its label"],
        ["4", "9", "10", "More?", "Than six?", "1", "columns"],
        ["5"],
        ["6", "11", "12", "Last?", "One?", "0"],
    ),
    "qnli": rows(
        "index question sentence label".split(),
        ["0", "Who?", "He.", "entailment"],
        ["1", "Who?", "She", "or he.", "not_entailment"],
    ),
    "rte": rows("index sentence1 sentence2 label".split(), ["0", "A.", "B.", "not_entailment"], ["1", "C", "D", "entailment"]),
    "wnli": rows("index sentence1 sentence2 label".split(), ["0", "A.", "B.", "1"], ["1", "C", "D", "0"]),
}
IS_MNLI = True
GLUE["mnli"] = rows(
    ["index", "promptID", "pairID", "genre", *PARSES, "label1", "gold_label"],
    inference(0, "A.", '"B.', "neutral", "neutral"),
    inference(1, "C.", "D.", "entailment", "contradiction", "entailment"),
)
IS_MNLI = False
SNLI = rows(
    ["index", "captionID", "pairID", *PARSES, "label1", "gold_label"],
    inference(0, "A man.", "A person.", "neutral", "neutral"),
    inference(1, "A dog.", "A cat.", "neutral", "contradiction", "neutral", "contradiction", "contradiction", "contradiction"),
    inference(2, "A car.", "A bus.", "neutral", "entailment", "-"),
    inference(3, "Cut in", "its parse")[:5],
    inference(4, "Cut before", "its labels"),
    inference(5, "A boy.", "A child.", "entailment", "entailment"),
)


def glue():
    from transformers.data.processors.glue import glue_processors

    expected = {}
    for task, text in GLUE.items():
        path = write(f"glue/{task}/train.tsv", text)
        examples = glue_processors[task]().get_train_examples(str(path.parent))
        expected[task] = [[e.text_a, e.text_b, e.label] for e in examples]
    path = write("glue/snli/train.tsv", SNLI)
    expected["snli"] = glue_baselines(path, {"neutral", "entailment", "contradiction"})
    return expected


def glue_baselines(path, labels):
    """load_tsv of GLUE-baselines with the settings for SNLI. Rows that raise an exception are omitted."""
    examples = []
    for line in path.read_text().split("\n")[1:]:
        row = line.strip().split("\t")
        if len(row) > 9 and row[-1] in labels:
            examples.append([row[7], row[8], row[-1]])
    return examples


CONLL = {
    "conll2003/eng.train.txt": "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n# # I-NP O\n\n1 CD B-NP O\n2 CD I-NP O\n3 CD I-NP O\n",
    "conll2002/ned.train.txt": "-DOCSTART- -DOCSTART- O\nDe Art O\ntekst N O\n\nvan Prep O\nJan N B-PER\n",
    "wnut/wnut17train.conll": "@paul\tO\n#Empire\tB-location\n#\tO\n\t\nx\tO\n",
    "germeval/NER-de-train.tsv": "#\thttp://de.wikipedia.org/wiki/Manfred [2009-10-17]\n1\tIn\tO\tO\n2\tStuttgart\tB-LOC\tO\n3\t#\tO\tO\n\n"
    "#\tn-tv.de vom 26.02.2005 [2005-02-26]\n1\tFC\tB-ORG\tO\n2\tDarmstadt\tI-ORG\tB-LOC\n3\t.\tO\tO\n",
    "wikiann/train": "en:Paris\tB-LOC\nen:::\tO\nen:#1\tO\n\nen:Ana\tB-PER\nen:a:b\tI-PER\n",
    "conll2012/a.v4_gold_conll": """#begin document (bc/cctv/00/cctv_0000); part 000
bc/cctv/00/cctv_0000   0    0           In   IN  (TOP(S(PP*           -    -   -   Speaker#1         *   (ARGM* *    -
bc/cctv/00/cctv_0000   0    1          the   DT       (NP(NP*         -    -   -   Speaker#1    (DATE*        * *    -
bc/cctv/00/cctv_0000   0    2       summer   NN            *)    summer   -   1   Speaker#1         *        * *    -
bc/cctv/00/cctv_0000   0    3         2005   CD           *)))       -    -   -   Speaker#1         *)       *) *  (12)

bc/cctv/00/cctv_0000   0    0        Paris  NNP  (TOP(NP*)))         -    -   -   Speaker#1    (GPE)     (12
bc/cctv/00/cctv_0000   0    1            .    .            *         -    -   -   Speaker#1         *     12)

#end document
""",
    "conllu_plus/train.conllup": "# global.columns = ID FORM LEMMA UPOS MISC RELATE:NE\n# sent_id = 1\n# text = du Ana O\n1-2\tdu\t_\t_\t_\t_\n"
    "1\tde\tde\tX\t_\tO\n2\tle\tle\tX\t_\tO\n2.1\tx\tx\tX\t_\tO\n3\tAna\tana\tX\t_\tB-PER\n\n# sent_id = 2\n1\t#\t#\tX\t_\tO\n",
    "conllu_plus/few.conllup": "# global.columns = FORM UPOS _ NER\nNew York\tX\t_\tB-LOC\n#paris\tX\t_\tO\n",
}


def sentences(lines, word, tag):
    """The parsing loop of the scripts of conll2003, conll2002, wnut_17 and germeval_14 in `datasets`."""
    found, current = [], []
    for line in lines:
        if line.startswith("-DOCSTART-") or line.strip() == "":
            found, current = found + [current] * bool(current), []
        else:
            current.append((word(line), tag(line)))
    return found + [current] * bool(current)


def conllu_sentences(text, tag):
    import conllu

    found = []
    for sentence in conllu.parse(text):
        found.append([(t["form"], t[tag]) for t in sentence if isinstance(t.get("id", 0), int)])
    return found


def ontonotes(text):
    """AllenNLP's reader of OntoNotes: _process_span_annotations_for_word on column 11."""
    found, current, label = [], [], None
    for line in text.split("\n"):
        if line.startswith("#") or not line.strip():
            found, current, label = found + [current] * bool(current), [], None
            continue
        columns = line.split()
        name = columns[10].strip("()*")
        if "(" in columns[10]:
            tag, label = f"B-{name}", name
        else:
            tag = f"I-{label}" if label is not None else "O"
        if ")" in columns[10]:
            label = None
        current.append((columns[3], tag))
    return found


def conll():
    for name, text in CONLL.items():
        write("conll/" + name, text)
    lines = {name: text.split("\n") for name, text in CONLL.items()}
    space = lambda line: line.split(" ")
    tab = lambda line: line.rstrip().split("\t")
    result = {}
    for name in ["conll2003/eng.train.txt", "conll2002/ned.train.txt"]:
        result[name] = sentences(lines[name], lambda line: space(line)[0], lambda line: space(line)[-1])
    name = "wnut/wnut17train.conll"
    result[name] = sentences(lines[name], lambda line: tab(line)[0], lambda line: tab(line)[1])
    name = "germeval/NER-de-train.tsv"
    german = [line for line in lines[name] if not line.startswith("#")]
    result[name] = sentences(german, lambda line: tab(line)[1], lambda line: tab(line)[2])
    name = "wikiann/train"
    result[name] = sentences(lines[name], lambda line: ":".join(tab(line)[0].split(":")[1:]), lambda line: tab(line)[-1])
    result["conll2012/a.v4_gold_conll"] = ontonotes(CONLL["conll2012/a.v4_gold_conll"])
    result["conllu_plus/train.conllup"] = conllu_sentences(CONLL["conllu_plus/train.conllup"], "relate:ne")
    result["conllu_plus/few.conllup"] = sentences(lines["conllu_plus/few.conllup"][1:], lambda line: tab(line)[0], lambda line: tab(line)[3])
    return {name: [[list(pair) for pair in sentence] for sentence in found] for name, found in result.items()}


expected = {"glue": glue(), "conll": conll()}
(HERE / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
