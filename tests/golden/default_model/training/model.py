"""ALBERT with one group of weights per layer, 4-bit quantization-aware weights and low-rank task deltas, in PyTorch."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

TASKS = {"sentiment": 2, "entities": 7, "answers": 2, "choices": 1, "entailment": 3}
# name: (rows of outputs, columns of inputs) in units of the hidden size H and the feed-forward size I
MATRICES = {"q": "HH", "k": "HH", "v": "HH", "o": "HH", "f": "IH", "g": "HI"}


def grad_scale(x, s):
    return x * s + (x - x * s).detach()


def lsq(w, s, bits=4):
    """Rounds w [R, C] to multiples of s [R, 1] with learned step sizes (Esser et al. 2020)."""
    low, high = -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1
    s = grad_scale(s.abs().clamp(min=1e-8), 1 / math.sqrt(w.shape[-1] * high))
    v = (w / s).clamp(low, high)
    return (v + (v.round() - v).detach()) * s


def rows8(w):
    """Rounds w [R, C] to 255 levels per row, with gradients passed through."""
    s = w.detach().abs().amax(-1, keepdim=True).clamp(min=1e-8) / 127
    return w + ((w / s).round() * s - w).detach()


class Albert(nn.Module):
    def __init__(self, vocab, layers=4, hidden=384, embed=128, inter=1536, heads=12, rank=8):
        super().__init__()
        self.vocab, self.layers, self.H, self.E, self.I, self.heads, self.rank = vocab, layers, hidden, embed, inter, heads, rank
        P = lambda *s: nn.Parameter(torch.zeros(*s))
        H, E, I, L = hidden, embed, inter, layers
        self.word, self.pos, self.kinds = P(vocab, E), P(512, E), P(2, E)
        self.eln_w, self.eln_b, self.map_w, self.map_b = P(E), P(E), P(H, E), P(H)
        dim = {"H": H, "I": I}
        self.mats = nn.ParameterDict({m: P(L, dim[d[0]], dim[d[1]]) for m, d in MATRICES.items()})
        self.steps = nn.ParameterDict({m: P(L, dim[d[0]], 1) for m, d in MATRICES.items()})
        self.bias = nn.ParameterDict({m: P(L, dim[d[0]]) for m, d in MATRICES.items()})
        self.ln1_w, self.ln1_b, self.ln2_w, self.ln2_b = P(L, H), P(L, H), P(L, H), P(L, H)
        self.pool_w, self.pool_b = P(H, H), P(H)
        self.mlm_w, self.mlm_b, self.mln_w, self.mln_b, self.mlm_bias = P(E, H), P(E), P(E), P(E), P(vocab)
        self.sop_w, self.sop_b = P(2, H), P(2)
        self.head_w = nn.ParameterDict({t: P(n, H) for t, n in TASKS.items()})
        self.head_b = nn.ParameterDict({t: P(n) for t, n in TASKS.items()})
        self.left = nn.ParameterDict({f"{t}_{m}": P(L, dim[d[0]], rank) for t in TASKS for m, d in MATRICES.items()})
        self.right = nn.ParameterDict({f"{t}_{m}": P(L, rank, dim[d[1]]) for t in TASKS for m, d in MATRICES.items()})

    def reset_heads(self, std=0.02):
        for p in [self.mlm_w, self.sop_w, *self.head_w.values()]:
            p.data.normal_(0, std)
        for p in [self.mln_w]:
            p.data.fill_(1)
        for n, p in self.right.items():
            p.data.normal_(0, 1 / math.sqrt(p.shape[-1]))

    def set_steps(self):
        """Searches for the step sizes with the least squared error per row."""
        with torch.no_grad():
            for m, w in self.mats.items():
                top = w.abs().amax(-1, keepdim=True)
                best = torch.full_like(top, float("inf"))
                for k in range(20, 101, 4):
                    s = top * (k / 100) / 7
                    err = (((w / s).round().clamp(-7, 7) * s - w) ** 2).sum(-1, keepdim=True)
                    self.steps[m].copy_(torch.where(err < best, s, self.steps[m]))
                    best = torch.minimum(best, err)

    def weights(self, quantized, dtype):
        """The effective shared weights: f32 matrices (for deltas), and everything else in dtype."""
        base = {m: (lsq(w, self.steps[m]) if quantized else w) for m, w in self.mats.items()}
        q8 = rows8 if quantized else (lambda x: x)
        rest = {"word": q8(self.word), "pos": q8(self.pos), "map": q8(self.map_w), "pool": q8(self.pool_w), "mlm": q8(self.mlm_w)}
        return {"base": base, **{k: v.to(dtype) for k, v in rest.items()}, "dtype": dtype}

    def task(self, W, task=None):
        """Stacks of matrices in dtype, with the deltas of one task added."""
        out = {}
        for m, w in W["base"].items():
            if task is not None:
                w = w + torch.bmm(self.left[f"{task}_{m}"], self.right[f"{task}_{m}"])
            out[m] = w.to(W["dtype"])
        out["qkv"] = torch.cat([out["q"], out["k"], out["v"]], 1)
        out["qkv_b"] = torch.cat([self.bias["q"], self.bias["k"], self.bias["v"]], 1).to(W["dtype"])
        for m in "ofg":
            out[m + "_b"] = self.bias[m].to(W["dtype"])
        for n in ("ln1_w", "ln1_b", "ln2_w", "ln2_b"):
            out[n] = getattr(self, n).to(W["dtype"])
        return out

    def encode(self, W, T, ids, mask=None, types=None, drop=0.0):
        """ids [B, T], mask [B, T] bool or None -> hidden states [B, T, H]."""
        d = W["dtype"]
        B, N = ids.shape
        x = F.embedding(ids, W["word"]) + W["pos"][:N]
        x = x + (F.embedding(types, self.kinds.to(d)) if types is not None else self.kinds[0].to(d))
        x = F.layer_norm(x, (self.E,), self.eln_w.to(d), self.eln_b.to(d), 1e-12)
        x = F.linear(x, W["map"], self.map_b.to(d))
        am = None if mask is None else mask[:, None, None, :]
        for l in range(self.layers):
            x = layer(
                x,
                am,
                T["qkv"][l],
                T["qkv_b"][l],
                T["o"][l],
                T["o_b"][l],
                T["ln1_w"][l],
                T["ln1_b"][l],
                T["f"][l],
                T["f_b"][l],
                T["g"][l],
                T["g_b"][l],
                T["ln2_w"][l],
                T["ln2_b"][l],
                self.heads,
                drop,
            )
        return x

    def pooled(self, W, h):
        return torch.tanh(F.linear(h[:, 0], W["pool"], self.pool_b.to(W["dtype"])))

    def mlm(self, W, h):
        d = W["dtype"]
        x = F.gelu(F.linear(h, W["mlm"], self.mlm_b.to(d)))
        x = F.layer_norm(x, (self.E,), self.mln_w.to(d), self.mln_b.to(d), 1e-12)
        return F.linear(x, W["word"], self.mlm_bias.to(d)).float()

    def linear(self, name, W, h):
        return F.linear(h, self.head_w[name].to(W["dtype"]), self.head_b[name].to(W["dtype"])).float()


def layer(x, am, qkv, qkv_b, o, o_b, l1w, l1b, f, f_b, g, g_b, l2w, l2b, heads, drop):
    B, N, H = x.shape
    q, k, v = F.linear(x, qkv, qkv_b).view(B, N, 3, heads, H // heads).permute(2, 0, 3, 1, 4).unbind(0)
    a = F.scaled_dot_product_attention(q, k, v, attn_mask=am).transpose(1, 2).reshape(B, N, H)
    a = F.linear(a, o, o_b)
    if drop:
        a = F.dropout(a, drop)
    x = F.layer_norm(x + a, (H,), l1w, l1b, 1e-12)
    y = F.linear(F.gelu(F.linear(x, f, f_b)), g, g_b)
    if drop:
        y = F.dropout(y, drop)
    return F.layer_norm(x + y, (H,), l2w, l2b, 1e-12)


def mean_pool(h, mask):
    m = mask.unsqueeze(-1).to(h.dtype)
    return F.normalize(((h * m).sum(1) / m.sum(1)).float(), dim=1)


def export(model, quantized):
    """Tensors under the names of transformers (AlbertForPreTraining), in f32, with quantized values on request."""
    with torch.no_grad():
        W = model.weights(quantized, torch.float32)
        out = {
            "albert.embeddings.word_embeddings.weight": W["word"],
            "albert.embeddings.position_embeddings.weight": W["pos"],
            "albert.embeddings.token_type_embeddings.weight": model.kinds,
            "albert.embeddings.LayerNorm.weight": model.eln_w,
            "albert.embeddings.LayerNorm.bias": model.eln_b,
            "albert.encoder.embedding_hidden_mapping_in.weight": W["map"],
            "albert.encoder.embedding_hidden_mapping_in.bias": model.map_b,
            "albert.pooler.weight": W["pool"],
            "albert.pooler.bias": model.pool_b,
            "predictions.dense.weight": W["mlm"],
            "predictions.dense.bias": model.mlm_b,
            "predictions.LayerNorm.weight": model.mln_w,
            "predictions.LayerNorm.bias": model.mln_b,
            "predictions.bias": model.mlm_bias,
            "sop_classifier.classifier.weight": model.sop_w,
            "sop_classifier.classifier.bias": model.sop_b,
        }
        names = {
            "q": "attention.query",
            "k": "attention.key",
            "v": "attention.value",
            "o": "attention.dense",
            "f": "ffn",
            "g": "ffn_output",
        }
        for l in range(model.layers):
            p = f"albert.encoder.albert_layer_groups.{l}.albert_layers.0."
            for m, n in names.items():
                out[p + n + ".weight"], out[p + n + ".bias"] = W["base"][m][l], model.bias[m][l]
            out[p + "attention.LayerNorm.weight"], out[p + "attention.LayerNorm.bias"] = model.ln1_w[l], model.ln1_b[l]
            out[p + "full_layer_layer_norm.weight"], out[p + "full_layer_layer_norm.bias"] = model.ln2_w[l], model.ln2_b[l]
        return {k: v.detach().float().cpu().contiguous().clone() for k, v in out.items()}
