"""The Python peer of benches/inference.rs, which starts this program: ONNX Runtime, OpenVINO and PyTorch.

Reads the lines `prepare JSON`, `shape BATCH LENGTH` and `run NAME` on stdin. `prepare` takes a configuration of
transformers, a number of threads and names of programs, and answers with the names that work here. `run` answers with
the seconds of one forward pass of the encoder over a batch without padding.

onnx           ONNX Runtime, f32, graph optimized by onnxruntime.transformers
onnx-int8      the same graph, quantized dynamically per channel
openvino       OpenVINO, f32
openvino-bf16  OpenVINO, products in bfloat16
openvino-int8  OpenVINO, quantized by NNCF with static scales from a calibration (SmoothQuant, mixed preset)
openvino-int8-dynamic
               OpenVINO, 8-bit weights, activations quantized dynamically
torch          PyTorch, f32, scaled dot-product attention
torch-compiled the same, compiled by TorchInductor for each shape, with frozen weights
torch-bf16     PyTorch, weights and activations in bfloat16
torch-bf16-compiled
               the same, compiled

OpenVINO needs the packages openvino and nncf. Compiled PyTorch needs a C++ compiler. CTranslate2, llama.cpp,
text-embeddings-inference and candle cannot run ALBERT.
"""

import copy
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
            if "bf16" in name:
                model = copy.deepcopy(model).to(torch.bfloat16)
            if name.endswith("compiled"):
                torch._inductor.config.freezing = True
                model = torch.compile(model, dynamic=False)

            # TorchInductor does not freeze weights in inference mode.
            mode = torch.no_grad if name.endswith("compiled") else torch.inference_mode

            def run(ids):
                with mode():
                    return model(input_ids=torch.from_numpy(ids)).last_hidden_state

            return run
        if name.startswith("openvino"):
            return self.openvino(name)
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

    def openvino(self, name):
        import numpy as np
        import openvino as ov
        from peer_export import openvino_graph

        graph = openvino_graph(self.model, "last_hidden_state")
        properties = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
            # By default, OpenVINO computes in bfloat16 if the processor supports it.
            "INFERENCE_PRECISION_HINT": "bf16" if name == "openvino-bf16" else "f32",
        }
        if name == "openvino-int8":
            import nncf

            rng = np.random.default_rng(0)
            rows = [{
                "input_ids": rng.integers(5, self.config.vocab_size, (4, length)),
                "attention_mask": np.ones((4, length), np.int64),
                "token_type_ids": np.zeros((4, length), np.int64),
            } for length in (16, 64, 128) for _ in range(4)]
            graph = nncf.quantize(
                graph, nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER,
                preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows),
            )
        elif name == "openvino-int8-dynamic":
            import nncf

            graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)
            properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 128
        request = ov.Core().compile_model(graph, "CPU", properties).create_infer_request()

        def run(ids):
            return request.infer({
                "input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)
            })[0]

        return run

    def folder(self):
        if not hasattr(self, "_folder"):
            self._folder = tempfile.TemporaryDirectory(prefix="albert-bench-")
        return self._folder.name

    def onnx(self):
        """The graph as optimized by ONNX Runtime's own tool for transformers."""
        path = os.path.join(self.folder(), "optimized.onnx")
        if os.path.exists(path):
            return path
        from onnxruntime.transformers import optimizer
        from peer_export import INPUTS, Only, example
        from transformers import AlbertModel

        torch = self.torch
        model = AlbertModel(self.config, add_pooling_layer=False).eval()
        model.load_state_dict(self.model.state_dict())
        # The optimizer recognizes attention as separate operations, but not the fused one.
        model.set_attn_implementation("eager")
        plain = os.path.join(self.folder(), "plain.onnx")
        axes = {0: "batch", 1: "length"}
        stdout, sys.stdout = sys.stdout, io.StringIO()
        try:
            torch.onnx.export(
                Only(model, "last_hidden_state"), example(), plain,
                input_names=INPUTS, output_names=["last_hidden_state"],
                dynamic_axes={n: axes for n in INPUTS + ["last_hidden_state"]}, opset_version=17, dynamo=False,
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

            # Fused operators hide types from the quantizer's shape inference.
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


def answers():
    """Reserves standard output for the answers. NNCF and compilers would write to it."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return out


def main():
    out = answers()
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
            print(" ".join(usable), file=out, flush=True)
        elif word == "shape":
            shape = tuple(int(n) for n in rest.split())
            print("ready", file=out, flush=True)
        elif word == "run":
            print(peers.run(rest, *shape), file=out, flush=True)


main()
