"""Quantizes small models with several libraries, and writes the results of their dequantized weights.

Made with onnx 1.23.2, onnxruntime 1.32.0, onnx_ir, bitsandbytes 0.50.2, transformers 4.57.6 and torch 2.15.0 on a CPU:
`HF_HUB_OFFLINE=1 python make.py [onnx] [bitsandbytes]`
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent / "formats" / "onnx_forsequenceclassification"
CLASSIFY = HERE.parent / "cases" / "models" / "classify"


def softmax(logits):
    e = np.exp(logits - logits.max())
    return (e / e.sum()).tolist()


def onnx_models():
    import onnx
    import onnxruntime as ort
    from onnx import numpy_helper
    from onnx.reference import ReferenceEvaluator
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    source = str(SOURCE / "model.onnx")
    vocabulary = (HERE.parent / "formats" / "vocab.txt").read_text().split("\n")
    words = [w for w in vocabulary if w.isalpha()][:4]
    text = " ".join(words)
    ids = np.array([[vocabulary.index("[CLS]"), *map(vocabulary.index, words), vocabulary.index("[SEP]")]])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}

    class Once(CalibrationDataReader):
        def __init__(self):
            self.left = [feed]

        def get_next(self):
            return self.left.pop() if self.left else None

    def optimized(out):
        with tempfile.TemporaryDirectory() as folder:
            plain = f"{folder}/model.onnx"
            quantize_dynamic(source, plain, weight_type=QuantType.QInt8)
            options = ort.SessionOptions()
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
            options.optimized_model_filepath = out
            ort.InferenceSession(plain, options, providers=["CPUExecutionProvider"])

    def bits(out, bits, symmetric):
        quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=16, is_symmetric=symmetric, bits=bits)
        quantizer.process()
        quantizer.model.save_model_to_file(out, False)

    def half(out):
        from onnxruntime.transformers.float16 import convert_float_to_float16
        onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), out)

    static = dict(quant_format=QuantFormat.QDQ, weight_type=QuantType.QInt8)
    jobs = {
        "onnx_dynamic": lambda out: quantize_dynamic(source, out, weight_type=QuantType.QUInt8),
        "onnx_dynamic_channels": lambda out: quantize_dynamic(source, out, weight_type=QuantType.QInt8, per_channel=True),
        "onnx_optimized": optimized,
        "onnx_static": lambda out: quantize_static(source, out, Once(), per_channel=True, **static),
        "onnx_operators": lambda out: quantize_static(
            source, out, Once(), **{**static, "quant_format": QuantFormat.QOperator}),
        "onnx_4_bits": lambda out: bits(out, 4, False),
        "onnx_4_bits_symmetric": lambda out: bits(out, 4, True),
        "onnx_8_bits": lambda out: bits(out, 8, False),
        "onnx_half": half,
    }
    answers = {}
    for name, job in jobs.items():
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        job(str(folder / "model.onnx"))
        # The ordinary model with the dequantized weights in place of its own.
        plain, quantized = onnx.load(source), onnx.load(folder / "model.onnx")
        stored = {t.name: t for t in quantized.graph.initializer}
        blocks = {n.input[1]: n for n in quantized.graph.node if n.op_type == "MatMulNBits"}
        axes = {n.input[0]: next((a.i for a in n.attribute if a.name == "axis"), 1)
                for n in quantized.graph.node if n.op_type == "DequantizeLinear"}
        changed = 0
        for initializer in plain.graph.initializer:
            own = initializer.name
            array = numpy_helper.to_array(initializer)
            # Gemm becomes MatMul with a weight of another name.
            for candidate, turned in ((own, False), (f"{own}_Transposed", True)):
                if f"{candidate}_quantized" in stored:
                    weight = f"{candidate}_quantized"
                    names = [weight, f"{candidate}_scale" if f"{candidate}_scale" in stored else f"{weight}_scale",
                             f"{candidate}_zero_point" if f"{candidate}_zero_point" in stored else f"{weight}_zero_point"]
                    gemm = next((n for n in quantized.graph.node if n.op_type == "QGemm" and weight in n.input[6:7]), None)
                    if gemm is not None:
                        # The scale of a sum of products.
                        q = numpy_helper.to_array(stored[weight])
                        scale = numpy_helper.to_array(stored[gemm.input[1]]) * numpy_helper.to_array(stored[gemm.input[4]])
                        zero = np.zeros_like(scale, dtype=np.int64)
                    else:
                        q, scale, zero = [numpy_helper.to_array(stored[n]) for n in names]
                    if scale.size > 1:
                        shape = [1] * q.ndim
                        axis = axes.get(weight, q.ndim - 1)
                        if scale.size != q.shape[axis]:
                            axis = q.shape.index(scale.size)
                        shape[axis] = scale.size
                        scale, zero = scale.reshape(shape), zero.reshape(shape)
                    value = ((q.astype(np.int64) - zero.astype(np.int64)) * scale).astype(np.float32)
                    array, changed = value.T if turned else value, changed + 1
                for key, node in blocks.items():
                    if key.rsplit("_Q", 1)[0] == candidate:
                        k = next(a.i for a in node.attribute if a.name == "K")
                        # Multiplying by the identity returns the library's own dequantized weights.
                        one = onnx.helper.make_model(onnx.helper.make_graph(
                            [onnx.helper.make_node("MatMulNBits", ["x", *node.input[1:]], ["y"], domain="com.microsoft",
                                                   **{a.name: a.i for a in node.attribute})], "one",
                            [onnx.helper.make_tensor_value_info("x", 1, ["m", k])],
                            [onnx.helper.make_tensor_value_info("y", 1, None)],
                            [stored[n] for n in node.input[1:] if n]),
                            opset_imports=[onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.microsoft", 1)])
                        one.ir_version = 8
                        session = ort.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"])
                        value = session.run(None, {"x": np.eye(k, dtype=np.float32)})[0]
                        array, changed = value.T if turned else value, changed + 1
            if name == "onnx_half":
                array, changed = array.astype(np.float16).astype(np.float32), changed + 1
            initializer.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), own))
        session = ort.InferenceSession(plain.SerializeToString(), providers=["CPUExecutionProvider"])
        own = ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        answers[name] = {"text": text, "scores": softmax(session.run(None, feed)[0][0])}
        print(name, changed, answers[name]["scores"], softmax(own.run(None, feed)[0][0]))
    return answers


def bitsandbytes_models():
    import torch
    from transformers import AlbertForSequenceClassification, AutoTokenizer, BitsAndBytesConfig

    tokenizer = AutoTokenizer.from_pretrained(HERE.parent / "cases" / "models" / "tokenizer")
    text = "The film was wonderful."
    answers = {}
    for name, arguments, dtype in (
        ("bitsandbytes_8", dict(load_in_8bit=True), torch.float32),
        ("bitsandbytes_4", dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True), torch.float16),
    ):
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        model = AlbertForSequenceClassification.from_pretrained(
            CLASSIFY, quantization_config=BitsAndBytesConfig(**arguments), device_map="cpu", torch_dtype=dtype)
        model.save_pretrained(folder)
        model = model.dequantize().float().eval()
        with torch.no_grad():
            logits = model(**tokenizer(text, return_tensors="pt")).logits[0]
        answers[name] = {"text": text, "scores": softmax(logits.numpy())}
        print(name, answers[name])
    return answers


wanted = sys.argv[1:] or ["onnx", "bitsandbytes"]
path = HERE / "expected.json"
expected = json.loads(path.read_text()) if path.exists() else {}
if "onnx" in wanted:
    expected |= onnx_models()
if "bitsandbytes" in wanted:
    expected |= bitsandbytes_models()
path.write_text(json.dumps(expected, indent=1) + "\n")
