"""Makes `ot_*`: weights in the format of rust-bert (`rust_model.ot`), through libtorch's own OutputArchive.

    python make_ot.py            (from this folder; torch 2.15 and a C++ compiler; after make_onnx.py)

The weights, inputs and outputs are those of the onnx_* checkpoints of the same heads.
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch.utils.cpp_extension import load_inline

HERE = Path(__file__).resolve().parent
SOURCE = """
#include <torch/torch.h>
#include <torch/serialize.h>
void save_multi(std::vector<std::string> names, std::vector<torch::Tensor> tensors, std::string path) {
  torch::serialize::OutputArchive archive;
  for (size_t i = 0; i < names.size(); ++i) archive.write(names[i], tensors[i], false);
  archive.save_to(path);
}
"""


def main():
    library = load_inline("otsave", cpp_sources=[SOURCE], functions=["save_multi"], with_cuda=False)
    for head in ["formaskedlm", "forsequenceclassification"]:
        source, folder = HERE / f"onnx_{head}", HERE / f"ot_{head}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(source / "config.json", folder)
        expected = load_file(source / "expected.safetensors")
        raw = {k[4:]: v for k, v in expected.items() if k.startswith("raw.")}
        raw = {k.removesuffix(".T"): np.ascontiguousarray(v.T) if k.endswith(".T") else v for k, v in raw.items()}
        if head == "formaskedlm":  # stored in the ONNX model under the decoder's name
            raw["predictions.bias"] = raw.pop("predictions.decoder.bias", None)
            if raw["predictions.bias"] is None:
                raw["predictions.bias"] = bias(source)
        # tch replaces the dots in names by |
        library.save_multi([k.replace(".", "|") for k in raw], [torch.from_numpy(v) for v in raw.values()],
                           str(folder / "rust_model.ot"))
        rest = {k: v for k, v in expected.items() if not k.startswith("raw.")}
        save_file({f"raw.{k}": v for k, v in raw.items()} | rest, folder / "expected.safetensors")


def bias(source):
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(str(source / "model.onnx")).graph
    return next(numpy_helper.to_array(t) for t in graph.initializer if t.name in ("predictions.bias", "predictions.decoder.bias"))


if __name__ == "__main__":
    main()
