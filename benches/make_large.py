"""Makes checkpoints of the size of ALBERT-xxlarge (223 million random parameters) in every form that `albert convert`
reads, to measure what a conversion costs.

    python make_large.py DIR FORM...      (safetensors, shards, zip, legacy, h5, msgpack, bundle)

The suffix -f16 selects half precision. Each form needs only its own library: safetensors, torch, h5py, msgpack, TensorFlow.
Then, for example:

    /usr/bin/time -v albert convert DIR/h5 DIR/out
"""

import json
import sys
from pathlib import Path

import numpy as np

SIZES = dict(vocab_size=30000, embedding_size=128, hidden_size=4096, num_hidden_layers=12, num_attention_heads=64,
             intermediate_size=16384, max_position_embeddings=512, type_vocab_size=2)
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0."
GOOGLE = [("albert.", "bert."), (LAYER.replace("albert.", "bert.", 1), "bert.encoder.transformer.group_0.inner_group_0."),
          ("0.attention.LayerNorm", "0.LayerNorm"), ("full_layer_layer_norm", "LayerNorm_1"),
          ("0.attention.dense", "0.attention_1.output.dense"), ("0.attention.", "0.attention_1.self."),
          (".ffn.", ".ffn_1.intermediate.dense."), (".ffn_output.", ".ffn_1.intermediate.output.dense."),
          ("pooler.", "pooler.dense."), ("predictions.bias", "cls.predictions.output_bias"),
          ("predictions.LayerNorm", "cls.predictions.transform.LayerNorm"),
          ("predictions.dense", "cls.predictions.transform.dense"), ("sop_classifier.classifier", "cls.seq_relationship")]


def shapes():
    """The tensors of AlbertForPreTraining under their names in PyTorch's transformers: [out, in]."""
    v, e, h, i = (SIZES[k] for k in ["vocab_size", "embedding_size", "hidden_size", "intermediate_size"])
    linear = {"albert.encoder.embedding_hidden_mapping_in": (h, e), "albert.pooler": (h, h), "predictions.dense": (e, h),
              "sop_classifier.classifier": (2, h), LAYER + "ffn": (i, h), LAYER + "ffn_output": (h, i)}
    linear |= {f"{LAYER}attention.{n}": (h, h) for n in ["query", "key", "value", "dense"]}
    norm = {"albert.embeddings.LayerNorm": e, LAYER + "attention.LayerNorm": h, LAYER + "full_layer_layer_norm": h,
            "predictions.LayerNorm": e}
    out = {f"albert.embeddings.{n}_embeddings.weight": (rows, e)
           for n, rows in [("word", v), ("position", 512), ("token_type", 2)]}
    for name, shape in linear.items():
        out |= {name + ".weight": shape, name + ".bias": shape[:1]}
    for name, width in norm.items():
        out |= {name + ".weight": (width,), name + ".bias": (width,)}
    return out | {"predictions.bias": (v,)}


def foreign(name, form):
    """The name in another library's file, and true if that library stores the matrix as [in, out]."""
    stem, _, last = name.rpartition(".")
    norm = "LayerNorm" in stem or "layer_norm" in stem
    table = stem.endswith("_embeddings")
    matrix = last == "weight" and not norm and not table
    ends = {"msgpack": ("scale", "bias", "embedding"), "h5": ("gamma:0", "beta:0", "embeddings:0"), "bundle": ("gamma", "beta", "")}[form]
    if norm:
        last = ends[0] if last == "weight" else ends[1]
    elif table:
        last = "weight:0" if form == "h5" and "word_" in stem else ends[2]
    elif form == "h5":
        last = "kernel:0" if matrix else "bias:0"
    elif form == "bundle" and "sop_" in stem:
        return "cls/seq_relationship/output_" + ("weights" if matrix else "bias"), False
    elif matrix:
        last = "kernel"
    if form == "bundle":
        whole = stem + "." if name != "predictions.bias" else name
        for old, new in GOOGLE:
            whole = whole.replace(old, new, 1)
        return (whole if name == "predictions.bias" else whole + last).strip(".").replace(".", "/"), matrix
    tree = f"{stem}.{last}".replace(".", "/")
    if form == "h5":
        tree = tree.replace("_groups/0", "_groups_._0").replace("_layers/0", "_layers_._0")
        tree = f"{tree.split('/')[0]}/tf_albert_for_pre_training/{tree}"
    return tree, matrix


def tensors(kind, form=None):
    """Yields the name and the values of one tensor at a time."""
    r = np.random.default_rng(0)
    for name, shape in shapes().items():
        transposed = False
        if form:
            name, transposed = foreign(name, form)
        yield name, r.standard_normal(shape[::-1] if transposed else shape, dtype=np.float32).astype(kind)


def safetensors(folder, kind, count=1):
    from safetensors.numpy import save_file
    everything = list(tensors(kind))
    if count == 1:
        return save_file(dict(everything), folder / "model.safetensors", metadata={"format": "pt"})
    index = {}
    for n in range(count):
        file = f"model-{n + 1:05}-of-{count:05}.safetensors"
        save_file(dict(everything[n::count]), folder / file, metadata={"format": "pt"})
        index |= {name: file for name, _ in everything[n::count]}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


def pytorch(folder, kind, zipped):
    import torch
    state = {name: torch.from_numpy(value) for name, value in tensors(kind)}
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)


def h5(folder, kind):
    import h5py
    with h5py.File(folder / "tf_model.h5", "w") as file:
        for name, value in tensors(kind, "h5"):
            file[name] = value


def msgpack(folder, kind):
    import msgpack as library
    tree = {}
    for name, value in tensors(kind, "msgpack"):
        *path, leaf = name.split("/")
        at = tree
        for part in path:
            at = at.setdefault(part, {})
        packed = library.packb([value.shape, value.dtype.name, value.tobytes()], use_bin_type=True)
        at[leaf] = library.ExtType(1, packed)
    with open(folder / "flax_model.msgpack", "wb") as file:
        library.pack(tree, file, use_bin_type=True)


def bundle(folder, kind):
    import tensorflow as tf
    names, values = zip(*sorted(tensors(kind, "bundle")))
    tf.raw_ops.SaveV2(prefix=str(folder / "model.ckpt-best"), tensor_names=list(names), shape_and_slices=[""] * len(names),
                      tensors=[tf.constant(v) for v in values])


def main():
    make = {"safetensors": safetensors, "shards": lambda f, k: safetensors(f, k, 4), "zip": lambda f, k: pytorch(f, k, True),
            "legacy": lambda f, k: pytorch(f, k, False), "h5": h5, "msgpack": msgpack, "bundle": bundle}
    for form in sys.argv[2:]:
        folder = Path(sys.argv[1]) / form
        folder.mkdir(parents=True)
        kind = np.float16 if form.endswith("-f16") else np.float32
        make[form.removesuffix("-f16")](folder, kind)
        (folder / "config.json").write_text(json.dumps(SIZES | {"model_type": "albert", "hidden_act": "gelu_new"}))


if __name__ == "__main__":
    main()
