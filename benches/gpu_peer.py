"""The parts of benches/gpu.sh that bash cannot do. Only `torch` needs packages. Nothing needs a network.

    gpu_peer.py model DIR LAYERS          a model of ALBERT-base's width with random weights, and a vocabulary of whole words
    gpu_peer.py corpus|lines COUNT        documents to pretrain on; JSON lines of 5 to 400 words
    gpu_peer.py diff A B                  the difference between the results of two runs of albert, as JSON lines
    gpu_peer.py batches BxL S CMD...      feeds CMD texts of B windows of L tokens for S seconds and times its answers
    gpu_peer.py answers COUNT S CMD...    times COUNT answers of CMD, at most S seconds
    gpu_peer.py torch DIR S BxL...        transformers on CUDA: tokens per second of the encoder, from token ids to means
"""

import json
import os
import random
import statistics
import struct
import subprocess
import sys
import threading
import time

WORDS = [f"w{i}" for i in range(30000 - 5)]
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0."


def model(folder, layers):
    e, h, i = 128, 768, 3072
    linear = {"albert.encoder.embedding_hidden_mapping_in": (h, e), "albert.pooler": (h, h), "classifier": (2, h),
              LAYER + "ffn": (i, h), LAYER + "ffn_output": (h, i)}
    linear |= {f"{LAYER}attention.{name}": (h, h) for name in ["query", "key", "value", "dense"]}
    norms = {"albert.embeddings.LayerNorm": e, LAYER + "attention.LayerNorm": h, LAYER + "full_layer_layer_norm": h}
    shapes = {f"albert.embeddings.{name}_embeddings.weight": (rows, e)
              for name, rows in [("word", 30000), ("position", 512), ("token_type", 2)]}
    for name, shape in [*linear.items(), *((name, (width,)) for name, width in norms.items())]:
        shapes |= {name + ".weight": shape, name + ".bias": shape[:1]}
    r = random.Random(0)
    # A prime number of values, repeated, so that no two rows of a matrix are equal.
    values = struct.pack("<99991f", *(r.gauss(0, 0.02) for _ in range(99991)))
    header, data, at = {}, [], 0
    for name, shape in shapes.items():
        size = 4 * (shape[0] * (shape[1] if len(shape) > 1 else 1))
        ones = name.removesuffix(".weight") in norms
        data.append(struct.pack("<f", 1) * (size // 4) if ones else (values * (size // len(values) + 1))[:size])
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))
    config = {"model_type": "albert", "architectures": ["AlbertForSequenceClassification"], "vocab_size": 30000,
              "embedding_size": e, "hidden_size": h, "intermediate_size": i, "num_attention_heads": 12,
              "num_hidden_layers": int(layers), "hidden_act": "gelu_new", "max_position_embeddings": 512}
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config, file)
    with open(os.path.join(folder, "vocab.txt"), "w") as file:
        file.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n")


def corpus(count):
    r = random.Random(1)
    for _ in range(int(count)):
        print(*(" ".join(r.choices(WORDS, k=20)) + "." for _ in range(20)), sep="\n", end="\n\n")


def lines(count):
    r = random.Random(2)
    for _ in range(int(count)):
        print(json.dumps({"text": " ".join(r.choices(WORDS, k=int(5 * 80 ** r.random())))}))


def numbers(value):
    """All numbers in order, and all words."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [x for v in value for x in numbers(v)]
    return [value]


def diff(a, b):
    a, b = ([numbers(json.loads(line)["predictions"]) for line in open(path)] for path in (a, b))
    pairs = [pair for x, y in zip(a, b, strict=True) for pair in zip(x, y, strict=True)]
    apart = [abs(x - y) for x, y in pairs if isinstance(x, float)]
    words = [x == y for x, y in pairs if isinstance(x, str)]
    same = f"; {sum(words)} of {len(words)} words the same" if words else ""
    largest = max(apart) if all(x == x for x in apart) else "not a number"
    print(f"{largest:.2g} | largest difference; mean {statistics.fmean(apart):.1e}, of {len(apart)} values{same}")


def answers(command, seconds, count=None, text=None):
    """The times of the answers, in seconds from the start. `text` is fed until `seconds` after the second answer."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stop = threading.Event()

    def feed():
        try:
            while text and not stop.is_set():
                child.stdin.write(text)
            child.stdin.close()
        except OSError:
            pass

    threading.Thread(target=feed, daemon=True).start()
    times = []
    for _ in child.stdout:
        times.append(time.perf_counter() - start)
        if times[-1] - (times[min(1, len(times) - 1)] if text else 0) > seconds or len(times) == count:
            break
    stop.set()
    child.kill()
    if child.wait() > 0 or not times:
        sys.exit(1)
    return times


