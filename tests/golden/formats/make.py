"""Makes the checkpoints of this folder with the libraries that originally wrote such files: TensorFlow 2 and Flax through
transformers, TensorFlow 1 through TensorFlow itself with the variable names of google-research/albert.

    python make.py [FOLDER]...            (from this folder, all by default; see README.md for the pinned versions)

Every folder has config.json, the checkpoint, and expected.safetensors: the tensors with the names and layout of the
file (`raw.NAME`), the inputs, and the outputs of the library's own model.
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")

import flax
import h5py
import jax
import numpy as np
import tensorflow as tf
import transformers
from safetensors.numpy import save_file
from transformers import AlbertConfig

HERE = Path(__file__).resolve().parent
transformers.logging.set_verbosity_error()

HEADS = ["Model", "ForPreTraining", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification",
         "ForMultipleChoice", "ForQuestionAnswering"]


def wanted(name):
    return len(sys.argv) == 1 or name in sys.argv[1:]


def config(**over):
    return AlbertConfig(**(dict(
        vocab_size=40, embedding_size=8, hidden_size=16, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2,
        num_attention_heads=2, intermediate_size=24, max_position_embeddings=20, classifier_dropout_prob=0.1,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0) | over))


def inputs(choice=False):
    r = np.random.default_rng(0)
    shape = (2, 3, 9) if choice else (3, 9)
    ids = r.integers(5, 40, shape)
    mask = np.ones(shape, dtype=np.int64)
    mask[-1, ..., 6:] = 0
    types = np.zeros(shape, dtype=np.int64)
    types[..., 4:] = 1
    return dict(input_ids=ids.astype(np.int64), attention_mask=mask, token_type_ids=types)


def value(name, shape, r):
    """Random weights, large enough that each one affects the outputs."""
    noise = r.standard_normal(shape).astype(np.float32)
    last = name.split("/")[-1]
    if last.startswith(("gamma", "scale")):
        return (1 + 0.25 * noise).astype(np.float32)
    return (0.4 * noise).astype(np.float32)


def outputs(out):
    """The library's outputs by the names of PyTorch's classes."""
    names = dict(last_hidden_state="last_hidden_state", pooler_output="pooler_output", logits="logits",
                 prediction_logits="prediction_logits", sop_logits="sop_logits", start_logits="start_logits",
                 end_logits="end_logits")
    return {"out." + n: np.asarray(out[k], dtype=np.float32) for k, n in names.items() if k in out and out[k] is not None}


def finish(folder, cfg, cls, raw, given, out):
    cfg.architectures = ["Albert" + cls]
    text = {k: v for k, v in json.loads(cfg.to_json_string(use_diff=True)).items() if k != "transformers_version"}
    text["model_type"] = "albert"
    (folder / "config.json").write_text(json.dumps(text, indent=1) + "\n")
    tensors = {"raw." + k: np.ascontiguousarray(v) for k, v in raw.items()} | {"in." + k: v for k, v in given.items()} | outputs(out)
    save_file(tensors, folder / "expected.safetensors")


def fresh(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def keras():
    for n, cls in enumerate(HEADS):
        if not wanted("keras_" + cls.lower()):
            continue
        folder, r = fresh("keras_" + cls.lower()), np.random.default_rng(10 + n)
        cfg = config(num_labels=3 if "Classification" in cls else 2)
        model = getattr(transformers, "TFAlbert" + cls)(cfg)
        given = inputs("Choice" in cls)
        model({k: tf.constant(v, dtype=tf.int32) for k, v in given.items()})
        done = set()
        for v in model.weights:
            if v.ref() not in done:
                done.add(v.ref())
                v.assign(value(v.name.split(":")[0], v.shape, r))
        out = model({k: tf.constant(v, dtype=tf.int32) for k, v in given.items()}, training=False)
        model.save_pretrained(folder)
        (folder / "config.json").unlink()
        raw = {}
        with h5py.File(folder / "tf_model.h5") as f:
            f.visititems(lambda name, item: raw.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
        finish(folder, cfg, cls, raw, given, out)


def flax_models():
    cases = [("flax_" + cls.lower(), cls) for cls in HEADS] + [("flax_chunked", "ForMaskedLM")]
    for n, (name, cls) in enumerate(cases):
        if not wanted(name):
            continue
        folder, r = fresh(name), np.random.default_rng(30 + n)
        # Flax splits arrays of more than a gigabyte. Here the limit is a kilobyte.
        flax.serialization.MAX_CHUNK_SIZE = 1000 if name == "flax_chunked" else 2**30
        cfg = config(num_labels=3 if "Classification" in cls else 2)
        model = getattr(transformers, "FlaxAlbert" + cls)(cfg, seed=0)
        flat = flax.traverse_util.flatten_dict(model.params, sep="/")
        flat = {k: jax.numpy.asarray(value(k, v.shape, r)) for k, v in sorted(flat.items())}
        model.params = flax.traverse_util.unflatten_dict(flat, sep="/")
        given = inputs("Choice" in cls)
        out = model(**{k: jax.numpy.asarray(v) for k, v in given.items()}, train=False)
        model.save_pretrained(folder)
        (folder / "config.json").unlink()
        finish(folder, cfg, cls, {k: np.asarray(v) for k, v in flat.items()}, given, out)


def part_of(array):
    """An initializer that returns the requested part of a partitioned variable."""
    def initializer(shape, dtype=None, partition_info=None):
        at = partition_info.var_offset if partition_info else [0] * len(shape)
        return tf.constant(array[tuple(slice(a, a + n) for a, n in zip(at, shape))])
    return initializer


# The head of google-research/albert's squad_utils.create_v2_model: the end depends on the start.
SQUAD2 = {"start_logits/dense/kernel": (16, 1), "start_logits/dense/bias": (1,), "end_logits/dense_0/kernel": (32, 16),
          "end_logits/dense_0/bias": (16,), "end_logits/LayerNorm/gamma": (16,), "end_logits/LayerNorm/beta": (16,),
          "end_logits/dense_1/kernel": (16, 1), "end_logits/dense_1/bias": (1,), "answer_class/dense_0/kernel": (32, 16),
          "answer_class/dense_0/bias": (16,), "answer_class/dense_1/kernel": (16, 1)}


def google():
    """Writes checkpoints with tf.compat.v1.train.Saver. The outputs come from TF 2's model with the same weights."""
    cases = [("google_pretraining", "ForPreTraining", {}, {}), ("google_classifier", "ForSequenceClassification", dict(num_labels=3), {}),
             ("google_squad", "ForQuestionAnswering", {}, {}), ("google_hub", "Model", {}, dict(prefix="module/")),
             ("google_partitioned", "ForPreTraining", {}, dict(partitions=3)),
             ("google_same_width", "ForPreTraining", dict(embedding_size=16), dict(drop_mapping=True)),
             ("google_race", "ForMultipleChoice", {}, {}), ("google_squad2", "Model", {}, dict(squad2=True))]
    for n, (name, cls, over, how) in enumerate(cases):
        if not wanted(name):
            continue
        folder, r = fresh(name), np.random.default_rng(50 + n)
        cfg = config(**over, hidden_act="gelu_new", layer_norm_eps=1e-12)
        model = getattr(transformers, "TFAlbert" + cls)(cfg)
        given = inputs("Choice" in cls)
        model({k: tf.constant(v, dtype=tf.int32) for k, v in given.items()})
        variables, done = {}, set()
        for v in model.weights:
            if v.ref() in done or v.name.endswith("predictions/bias:0"):
                continue
            done.add(v.ref())
            named = google_name(v.name.split(":")[0])
            new = value(v.name.split(":")[0], v.shape, r)
            if "embedding_hidden_mapping_in" in named and how.get("drop_mapping"):
                new = np.eye(16, dtype=np.float32) if "kernel" in named else np.zeros(16, np.float32)
                v.assign(new)
                continue
            v.assign(new)
            # Google stores the matrices of the outputs as [out, in].
            variables[how.get("prefix", "") + named] = new.T.copy() if named.endswith("output_weights") else new
        out = model({k: tf.constant(v, dtype=tf.int32) for k, v in given.items()}, training=False)
        if how.get("squad2"):
            for key, shape in SQUAD2.items():
                variables[key] = value(key, shape, r)
        raw = dict(variables)
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            for key, array in variables.items():
                options = {}
                if how.get("partitions") and array.ndim == 2 and "LayerNorm" not in key:
                    options = dict(partitioner=tf.compat.v1.fixed_size_partitioner(how["partitions"]))
                tf.compat.v1.get_variable(key, shape=array.shape, initializer=part_of(array), **options)
                if not how.get("prefix"):
                    for slot in ["adam_m", "adam_v"]:
                        tf.compat.v1.get_variable(f"{key}/{slot}", initializer=np.zeros(2, np.float32))
            tf.compat.v1.get_variable("global_step", initializer=np.int64(1000))
            session.run(tf.compat.v1.global_variables_initializer())
            where = folder
            if how.get("prefix"):  # as a saved model
                where = folder / "variables"
                where.mkdir()
                (folder / "assets").mkdir()
            tf.compat.v1.train.Saver().save(session, str(where / ("variables" if how.get("prefix") else "model.ckpt-best")),
                                            write_meta_graph=False)
        (where / "checkpoint").unlink()
        finish(folder, cfg, cls, raw, given, out)
        (folder / "config.json").unlink()
        google_config = dict(
            attention_probs_dropout_prob=0.0, hidden_act="gelu", hidden_dropout_prob=0.0, embedding_size=cfg.embedding_size,
            hidden_size=16, initializer_range=0.02, intermediate_size=24, max_position_embeddings=20, num_attention_heads=2,
            num_hidden_layers=4, num_hidden_groups=2, net_structure_type=0, gap_size=0, num_memory_blocks=0,
            inner_group_num=2, down_scale_factor=1, type_vocab_size=2, vocab_size=40)
        target = folder / "assets" if how.get("prefix") else folder
        (target / "albert_config.json").write_text(json.dumps(google_config, indent=1) + "\n")


