"""The initial encoder: layers of MiniLM, and new embeddings fitted to the input of its first layer."""

import json

import numpy as np
import torch
import torch.nn.functional as F

LAYERS = [0, 1, 3, 5]


def load_teacher(folder):
    """The teacher's weights from its int8 archive, as f32."""
    z = np.load(folder + "/teacher.npz")
    out = {}
    for k in z.files:
        if k.endswith("|q"):
            out[k[:-2]] = torch.from_numpy(z[k].astype(np.float32) * z[k[:-2] + "|s"].astype(np.float32))
        elif k.endswith("|f"):
            out[k[:-2]] = torch.from_numpy(z[k].astype(np.float32))
    return out


def start(model, w, tok, wp, dev, steps=1500):
    """Initializes model from the teacher's weights w. tok and wp are the student's and the teacher's tokenizers."""
    H, E, V = model.H, model.E, model.vocab
    WE = w["embeddings.word_embeddings.weight"]
    wv = wp.get_vocab()
    special = {"<pad>": "[PAD]", "<unk>": "[UNK]", "[CLS]": "[CLS]", "[SEP]": "[SEP]", "[MASK]": "[MASK]"}
    T = torch.zeros(V, H)
    whole = 0
    for i in range(V):
        p = tok.id_to_token(i)
        if p in special:
            T[i] = WE[wv[special[p]]]
            continue
        inner = not p.startswith("▁")
        text = p if inner else p[1:]
        t = wp.encode(text, add_special_tokens=False).tokens if text else []
        if inner and t and "##" + t[0] in wv:
            t[0] = "##" + t[0]
        if not t:
            T[i] = WE.mean(0)
            continue
        whole += len(t) == 1
        T[i] = WE[[wv[x] for x in t]].mean(0)
    print("pieces", V, "that are one word piece", whole, flush=True)
    T, P, TT = (x.to(dev) for x in (T, w["embeddings.position_embeddings.weight"], w["embeddings.token_type_embeddings.weight"]))
    g, b = w["embeddings.LayerNorm.weight"].to(dev), w["embeddings.LayerNorm.bias"].to(dev)
    X = torch.cat([T, P.repeat(8, 1)])
    _, S, Vh = torch.linalg.svd(X - X.mean(0), full_matrices=False)
    B = Vh[:E]
    model.word.data.copy_((T - T.mean(0)) @ B.T)
    model.pos.data.copy_((P - P.mean(0)) @ B.T)
    model.kinds.data.copy_((TT - TT.mean(0)) @ B.T)
    model.eln_w.data.fill_(1)
    model.map_w.data.copy_(B.T * 3)
    own = [model.word, model.pos, model.kinds, model.eln_w, model.eln_b, model.map_w, model.map_b]
    opt = torch.optim.Adam(own, lr=3e-3)
    freq = 1 / (torch.arange(V, device=dev) + 10.0)
    for s in range(steps):
        for gr in opt.param_groups:
            gr["lr"] = 3e-3 * (1 - s / steps) + 1e-5
        i = torch.cat([torch.randint(0, V, (3000,), device=dev), torch.multinomial(freq, 3000, True)])
        q = (torch.rand(6000, device=dev) ** 2 * 300).long().clamp(max=511)
        k = (torch.rand(6000, device=dev) < 0.2).long()
        y = F.layer_norm(T[i] + P[q] + TT[k], (H,), g, b, 1e-12)
        z = F.layer_norm(model.word[i] + model.pos[q] + model.kinds[k], (E,), model.eln_w, model.eln_b, 1e-12)
        z = F.linear(z, model.map_w, model.map_b)
        loss = ((y - z) ** 2).mean() / y.var()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print("fit of the embeddings", round(loss.item(), 4), flush=True)
    names = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "f": "intermediate.dense",
        "g": "output.dense",
    }
    for l, src in enumerate(LAYERS[: model.layers]):
        p = f"encoder.layer.{src}."
        for m, n in names.items():
            model.mats[m].data[l].copy_(w[p + n + ".weight"])
            model.bias[m].data[l].copy_(w[p + n + ".bias"])
        for a, n in (("ln1", "attention.output.LayerNorm"), ("ln2", "output.LayerNorm")):
            getattr(model, a + "_w").data[l].copy_(w[p + n + ".weight"])
            getattr(model, a + "_b").data[l].copy_(w[p + n + ".bias"])
    model.pool_w.data.copy_(w["pooler.dense.weight"])
    model.pool_b.data.copy_(w["pooler.dense.bias"])
