"""Makes a checkpoint in the form of brightmart/albert_zh, and its expected predictions.

    python make.py    # transformers 4.57, torch 2.15

The reference is albert_zh's `modeling.py`, ported to torch below (words are projected before positions are added; post-LN).
It is checked against a transformers AlbertForMaskedLM whose embeddings are as wide as its encoder.
"""

import json
import math
import struct
from pathlib import Path

import torch
from transformers import AlbertConfig, AlbertForMaskedLM

HERE = Path(__file__).parent
V, E, H, I, P, LAYERS, HEADS = 24, 4, 12, 20, 16, 2, 3
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] 我 爱 北 京 天 气 好 的 人 a b c d e f g h i j".split()


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def block(entries):
    data = b"".join(b"\0" + varint(len(k)) + varint(len(v)) + k + v for k, v in entries)
    return data + struct.pack("<II", 0, 1)


def save(variables, prefix):
    entries, data = [(b"", bytes.fromhex("08011a020801"))], b""
    for name in sorted(variables):
        raw = variables[name].contiguous().numpy().tobytes()
        shape = b"".join(b"\x12" + varint(2 + (n > 127)) + b"\x08" + varint(n) for n in variables[name].shape)
        value = b"\x08\x01\x12" + varint(len(shape)) + shape + b"\x20" + varint(len(data)) + b"\x28" + varint(len(raw))
        entries.append((name.encode(), value + b"\x35" + struct.pack("<I", crc32c(raw))))
        data += raw
    file, places = b"", []
    for content in [block(entries), block([])]:
        places.append(varint(len(file)) + varint(len(content)))
        file += content + b"\0" + struct.pack("<I", crc32c(content + b"\0"))
    index = block([(max(name for name, _ in entries), places[0])])
    places.append(varint(len(file)) + varint(len(index)))
    file += index + b"\0" + struct.pack("<I", crc32c(index + b"\0"))
    footer = (places[1] + places[2]).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    Path(f"{prefix}.index").write_bytes(file + footer)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)


