"""Makes `expected_tasks.json` from `assets/`: the results of transformers 4.57 with the head and the encoder of each task.

    python expected_tasks.py

A tensor `tasks.NAME.TENSOR` replaces another. `tasks.NAME.MATRIX.difference.left` times `.right` is added to a matrix.

Requires torch, transformers 4.57, sentencepiece, safetensors.
"""

import json, os

import torch
from transformers import (
    AlbertConfig,
    AlbertForMultipleChoice,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    AlbertTokenizerFast,
    pipeline,
)

from weights import ASSETS, tensors as stored

HERE = os.path.dirname(os.path.abspath(__file__))
LEFT, RIGHT = ".difference.left", ".difference.right"
CLASSES = {
    "sequence-classification": AlbertForSequenceClassification,
    "token-classification": AlbertForTokenClassification,
    "question-answering": AlbertForQuestionAnswering,
    "multiple-choice": AlbertForMultipleChoice,
}
TEXTS = ["I loved it.", "Dull and far too long.", "A quiet film that stays with you."]
NAMES = ["Angela Merkel met the Queen in London.", "Paul lives in Paris and works for Google."]
QUESTION = ("Who lives in Vienna?", "Anna lives in Vienna. Her brother Paul moved to Paris in 1950.")
CHOICES = ("The man broke his leg.", ["He fell from a ladder.", "He ate an apple.", "It rained."])
ZERO_SHOT = ("The new phone has a great camera.", ["technology", "politics", "sports"])


def model(task, tensors):
    prefix = f"tasks.{task['name']}."
    own = {name[len(prefix) :]: tensor.float() for name, tensor in tensors.items() if name.startswith(prefix)}
    state = {name: tensor.float() for name, tensor in tensors.items() if not name.startswith("tasks.")}
    state.update({name: tensor for name, tensor in own.items() if ".difference." not in name})
    for name in own:
        if name.endswith(LEFT):
            matrix = name[: -len(LEFT)]
            state[matrix] = state[matrix] + own[name] @ own[matrix + RIGHT]
    config = AlbertConfig.from_pretrained(ASSETS, attn_implementation="eager")
    if task["labels"]:
        config.id2label = dict(enumerate(task["labels"]))
        config.label2id = {label: i for i, label in enumerate(task["labels"])}
    made = CLASSES[task["head"]](config)
    missing = [name for name in made.load_state_dict(state, strict=False).missing_keys if "position_ids" not in name]
    assert not missing, missing
    return made.eval()


def main():
    tensors = stored()
    with open(os.path.join(ASSETS, "tasks.json")) as f:
        models = {task["name"]: model(task, tensors) for task in json.load(f)}
    tokenizer = AlbertTokenizerFast(os.path.join(ASSETS, "spiece.model"))
    run = lambda kind, task, **more: pipeline(kind, model=models[task], tokenizer=tokenizer, **more)
    prompt, choices = CHOICES
    rows = tokenizer([prompt] * len(choices), choices, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = models["choices"](**{name: rows[name].unsqueeze(0) for name in rows}).logits[0]
    entities = run("token-classification", "entities", aggregation_strategy="simple")
    clean = lambda entity: {key: value if key != "score" else float(value) for key, value in entity.items()}
    answer = run("question-answering", "answers")(question=QUESTION[0], context=QUESTION[1])
    zero_shot = run("zero-shot-classification", "entailment")(*ZERO_SHOT)
    expected = dict(
        sentiment=[dict(text=text, scores=run("text-classification", "sentiment", top_k=None)(text)) for text in TEXTS],
        entities=[dict(text=text, entities=[clean(e) for e in entities(text)]) for text in NAMES],
        answers=dict(question=QUESTION[0], context=QUESTION[1], answer=answer),
        choices=dict(text=prompt, choices=choices, scores=logits.softmax(-1).tolist()),
        entailment=dict(text=ZERO_SHOT[0], labels=zero_shot["labels"], scores=zero_shot["scores"]),
    )
    with open(os.path.join(HERE, "expected_tasks.json"), "w") as out:
        json.dump(expected, out, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
