"""Makes the ONNX checkpoints of this folder with torch.onnx.export, as users export their models.

    python make_onnx.py            (from this folder; transformers 4.57.6, torch 2.15, onnx)

expected.safetensors has the parameters under the names that `albert` lists (`NAME.T` for the matrices that an exporter
stores transposed), the inputs and the outputs.
"""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import save_file
from transformers import AlbertConfig

HERE = Path(__file__).resolve().parent
HEADS = ["Model", "ForPreTraining", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
         "ForMultipleChoice", "ForQuestionAnswering"]
warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()


def main():
    for n, cls in enumerate(HEADS):
        folder = HERE / ("onnx_" + cls.lower())
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        cfg = AlbertConfig(
            vocab_size=40, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_hidden_groups=2, num_attention_heads=2,
            intermediate_size=24, max_position_embeddings=20, num_labels=3 if "Classification" in cls else 2,
            attn_implementation="eager")
        torch.manual_seed(70 + n)
        model = getattr(transformers, "Albert" + cls)(cfg).eval()
        with torch.no_grad():
            for name, p in model.named_parameters():
                norm = "norm" in name.lower() and name.endswith("weight")
                p.copy_(1 + 0.25 * torch.randn(p.shape) if norm else 0.4 * torch.randn(p.shape))
        r = np.random.default_rng(0)
        shape = (2, 3, 9) if "Choice" in cls else (3, 9)
        given = dict(input_ids=torch.from_numpy(r.integers(5, 40, shape)), attention_mask=torch.ones(shape, dtype=torch.int64),
                     token_type_ids=torch.zeros(shape, dtype=torch.int64))
        given["attention_mask"][-1, ..., 6:] = 0
        given["token_type_ids"][..., 4:] = 1
        with torch.no_grad():
            out = model(**given)
        torch.onnx.export(model, tuple(given.values()), str(folder / "model.onnx"), input_names=list(given), dynamo=False,
                          opset_version=17, dynamic_axes={k: {0: "batch", len(shape) - 1: "length"} for k in given})
        linear = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
        raw = {}
        for key, p in model.named_parameters():
            array = p.detach().numpy()
            once = key == "predictions.bias"  # exported under the decoder's name or under this one
            # Layers that take one vector per text are exported as Gemm, which keeps PyTorch's layout.
            vectors = "pooler." in key or "sop_classifier." in key or key.startswith("classifier.") and "Token" not in cls
            if key in linear and not vectors:
                raw[f"raw.{key}.T"] = np.ascontiguousarray(array.T)
            elif not once:
                raw[f"raw.{key}"] = array
        outputs = {"out." + k: v.numpy() for k, v in out.items() if isinstance(v, torch.Tensor)}
        save_file(raw | {"in." + k: v.numpy() for k, v in given.items()} | outputs, folder / "expected.safetensors")
        cfg.architectures = ["Albert" + cls]
        text = {k: v for k, v in json.loads(cfg.to_json_string(use_diff=True)).items() if k != "transformers_version"}
        (folder / "config.json").write_text(json.dumps(text | {"model_type": "albert"}, indent=1) + "\n")


if __name__ == "__main__":
    main()