def variables():
    torch.manual_seed(11)
    v = {}

    def dense(name, n_in, n_out):
        v[f"{name}/kernel"], v[f"{name}/bias"] = torch.randn(n_in, n_out) * 0.5, torch.randn(n_out) * 0.3

    def norm(name, n):
        v[f"{name}/gamma"], v[f"{name}/beta"] = 1 + torch.randn(n) * 0.2, torch.randn(n) * 0.2

    v["bert/embeddings/word_embeddings"] = torch.randn(V, E) * 0.4
    v["bert/embeddings/word_embeddings_2"] = torch.randn(E, H) * 0.5
    v["bert/embeddings/token_type_embeddings"] = torch.randn(2, H)
    v["bert/embeddings/position_embeddings"] = torch.randn(P, H)
    norm("bert/embeddings/LayerNorm", H)
    shared = "bert/encoder/layer_shared"
    for which in ["query", "key", "value"]:
        dense(f"{shared}/attention/self/{which}", H, H)
    dense(f"{shared}/attention/output/dense", H, H)
    norm(f"{shared}/attention/output/LayerNorm", H)
    dense(f"{shared}/intermediate/dense", H, I)
    dense(f"{shared}/output/dense", I, H)
    norm(f"{shared}/output/LayerNorm", H)
    dense("bert/pooler/dense", H, H)
    dense("cls/predictions/transform/dense", H, H)
    norm("cls/predictions/transform/LayerNorm", H)
    v["cls/predictions/output_bias"] = torch.randn(V)
    v["cls/seq_relationship/output_weights"], v["cls/seq_relationship/output_bias"] = torch.randn(2, H), torch.randn(2)
    v["global_step"] = torch.tensor(7.0)
    return v


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def logits(v, ids):
    """A port of albert_zh's modeling.py and run_pretraining.py."""

    def dense(name, x):
        return x @ v[f"{name}/kernel"] + v[f"{name}/bias"]

    def norm(name, x):
        return torch.nn.functional.layer_norm(x, (H,), v[f"{name}/gamma"], v[f"{name}/beta"], 1e-12)

    words, projection = v["bert/embeddings/word_embeddings"], v["bert/embeddings/word_embeddings_2"]
    x = words[ids] @ projection + v["bert/embeddings/token_type_embeddings"][0] + v["bert/embeddings/position_embeddings"][: len(ids)]
    x = norm("bert/embeddings/LayerNorm", x)
    shared = "bert/encoder/layer_shared"
    for _ in range(LAYERS):
        q, k, u = (dense(f"{shared}/attention/self/{n}", x).view(-1, HEADS, H // HEADS).transpose(0, 1) for n in ["query", "key", "value"])
        attention = (q @ k.transpose(1, 2) / math.sqrt(H // HEADS)).softmax(-1) @ u
        attention = dense(f"{shared}/attention/output/dense", attention.transpose(0, 1).reshape(-1, H))
        x = norm(f"{shared}/attention/output/LayerNorm", attention + x)
        inner = gelu(dense(f"{shared}/intermediate/dense", x))
        x = norm(f"{shared}/output/LayerNorm", dense(f"{shared}/output/dense", inner) + x)
    x = norm("cls/predictions/transform/LayerNorm", gelu(dense("cls/predictions/transform/dense", x)))
    return x @ projection.T @ words.T + v["cls/predictions/output_bias"]


def transformers_logits(v, ids):
    config = AlbertConfig(vocab_size=V, embedding_size=H, hidden_size=H, intermediate_size=I, num_hidden_layers=LAYERS,
                          num_attention_heads=HEADS, max_position_embeddings=P, hidden_act="gelu_new")
    model = AlbertForMaskedLM(config).eval()
    table = v["bert/embeddings/word_embeddings"] @ v["bert/embeddings/word_embeddings_2"]
    layer, shared = "albert.encoder.albert_layer_groups.0.albert_layers.0.", "bert/encoder/layer_shared/"
    state = {"albert.embeddings.word_embeddings.weight": table, "predictions.decoder.weight": table,
             "albert.embeddings.position_embeddings.weight": v["bert/embeddings/position_embeddings"],
             "albert.embeddings.token_type_embeddings.weight": v["bert/embeddings/token_type_embeddings"],
             "albert.encoder.embedding_hidden_mapping_in.weight": torch.eye(H),
             "albert.encoder.embedding_hidden_mapping_in.bias": torch.zeros(H),
             "predictions.bias": v["cls/predictions/output_bias"], "predictions.decoder.bias": v["cls/predictions/output_bias"]}
    for name, ours in [(layer + "attention.query", shared + "attention/self/query"), (layer + "attention.key", shared + "attention/self/key"),
                       (layer + "attention.value", shared + "attention/self/value"), (layer + "attention.dense", shared + "attention/output/dense"),
                       (layer + "ffn", shared + "intermediate/dense"), (layer + "ffn_output", shared + "output/dense"),
                       ("predictions.dense", "cls/predictions/transform/dense")]:
        state[f"{name}.weight"], state[f"{name}.bias"] = v[f"{ours}/kernel"].T, v[f"{ours}/bias"]
    for name, ours in [("albert.embeddings.LayerNorm", "bert/embeddings/LayerNorm"), (layer + "attention.LayerNorm", shared + "attention/output/LayerNorm"),
                       (layer + "full_layer_layer_norm", shared + "output/LayerNorm"), ("predictions.LayerNorm", "cls/predictions/transform/LayerNorm")]:
        state[f"{name}.weight"], state[f"{name}.bias"] = v[f"{ours}/gamma"], v[f"{ours}/beta"]
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("position_ids" in m for m in missing), (missing, unexpected)
    return model(torch.tensor([ids])).logits[0]


def main():
    v = variables()
    save(v, HERE / "model.ckpt-7")
    config = {"vocab_size": V, "embedding_size": E, "hidden_size": H, "intermediate_size": I, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
              "max_position_embeddings": P, "type_vocab_size": 2, "hidden_act": "gelu", "directionality": "bidi", "pooler_type": "first_token_transform",
              "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02, "ln_type": "postln"}
    (HERE / "albert_config.json").write_text(json.dumps(config, indent=2) + "\n")
    (HERE / "vocab.txt").write_text("".join(f"{word}\n" for word in WORDS))
    ids = [2, *(WORDS.index(w) for w in ["我", "爱", "[MASK]", "京"]), 3]
    with torch.no_grad():
        own, theirs = logits(v, ids), transformers_logits(v, ids)
    assert (own - theirs).abs().max() < 1e-4, (own - theirs).abs().max()
    scores, tokens = own[3].softmax(-1).topk(3)
    expected = {"text": "我爱[MASK]京", "predictions": [{"token": t, "token_str": WORDS[t], "score": s} for s, t in zip(scores.tolist(), tokens.tolist())]}
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    main()