def google_name(name):
    """Maps TF 2's names to those of google-research/albert."""
    name = name.split("/", 1)[1] if name.startswith("tf_albert") else name
    parts = [("albert/", "bert/", 1), ("albert_layer_groups_._", "transformer/group_", 1), ("albert_layers_._", "inner_group_", 1)]
    for old, new, count in parts:
        name = name.replace(old, new, count)
    if "inner_group_" in name:
        for old, new in [("attention/LayerNorm", "LayerNorm"), ("full_layer_layer_norm", "LayerNorm_1"),
                         ("attention/dense", "attention_1/output/dense"), ("attention/", "attention_1/self/"),
                         ("/ffn/", "/ffn_1/intermediate/dense/"), ("/ffn_output/", "/ffn_1/intermediate/output/dense/")]:
            if old in name:
                name = name.replace(old, new)
                break
    for old, new in [("word_embeddings/weight", "word_embeddings"), ("embeddings/embeddings", "embeddings"),
                     ("bert/pooler/", "bert/pooler/dense/"), ("predictions/decoder/bias", "cls/predictions/output_bias"),
                     ("sop_classifier/classifier/kernel", "cls/seq_relationship/output_weights"),
                     ("sop_classifier/classifier/bias", "cls/seq_relationship/output_bias"),
                     ("qa_outputs/kernel", "cls/squad/output_weights"), ("qa_outputs/bias", "cls/squad/output_bias")]:
        name = name.replace(old, new)
    if name.startswith("predictions/"):
        name = "cls/predictions/transform/" + name[len("predictions/"):]
    if name.startswith("classifier/"):
        name = {"kernel": "output_weights", "bias": "output_bias"}[name.split("/")[1]]
    return name


if __name__ == "__main__":
    keras()
    flax_models()
    google()
