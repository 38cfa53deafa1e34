"""Makes the files of this folder: inputs of metrics, and what the reference implementations make of them.

    python make.py SQUAD_METRICS      (scikit-learn 1.7, scipy 1.16, seqeval 1.2.2, numpy)

SQUAD_METRICS is transformers' data/metrics/squad_metrics.py (4.57), whose functions are those of SQuAD's evaluate-v2.0.py.
"""

import collections
import json
import random
import re
import string
import sys
import types
import warnings
from pathlib import Path

import numpy as np
from scipy import stats
from seqeval import metrics as seqeval
from seqeval import scheme
from sklearn import metrics as sklearn

HERE = Path(__file__).resolve().parent
warnings.filterwarnings("ignore")
R = random.Random(11)


def write(name, cases):
    (HERE / name).write_text(json.dumps(cases, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def prf(values):
    precision, recall, f1, support = values
    return [[float(p), float(r), float(f), int(s)] for p, r, f, s in zip(precision, recall, f1, support)]


def classification():
    cases = []
    inputs = [([0, 1, 1, 0], [0, 1, 1, 0], 2), ([0, 0, 0], [0, 0, 0], 2), ([0, 0, 0], [1, 1, 1], 2), ([1, 0, 1], [1, 1, 1], 2),
              ([0, 1, 2], [2, 0, 1], 3), ([0, 0, 1], [0, 0, 2], 4)]
    for _ in range(25):
        labels, count = R.randint(2, 6), R.randint(1, 60)
        used = R.randint(1, labels)
        gold = [R.randrange(used) for _ in range(count)]
        inputs.append((gold, [g if R.random() < 0.6 else R.randrange(labels) for g in gold], labels))
    for gold, said, labels in inputs:
        ids = list(range(labels))
        cases.append(dict(
            gold=gold, predicted=said, labels=labels, accuracy=sklearn.accuracy_score(gold, said),
            matthews=float(sklearn.matthews_corrcoef(gold, said)),
            macro_f1=float(sklearn.f1_score(gold, said, average="macro", zero_division=0)),
            weighted_f1=float(sklearn.f1_score(gold, said, average="weighted", zero_division=0)),
            classes=prf(sklearn.precision_recall_fscore_support(gold, said, labels=ids, zero_division=0)),
            confusion=sklearn.confusion_matrix(gold, said, labels=ids).tolist()))
    return cases


def multi_label():
    cases = []
    for i in range(15):
        labels, count, share = R.randint(1, 5), R.randint(1, 30), [0.0, 0.3, 0.7, 1.0][i % 4]
        gold = [[int(R.random() < share) for _ in range(labels)] for _ in range(count)]
        said = [[g if R.random() < 0.7 else 1 - g for g in row] for row in gold] if i else gold
        g, s = np.array(gold).reshape(count, labels), np.array(said).reshape(count, labels)
        f1 = lambda average: float(sklearn.f1_score(g, s, average=average, zero_division=0))
        if labels == 1:  # One column is no indicator matrix for scikit-learn: two make one.
            continue
        cases.append(dict(gold=gold, predicted=said, labels=labels, subset_accuracy=float(sklearn.accuracy_score(g, s)), micro_f1=f1("micro"),
                          macro_f1=f1("macro"), samples_f1=f1("samples"),
                          classes=prf(sklearn.precision_recall_fscore_support(g, s, zero_division=0))))
    return cases


def regression():
    cases = []
    inputs = [([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ([1.0, 2.0], [2.0, 1.0]), ([1.0, 1.0, 2.0, 2.0], [3.0, 1.0, 3.0, 2.0]),
              ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]), ([0.0], [1.0])]
    for i in range(20):
        count = R.randint(3, 80)
        gold = [R.choice([R.uniform(0, 5), float(R.randint(0, 5))]) for _ in range(count)]
        inputs.append((gold, [(g if i % 2 else 0) + R.choice([R.gauss(0, 1), float(R.randint(0, 3))]) for g in gold]))
    number = lambda value: None if np.isnan(value) else float(value)
    for gold, said in inputs:
        both = len(gold) > 1
        cases.append(dict(gold=gold, predicted=said, pearson=number(stats.pearsonr(gold, said)[0]) if both else None,
                          spearman=number(stats.spearmanr(gold, said)[0]) if both else None,
                          mean_squared_error=float(sklearn.mean_squared_error(gold, said)),
                          mean_absolute_error=float(sklearn.mean_absolute_error(gold, said))))
    return cases


WORDS = ["The", "a", "an", "U.S.", "naïve", "1,000", "Émile", "the-end", "«quoted»", "日本", "O'Neil", "of", "river", "Straße", "a\u00a0b", "İstanbul",
         "don't", "co-op", "x²", "—", "ΣΑΣ", "", "a_b", "“the”", "1990s"]


def normalize(s):
    """evaluate-v1.1.py."""
    s = "".join(ch for ch in s.lower() if ch not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def f1_v1(prediction, gold):
    """evaluate-v1.1.py."""
    prediction, gold = normalize(prediction).split(), normalize(gold).split()
    same = sum((collections.Counter(prediction) & collections.Counter(gold)).values())
    if same == 0:
        return 0
    precision, recall = same / len(prediction), same / len(gold)
    return (2 * precision * recall) / (precision + recall)


def phrase():
    return " ".join(R.choice(WORDS) for _ in range(R.randint(1, 4)))


def questions(v2):
    found = []
    for i in range(R.randint(4, 40)):
        golds = [phrase() for _ in range(R.randint(1, 3))]
        if v2 and R.random() < 0.4:
            golds = []
        said = R.choice([R.choice(golds or [""]), phrase(), "", R.choice(golds or ["x"]) + " more"])
        diff = R.choice([R.gauss(0, 3), 0.0, 1.5, -0.0, -2.0])
        found.append(dict(id=str(i), answers=golds, prediction=said, no_answer=diff))
    return found


def squad(path):
    source = Path(path).read_text(encoding="utf-8")
    start = source.index("def normalize_answer")
    v2 = types.SimpleNamespace()
    scope = dict(collections=collections, re=re, string=string)
    exec(source[start:source.index("def get_final_text")], scope)
    cases = []
    for i in range(24):
        own = questions(i % 2 == 1)
        case = dict(questions=own)
        if i % 2 == 0:
            exact = [max(float(normalize(q["prediction"]) == normalize(g)) for g in q["answers"]) for q in own]
            f1 = [max(f1_v1(q["prediction"], g) for g in q["answers"]) for q in own]
            case |= dict(exact=100 * sum(exact) / len(own), f1=100 * sum(f1) / len(own), scores=[list(s) for s in zip(exact, f1)])
        else:
            threshold = R.choice([0.0, -1.0, 2.0, 1.5])
            examples = [types.SimpleNamespace(qas_id=q["id"], answers=[dict(text=a) for a in q["answers"]]) for q in own]
            said = {q["id"]: q["prediction"] for q in own}
            chance = {q["id"]: q["no_answer"] for q in own}
            out = scope["squad_evaluate"](examples, said, chance, threshold)
            case |= dict(threshold=threshold, exact=out["exact"], f1=out["f1"], has_answer_exact=out.get("HasAns_exact", 0.0),
                         has_answer_f1=out.get("HasAns_f1", 0.0), no_answer_exact=out.get("NoAns_exact", 0.0), best_exact=out["best_exact"],
                         best_exact_threshold=out["best_exact_thresh"], best_f1=out["best_f1"], best_f1_threshold=out["best_f1_thresh"])
        cases.append(case)
    return cases


SCHEMES = {"iob1": scheme.IOB1, "iob2": scheme.IOB2, "ioe1": scheme.IOE1, "ioe2": scheme.IOE2, "iobes": scheme.IOBES, "bilou": scheme.BILOU}
PREFIXES = {"iob1": "BI", "iob2": "BI", "ioe1": "IE", "ioe2": "IE", "iobes": "BIES", "bilou": "BILU"}


def entities():
    cases = []

    def tags(count, prefixes, kinds):
        return [R.choice(["O", f"{R.choice(prefixes)}-{R.choice(kinds)}"]) for _ in range(count)]

    def case(gold, said, name):
        mode = {} if name is None else dict(mode="strict", scheme=SCHEMES[name])
        each = dict(zero_division=0, **mode)
        try:
            # Without entities seqeval's means are no numbers; here they are 0.
            one = lambda average: [float(np.nan_to_num(f(gold, said, average=average, **each)))
                                   for f in (seqeval.precision_score, seqeval.recall_score, seqeval.f1_score)]
            kinds = [float(v) for v in np.array(seqeval.f1_score(gold, said, average=None, **each)).reshape(-1)]
            report = seqeval.classification_report(gold, said, output_dict=True, **each)
            names = sorted(key for key in report if not key.endswith(" avg"))
            types_ = [[key, report[key]["precision"], report[key]["recall"], report[key]["f1-score"], int(report[key]["support"])] for key in names]
            result = dict(micro=one("micro"), macro=one("macro"), weighted=one("weighted"), types=types_,
                          accuracy=float(seqeval.accuracy_score(gold, said)))
            assert kinds == [] or len(kinds) == len(names)
        except (ValueError, KeyError):
            result = None
        cases.append(dict(gold=gold, predicted=said, scheme=name, expected=result))

    for kinds in (["PER", "LOC"], ["creative-work", "A"], ["X"]):
        for name in [None, *SCHEMES]:
            for i in range(5):
                prefixes = "BIESLU." if name is None and i > 2 else PREFIXES.get(name, "BI")
                gold = [tags(R.randint(1, 9), prefixes, kinds) for _ in range(R.randint(1, 5))]
                if i % 2:
                    said = [[t if R.random() < 0.7 else R.choice(["O", f"{R.choice(prefixes)}-{R.choice(kinds)}"]) for t in row] for row in gold]
                else:
                    said = [tags(len(row), prefixes, kinds) for row in gold]
                case(gold, said, name)
    case([["B-PER", "I-PER", "O"]], [["B-PER", "I-LOC", "O"]], None)
    case([["I-PER", "O", "I-PER"]], [["B-PER", "O", "E-PER"]], None)
    case([["B", "I", "O"]], [["B", "O", "O"]], None)
    case([["O", "O"]], [["O", "O"]], None)
    case([["O", "O"]], [["B-PER", "O"]], "iob2")
    case([["PER", "PER", "O"]], [["PER", "O", "O"]], None)
    case([["B-PER", "O"]], [["S-PER", "O"]], "iob2")
    case([["X-PER", "O"]], [["X-PER", "O"]], "iob2")
    return cases


if __name__ == "__main__":
    write("classification.json", classification())
    write("multi_label.json", multi_label())
    write("regression.json", regression())
    write("squad.json", squad(sys.argv[1]))
    write("entities.json", entities())
