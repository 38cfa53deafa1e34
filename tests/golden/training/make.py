"""Makes the files of this folder: gradients and optimizer steps as computed by PyTorch and NumPy.

    python make.py            (torch 2.x, transformers 4.57, safetensors, numpy)

<case>/: a tiny AlbertForPreTraining with expected.safetensors. The file holds a batch (input_ids, token_type_ids,
attention_mask, labels with -100 for unmasked tokens, sentence_order_label) and both losses. For every parameter,
grad.<name> is the gradient of the sum of the losses. All arithmetic is 64-bit.

optimizers.safetensors: steps of LAMB and AdamW in 64-bit arithmetic, computed as in google-research/albert's lamb_optimizer.py
and optimization.py, and by torch.optim.AdamW itself.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AlbertConfig, AlbertForPreTraining

HERE = Path(__file__).resolve().parent
torch.set_num_threads(1)

BASE = dict(vocab_size=90, embedding_size=16, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
            intermediate_size=64, max_position_embeddings=24, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0, classifier_dropout_prob=0.0, initializer_range=0.15)
CASES = {
    "one_group": dict(),
    "two_groups": dict(num_hidden_layers=4, num_hidden_groups=2, num_attention_heads=2, hidden_act="gelu"),
    "inner_relu": dict(num_hidden_layers=2, inner_group_num=2, hidden_act="relu", num_attention_heads=1),
    "relative": dict(position_embedding_type="relative_key_query", hidden_act="tanh"),
}


def batch(generator, rows=5, length=24):
    ids = torch.randint(5, BASE["vocab_size"], (rows, length), generator=generator)
    types, mask = torch.zeros_like(ids), torch.ones_like(ids)
    labels = torch.full_like(ids, -100)
    order = torch.randint(0, 2, (rows,), generator=generator)
    for row in range(rows):
        end = length if row == 0 else int(torch.randint(8, length, (1,), generator=generator))
        middle = int(torch.randint(3, end - 2, (1,), generator=generator))
        ids[row, 0], ids[row, middle], ids[row, end - 1] = 2, 3, 3
        types[row, middle + 1:end] = 1
        ids[row, end:], mask[row, end:] = 0, 0
        places = [p for p in range(1, end - 1) if p != middle]
        for place in np.array(places)[torch.randperm(len(places), generator=generator)[:1 + row].numpy()]:
            labels[row, place] = ids[row, place]
            ids[row, place] = 4
    return ids, types, mask, labels, order


def gradients(name, changes, seed):
    torch.manual_seed(seed)
    model = AlbertForPreTraining(AlbertConfig(**{**BASE, **changes})).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn(parameter.shape, dtype=torch.float64)
    # The file stores the same weights that are differentiated.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.float().double())
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model.float().save_pretrained(folder)
    model.double()
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids, types, mask, labels, order = batch(torch.Generator().manual_seed(seed))
    out = model(input_ids=ids, token_type_ids=types, attention_mask=mask)
    mlm = torch.nn.functional.cross_entropy(out.prediction_logits.view(-1, BASE["vocab_size"]), labels.view(-1))
    sop = torch.nn.functional.cross_entropy(out.sop_logits, order)
    whole = model(input_ids=ids, token_type_ids=types, attention_mask=mask, labels=labels, sentence_order_label=order)
    assert torch.allclose(whole.loss, mlm + sop)
    whole.loss.backward()
    values = dict(input_ids=ids, token_type_ids=types, attention_mask=mask, labels=labels, sentence_order_label=order)
    values = {key: value.numpy() for key, value in values.items()}
    values |= {"mlm_loss": np.array([mlm.item()]), "sop_loss": np.array([sop.item()])}
    for key, parameter in model.named_parameters():
        if parameter.grad is not None:
            values[f"grad.{key}"] = parameter.grad.numpy().astype(np.float32)
    save_file(values, folder / "expected.safetensors")


def lamb(w, g, m, v, rate, decay, adapt, beta1=0.9, beta2=0.999, epsilon=1e-6):
    """`apply_gradients` of lamb_optimizer.py, or without `adapt` that of optimization.py's AdamWeightDecayOptimizer."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    update = m / (np.sqrt(v) + epsilon)
    if decay:
        update = update + decay * w
    ratio = 1.0
    if adapt:
        w_norm, u_norm = np.linalg.norm(w), np.linalg.norm(update)
        ratio = np.where(w_norm > 0, np.where(u_norm > 0, w_norm / u_norm, 1.0), 1.0)
    return w - ratio * rate * update, m, v


def optimizers(steps=3):
    random = np.random.default_rng(7)
    # A matrix, a bias, a normalization, and a matrix of zeros, whose ratio of norms is 1.
    shapes = {"a.weight": (131, 127), "a.bias": (127,), "a.LayerNorm.weight": (64,), "zero.weight": (3, 4)}
    start = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    start["zero.weight"][:] = 0
    grads = [{name: random.normal(size=shape).astype(np.float32) * 10.0 ** random.integers(-4, 1)
              for name, shape in shapes.items()} for _ in range(steps)]
    rates = [0.001, 0.02, 0.005]
    values = {f"start.{name}": value for name, value in start.items()}
    values |= {f"grad{i}.{name}": value for i, grad in enumerate(grads) for name, value in grad.items()}
    for kind in ["lamb", "bertadam"]:
        w = {name: value.astype(np.float64) for name, value in start.items()}
        m = {name: np.zeros_like(value) for name, value in w.items()}
        v = {name: np.zeros_like(value) for name, value in w.items()}
        for i, (grad, rate) in enumerate(zip(grads, rates)):
            for name in shapes:
                plain = "bias" in name or "LayerNorm" in name
                w[name], m[name], v[name] = lamb(w[name], grad[name].astype(np.float64), m[name], v[name], rate,
                                                 0.0 if plain else 0.01, kind == "lamb" and not plain)
                values[f"{kind}{i}.{name}"] = w[name].copy()
    w = {name: torch.nn.Parameter(torch.from_numpy(value.astype(np.float64))) for name, value in start.items()}
    plain = [p for n, p in w.items() if "bias" in n or "LayerNorm" in n]
    other = [p for n, p in w.items() if not ("bias" in n or "LayerNorm" in n)]
    adamw = torch.optim.AdamW([dict(params=plain, weight_decay=0.0), dict(params=other, weight_decay=0.01)],
                              lr=1.0, betas=(0.9, 0.999), eps=1e-8)
    for i, (grad, rate) in enumerate(zip(grads, rates)):
        for group in adamw.param_groups:
            group["lr"] = rate
        for name in shapes:
            w[name].grad = torch.from_numpy(grad[name].astype(np.float64))
        adamw.step()
        for name in shapes:
            values[f"adamw{i}.{name}"] = w[name].detach().numpy().copy()
    # Only the values after the first and the last step are stored.
    kept = {name: value for name, value in values.items()
            if name.startswith(("start", "grad")) or name.split(".")[0][-1] in "02"}
    save_file({name: np.ascontiguousarray(value.astype(np.float32)) for name, value in kept.items()}, HERE / "optimizers.safetensors")


if __name__ == "__main__":
    for i, (name, changes) in enumerate(CASES.items()):
        gradients(name, changes, 100 + i)
    optimizers()
