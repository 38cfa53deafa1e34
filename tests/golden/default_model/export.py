"""Makes `assets/` and `expected.json` from a model directory that `albert pretrain` wrote.

    python export.py --model DIR --assets ../../../assets

Writes config.json, spiece.model and model.safetensors (half precision, tied tensors once) to --assets, and beside this
script expected.json: what transformers 4.57's fill-mask pipeline (slow AlbertTokenizer) says of ten sentences with the
weights rounded to half precision and computed in single. Prints twenty sentences filled, for the model card.

Requires torch, transformers 4.57, sentencepiece, safetensors.
"""

import argparse, json, os, shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import AlbertForMaskedLM, AlbertTokenizer, pipeline

TIED = {"predictions.decoder.weight", "predictions.decoder.bias"}
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--assets", required=True)
    args = parser.parse_args()
    os.makedirs(args.assets, exist_ok=True)
    for name in ("config.json", "spiece.model"):
        shutil.copy(os.path.join(args.model, name), args.assets)
    state = load_file(os.path.join(args.model, "model.safetensors"))
    half = {k: v.half().contiguous() for k, v in state.items() if k not in TIED and not k.endswith("position_ids")}
    save_file(half, os.path.join(args.assets, "model.safetensors"), metadata={"format": "pt"})

    tokenizer = AlbertTokenizer(os.path.join(args.assets, "spiece.model"))
    model = AlbertForMaskedLM.from_pretrained(args.assets, attn_implementation="eager").float().eval()
    fill = pipeline("fill-mask", model=model, tokenizer=tokenizer)
    expected = [dict(text=text, predictions=fill(text)) for text in SENTENCES[:10]]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json"), "w") as out:
        json.dump(expected, out, indent=1, ensure_ascii=False)
    for text in SENTENCES:
        print("| " + text + " | " + ", ".join(f"{p['token_str']} {100 * p['score']:.0f} %" for p in fill(text)) + " |")


if __name__ == "__main__":
    main()
