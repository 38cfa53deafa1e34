"""Writes `assets/` from the final state: integers with a scale per row (see src/checkpoint/quantization/row_scaled.rs), and the tasks.

    python export.py STATE TOKENIZER ASSETS

STATE is `final.pt` of tasks.py, TOKENIZER the directory of `albert train-tokenizer`.
"""

import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

import model as M

LABELS = {
    "sentiment": ["negative", "positive"],
    "entities": ["O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER"],
    "answers": [],
    "choices": [],
    "entailment": ["contradiction", "entailment", "neutral"],
}
HEADS = {
    "sentiment": ("sequence-classification", "classifier"),
    "entities": ("token-classification", "classifier"),
    "answers": ("question-answering", "qa_outputs"),
    "choices": ("multiple-choice", "classifier"),
    "entailment": ("sequence-classification", "classifier"),
}
NAMES = {"q": "attention.query", "k": "attention.key", "v": "attention.value", "o": "attention.dense", "f": "ffn", "g": "ffn_output"}


def eight(w):
    s = w.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127
    return (w / s).round().to(torch.int8), s[:, 0]


def four(w, s):
    q = (w / s).round().clamp(-7, 7).to(torch.int16) + 8
    return (q[:, 0::2] | (q[:, 1::2] << 4)).to(torch.uint8), s[:, 0]


def main(state, tokenizer, assets):
    state = torch.load(state, map_location="cpu")
    net = M.Albert(state["word"].shape[0], rank=state["left.sentiment_q"].shape[-1])
    net.load_state_dict(state)
    plain = M.export(net, False)
    out = {}

    def put(name, packed):
        out[name], out[name + ".row_scale"] = (x.contiguous() for x in packed)

    for name, w in plain.items():
        stem = name.removesuffix(".weight").split(".albert_layers.0.")[-1]
        short = next((m for m, n in NAMES.items() if n == stem), None)
        if short and name.endswith(".weight"):
            layer = int(name.split("albert_layer_groups.")[1].split(".")[0])
            # Rounds as in quantization-aware training: see lsq in model.py.
            put(name, four(w, net.steps[short][layer].detach().abs().clamp(min=1e-8)))
        elif w.dim() == 2 and w.numel() > 10000:
            put(name, eight(w))
        else:
            out[name] = w.half()
    for task in M.TASKS:
        head = HEADS[task][1]
        out[f"tasks.{task}.{head}.weight"] = net.head_w[task].detach().half()
        out[f"tasks.{task}.{head}.bias"] = net.head_b[task].detach().half()
        for layer in range(net.layers):
            for m, n in NAMES.items():
                base = f"tasks.{task}.albert.encoder.albert_layer_groups.{layer}.albert_layers.0.{n}.weight.difference."
                out[base + "left"] = net.left[f"{task}_{m}"][layer].detach().half()
                put(base + "right", eight(net.right[f"{task}_{m}"][layer].detach()))
    save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(assets, "model.safetensors"), metadata={"format": "pt"})
    config = {
        "architectures": ["AlbertForPreTraining"],
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": 2,
        "classifier_dropout_prob": 0.1,
        "embedding_size": net.E,
        "eos_token_id": 3,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": net.H,
        "initializer_range": 0.02,
        "inner_group_num": 1,
        "intermediate_size": net.I,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": 512,
        "model_type": "albert",
        "num_attention_heads": net.heads,
        "num_hidden_groups": net.layers,
        "num_hidden_layers": net.layers,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "type_vocab_size": 2,
        "vocab_size": net.vocab,
    }
    json.dump(config, open(os.path.join(assets, "config.json"), "w"), indent=2)
    tasks = [{"name": t, "head": HEADS[t][0], "labels": LABELS[t]} for t in M.TASKS]
    json.dump(tasks, open(os.path.join(assets, "tasks.json"), "w"), indent=2)
    for name in ("config.json", "tasks.json"):
        open(os.path.join(assets, name), "a").write("\n")
    shutil.copy(os.path.join(tokenizer, "spiece.model"), os.path.join(assets, "spiece.model"))


if __name__ == "__main__":
    main(*sys.argv[1:])
