"""The Python peer of benches/bulk.rs, which starts this program: transformers' pipeline, and scripts for ONNX Runtime and
OpenVINO.

Reads the lines `prepare JSON` and `run NAME` on stdin. The JSON names the model's folder, the lines and the number of
threads. `run` answers with the seconds from opening the input to the last label, and the number of tokens. NAME is
`pipeline-BATCH`, `onnx-BATCH`, `onnx-int8-BATCH`, `openvino-BATCH`, `openvino-bf16-BATCH` or `openvino-int8-BATCH` (static
scales from NNCF). The suffix `-sorted` sorts texts by length. OpenVINO computes one batch per thread, which is its fastest
mode for many texts.
"""

import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


class Peers:
    def __init__(self, case):
        import torch
        from transformers import AlbertForSequenceClassification, AlbertTokenizerFast, pipeline

        torch.set_num_threads(case["threads"])
        self.torch = torch
        self.case = case
        self.tokenizer = AlbertTokenizerFast.from_pretrained(case["model"])
        self.model = AlbertForSequenceClassification.from_pretrained(case["model"]).eval()
        self.pipeline = pipeline("text-classification", model=self.model, tokenizer=self.tokenizer, device="cpu")
        self.sessions = {}
        self.queues = {}
        for name in case["programs"]:
            if name.startswith("onnx"):
                self.session("int8" in name)
            if name.startswith("openvino"):
                self.queue(name)

    def session(self, int8):
        if int8 not in self.sessions:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.case["threads"]
            options.inter_op_num_threads = 1
            options.log_severity_level = 3
            self.sessions[int8] = onnxruntime.InferenceSession(
                self.graph(int8), options, providers=["CPUExecutionProvider"]
            )
        return self.sessions[int8]

    def graph(self, int8):
        """The graph as optimized by ONNX Runtime's own tool for transformers, optionally quantized dynamically per channel."""
        folder = self.case["model"]
        path = os.path.join(folder, "optimized.onnx")
        torch = self.torch
        if not os.path.exists(path):
            import io

            from onnxruntime.transformers import optimizer
            from peer_export import INPUTS, Only, example
            from transformers import AlbertForSequenceClassification

            model = AlbertForSequenceClassification.from_pretrained(folder, attn_implementation="eager").eval()
            axes = {n: {0: "batch", 1: "length"} for n in INPUTS} | {"logits": {0: "batch"}}
            plain = os.path.join(folder, "plain.onnx")
            stdout, sys.stdout = sys.stdout, io.StringIO()
            try:
                torch.onnx.export(
                    Only(model, "logits"), example(), plain, input_names=INPUTS,
                    output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False,
                )
                config = model.config
                optimizer.optimize_model(
                    plain, model_type="bert", num_heads=config.num_attention_heads, hidden_size=config.hidden_size,
                    opt_level=1, use_gpu=False,
                ).save_model_to_file(path)
            finally:
                sys.stdout = stdout
        if not int8:
            return path
        quantized = os.path.join(folder, "int8.onnx")
        if not os.path.exists(quantized):
            import onnx
            from onnxruntime.quantization import QuantType, quantize_dynamic

            float32 = {"DefaultTensorType": onnx.TensorProto.FLOAT}
            quantize_dynamic(path, quantized, per_channel=True, weight_type=QuantType.QInt8, extra_options=float32)
        return quantized

    def queue(self, name):
        """OpenVINO requests, one per thread, and a list for their results."""
        kind = next((kind for kind in ("int8", "bf16") if kind in name), "f32")
        if kind not in self.queues:
            import numpy as np
            import openvino as ov
            from peer_export import openvino_graph

            graph = openvino_graph(self.model, "logits")
            if kind == "int8":
                import nncf

                with open(self.case["input"]) as lines:
                    texts = [json.loads(line)["text"] for _, line in zip(range(24), lines)]
                rows = [dict(self.tokenizer([text], truncation=True, max_length=512, return_tensors="np")) for text in texts]
                rows = [{name: array.astype(np.int64) for name, array in row.items()} for row in rows]
                graph = nncf.quantize(
                    graph, nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER,
                    preset=nncf.QuantizationPreset.MIXED, subset_size=len(rows),
                )
            threads = self.case["threads"]
            compiled = ov.Core().compile_model(graph, "CPU", {
                "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": threads, "PERFORMANCE_HINT": "THROUGHPUT",
                "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "bf16" if kind == "bf16" else "f32",
            })
            results = {}

            def keep(request, at):
                results[at] = request.get_output_tensor(0).data.argmax(-1).tolist()

            queue = ov.AsyncInferQueue(compiled, threads)
            queue.set_callback(keep)
            self.queues[kind] = queue, results
        return self.queues[kind]

    def run(self, name):
        start = time.perf_counter()
        with open(self.case["input"]) as lines:
            texts = [json.loads(line)["text"] for line in lines]
        parts = name.split("-")
        batch = int(next(part for part in parts if part.isdigit()))
        order = sorted(range(len(texts)), key=lambda i: len(texts[i])) if "sorted" in parts else range(len(texts))
        texts = [texts[i] for i in order]
        labels = []
        if parts[0] == "pipeline":
            labels = self.pipeline(texts, batch_size=batch, truncation=True, max_length=512)
        elif parts[0] == "openvino":
            queue, results = self.queue(name)
            results.clear()
            for at in range(0, len(texts), batch):
                encoded = self.tokenizer(
                    texts[at : at + batch], padding=True, truncation=True, max_length=512, return_tensors="np"
                )
                queue.start_async(dict(encoded), at)
            queue.wait_all()
            labels = [label for at in sorted(results) for label in results[at]]
        else:
            session = self.session("int8" in parts)
            names = [i.name for i in session.get_inputs()]
            for at in range(0, len(texts), batch):
                encoded = self.tokenizer(
                    texts[at : at + batch], padding=True, truncation=True, max_length=512, return_tensors="np"
                )
                logits = session.run(None, {n: encoded[n] for n in names})[0]
                labels.extend(logits.argmax(-1).tolist())
        assert len(labels) == len(texts)
        return time.perf_counter() - start

    def tokens(self):
        with open(self.case["input"]) as lines:
            texts = [json.loads(line)["text"] for line in lines]
        return sum(len(ids) for ids in self.tokenizer(texts, truncation=True, max_length=512)["input_ids"])


def main():
    # NNCF would write to standard output.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "prepare":
            peers = Peers(json.loads(rest))
            tokens = peers.tokens()
            print("ready", file=out, flush=True)
        elif word == "run":
            print(peers.run(rest), tokens, file=out, flush=True)


main()
