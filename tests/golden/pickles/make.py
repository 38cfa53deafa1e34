"""Makes PyTorch files with weights and everything that training programs save with them.

    python make.py    # torch 2.15, numpy 2; writes *.bin and expected.safetensors next to this script

Every file holds the tensors of expected.safetensors, under these names once wrappers are taken off.
"""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import sys
import uuid

import numpy
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0."


def weights():
    torch.manual_seed(7)
    wide = torch.randn(3, 8)
    bias = torch.randn(6)
    return collections.OrderedDict(
        {
            "albert.embeddings.word_embeddings.weight": torch.randn(5, 3),
            "albert.embeddings.position_ids": torch.arange(4).expand(1, -1),
            # Columns of a wider matrix, and a transposed matrix.
            LAYER + "ffn.weight": wide[:, 2:7],
            LAYER + "ffn_output.weight": torch.randn(5, 3).t(),
            LAYER + "ffn.bias": bias[1:],
            # The same storage again, at another offset.
            LAYER + "ffn_output.bias": bias[:3],
            LAYER + "attention.dense.weight": torch.randn(3, 3).half(),
            "albert.pooler.weight": torch.randn(3, 3).bfloat16(),
            "albert.pooler.bias": torch.nn.Parameter(torch.randn(3).double()),
            "classifier.weight": torch.nn.Parameter(torch.randn(2, 3)),
            "classifier.bias": torch.zeros(2),
        }
    )


class EasyDict(dict):
    """A dictionary whose entries are attributes as well."""

    def __init__(self, entries=()):
        for name, value in dict(entries).items():
            setattr(self, name, value)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        super().__setitem__(name, value)

    __setitem__ = __setattr__


class State(collections.OrderedDict):
    pass


class AttributeDict(dict):
    def __getattr__(self, name):
        return self[name]


class Items(list):
    pass


class Slots:
    __slots__ = ("a", "state_dict")


class Container:
    """A node as in configuration libraries: its content, and a reference back to its parent."""

    def __init__(self, content, parent=None):
        self._parent = parent
        self._content = {k: Container(v, self) if isinstance(v, dict) else v for k, v in content.items()}
        self.__dict__["_metadata"] = {"type": dict, "flags": {}}


class Reduced:
    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return (print, ("this must never be printed",), {"value": self.value})


class Color(enum.Enum):
    RED = "red"


class Flags(enum.IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    names: list = dataclasses.field(default_factory=lambda: ["a", "b"])


Point = collections.namedtuple("Point", "x y")


def a_function(x):
    return x


class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(2, 2)


def optimizer_and_scheduler():
    module = Inner()
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, a_function)
    module.dense(torch.randn(1, 2)).sum().backward()
    optimizer.step()
    return optimizer, scheduler


def neighbours():
    optimizer, scheduler = optimizer_and_scheduler()
    itself = {"name": "itself"}
    itself["self"] = itself
    chain = []
    for _ in range(300):
        chain = [chain]
    return {
        "callbacks": {Inner: {"best": torch.tensor(0.5)}, a_function: 1},
        "easy": EasyDict({"lr": 0.1, "inner": EasyDict({"x": [1, 2]})}),
        "ordered": State(a=1, b=State(c=2)),
        "attributes": AttributeDict(batch_size=8),
        "items": Items([1, Items(["x"]), {"k": Items()}]),
        "namespace": argparse.Namespace(lr=0.1, gpus=[0, 1], parent=argparse.Namespace()),
        "container": Container({"model": {"name": "albert", "layers": {"n": 12}}}),
        "default": collections.defaultdict(list, {"loss": [0.5, 0.25]}),
        "nested default": collections.defaultdict(functools.partial(collections.defaultdict, int), {1: {2: 3}}),
        "deque": collections.deque([1.0, "x", (1, 2)], maxlen=5),
        "counter": collections.Counter("abracadabra"),
        "chain": collections.ChainMap({"a": 1}, {"b": 2}),
        "sets": [{1, "a", None}, frozenset({2, (3, 4)}), set(), frozenset()],
        "settings": Settings(),
        "enums": [Color.RED, Flags.A | Flags.B],
        "point": Point(1, Point("x", None)),
        "partial": functools.partial(a_function, x={"y": 1}),
        "functions": [a_function, len, torch.relu, Inner.forward, torch.nn.functional.gelu],
        "numpy": [numpy.arange(6).reshape(2, 3), numpy.float32(1.5), numpy.array(["a", "bc"]), numpy.bool_(True)],
        "objects": numpy.array([{"a": 1}, None], dtype=object),
        "dates": [datetime.datetime(2020, 1, 2, 3, 4, 5), datetime.timedelta(3), datetime.timezone.utc, datetime.date.today()],
        "paths": [pathlib.PurePosixPath("/data/x"), pathlib.PureWindowsPath("c:/x")],
        "torch": [torch.device("cpu"), torch.float16, torch.Size([1, 2]), torch.get_rng_state()[:16].clone(), torch.strided, torch.finfo(torch.float32).max],
        "optimizer": optimizer.state_dict(),
        "whole optimizer": optimizer,
        "scheduler": scheduler.state_dict(),
        "numbers": [1 << 70, -(1 << 70), -1, 255, 256, -129, 65536, 1 << 31, 1.5, float("nan"), 3 + 4j, True, False, None],
        "more numbers": [decimal.Decimal("1.5"), fractions.Fraction(1, 3), range(3), slice(1, 2), Ellipsis, NotImplemented],
        "bytes": [b"abc", b"x" * 300, bytearray(b"abc"), "ü€😀", "x" * 5000, "", "a\nb\\'\""],
        "uuid": uuid.UUID(int=5),
        "error": ValueError("x", 3),
        "reduced": Reduced({"tensor": torch.ones(2)}),
        "itself": itself,
        "chain of lists": chain,
        "version": sys.version_info[:3],
        3: "an integer", -1: {}, 1.5: "a float", None: "none", True: 1, (1, "x"): {"k": 1}, Color.RED: 2, b"bytes": 3,
        torch.float32: "a type", frozenset({1}): "a set", "": "empty",
        "tensors of other kinds": [torch.zeros(2, dtype=torch.complex64), torch.zeros(3, dtype=torch.uint16),
                                   torch.zeros(2, dtype=torch.float8_e4m3fn), torch.empty(0), torch.tensor(3)],
        "sparse": torch.eye(3).to_sparse(),
        "rows": torch.eye(3).to_sparse_csr(),
        "quantized": torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8),
        "channels": torch.quantize_per_channel(torch.randn(2, 2), torch.ones(2), torch.zeros(2), 0, torch.qint8),
        "meta": torch.empty(1000, 1000, device="meta"),
        "negative": torch.randn(2, dtype=torch.complex64).conj().imag,
        "expanded": torch.ones(1, 1).expand(2000, 3000),
    }


