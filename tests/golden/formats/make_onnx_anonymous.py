"""Makes ONNX checkpoints of this folder whose matrices have no names.

    python make_onnx_anonymous.py   (from this folder; transformers 4.57.6, torch 2.15, onnx, onnxscript, onnxruntime 1.32)

dynamo_forsequenceclassification: torch.onnx.export as by default since PyTorch 2.9, of a model with fresh weights. The
exporter stores equal vectors once and leaves out zero biases, so only the names of modules in the nodes' metadata show
which vector is which. Of the metadata, only these names are kept, on nodes that may have parameters.
dynamo_forpretraining: the same exporter, two groups, without metadata.
fused_forquestionanswering: the exporter with TorchScript, two groups, with query, key and value joined by
onnxruntime.transformers.optimizer.

expected.safetensors is as in make_onnx.py.
"""

import json
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import transformers
from onnxruntime.transformers import optimizer
from safetensors.numpy import save_file
from transformers import AlbertConfig

HERE = Path(__file__).resolve().parent
SCOPES = "pkg.torch.onnx.name_scopes"
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()


def main():
    make("dynamo", "ForSequenceClassification", 90, fresh=True, kept=[SCOPES], num_hidden_layers=1)
    make("dynamo", "ForPreTraining", 91, num_hidden_layers=2, num_hidden_groups=2)
    make("fused", "ForQuestionAnswering", 92, num_hidden_layers=2, num_hidden_groups=2)


def make(form, cls, seed, fresh=False, kept=(), **shape):
    folder = HERE / f"{form}_{cls.lower()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    cfg = AlbertConfig(vocab_size=24, embedding_size=4, hidden_size=6, num_attention_heads=2, intermediate_size=8,
                       max_position_embeddings=12, num_labels=2 if "Question" in cls else 3, **shape)
    torch.manual_seed(seed)
    model = getattr(transformers, "Albert" + cls)(cfg).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = "norm" in name.lower() and name.endswith("weight")
            if not fresh:
                p.copy_(1 + 0.25 * torch.randn(p.shape) if norm else 0.4 * torch.randn(p.shape))
            elif p.dim() > 1:
                p.copy_(0.4 * torch.randn(p.shape))
    r = np.random.default_rng(0)
    given = dict(input_ids=torch.from_numpy(r.integers(5, 24, (3, 9))), attention_mask=torch.ones((3, 9), dtype=torch.int64),
                 token_type_ids=torch.zeros((3, 9), dtype=torch.int64))
    given["attention_mask"][-1, 6:] = 0
    given["token_type_ids"][:, 4:] = 1
    with torch.no_grad():
        out = model(**given)
    path = folder / "model.onnx"
    if form == "dynamo":
        batch, length = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("length", min=1, max=12)
        torch.onnx.export(model, (), str(path), kwargs=given, dynamo=True, external_data=False, verbose=False,
                          dynamic_shapes={k: {0: batch, 1: length} for k in given})
        strip(path, kept)
    else:
        with tempfile.TemporaryDirectory() as plain:
            plain = Path(plain) / "model.onnx"
            torch.onnx.export(model, tuple(given.values()), str(plain), input_names=list(given), dynamo=False,
                              opset_version=17, dynamic_axes={k: {0: "batch", 1: "length"} for k in given})
            fused = optimizer.optimize_model(str(plain), model_type="bert", num_heads=2, hidden_size=6, opt_level=0)
            assert any(node.op_type == "Attention" for node in fused.model.graph.node)
            fused.save_model_to_file(str(path))
            strip(path, ())
    linear = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    raw = {}
    for key, p in model.named_parameters():
        array = p.detach().numpy()
        vectors = "pooler." in key or "classifier." in key
        if key in linear and not vectors:
            raw[f"raw.{key}.T"] = np.ascontiguousarray(array.T)
        elif key != "predictions.bias":
            raw[f"raw.{key}"] = array
    outputs = {"out." + k: v.numpy() for k, v in out.items() if isinstance(v, torch.Tensor)}
    save_file(raw | {"in." + k: v.numpy() for k, v in given.items()} | outputs, folder / "expected.safetensors")
    cfg.architectures = ["Albert" + cls]
    text = {k: v for k, v in json.loads(cfg.to_json_string(use_diff=True)).items() if k != "transformers_version"}
    (folder / "config.json").write_text(json.dumps(text | {"model_type": "albert"}, indent=1) + "\n")


def strip(path, kept):
    """Removes metadata, most of which is the exporter's traceback, and the shapes and long names of intermediate tensors."""
    model = onnx.load(str(path))
    graph = model.graph
    for part in [model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        has_parameters = getattr(part, "op_type", "") in ("MatMul", "Gemm", "Add", "LayerNormalization")
        entries = [p for p in part.metadata_props if has_parameters and p.key in kept]
        del part.metadata_props[:]
        part.metadata_props.extend(entries)
    outputs = {tensor.name for tensor in graph.output}
    short = {name: f"t{i}" for i, name in enumerate(n for node in graph.node for n in node.output if n not in outputs)}
    for node in graph.node:
        node.doc_string = ""
        node.input[:] = [short.get(name, name) for name in node.input]
        node.output[:] = [short.get(name, name) for name in node.output]
    del graph.value_info[:]
    onnx.save(model, str(path))


if __name__ == "__main__":
    main()
