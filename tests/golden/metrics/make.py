"""Makes the files of this folder: random and unusual inputs of metrics, and the results of the references.

    pip install scikit-learn==1.9.1 scipy==1.17.1 seqeval==1.2.2 numpy==2.4.6
    python make.py SQUAD_METRICS

SQUAD_METRICS is transformers' data/metrics/squad_metrics.py (4.57.6), for SQuAD 2.0. The functions of evaluate-v1.1.py are
copied below. Use Python 3.11, whose `str.isalnum` and `str.lower` follow Unicode 14.

NaN, which JSON lacks, is written as null.
"""

import collections
import json
import math
import random
import re
import string
import sys
import types
import unicodedata
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from seqeval import metrics as seqeval
from seqeval import scheme as schemes
from sklearn import metrics as sklearn

HERE = Path(__file__).resolve().parent
warnings.filterwarnings("ignore")
RANDOM = random.Random(20240607)


def plain(value):
    """Converts to Python's own types, and NaN to null."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def write(name, cases):
    lines = ",\n".join(json.dumps(plain(c), separators=(",", ":"), allow_nan=False) for c in cases)
    (HERE / name).write_text(f"[\n{lines}\n]\n")
    print(f"{name}: {len(cases)} cases")


def label_figures(function, gold, predicted, **options):
    figures = function(gold, predicted, average=None, zero_division=0, **options)
    # The support of a label that the gold data lacks may come as 0.0.
    return [{"precision": p, "recall": r, "f1": f, "support": int(s)} for p, r, f, s in zip(*figures)]


# ---- classes ----

def classification_case(gold, predicted, labels):
    ids = list(range(labels))
    f1 = {a: sklearn.f1_score(gold, predicted, average=a, zero_division=0) for a in ("macro", "weighted")}
    return {
        "gold": gold, "predicted": predicted, "labels": labels,
        "accuracy": sklearn.accuracy_score(gold, predicted),
        "matthews": sklearn.matthews_corrcoef(gold, predicted),
        "macro_f1": f1["macro"], "weighted_f1": f1["weighted"],
        "classes": label_figures(sklearn.precision_recall_fscore_support, gold, predicted, labels=ids),
        "confusion": sklearn.confusion_matrix(gold, predicted, labels=ids),
    }


def classification():
    inputs = [
        ([0], [0], 1), ([0], [0], 2), ([1], [0], 2), ([0, 0, 0], [0, 0, 0], 3), ([0, 0, 0], [1, 1, 1], 2),
        ([0, 1, 0, 1], [1, 0, 1, 0], 2), ([0, 1, 0, 1], [1, 1, 1, 1], 2), ([1, 1, 1, 1], [0, 1, 0, 1], 2),
        ([0, 2, 4], [0, 2, 4], 6), ([0, 1, 2], [1, 2, 0], 3), ([2, 2, 5, 5], [2, 3, 5, 3], 7), ([0, 0], [1, 2], 3),
    ]
    for labels in (1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 8, 12):
        for _ in range(3):
            count = RANDOM.randint(1, 60)
            top = RANDOM.randint(1, labels)
            gold = [RANDOM.randrange(top) for _ in range(count)]
            skill = RANDOM.random()
            inputs.append((gold, [g if RANDOM.random() < skill else RANDOM.randrange(labels) for g in gold], labels))
    write("classification.json", [classification_case(*i) for i in inputs])


def multi_label_case(gold, predicted, labels):
    g, p = np.array(gold, dtype=int).reshape(-1, labels), np.array(predicted, dtype=int).reshape(-1, labels)
    case = {"gold": gold, "predicted": predicted, "labels": labels, "subset_accuracy": sklearn.accuracy_score(g, p)}
    for average in ("micro", "macro", "samples", "weighted"):
        case[f"{average}_f1"] = sklearn.f1_score(g, p, average=average, zero_division=0)
    case["classes"] = label_figures(sklearn.precision_recall_fscore_support, g, p)
    return case


def multi_label():
    inputs = [
        ([[0, 0]], [[0, 0]], 2), ([[1, 1]], [[0, 0]], 2), ([[0, 0], [0, 0]], [[1, 1], [1, 1]], 2),
        ([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 0]], 3), ([[1, 0, 0], [0, 0, 0]], [[1, 0, 0], [0, 0, 0]], 3),
    ]
    for labels in (2, 2, 3, 4, 5, 6, 9):
        for density in (0.1, 0.4, 0.9):
            gold = [[int(RANDOM.random() < density) for _ in range(labels)] for _ in range(RANDOM.randint(1, 25))]
            inputs.append((gold, [[b ^ (RANDOM.random() < 0.25) for b in row] for row in gold], labels))
    write("multi_label.json", [multi_label_case(*i) for i in inputs])


# ---- numbers ----

def regression_case(gold, predicted):
    enough = len(gold) > 1
    return {
        "gold": gold, "predicted": predicted,
        "pearson": stats.pearsonr(gold, predicted).statistic if enough else None,
        "spearman": stats.spearmanr(gold, predicted).statistic if enough else None,
        "mean_squared_error": sklearn.mean_squared_error(gold, predicted),
        "mean_absolute_error": sklearn.mean_absolute_error(gold, predicted),
    }


def regression():
    inputs = [
        ([1.0], [2.0]), ([1.0, 2.0], [5.0, 3.0]), ([1.0, 2.0], [3.0, 3.1]), ([1.0, 1.0], [1.0, 2.0]), ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]),
        ([1.0, 2.0, 3.0], [4.0, 4.0, 4.0]), ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
        ([0.0, -0.0, 1.0], [1.0, 2.0, 3.0]), ([1e150, -1e150, 3e149], [1.0, 2.0, 3.0]), ([1e-150, 2e-150, 5e-150], [1.0, 4.0, 3.0]),
        ([1.0, 2.0, 1.0, 2.0], [1.0, 1.0, 2.0, 2.0]), ([1.0, 1.0, 1.0, 2.0], [3.0, 3.0, 1.0, 1.0]),
        ([0.1, 0.1 + 2**-54, 0.1], [1.0, 2.0, 3.0]),
    ]
    for count in (3, 5, 8, 20, 40, 130):
        for digits in (0, 1, 6):
            gold = [round(RANDOM.uniform(0, 5), digits) for _ in range(count)]
            noise = RANDOM.choice((0.1, 1, 5))
            inputs.append((gold, [round(RANDOM.choice((1, -1)) * noise * RANDOM.random() + g, digits) for g in gold]))
    # Steps of 1/256 are short in decimal, so that every JSON reader gets the same numbers.
    offset = [100000 + RANDOM.randrange(256) / 256 for _ in range(50)]
    inputs.append((offset, [g + RANDOM.randrange(256) / 256 for g in offset]))
    write("regression.json", [regression_case(*i) for i in inputs])


# ---- answers: evaluate-v1.1.py ----

def normalize_answer(s):
    def remove_articles(text):
        return re.sub(r"\b(a|an|the)\b", " ", text)

    def white_space_fix(text):
        return " ".join(text.split())

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def f1_score(prediction, ground_truth):
    prediction_tokens = normalize_answer(prediction).split()
    ground_truth_tokens = normalize_answer(ground_truth).split()
    common = collections.Counter(prediction_tokens) & collections.Counter(ground_truth_tokens)
    num_same = sum(common.values())
    if num_same == 0:
        return 0
    precision = 1.0 * num_same / len(prediction_tokens)
    recall = 1.0 * num_same / len(ground_truth_tokens)
    return (2 * precision * recall) / (precision + recall)


def exact_match_score(prediction, ground_truth):
    return normalize_answer(prediction) == normalize_answer(ground_truth)


def load_v2(path):
    """The functions of squad_metrics.py without the package around them."""
    source = Path(path).read_text()
    source = re.sub(r"^from \.\.\..*$", "", source, flags=re.M).replace("logging.get_logger(__name__)", "None")
    module = types.ModuleType("squad_metrics")
    exec(compile(source, path, "exec"), module.__dict__)
    return module


WORDS = ["the", "a", "an", "The", "AN", "Normans", "10th", "century", "in", "France", "U.S.", "St. Mary's", "caf\u00e9", "cafe\u0301", "a\u0301",
         "Stra\u00dfe", "\u039f\u0394\u039f\u03a3", "\u0391\u03a3 \u03a3", "\u0130stanbul", "\u6771\u4eac", "\u6771\u4eac\u90fd", "a\u6771", "the\u2014end", "an\u2019s", "a-b", "a_b", "_the_", "$5", "5", "five\u00a0six",
         "\u0915\u093e", "a\u0915", "a\u093e", "the\u24d0", "\u24b6 an", "a\u00b2", "a\u00b9the", "x\u001fy", "x\u001ca", "x\u0085the", "x\u200bthe", "a\u3000b", "\u212a", "an\u0345", "\U0001f600 the", "a\U0001f131",
         "the\u0e31", "\u0e01a", "\u2167", "a\u2167", "\u216b the", "\u01c5", "\ufb01n", "\u201cthe\u201d", "\u2126", "\u1e9e", "-", "...", "!", " ", "", "\t\n"]

ODD = ["", " ", "the", "A", "an the a", ".", "...the!", "_", "\u201d", "a a a", "THE The", "\u00a0", "\u001c", "\u200b"]


def phrase(longest=5):
    return RANDOM.choice((" ", " ", " ", ", ", "")).join(RANDOM.choice(WORDS) for _ in range(RANDOM.randint(1, longest)))


def near(answer):
    kind = RANDOM.random()
    if kind < 0.35:
        return answer
    if kind < 0.5:
        return "The " + answer.upper() + "."
    if kind < 0.75:
        words = answer.split() + [RANDOM.choice(WORDS)]
        RANDOM.shuffle(words)
        return " ".join(words[RANDOM.randint(0, 1):])
    return RANDOM.choice((phrase(), RANDOM.choice(ODD)))


def squad_v1_case(questions):
    pairs = [(max(exact_match_score(q["prediction"], a) for a in q["answers"]),
              max(f1_score(q["prediction"], a) for a in q["answers"])) for q in questions]
    return {"questions": questions, "exact": 100.0 * sum(e for e, _ in pairs) / len(pairs),
            "f1": 100.0 * sum(f for _, f in pairs) / len(pairs), "scores": [[int(e), f] for e, f in pairs]}


def squad_v1():
    cases = [squad_v1_case([{"answers": [gold], "prediction": said}])
             for gold, said in [("the", "a"), ("", ""), ("x", ""), ("", "x"), ("...", "the"), ("a b a b", "b b b"), ("A.B", "ab")]]
    for count in (1, 2, 5, 15, 30):
        for _ in range(3):
            questions = []
            for _ in range(count):
                answers = [RANDOM.choice((phrase(), phrase(2), RANDOM.choice(ODD))) for _ in range(RANDOM.randint(1, 3))]
                questions.append({"answers": answers, "prediction": near(RANDOM.choice(answers))})
            cases.append(squad_v1_case(questions))
    write("squad_v1.json", cases)


def squad_v2_case(v2, questions, threshold):
    examples = [types.SimpleNamespace(qas_id=str(i), answers=[{"text": a} for a in q["answers"]]) for i, q in enumerate(questions)]
    predictions = {str(i): q["prediction"] for i, q in enumerate(questions)}
    no_answer = {str(i): q["no_answer"] for i, q in enumerate(questions)}
    report = v2.squad_evaluate(examples, predictions, no_answer, threshold)
    has_answer = {e.qas_id: bool(e.answers) for e in examples}
    exact, f1 = (v2.apply_no_ans_threshold(s, no_answer, has_answer, threshold) for s in v2.get_raw_scores(examples, predictions))
    return {"questions": questions, "threshold": threshold, "report": report,
            "scores": [[exact[e.qas_id], f1[e.qas_id]] for e in examples]}


def squad_v2(v2):
    def question(answers, prediction, no_answer):
        return {"answers": answers, "prediction": prediction, "no_answer": no_answer}

    cases = [squad_v2_case(v2, questions, threshold) for questions, threshold in [
        ([question([], "", 0.0)], 0.0), ([question([], "x", 0.0)], 0.0), ([question([], "the", 0.5)], 0.5), ([question([], ".", 0.5)], 0.4),
        ([question(["x"], "x", 1.0)], 1.0), ([question(["x"], "x", 1.0)], 0.9), ([question(["the"], "", 0.1)], 0.5),
        ([question(["the", "x"], "", 0.1)], 0.5), ([question(["the", "..."], "a", 0.1)], 0.5), ([question([""], "x", 0.1)], 0.5),
        ([question(["x"], "x", -3.0), question([], "y", -3.0), question(["z"], "z", -3.0)], -3.0),
        ([question([], "y", 0.0), question(["x"], "x", 0.0), question([], "", -0.0)], 0.0),
        ([question(["x y z"], "x y", -2.5), question([], "y", -2.0), question(["u v"], "u", -1.0), question(["q"], "w", 7.0)], 0.0),
    ]]
    for count in (1, 3, 8, 25, 40):
        for ties in (True, False):
            for missing in (0.0, 0.4, 1.0):
                questions = []
                for _ in range(count):
                    answers = [] if RANDOM.random() < missing else [
                        RANDOM.choice((phrase(), phrase(3), RANDOM.choice(ODD))) for _ in range(RANDOM.randint(1, 3))]
                    said = "" if RANDOM.random() < 0.3 else near(RANDOM.choice(answers or [phrase()]))
                    sure = RANDOM.choice((-1.0, 0.0, 0.5, 1.0, 2.0)) if ties else RANDOM.gauss(0 if answers else 1, 2)
                    questions.append(question(answers, said, sure))
                cases.append(squad_v2_case(v2, questions, RANDOM.choice((-1.0, 0.0, 0.5, 1.0))))
    write("squad_v2.json", cases)


def normalized(v2):
    """Cases for every kind of character next to an article: it may protect the article, or be white space."""
    seen = collections.Counter()
    texts = ODD + WORDS
    for code in range(sys.maxunicode + 1):
        c = chr(code)
        kind = (unicodedata.category(c), c.isalnum(), c.isspace(), c.isprintable(), len(c.lower()))
        if kind[0] not in ("Cn", "Cs", "Co") and (seen[kind] < 6 or c.isspace() or RANDOM.random() < 0.0005):
            seen[kind] += 1
            texts.append(f"x{c}a the{c} an{c}x")
    cases = [[t, normalize_answer(t)] for t in texts]
    assert all(v2.normalize_answer(t) == n for t, n in cases)
    write("normalized.json", cases)


# ---- entities ----

def entity_case(gold, predicted, name):
    case = {"gold": gold, "predicted": predicted, "scheme": name}
    options = {"mode": "strict", "scheme": getattr(schemes, name)} if name else {}
    try:
        report = seqeval.classification_report(gold, predicted, output_dict=True, zero_division=0, **options)
    except (ValueError, KeyError, IndexError) as problem:
        return {**case, "error": type(problem).__name__}
    averages = {a: report.pop(f"{a} avg") for a in ("micro", "macro", "weighted")}
    tokens = sum(map(len, gold))
    return {**case, **averages, "types": report, "accuracy": seqeval.accuracy_score(gold, predicted) if tokens else 0.0}


LETTERS = {None: "IOBES", "IOB1": "IOB", "IOB2": "IOB", "IOE1": "IOE", "IOE2": "IOE", "IOBES": "IOBES", "BILOU": "BILOU"}


def tags(letters, kinds, count):
    return [t if (t := RANDOM.choice(letters)) == "O" else f"{t}-{RANDOM.choice(kinds)}" for _ in range(count)]


def sensible(letters, kinds, count):
    """A sequence that mostly keeps to its scheme."""
    start, inside, last, single = (letters if len(letters) == 4 else letters * 4)[:4]
    sentence = []
    while len(sentence) < count:
        kind, length = RANDOM.choice(kinds), RANDOM.randint(0, 3)
        if length == 0:
            sentence.append("O")
        elif length == 1:
            sentence.append(f"{single}-{kind}")
        else:
            sentence += [f"{start}-{kind}"] + [f"{inside}-{kind}"] * (length - 2) + [f"{last}-{kind}"]
    return sentence[:count]


SENSIBLE = {None: "BIIB", "IOB1": "IIII", "IOB2": "BIIB", "IOE1": "IIII", "IOE2": "IIEE", "IOBES": "BIES", "BILOU": "BILU"}


def entities():
    s = str.split
    fixed = [
        ([s("O O O")], [s("O O O")]), ([s("B-PER")], [s("O")]), ([s("O")], [s("B-PER")]), ([[]], [[]]), ([[], s("B-X I-X")], [[], s("B-X I-X")]),
        ([s("O I-PER I-PER O")], [s("O B-PER I-PER O")]), ([s("B-PER I-LOC I-LOC")], [s("B-PER I-PER I-LOC")]),
        ([s("B-PER"), s("I-PER")], [s("B-PER"), s("I-PER")]), ([s("B-a-b I-a-b B-a")], [s("B-a-b I-a B-a")]),
        ([s("B I O B")], [s("B I I O")]), ([s("B- I- O")], [s("B I O")]), ([s("B--X I--X B-X-")], [s("B-X I-X B-X")]),
        ([s("BPER IPER O")], [s("B-PER I-PER O")]), ([s("B-PER I-PER O-PER O")], [s("B-PER I-PER O O-LOC")]),
        ([s("E-PER E-PER I-PER")], [s("I-PER E-PER O")]), ([s("S-PER I-PER E-PER")], [s("S-PER B-PER E-PER")]),
    ]
    cases = [entity_case(g, p, name) for g, p in fixed for name in LETTERS]
    # Only for the default mode, which takes any tag; the strict one raises.
    for gold, predicted in [
        ([s("X X B-PER"), s("X B-PER")], [s("X X B-PER"), s("O B-PER")]), ([s("O X-PER I-PER O")], [s("O . .-PER I-PER")]),
        ([s("B-PER L-PER U-LOC")], [s("B-PER I-PER O")]), ([s("\u00e9-PER \u00e9-PER O")], [s("\u00e9\u00e9 \u6771-\u4eac O")]), ([s("person O")], [s("person person")]),
    ]:
        cases += [entity_case(gold, predicted, name) for name in (None, "IOB2", "BILOU")]
    cases += [entity_case([[""]], [["O"]], name) for name in (None, "IOB2")]
    cases += [entity_case([s("O O"), s("O")], [s("O O"), s("O O")], None), entity_case([s("O")], [s("O"), s("O")], None)]
    for name, letters in LETTERS.items():
        for kinds in (["PER"], ["PER", "LOC"], ["ORG", "a-b", "\u4eba", "PER", "Z"]):
            for _ in range(3):
                gold = [tags(letters, kinds, RANDOM.randint(0, 12)) for _ in range(RANDOM.randint(1, 4))]
                predicted = [[t if RANDOM.random() < 0.7 else tags(letters, kinds, 1)[0] for t in sentence] for sentence in gold]
                cases.append(entity_case(gold, predicted, name))
                gold = [sensible(SENSIBLE[name], kinds, RANDOM.randint(1, 15)) for _ in range(RANDOM.randint(1, 4))]
                predicted = [[t if RANDOM.random() < 0.85 else tags(letters, kinds, 1)[0] for t in sentence] for sentence in gold]
                cases.append(entity_case(gold, predicted, name))
    write("entities.json", cases)


if __name__ == "__main__":
    v2_functions = load_v2(sys.argv[1])
    classification()
    multi_label()
    regression()
    squad_v1()
    squad_v2(v2_functions)
    normalized(v2_functions)
    entities()
