"""Gives the model of train.py positions beyond those that it was trained with: the waves that its positions began as, fitted to what
they became.

    python continue_positions.py --model DIR --output DIR

Requires torch, transformers 4.57, safetensors.
"""

import argparse, os, shutil

import torch
from safetensors.torch import save_file
from transformers import AlbertForPreTraining

# Positions that were trained; those at the ends are special.
FIRST, END, ALL = 8, 88, 512
TIED = {"predictions.decoder.weight", "predictions.decoder.bias"}


def waves(first, end):
    place = torch.arange(first, end)[:, None] * torch.linspace(0.1, 3.0, 16)
    return torch.cat([torch.sin(place), torch.cos(place), torch.ones(end - first, 1)], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    args = parser.parse_args()
    model = AlbertForPreTraining.from_pretrained(args.model, dtype=torch.float32)
    with torch.no_grad():
        positions = model.albert.embeddings.position_embeddings.weight
        fit = torch.linalg.lstsq(waves(FIRST, END), positions[FIRST:END]).solution
        positions[END:] = waves(END, ALL) @ fit
    os.makedirs(args.output, exist_ok=True)
    tensors = {k: v.contiguous() for k, v in model.state_dict().items() if k not in TIED and not k.endswith("_ids")}
    save_file(tensors, os.path.join(args.output, "model.safetensors"), metadata={"format": "pt"})
    for name in ("config.json", "spiece.model"):
        shutil.copy(os.path.join(args.model, name), args.output)


if __name__ == "__main__":
    main()
