"""Checks ONNX models written by `albert convert --format onnx` in ONNX Runtime.

    python check_onnx.py ALBERT          (the program; needs onnx, onnxruntime, numpy, safetensors, and torch and
                                          transformers 4.57 for the activations)

The checkpoints of this folder are converted and run on their inputs: complete, truncated, and row by row. One model per
activation is compared with transformers.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
ACTIVATIONS = ["gelu", "gelu_10", "gelu_new", "gelu_fast", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu",
               "relu2", "relu6", "sigmoid", "silu", "tanh"]


def convert(source, target):
    subprocess.run([sys.argv[1], "convert", "-q", "--no-tokenizer", str(source), str(target), "--format", "onnx"], check=True,
                   stdout=subprocess.DEVNULL)
    path = target / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]), path


def same(what, found, expected, mask, tolerance=1e-4):
    if found.shape[:mask.ndim] == mask.shape:
        found, expected = found[mask], expected[mask]
    off = np.abs(found - expected).max() / max(1, np.abs(expected).max())
    assert off < tolerance, (what, off)


def main():
    folders = sorted(p.parent for p in HERE.glob("*/expected.safetensors"))
    with tempfile.TemporaryDirectory() as work:
        for folder in folders:
            session, path = convert(folder, Path(work) / folder.name)
            expected = load_file(folder / "expected.safetensors")
            given = {k[3:]: v for k, v in expected.items() if k.startswith("in.")}
            names = [o.name for o in session.get_outputs()]
            mask = given["attention_mask"].astype(bool)
            for name, found in zip(names, session.run(names, given)):
                same((folder.name, name), found, expected["out." + name], mask)
            if mask.ndim == 2:  # one row, without its padding: another batch, another length
                row = {k: v[-1:, :int(mask[-1].sum())] for k, v in given.items()}
                for name, found in zip(names, session.run(names, row)):
                    value = expected["out." + name][-1:]
                    value = value[:, :found.shape[1]] if value.ndim > 1 and value.shape[1] == mask.shape[1] else value
                    same((folder.name, name, "row"), found, value, row["attention_mask"].astype(bool))
            stored = sum(t.raw_data.__len__() for t in onnx.load(str(path)).graph.initializer)
            unique = {k: v for k, v in expected.items() if k.startswith("raw.") and v.dtype == np.float32}
            assert stored <= sum(v.nbytes for v in unique.values()) + 4096, (folder.name, stored)
        activations(work)
    print(f"ONNX Runtime {onnxruntime.__version__}: {len(folders)} checkpoints, {len(ACTIVATIONS)} activations")


def activations(work):
    import torch
    from transformers import AlbertConfig, AlbertForMaskedLM
    ids = torch.randint(0, 30, (2, 7), generator=torch.Generator().manual_seed(0))
    for name in ACTIVATIONS:
        torch.manual_seed(1)
        cfg = AlbertConfig(vocab_size=30, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                           intermediate_size=24, max_position_embeddings=12, hidden_act=name, initializer_range=0.4)
        model = AlbertForMaskedLM(cfg).eval()
        source = Path(work) / f"act-{name}"
        model.save_pretrained(source)
        session, _ = convert(source, Path(work) / f"act-{name}-onnx")
        given = dict(input_ids=ids.numpy(), attention_mask=np.ones((2, 7), np.int64), token_type_ids=np.zeros((2, 7), np.int64))
        with torch.no_grad():
            expected = model(ids).logits.numpy()
        same(name, session.run(None, given)[0], expected, np.ones((2, 7), bool))


if __name__ == "__main__":
    main()
