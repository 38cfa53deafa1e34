"""ONNX Runtime and PyTorch beside benches/inference.rs, which starts this program and talks to it.

Reads lines `prepare JSON`, `shape BATCH LENGTH` and `run NAME` on stdin. `prepare` (a configuration of transformers, a
number of threads, names of programs) answers the names that work here; `run` answers the seconds of one forward of the
encoder over a batch without padding.

onnx           ONNX Runtime, f32, graph optimized by onnxruntime.transformers
onnx-int8      the same graph, quantized dynamically per channel
torch          PyTorch, f32, scaled dot-product attention
torch-bf16     PyTorch, weights and states in bfloat16
"""

import io
import json
import os
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


class Peers:
    def __init__(self, case):
        import torch
        from transformers import AlbertConfig, AlbertModel

        self.torch = torch
        self.threads = case["threads"]
        torch.set_num_threads(self.threads)
        torch.manual_seed(0)
        self.config = AlbertConfig(**case["config"])
        self.model = AlbertModel(self.config, add_pooling_layer=False).eval()
        self.programs = {}
        for name in case["programs"]:
            self.programs[name] = self.program(name)

    def program(self, name):
        torch = self.torch
        if name.startswith("torch"):
            model = self.model
            if name == "torch-bf16":
                import copy

                model = copy.deepcopy(model).to(torch.bfloat16)

            def run(ids):
                with torch.inference_mode():
                    return model(input_ids=torch.from_numpy(ids)).last_hidden_state

            return run
        import numpy as np
        import onnxruntime

        path = self.onnx() if name == "onnx" else self.int8()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [i.name for i in session.get_inputs()]

        def run(ids):
            full = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            }
            return session.run(None, {n: full[n] for n in names})

        return run

    def folder(self):
        if not hasattr(self, "_folder"):
            self._folder = tempfile.TemporaryDirectory(prefix="albert-bench-")
        return self._folder.name

    def onnx(self):
        """The graph as ONNX Runtime's own tool for transformers leaves it."""
        path = os.path.join(self.folder(), "optimized.onnx")
        if os.path.exists(path):
            return path
        from onnxruntime.transformers import optimizer
        from transformers import AlbertModel

        torch = self.torch
        model = AlbertModel(self.config, add_pooling_layer=False).eval()
        model.load_state_dict(self.model.state_dict())
        # The optimizer knows the attention written out, not the fused one.
        model.set_attn_implementation("eager")
        plain = os.path.join(self.folder(), "plain.onnx")
        ids = torch.ones(2, 16, dtype=torch.int64)

        class Wrapped(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, input_ids, attention_mask, token_type_ids):
                return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

        axes = {0: "batch", 1: "length"}
        inputs = ["input_ids", "attention_mask", "token_type_ids"]
        stdout, sys.stdout = sys.stdout, io.StringIO()
        try:
            torch.onnx.export(
                Wrapped(), (ids, torch.ones_like(ids), torch.zeros_like(ids)), plain,
                input_names=inputs, output_names=["last_hidden_state"],
                dynamic_axes={n: axes for n in inputs + ["last_hidden_state"]}, opset_version=17, dynamo=False,
            )
            optimized = optimizer.optimize_model(
                plain, model_type="bert", num_heads=self.config.num_attention_heads,
                hidden_size=self.config.hidden_size, opt_level=1, use_gpu=False,
            )
            optimized.save_model_to_file(path)
            print(optimized.get_fused_operator_statistics(), file=sys.stderr)
        finally:
            sys.stdout = stdout
        return path

    def int8(self):
        path = os.path.join(self.folder(), "int8.onnx")
        if not os.path.exists(path):
            import onnx
            from onnxruntime.quantization import QuantType, quantize_dynamic

            # The fused operators hide the types from the shape inference of the quantizer.
            float32 = {"DefaultTensorType": onnx.TensorProto.FLOAT}
            quantize_dynamic(
                self.onnx(), path, per_channel=True, weight_type=QuantType.QInt8, extra_options=float32
            )
        return path

    def run(self, name, batch, length):
        import numpy as np

        ids = (5 + np.arange(batch * length, dtype=np.int64) * 7919 % (self.config.vocab_size - 5)).reshape(batch, length)
        start = time.perf_counter()
        self.programs[name](ids)
        return time.perf_counter() - start


def main():
    peers = None
    shape = (1, 16)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "prepare":
            case = json.loads(rest)
            peers = Peers({**case, "programs": []})
            usable = []
            for name in case["programs"]:
                try:
                    peers.programs[name] = peers.program(name)
                    usable.append(name)
                except Exception as error:
                    print(f"{name} does not run here: {type(error).__name__}: {error}", file=sys.stderr)
            print(" ".join(usable), flush=True)
        elif word == "shape":
            shape = tuple(int(n) for n in rest.split())
            print("ready", flush=True)
        elif word == "run":
            print(peers.run(rest, *shape), flush=True)


main()
