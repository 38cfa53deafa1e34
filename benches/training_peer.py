"""PyTorch's training step beside benches/training.rs, which starts this program and talks to it.

Reads lines `prepare JSON` and `step` on stdin; answers a step with the seconds of forward, of backward, and of
processor time.
The JSON has a configuration of transformers, `batch`, `length` and `masked` (predicted tokens per row).
"""

import json
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
    return model, dict(input_ids=ids, labels=labels, sentence_order_label=order)


def main():
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "prepare":
            model, inputs = prepare(json.loads(rest))
            print("ready", flush=True)
        elif word == "step":
            model.zero_grad()
            cpu = time.process_time()
            start = time.perf_counter()
            loss = model(**inputs).loss
            middle = time.perf_counter()
            loss.backward()
            end = time.perf_counter()
            print(middle - start, end - middle, time.process_time() - cpu, flush=True)


main()