def busy(call):
    """The result of `call`, and a note on the utilization of an NVIDIA GPU in its last seconds."""
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-i", "0", "-lms", "200"]
    try:
        watch = subprocess.Popen(query, stdout=subprocess.PIPE, text=True)
    except OSError:
        return call(), ""
    result = call()
    watch.terminate()
    seen = [int(x) for x in watch.stdout.read().split() if x.isdigit()][-10:]
    return result, f"; GPU busy {statistics.fmean(seen):.0f} %" if seen else ""


def batches(shape, seconds, command):
    batch, length = map(int, shape.split("x"))
    room = length - 2
    # Windows overlap by a quarter, and all are full.
    words = room + (batch - 1) * (room - room // 4)
    text = (" ".join(random.Random(3).choices(WORDS, k=words)) + "\n").encode()
    command += ["--long", "window", "--max-length", str(length), "--batch-tokens", str(batch * length)]
    times, note = busy(lambda: answers(command, seconds, text=text))
    # The first answers include the tuning of kernels.
    rest = times[min(2, len(times) - 1):]
    if len(rest) < 3:
        return print(f"- | only {len(times)} batches in {times[-1]:.1f} s")
    median = statistics.median(b - a for a, b in zip(rest, rest[1:]))
    mean = (rest[-1] - rest[0]) / (len(rest) - 1)
    print(f"{batch * length / median:,.0f} tokens/s | {1e3 * median:.2f} ms a batch; {batch * length / mean:,.0f} tokens/s "
          f"with reading texts; first batch after {times[0]:.1f} s{note}")


def torch_rates(folder, seconds, shapes):
    import torch
    from transformers import AlbertModel

    if not torch.cuda.is_available():
        sys.exit("PyTorch has no CUDA here")
    print(f"PyTorch {torch.__version__} | {torch.cuda.get_device_name()} | CUDA {torch.version.cuda}", flush=True)
    plain = AlbertModel.from_pretrained(folder, attn_implementation="sdpa", local_files_only=True).eval().cuda()
    half = AlbertModel.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float16).eval().cuda()
    tokens_of = {}

    def measure(name, model):
        for shape in shapes:
            batch, length = map(int, shape.split("x"))
            ids = torch.randint(5, 30000, (batch, length)).pin_memory()

            def once():
                return model(input_ids=ids.cuda(non_blocking=True)).last_hidden_state.mean(1).cpu()

            with torch.inference_mode():
                for _ in range(3):
                    once()
                times = []
                end = time.perf_counter() + seconds
                while time.perf_counter() < end:
                    start = time.perf_counter()
                    once()
                    times.append(time.perf_counter() - start)
            median = statistics.median(times)
            tokens_of[shape] = batch * length / median
            print(f"PyTorch {name}, {shape} | {tokens_of[shape]:,.0f} tokens/s | {1e3 * median:.2f} ms a batch", flush=True)

    measure("f16", half)
    measure("f32", plain)
    torch.set_float32_matmul_precision("high")
    measure("f32 with TF32", plain)
    # All layers share one module, which is compiled once per shape.
    layer = half.encoder.albert_layer_groups[0].albert_layers[0]
    layer.compile(dynamic=False)
    measure("f16, compiled", half)


def main():
    word, *rest = sys.argv[1:]
    if word == "batches":
        batches(rest[0], float(rest[1]), rest[2:])
    elif word == "answers":
        times, note = busy(lambda: answers(rest[2:], float(rest[1]), count=int(rest[0])))
        print(f"{len(times) / times[-1]:,.0f} lines/s | {len(times):,} lines in {times[-1]:.1f} s, first after {times[0]:.1f} s{note}")
    elif word == "torch":
        torch_rates(rest[0], float(rest[1]), rest[2:])
    else:
        {"model": model, "corpus": corpus, "lines": lines, "diff": diff}[word](*rest)


main()
