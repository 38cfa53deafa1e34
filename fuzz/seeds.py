"""Makes small seed files for the fuzzer, with one or two tensors instead of a complete model.

    python seeds.py CORPUS

Uses numpy, safetensors, torch, onnx, h5py and msgpack if they are installed. CORPUS gets one folder per target.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

A, B = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.float16)
ROOT = Path(sys.argv[1])


def place(target, name):
    (ROOT / target).mkdir(parents=True, exist_ok=True)
    return ROOT / target / name


def safetensors():
    from safetensors.numpy import save_file
    save_file({"a.weight": A, "b": B}, place("safetensors", "two"), metadata={"format": "pt"})


def pytorch():
    import torch
    state = {"a.weight": torch.from_numpy(A).t(), "b": torch.from_numpy(B), "c": torch.ones(1).expand(4)}
    torch.save(state, place("pytorch", "zip"))
    torch.save({"model": state, "step": 3}, place("pytorch", "legacy"), _use_new_zipfile_serialization=False)
    # Pickles without an archive. The target adds it.
    import collections, io, zipfile
    wide = {"x": [1, (2, {3})], "counts": collections.Counter("ab"), "queue": collections.deque([state]), "state_dict": state}
    for protocol in range(2, 6):
        archive = io.BytesIO()
        torch.save(wide if protocol != 3 else torch.nn.Linear(2, 2), archive, pickle_protocol=protocol)
        place("pytorch", f"pickle{protocol}").write_bytes(b"\0" + zipfile.ZipFile(archive).read("archive/data.pkl"))


def onnx():
    import onnx
    from onnx import helper, numpy_helper
    nodes = [helper.make_node("MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/albert/pooler/MatMul"),
             helper.make_node("Gemm", ["y", "b.weight", "b.bias"], ["z"], name="/b/Gemm", transB=1)]
    weights = [numpy_helper.from_array(v, n) for n, v in [("onnx::MatMul_1", A), ("b.weight", A), ("b.bias", B)]]
    place("onnx", "two").write_bytes(helper.make_model(helper.make_graph(nodes, "g", [], [], weights)).SerializeToString())
    outside = numpy_helper.from_array(A, "b.weight")
    onnx.external_data_helper.set_external_data(outside, "model.onnx", 8, 24)
    outside.ClearField("raw_data")
    place("onnx", "outside").write_bytes(helper.make_model(helper.make_graph(nodes, "g", [], [], [outside])).SerializeToString())


def hdf5():
    import h5py
    for name, options in [("old", {}), ("new", dict(libver=("v110", "v110")))]:
        with h5py.File(place("hdf5", name), "w", **options) as file:
            file["a/b/kernel:0"] = A
            file["a/half"] = B
            file.create_dataset("chunked", data=np.zeros((8, 8), np.float32), chunks=(4, 4), compression="gzip", shuffle=True)
            if options:  # the reader's library refuses soft links of the old kind
                file["soft"] = h5py.SoftLink("/a/half")
            file["hard"] = file["a"]
            file.attrs["names"] = np.array([b"a", b"bc"])


def msgpack():
    import msgpack as library
    def array(v):
        return library.ExtType(1, library.packb([v.shape, v.dtype.name, v.tobytes()], use_bin_type=True))
    chunked = {"__msgpack_chunked_array__": True, "shape": {"0": 2, "1": 3}, "chunks": {"0": array(A[0]), "1": array(A[1])}}
    tree = {"params": {"a": {"kernel": array(A), "scale": array(B)}, "c": chunked, "n": [1, -1, 0.5, None, "x"]}}
    place("msgpack", "tree").write_bytes(library.packb(tree, use_bin_type=True))


def tf_index():
    """The entries of a table, in the form that the target expects after a zero byte."""
    def number(tag, value):
        return bytes([tag << 3, value])

    def message(tag, body):
        return bytes([tag << 3 | 2, len(body)]) + body

    entry = number(1, 1) + message(2, message(2, number(1, 2)) + message(2, number(1, 3))) + number(4, 8) + number(5, 24)
    pairs = [(b"", number(1, 1)), (b"a/kernel", entry), (b"a/scale", entry)]
    block = b"".join(bytes([0, len(k), len(v)]) + k + v for k, v in pairs)
    place("tf_index", "two").write_bytes(b"\0" + block + (0).to_bytes(4, "little") + (1).to_bytes(4, "little"))


def spiece_model():
    """A SentencePiece model of a few pieces of every kind, without a normalization table."""
    def field(tag, body):
        return bytes([tag << 3 | 2, len(body)]) + body

    def piece(text, score, kind):
        return field(1, field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([3 << 3, kind]))

    pieces = [("<unk>", 0, 2), ("[CLS]", 0, 3), ("[SEP]", 0, 3), ("[MASK]", 0, 3), ("(", 0, 4), ("▁", -2, 1), ("▁a", -3, 1), ("b", -3, 1), ("1,", -4, 1), ("c", -5, 5), ("<0x41>", 0, 6)]
    place("spiece_model", "small").write_bytes(b"".join(piece(*p) for p in pieces) + field(2, bytes([3 << 3, 1])) + field(3, b""))


def vocab_txt():
    place("vocab_txt", "small").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\na\n##b\n我\n")


def tokenizer_json():
    model = {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["[CLS]", 0.0], ["[SEP]", 0.0], ["▁a", -2.0], ["b", -3.0]]}
    added = {"id": 5, "content": "<e>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": True, "special": False}
    whole = {"version": "1.0", "added_tokens": [added], "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}, "post_processor": None, "decoder": None, "model": model}
    place("tokenizer_json", "small").write_text(json.dumps(whole))


for make in [spiece_model, vocab_txt, tokenizer_json, safetensors, pytorch, onnx, hdf5, msgpack, tf_index]:
    try:
        make()
    except ImportError as error:
        print(f"{make.__name__}: {error}")
