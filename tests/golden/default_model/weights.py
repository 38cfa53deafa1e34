"""The tensors of `assets/model.safetensors` as f32: see src/checkpoint/quantization/row_scaled.rs for the storage format."""

import os

import torch
from safetensors.torch import load_file

ASSETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../assets")
SCALE = ".row_scale"


def tensors(folder=ASSETS):
    stored = load_file(os.path.join(folder, "model.safetensors"))
    out = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        if tensor.dtype == torch.uint8:
            tensor = torch.stack([tensor & 15, tensor >> 4], -1).flatten(1).float() - 8
        out[name] = tensor.float() if scale is None else tensor.float() * scale.float()[:, None]
    return out
