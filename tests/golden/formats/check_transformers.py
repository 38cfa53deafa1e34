"""Checks that converted checkpoints load in transformers without missing or unexpected keys and give the same outputs.

    python check_transformers.py ALBERT          (the program; this folder's checkpoints are converted and loaded)

Works with transformers 4.57 and 5.x.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
transformers.logging.set_verbosity_error()
warnings.filterwarnings("ignore")


def check(folder, form, flags, work):
    target = Path(work) / f"{folder.name}-{form}"
    subprocess.run([sys.argv[1], "convert", "-q", "--no-tokenizer", str(folder), str(target), *flags], check=True, stdout=subprocess.DEVNULL)
    config = transformers.AutoConfig.from_pretrained(target)
    cls = getattr(transformers, config.architectures[0])
    model, info = cls.from_pretrained(target, output_loading_info=True, dtype=torch.float32)
    for key in ["missing_keys", "unexpected_keys", "mismatched_keys"]:
        assert not info[key], (folder.name, form, key, info[key])
    expected = load_file(folder / "expected.safetensors")
    given = {k[3:]: torch.from_numpy(v) for k, v in expected.items() if k.startswith("in.")}
    with torch.no_grad():
        out = model.eval()(**given)
    mask = given["attention_mask"].numpy().astype(bool)
    tolerance = 1e-4 if form == "f32" or form == "pytorch" else 0.1
    for key, value in expected.items():
        if key.startswith("out.") and getattr(out, key[4:], None) is not None:
            found = getattr(out, key[4:]).float().numpy()
            if found.shape[:mask.ndim] == mask.shape:
                found, value = found[mask], value[mask]
            off = np.abs(found - value).max() / max(1, np.abs(value).max())
            assert off < tolerance, (folder.name, form, key, off)


def main():
    folders = sorted(p.parent for p in HERE.glob("*/expected.safetensors"))
    forms = [("f32", []), ("pytorch", ["--format", "pytorch"]), ("f16", ["--dtype", "f16"])]
    with tempfile.TemporaryDirectory() as work:
        for folder in folders:
            for form, flags in forms:
                check(folder, form, flags, work)
    print(f"transformers {transformers.__version__}: {len(folders)} checkpoints in {len(forms)} forms")


if __name__ == "__main__":
    main()
