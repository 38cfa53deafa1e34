"""Makes `expected.json` from `assets/`: the predictions of transformers 4.57 for ten sentences.

    python expected.py

Uses the slow AlbertTokenizer and the fill-mask pipeline.

Requires torch, transformers 4.57, sentencepiece, safetensors.
"""

import json, os

from transformers import AlbertConfig, AlbertForMaskedLM, AlbertTokenizer, pipeline

from weights import ASSETS, tensors

HERE = os.path.dirname(os.path.abspath(__file__))
SENTENCES = [
    "The capital of France is [MASK].",
    "She opened the [MASK] and looked outside.",
    "The president of the United [MASK] spoke to the congress.",
    "He was born in [MASK] and died in 1945.",
    "Water is made of hydrogen and [MASK].",
    "The doctor told the patient to take the [MASK] twice a day.",
    "Please [MASK] the door when you leave.",
    "The war ended in the [MASK] of 1918.",
    "I would like to book a table for two [MASK].",
    "The company reported higher [MASK] in the third quarter.",
]


def main():
    tokenizer = AlbertTokenizer(os.path.join(ASSETS, "spiece.model"))
    model = AlbertForMaskedLM(AlbertConfig.from_pretrained(ASSETS, attn_implementation="eager")).eval()
    state = {name: tensor for name, tensor in tensors().items() if not name.startswith("tasks.")}
    print(model.load_state_dict(state, strict=False))
    model.tie_weights()
    fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    expected = [dict(text=text, predictions=fill(text)) for text in SENTENCES]
    with open(os.path.join(HERE, "expected.json"), "w") as out:
        json.dump(expected, out, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    main()
