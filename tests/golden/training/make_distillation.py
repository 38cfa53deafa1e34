"""Makes distillation/: the losses of a teacher and their gradients, as computed by PyTorch.

    python make_distillation.py            (torch 2.x, transformers 4.57, safetensors, numpy)

The student is one_group/, and the rows of text are its batch (make.py). The teachers are two_groups/, which has the student's
hidden size, and narrow/, a tiny model with another hidden size and vocabulary that is made here.

Each <case>.safetensors holds distill_loss and grad.<name>, the gradient of masked-LM loss + sentence-order loss + weight *
distill_loss for every parameter of the student, in 64-bit arithmetic. The cases with sentence vectors also hold the sentences:
student_ids, teacher_ids and the number of tokens of each row, student_lengths and teacher_lengths.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.nn.functional import cross_entropy, kl_div, log_softmax, normalize
from transformers import AlbertConfig, AlbertForPreTraining, AlbertModel

HERE = Path(__file__).resolve().parent
torch.set_num_threads(1)

NARROW = dict(vocab_size=50, embedding_size=8, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
              intermediate_size=24, max_position_embeddings=20, hidden_dropout_prob=0.0,
              attention_probs_dropout_prob=0.0, initializer_range=0.3)
SENTENCES = 6


def sentences(generator, vocabulary, longest):
    lengths = torch.randint(4, longest + 1, (SENTENCES,), generator=generator)
    ids = torch.randint(5, vocabulary, (SENTENCES, int(lengths.max())), generator=generator)
    mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
    ids[:, 0] = 2
    ids[torch.arange(SENTENCES), lengths - 1] = 3
    return ids * mask, mask, lengths


def vectors(model, ids, mask):
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).double()
    return normalize((states * weights).sum(1) / weights.sum(1))


def vector_loss(own, target):
    loss = (own @ own.T - target @ target.T).square().mean()
    if own.shape == target.shape:
        loss = loss + (1 - (own * target).sum(1)).mean()
    return loss


def logit_loss(own, target):
    return kl_div(log_softmax(own, -1), log_softmax(target, -1), reduction="batchmean", log_target=True)


def case(name, weight, loss_of, extra):
    batch = {key: torch.from_numpy(value) for key, value in load_file(HERE / "one_group/expected.safetensors").items()
             if not key.startswith("grad.")}
    inputs = {key: batch[key] for key in ["input_ids", "token_type_ids", "attention_mask"]}
    student = AlbertForPreTraining.from_pretrained(HERE / "one_group").double().eval()
    out = student(**inputs)
    text = cross_entropy(out.prediction_logits.flatten(0, 1), batch["labels"].flatten())
    text = text + cross_entropy(out.sop_logits, batch["sentence_order_label"])
    loss = loss_of(student, out, inputs, batch["labels"] >= 0)
    (text + weight * loss).backward()
    values = {key: value.numpy() for key, value in extra.items()} | {"distill_loss": np.array([loss.item()])}
    for key, parameter in student.named_parameters():
        if parameter.grad is not None:
            values[f"grad.{key}"] = parameter.grad.numpy().astype(np.float32)
    save_file({key: np.ascontiguousarray(value) for key, value in values.items()},
              HERE / "distillation" / f"{name}.safetensors")
    print(name, loss.item())


def narrow():
    torch.manual_seed(31)
    folder = HERE / "distillation/narrow"
    shutil.rmtree(folder, ignore_errors=True)
    AlbertModel(AlbertConfig(**NARROW), add_pooling_layer=False).save_pretrained(folder)
    return AlbertModel.from_pretrained(folder, add_pooling_layer=False).double().eval()


if __name__ == "__main__":
    (HERE / "distillation").mkdir(exist_ok=True)
    same = AlbertForPreTraining.from_pretrained(HERE / "two_groups").double().eval()
    for name, teacher, config in [("vectors", same.albert, same.config), ("similarities", narrow(), None)]:
        generator = torch.Generator().manual_seed(41)
        own, own_mask, own_lengths = sentences(generator, 90, 15)
        config = config or AlbertConfig(**NARROW)
        other, other_mask, other_lengths = sentences(generator, config.vocab_size, 18)
        with torch.no_grad():
            target = vectors(teacher, other, other_mask)
        case(name, 4.0 if name == "vectors" else 40.0, lambda student, *_: vector_loss(vectors(student.albert, own, own_mask), target),
             dict(student_ids=own, student_lengths=own_lengths, teacher_ids=other, teacher_lengths=other_lengths))

    def divergence(_, out, inputs, masked):
        with torch.no_grad():
            target = same(**inputs).prediction_logits[masked]
        return logit_loss(out.prediction_logits[masked], target)

    case("logits", 0.5, divergence, {})
