"""Converts the built-in model with each of its heads and compares transformers' outputs with the program's.

    python check_transformers.py ALBERT     # transformers 4.57 or 5.x, torch
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import (AlbertForMultipleChoice, AlbertForPreTraining, AlbertForQuestionAnswering,
                          AlbertForSequenceClassification, AlbertForTokenClassification, AutoTokenizer)

PROGRAM = sys.argv[1]
TOLERANCE = 1e-4
MASKS = ["The capital of France is [MASK].", "She poured a cup of [MASK].", "[MASK] is a planet."]
REVIEWS = ["I loved every minute of it.", "A dull, lifeless film.", "The food was fine but the service was slow."]
NAMES = ["Angela Merkel met Tim Cook in Berlin.", "The United Nations has its seat in New York."]
QUESTION, CONTEXT = "Who founded Amazon?", "Amazon was founded by Jeff Bezos in Seattle in 1994."
PROMPT, CHOICES = "The man dropped the glass on the floor.", ["The glass broke.", "The glass flew away."]


def albert(*arguments, record=None):
    """The predictions of the program, one list per text."""
    lines = None if record is None else json.dumps(record) + "\n"
    command = [PROGRAM, *arguments, "--quiet", "--format", "jsonl", "--device", "flex"]
    found = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["predictions"] for line in found.stdout.splitlines()]


def near(found, expected, what):
    assert abs(found - expected) < TOLERANCE, f"{what}: {found}, transformers has {expected}"


def pair(tokenizer, first, second):
    """A pair with segment ids 0 and 1, which transformers 5.x omits."""
    inputs = tokenizer(first, second, return_tensors="pt")
    segments = torch.ones_like(inputs["input_ids"])
    segments[0, : len(tokenizer(first)["input_ids"])] = 0
    inputs["token_type_ids"] = segments
    return inputs


def main():
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as folder:
        def converted(head, model_class):
            target = Path(folder) / head
            subprocess.run([PROGRAM, "convert", "embedded", str(target), "--head", head, "--quiet"], check=True, stdout=subprocess.DEVNULL)
            return model_class.from_pretrained(target).eval(), AutoTokenizer.from_pretrained(target)

        model, tokenizer = converted("pretraining", AlbertForPreTraining)
        for text, predictions in zip(MASKS, albert("fill-mask", *MASKS)):
            inputs = tokenizer(text, return_tensors="pt")
            mask = (inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
            scores = model(**inputs).prediction_logits[0, mask].softmax(-1)
            for prediction in predictions:
                near(prediction["score"], scores[prediction["token"]].item(), text)
        pairs = {"text": MASKS[0].replace("[MASK]", "Paris"), "text_pair": REVIEWS[0]}
        order = model(**pair(tokenizer, *pairs.values())).sop_logits.softmax(-1)[0, 0].item()
        near(albert("classify", "--order", record=pairs)[0][0]["score"], order, "sentence order")

        model, tokenizer = converted("classify", AlbertForSequenceClassification)
        for text, predictions in zip(REVIEWS, albert("classify", "-k", "all", *REVIEWS)):
            scores = model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0]
            for prediction in predictions:
                near(prediction["score"], scores[model.config.label2id[prediction["label"]]].item(), text)

        model, tokenizer = converted("ner", AlbertForTokenClassification)
        tags = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")
        for text, predictions in zip(NAMES, albert("ner", "--word-boundaries", "hf", *NAMES)):
            expected = tags(text)
            assert len(predictions) == len(expected), f"{text}: {predictions}, transformers has {expected}"
            for found, entity in zip(predictions, expected):
                for key in ("entity_group", "start", "end"):
                    assert found[key] == entity[key], f"{text}: {found}, transformers has {entity}"
                near(found["score"], float(entity["score"]), text)

        model, tokenizer = converted("qa", AlbertForQuestionAnswering)
        inputs = pair(tokenizer, QUESTION, CONTEXT)
        outputs = model(**inputs)
        # As in the pipeline, the context excludes the last [SEP], and the softmax includes [CLS].
        allowed = inputs["token_type_ids"][0].bool()
        allowed[-1] = False
        allowed[0] = True
        start, end = (logits[0].masked_fill(~allowed, -1e4).softmax(-1) for logits in (outputs.start_logits, outputs.end_logits))
        start[0] = end[0] = 0
        best = (start[:, None] * end[None]).triu().tril(14).max().item()
        near(albert("qa", record={"question": QUESTION, "context": CONTEXT})[0][0]["score"], best, QUESTION)

        model, tokenizer = converted("choose", AlbertForMultipleChoice)
        logits = [model(**{key: value[None] for key, value in pair(tokenizer, PROMPT, choice).items()}).logits[0, 0] for choice in CHOICES]
        scores = torch.stack(logits).softmax(-1)
        for prediction in albert("choose", record={"prompt": PROMPT, "choices": CHOICES})[0]:
            near(prediction["score"], scores[prediction["index"]].item(), PROMPT)
    print(f"the built-in model: the outputs of all heads agree with transformers {transformers.__version__}")


if __name__ == "__main__":
    main()