class Embeddings(torch.nn.Module):
    def __init__(self, w):
        super().__init__()
        self.word_embeddings = torch.nn.Embedding.from_pretrained(w["albert.embeddings.word_embeddings.weight"])
        self.register_buffer("position_ids", w["albert.embeddings.position_ids"])


def linear(w, name):
    module = torch.nn.Module()
    for end in ["weight", "bias"]:
        if f"{name}.{end}" in w:
            setattr(module, end, torch.nn.Parameter(w[f"{name}.{end}"].detach()))
    return module


def whole(w):
    """A module that holds the weights at their places in an ALBERT model."""
    model, albert, encoder = torch.nn.Module(), torch.nn.Module(), torch.nn.Module()
    layer, group = torch.nn.Module(), torch.nn.Module()
    layer.ffn, layer.ffn_output = linear(w, LAYER + "ffn"), linear(w, LAYER + "ffn_output")
    layer.attention = torch.nn.Module()
    layer.attention.dense = linear(w, LAYER + "attention.dense")
    group.albert_layers = torch.nn.ModuleList([layer])
    encoder.albert_layer_groups = torch.nn.ModuleList([group])
    albert.embeddings, albert.encoder, albert.pooler = Embeddings(w), encoder, linear(w, "albert.pooler")
    model.albert, model.classifier = albert, linear(w, "classifier")
    model.config = argparse.Namespace(hidden=3, unregistered=[torch.ones(1)])
    return model


def slots(w):
    value = Slots()
    value.a, value.state_dict = 1, w
    return value


def main():
    for old in HERE.glob("*.bin"):
        old.unlink()
    w = weights()
    save_file({name: tensor.detach().contiguous().clone() for name, tensor in w.items()}, HERE / "expected.safetensors")
    # Everything else before or after the weights.
    for protocol in range(2, 6):
        for zipped in [True, False] if protocol in (2, 4) else [True]:
            beside = neighbours()
            if not zipped:
                # Files from before 1.6 cannot store these.
                beside.pop("tensors of other kinds")
            for order in ["before", "after"]:
                content = {**beside, "state_dict": w} if order == "before" else {"state_dict": w, **beside}
                form = "zip" if zipped else "legacy"
                torch.save(content, HERE / f"{form}_{protocol}_{order}.bin", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    for name, value in {
        "easydict": EasyDict({"args": 1, "model": State(w)}),
        "subclass": State(w),
        "attributes": AttributeDict(w),
        "default": collections.defaultdict(int, w),
        "counter": {"model": collections.Counter(), "weights": collections.Counter(a=1), "net": dict(w)},
        "namespace": argparse.Namespace(lr=1, state_dict=w),
        "settings": Settings(names=[w]),
        "list": [1, w],
        "tuple": (w, {"step": 3}),
        "point": Point(3, w),
        "deque": collections.deque([w]),
        "items": Items([w]),
        "class_key": {Inner: w},
        "tuple_key": {(1, 2): w, None: 1},
        "number_key": {7: {0: w}},
        "slots": slots(w),
        "container": Container({"checkpoint": {"weights": dict(w)}}),
        "chain": collections.ChainMap(dict(w)),
        "twice": {"state_dict": w, "best": w},
        "copied": {"state_dict": w, "swa": {name: tensor.detach().clone() for name, tensor in w.items()}},
        "meta": {"state_dict": w, "meta": {"state_dict": {name: t.detach().to("meta") for name, t in w.items()}}},
    }.items():
        torch.save(value, HERE / f"as_{name}.bin")
        torch.save(value, HERE / f"as_{name}_legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(whole(w), HERE / "module.bin")
    # A classifier that is not a plain array, in a model with the configuration of golden/cases/models/classify.
    from safetensors.torch import load_file

    model = load_file(HERE.parent / "cases/models/classify/model.safetensors")
    model["classifier.weight"] = model["classifier.weight"].to_sparse()
    torch.save({name: t.half() if t.layout == torch.strided and t.ndim == 2 else t for name, t in model.items()}, HERE / "sparse_classifier.pt")
    torch.save({"net": torch.nn.DataParallel(whole(w)), "epoch": 3}, HERE / "module_parallel.bin")


if __name__ == "__main__":
    main()
