"""Answers of transformers' question-answering pipeline for contexts that repeat words in several forms.

    python make.py            # writes expected.json: transformers 4.57.6, torch 2.15.0
    python make.py 300 FILE   # more of the same, for manual comparison

The model is that of ../cases/models (assembled as by ../cases/assemble.py). Questions whose answers depend on the last
bits of scores are left out.
"""
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from transformers import pipeline
from transformers.pipelines import question_answering

HERE = Path(__file__).parent
MODELS = HERE.parent / "cases" / "models"
WORDS = ["Paris", "paris", "PARIS", "Anna", "anna", "lives", "works", "in", "In", "the", "May", "may", "12", "Zoe\u0301", "[mask]",
         "[Mask]", "Straße", "STRASSE", "film", "Film", "U.S.", "u.s.", "été", "Été", "我爱北京", "😀"]
SPACES = [" "] * 12 + [", ", ". ", "  ", "\n", "-", " (", ") ", "\u00a0", ""]
QUESTIONS = ["Where does Anna live?", "Who?", "When was it, in May or in 12?"]
OPTIONS = [{"top_k": 3}, {"top_k": 3, "align_to_words": False}, {"top_k": 3, "handle_impossible_answer": True},
           {"top_k": 1}, {"top_k": 3, "doc_stride": 8, "max_seq_len": 32}, {"top_k": 6, "max_answer_len": 3},
           {"top_k": 3, "doc_stride": 12, "max_seq_len": 48, "handle_impossible_answer": True, "align_to_words": False}]


def main(count, target):
    clear = [True]
    original = question_answering.decode_spans

    def decode_spans(start, end, topk, max_answer_len, undesired_tokens):
        outer = np.tril(np.triu(np.matmul(start[..., None], end[:, None])), max_answer_len - 1)
        best = -np.sort(-outer.flatten())[: topk + 1]
        if len(best) > topk and best[-1] > 0 and best[-1] > best[-2] * 0.9998:
            clear[0] = False
        return original(start, end, topk, max_answer_len, undesired_tokens)

    question_answering.decode_spans = decode_spans
    chosen = random.Random(19)
    records, left_out = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name in ["qa/model.safetensors", "qa/config.json", "tokenizer/spiece.model", "tokenizer/tokenizer.json",
                     "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"]:
            shutil.copy(MODELS / name, folder)
        pipe = pipeline("question-answering", model=folder, tokenizer=folder)
        while len(records) < count:
            number = len(records)
            options = OPTIONS[number % len(OPTIONS)]
            few = chosen.sample(WORDS, chosen.randint(2, 8))
            length = chosen.randint(40, 160) if "doc_stride" in options else chosen.randint(2, 40)
            context = "".join(chosen.choice(few) + chosen.choice(SPACES) for _ in range(length)).strip()
            question = chosen.choice(QUESTIONS)
            clear[0] = True
            answers = pipe(question=question, context=context, **options)
            answers = answers if isinstance(answers, list) else [answers]
            scores = [a["score"] for a in answers]
            if not clear[0] or any(b > a * 0.9998 for a, b in zip(scores, scores[1:])):
                left_out += 1
                continue
            records.append({"options": options, "question": question, "context": context, "answers": answers})
    print(left_out, "left out")
    target.write_text("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in records) + "\n]\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 70, Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "expected.json")
