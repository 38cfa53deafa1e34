"""Makes `expected.json` from `assets/`: what transformers 4.57 says of ten sentences.

    python expected.py

With the slow AlbertTokenizer and the fill-mask pipeline; weights in half precision, computed in single. Prints twenty sentences filled, for
the model card.

Requires torch, transformers 4.57, sentencepiece, safetensors.
"""

import json, os

from transformers import AlbertForMaskedLM, AlbertTokenizer, pipeline

HERE = os.path.dirname(os.path.abspath(__file__))
ASSETS = os.path.join(HERE, "../../../assets")
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
    "Plants use sunlight to make [MASK].",
    "The children were playing in the [MASK].",
    "In the United States, [MASK] are elected every four years.",
    "The cell is surrounded by a [MASK].",
    "It was a dark and [MASK] night.",
    "Most people in the country speak [MASK].",
    "This function returns the [MASK] of the list.",
    "They sailed across the [MASK] in a small boat.",
    "Prices rose by five [MASK] last year.",
    "The king and the [MASK] lived in a castle.",
]


def main():
    tokenizer = AlbertTokenizer(os.path.join(ASSETS, "spiece.model"))
    model = AlbertForMaskedLM.from_pretrained(ASSETS, attn_implementation="eager").float().eval()
    fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    expected = [dict(text=text, predictions=fill(text)) for text in SENTENCES[:10]]
    with open(os.path.join(HERE, "expected.json"), "w") as out:
        json.dump(expected, out, indent=1, ensure_ascii=False)
    for text in SENTENCES:
        print("| " + text + " | " + ", ".join(f"{p['token_str']} {100 * p['score']:.0f} %" for p in fill(text)) + " |")


if __name__ == "__main__":
    main()
