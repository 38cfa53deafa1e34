"""Reads the model in `assets/` into model.py, and replaces the tensors of one task."""

import os
import sys

from safetensors.torch import load_file, save_file

import model as M
from export import HEADS, NAMES, eight

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from weights import tensors


def prefix(layer):
    return f"albert.encoder.albert_layer_groups.{layer}.albert_layers.0."


# Names of layer norms in model.py.
NORMS = {
    "ln1_w": "attention.LayerNorm.weight",
    "ln1_b": "attention.LayerNorm.bias",
    "ln2_w": "full_layer_layer_norm.weight",
    "ln2_b": "full_layer_layer_norm.bias",
}


def read(folder, task, rank):
    """The model with the deltas of one task, whose rank may grow."""
    file = tensors(folder)
    get = file.__getitem__
    emb = "albert.embeddings."
    net = M.Albert(get(emb + "word_embeddings.weight").shape[0], rank=rank)
    state = {
        "word": emb + "word_embeddings.weight",
        "pos": emb + "position_embeddings.weight",
        "kinds": emb + "token_type_embeddings.weight",
        "eln_w": emb + "LayerNorm.weight",
        "eln_b": emb + "LayerNorm.bias",
        "map_w": "albert.encoder.embedding_hidden_mapping_in.weight",
        "map_b": "albert.encoder.embedding_hidden_mapping_in.bias",
        "pool_w": "albert.pooler.weight",
        "pool_b": "albert.pooler.bias",
    }
    for own, name in state.items():
        getattr(net, own).data.copy_(get(name))
    head = f"tasks.{task}.{HEADS[task][1]}."
    net.head_w[task].data.copy_(get(head + "weight"))
    net.head_b[task].data.copy_(get(head + "bias"))
    # The task's own tensors replace the shared ones.
    pick = lambda name: get(f"tasks.{task}.{name}" if f"tasks.{task}.{name}" in file else name)
    for l in range(net.layers):
        for m, n in NAMES.items():
            net.mats[m].data[l] = get(prefix(l) + n + ".weight")
            net.bias[m].data[l] = pick(prefix(l) + n + ".bias")
            delta = f"tasks.{task}.{prefix(l)}{n}.weight.difference."
            left, right = get(delta + "left"), get(delta + "right")
            k = min(rank, left.shape[1])
            net.left[f"{task}_{m}"].data[l, :, :k] = left[:, :k]
            new = net.right[f"{task}_{m}"].data[l]
            new.normal_(0, float(right.std()))
            new[:k] = right[:k]
        for own, name in NORMS.items():
            getattr(net, own).data[l] = pick(prefix(l) + name)
    return net


def replace(folder, task, state, out):
    """Writes `folder`'s weights to `out` with the task's tensors of `state`: deltas, head, biases and layer norms."""
    file = load_file(os.path.join(folder, "model.safetensors"))
    file = {name: w for name, w in file.items() if not name.startswith(f"tasks.{task}.")}
    head = f"tasks.{task}.{HEADS[task][1]}."
    file[head + "weight"], file[head + "bias"] = state[f"head_w.{task}"].half(), state[f"head_b.{task}"].half()
    for l in range(state["ln1_w"].shape[0]):
        own = f"tasks.{task}.{prefix(l)}"
        for m, n in NAMES.items():
            for side in ("left", "right"):
                name = f"{own}{n}.weight.difference.{side}"
                file[name], file[name + ".row_scale"] = eight(state[f"{side}.{task}_{m}"][l].float())
            file[f"{own}{n}.bias"] = state["bias." + m][l].half()
        for norm, n in NORMS.items():
            file[own + n] = state[norm][l].half()
    save_file({k: w.contiguous() for k, w in file.items()}, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
