"""The Python peer of benches/training.rs, which starts this program: PyTorch's training step.

Reads the lines `prepare JSON` and `step NAME` on stdin. Answers a step with the seconds of the forward pass, of the
backward pass, and of processor time. The JSON contains a configuration of transformers, `batch`, `length`, `masked`
(predicted tokens per row), and `programs`:

torch                f32
torch-compiled       the same, compiled by TorchInductor (needs a C++ compiler)
torch-bf16           autocast to bfloat16
torch-bf16-compiled  both
"""

import json
import os
import sys
import time

import torch
from transformers import AlbertConfig, AlbertForPreTraining


def prepare(case):
    torch.set_num_threads(case["threads"])
    torch.manual_seed(0)
    model = AlbertForPreTraining(AlbertConfig(**case["config"])).train()
    batch, length, masked = case["batch"], case["length"], case["masked"]
    ids = torch.randint(5, case["config"]["vocab_size"], (batch, length))
    labels = torch.full((batch, length), -100)
    labels[:, 1 : 1 + masked] = ids[:, 1 : 1 + masked]
    order = torch.arange(batch) % 2
    inputs = dict(input_ids=ids, labels=labels, sentence_order_label=order)
    programs = {}
    for name in case["programs"]:
        call = torch.compile(model, dynamic=False) if name.endswith("compiled") else model
        programs[name] = call, torch.autocast("cpu", dtype=torch.bfloat16, enabled="bf16" in name)
    return model, inputs, programs


def main():
    # Compilers might write to standard output.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "prepare":
            model, inputs, programs = prepare(json.loads(rest))
            print("ready", file=out, flush=True)
        elif word == "step":
            call, autocast = programs[rest]
            model.zero_grad()
            cpu = time.process_time()
            start = time.perf_counter()
            with autocast:
                loss = call(**inputs).loss
            middle = time.perf_counter()
            loss.backward()
            end = time.perf_counter()
            print(middle - start, end - middle, time.process_time() - cpu, file=out, flush=True)


main()
