"""Writes the weighted mean of two states: `python mix.py FIRST SECOND SHARE OUTPUT`. SHARE is the weight of the second."""
import sys

import torch

first, second, share, out = sys.argv[1:]
first, second = torch.load(first, map_location="cpu"), torch.load(second, map_location="cpu")
torch.save({k: v + float(share) * (second[k] - v) for k, v in first.items()}, out)
