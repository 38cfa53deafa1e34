"""Makes the files of this folder: one fine-tuning step of each head as computed by transformers and PyTorch.

    python make.py            (torch 2.x, transformers 4.57, safetensors, numpy)

<case>/: a tiny model of the head's class with expected.safetensors. The file holds rows (input_ids, token_type_ids,
attention_mask), their answers and the loss. grad.<name> is the gradient of a parameter, and new.<name> the parameter after
clipping to a norm of 1 and one step of AdamW (rate 0.001, weight decay 0.01 except for biases and normalizations). All
arithmetic is 64-bit.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import AlbertConfig

HERE = Path(__file__).resolve().parent
torch.set_num_threads(1)

BASE = dict(vocab_size=40, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=32, max_position_embeddings=20, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, classifier_dropout_prob=0.0, initializer_range=0.3)
WEIGHTS = [0.5, 2.0, 1.0, 1.5]


def rows(generator, count, length=18):
    ids = torch.randint(5, BASE["vocab_size"], (count, length), generator=generator)
    types, mask = torch.zeros_like(ids), torch.ones_like(ids)
    for row in range(count):
        end = length if row == 0 else int(torch.randint(8, length, (1,), generator=generator))
        middle = int(torch.randint(3, end - 3, (1,), generator=generator))
        ids[row, 0], ids[row, middle], ids[row, end - 1] = 2, 3, 3
        types[row, middle + 1:end] = 1
        ids[row, end:], mask[row, end:] = 0, 0
    return dict(input_ids=ids, token_type_ids=types, attention_mask=mask)


def labels(generator, batch):
    right = torch.randint(0, 4, (len(batch["input_ids"]),), generator=generator)
    return dict(answer=right), lambda model: model(**batch, labels=right).loss


def weighted(generator, batch):
    right = torch.randint(0, 4, (len(batch["input_ids"]),), generator=generator)
    weights = torch.tensor(WEIGHTS, dtype=torch.float64)
    return (dict(answer=right, weights=weights),
            lambda model: torch.nn.functional.cross_entropy(model(**batch).logits, right, weight=weights))


def multi_label(generator, batch):
    right = torch.randint(0, 2, (len(batch["input_ids"]), 3), generator=generator)
    return dict(answer=right), lambda model: model(**batch, labels=right.double()).loss


def regression(generator, batch):
    right = 5 * torch.rand((len(batch["input_ids"]),), generator=generator, dtype=torch.float64)
    return dict(answer=right), lambda model: model(**batch, labels=right).loss


def tokens(generator, batch):
    right = torch.randint(0, 5, batch["input_ids"].shape, generator=generator)
    right[torch.rand(right.shape, generator=generator) < 0.3] = -100
    right[batch["attention_mask"] == 0] = -100
    return dict(answer=right), lambda model: model(**batch, labels=right).loss


def spans(generator, batch):
    own = batch["attention_mask"].sum(1)
    start = torch.stack([torch.randint(0, int(n) - 2, (), generator=generator) for n in own])
    end = torch.minimum(start + torch.randint(0, 3, start.shape, generator=generator), own - 1)
    start[1], end[1] = 0, 0

    def loss(model):
        """Computes the loss row by row. In a padded batch, it would include the logits of padding."""
        each = [model(**{key: value[i:i + 1, :n] for key, value in batch.items()},
                      start_positions=start[i:i + 1], end_positions=end[i:i + 1]).loss for i, n in enumerate(own.tolist())]
        return torch.stack(each).mean()

    return dict(answer=torch.stack([start, end], 1)), loss


def choices(generator, batch):
    """The loss over six rows: two examples of three choices."""
    right = torch.tensor([2, 0])
    grouped = {key: value.view(2, 3, -1) for key, value in batch.items()}
    return dict(answer=right, choices=torch.tensor([3, 3])), lambda model: model(**grouped, labels=right).loss


def uneven_choices(generator, batch):
    """The loss over six rows: an example of four choices and one of two."""
    right, counts = torch.tensor([3, 1]), torch.tensor([4, 2])

    def loss(model):
        logits = model(**{key: value.unsqueeze(1) for key, value in batch.items()}).logits.view(-1)
        parts = logits.split(counts.tolist())
        each = [torch.nn.functional.cross_entropy(part[None], answer[None]) for part, answer in zip(parts, right)]
        return torch.stack(each).mean()

    return dict(answer=right, choices=counts), loss


CASES = {
    "labels": ("AlbertForSequenceClassification", dict(num_labels=4), labels),
    "weighted": ("AlbertForSequenceClassification", dict(num_labels=4, num_hidden_groups=2), weighted),
    "multi_label": ("AlbertForSequenceClassification",
                    dict(num_labels=3, problem_type="multi_label_classification"), multi_label),
    "regression": ("AlbertForSequenceClassification", dict(num_labels=1, problem_type="regression"), regression),
    "tokens": ("AlbertForTokenClassification", dict(num_labels=5), tokens),
    "spans": ("AlbertForQuestionAnswering", dict(), spans),
    "choices": ("AlbertForMultipleChoice", dict(), choices),
    "uneven_choices": ("AlbertForMultipleChoice", dict(inner_group_num=2, num_hidden_layers=2), uneven_choices),
}


def case(name, class_name, changes, target, seed):
    torch.manual_seed(seed)
    model = getattr(transformers, class_name)(AlbertConfig(**{**BASE, **changes})).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
            # The file stores the same weights that are differentiated.
            parameter.copy_(parameter.float().double())
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.float().save_pretrained(folder)
    model.double()
    generator = torch.Generator().manual_seed(seed)
    batch = rows(generator, 6)
    answers, loss = target(generator, batch)
    loss = loss(model)
    loss.backward()
    values = {key: value.numpy() for key, value in {**batch, **answers}.items()}
    values["loss"] = np.array([loss.item()])
    named = dict(model.named_parameters())
    for key, parameter in named.items():
        if parameter.grad is not None:
            values[f"grad.{key}"] = parameter.grad.numpy().astype(np.float32).copy()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    plain = [p for key, p in named.items() if "bias" in key or "LayerNorm" in key or "layer_norm" in key]
    other = [p for p in model.parameters() if all(p is not q for q in plain)]
    torch.optim.AdamW([dict(params=plain, weight_decay=0.0), dict(params=other, weight_decay=0.01)], lr=0.001).step()
    for key, parameter in named.items():
        if parameter.grad is not None:
            values[f"new.{key}"] = parameter.detach().numpy().astype(np.float32).copy()
    save_file({key: np.ascontiguousarray(value) for key, value in values.items()}, folder / "expected.safetensors")


if __name__ == "__main__":
    for i, (name, (class_name, changes, target)) in enumerate(CASES.items()):
        case(name, class_name, changes, target, 300 + i)
