"""Predictions for small tasks by the libraries that wrote these checkpoints, with the words of vocab.txt.

    python make_tasks.py tensorflow         (TensorFlow 2 and Flax; Google's checkpoints with TensorFlow's own reader)
    python make_tasks.py onnx               (ONNX Runtime; rust-bert's files with libtorch)

tasks_*.json: the inputs and predictions for each folder and task, as transformers' pipelines compute them from the logits.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import transformers
from transformers import AlbertConfig, BertTokenizerFast

HERE = Path(__file__).resolve().parent
TOKENIZER = BertTokenizerFast(str(HERE / "vocab.txt"), model_max_length=20)
transformers.logging.set_verbosity_error()

TEXTS = [{"text": "anna lives in paris ."}, {"text": "bob sees the old house , and the river ."},
         {"text": "the town was small", "text_pair": "a big man works at night ."}]
MASKED = ["anna [MASK] in london .", "the [MASK] was very good"]
NAMED = ["anna and bob lives in paris .", "a man sees houses"]
QUESTIONS = [("where is anna ?", "bob works in the town , and anna lives in london ."), ("who works ?", "the woman works at night .")]
CHOICES = [("anna lives", ["in paris .", "at night .", "very old"]), ("the man was", ["good", "not bad", "in a town"])]


def softmax(x):
    e = np.exp(np.asarray(x, np.float64) - np.max(x))
    return e / e.sum()


def encoded(*texts):
    """The model's input arrays for one list of texts, or for pairs from two lists."""
    return {k: v.astype(np.int64) for k, v in TOKENIZER(*texts, padding=True, return_token_type_ids=True, return_tensors="np").items()}


def classify(run, labels):
    for record in TEXTS:
        probs = softmax(run(encoded(*[[t] for t in record.values()]))["logits"][0])
        yield record, [dict(label=labels[i], score=probs[i]) for i in np.argsort(-probs)]


def order(run, _labels):
    record = TEXTS[2]
    logits = run(encoded([record["text"]], [record["text_pair"]]))["sop_logits"][0]
    yield record, [dict(label="in_order", score=softmax(logits)[0])]


def fill_mask(run, _labels):
    for text in MASKED:
        enc = encoded([text])
        out = run(enc)
        logits = out["logits"] if "logits" in out else out["prediction_logits"]
        probs = softmax(logits[0, list(enc["input_ids"][0]).index(TOKENIZER.mask_token_id)])
        yield dict(text=text), [dict(score=probs[i], token=i, token_str=TOKENIZER.decode([i])) for i in np.argsort(-probs)[:5]]


def ner(run, labels):
    for text in NAMED:
        enc = TOKENIZER(text, return_offsets_mapping=True)
        logits = run(encoded([text]))["logits"][0]
        found = []
        for i, (start, end) in enumerate(enc["offset_mapping"]):
            if end > start:
                probs = softmax(logits[i])
                found.append(dict(entity=labels[probs.argmax()], score=probs.max(), index=i, start=start, end=end))
        yield dict(text=text), found


def qa(run, _labels):
    for question, context in QUESTIONS:
        enc = TOKENIZER(question, context, return_offsets_mapping=True)
        out = run(encoded([question], [context]))
        # The pipeline includes [CLS] in the sum but not in the answers.
        hidden = np.array([s != 1 and i > 0 for i, s in enumerate(enc.sequence_ids())])
        start, end = (softmax(np.where(hidden, -10000.0, out[k][0])) for k in ["start_logits", "end_logits"])
        start[0] = end[0] = 0
        spans = np.tril(np.triu(np.outer(start, end)), 14)
        a, b = np.unravel_index(spans.argmax(), spans.shape)
        first, last = enc["offset_mapping"][a][0], enc["offset_mapping"][b][1]
        yield dict(question=question, context=context), [dict(score=spans.max(), start=first, end=last, answer=context[first:last])]


def choose(run, _labels):
    for prompt, choices in CHOICES:
        enc = encoded([prompt] * len(choices), choices)
        probs = softmax(run({k: v[None] for k, v in enc.items()})["logits"][0])
        yield (dict(prompt=prompt, choices=choices),
               [dict(choice=choices[i], index=i, score=probs[i]) for i in np.argsort(-probs)])


def embed(run, _labels):
    for record in TEXTS:
        out = run(encoded(*[[t] for t in record.values()]))
        yield record, [dict(embedding=np.asarray(out["pooler_output"][0], np.float64))]


TASKS = {"Model": [embed], "ForPreTraining": [fill_mask, order], "ForMaskedLM": [fill_mask], "ForSequenceClassification": [classify],
         "ForTokenClassification": [ner], "ForMultipleChoice": [choose], "ForQuestionAnswering": [qa]}
GOOGLE = {"pretraining": "ForPreTraining", "classifier": "ForSequenceClassification", "squad": "ForQuestionAnswering", "hub": "Model",
          "partitioned": "ForPreTraining", "same_width": "ForPreTraining", "race": "ForMultipleChoice"}


def class_of(folder):
    config = folder / "config.json"
    if config.exists():
        return json.loads(config.read_text())["architectures"][0].removeprefix("Albert")
    return GOOGLE[folder.name.split("_", 1)[1]]


# ---------------------------------------------------------------- the libraries

def keras(folder, cls):
    model = getattr(transformers, "TFAlbert" + cls).from_pretrained(folder)
    return lambda given: {k: np.asarray(v) for k, v in model(given, training=False).items()}, model.config


def flax(folder, cls):
    model = getattr(transformers, "FlaxAlbert" + cls).from_pretrained(folder)
    return lambda given: {k: np.asarray(v) for k, v in model(**given, train=False).items()}, model.config


def google(folder, cls):
    """TensorFlow 2's model with the weights that TensorFlow's reader returns."""
    import tensorflow as tf
    from make import google_name
    where = folder if folder.name != "google_hub" else folder / "assets"
    prefix = "module/" if folder.name == "google_hub" else ""
    reader = tf.train.load_checkpoint(str(next(folder.rglob("*.index"))).removesuffix(".index"))
    config = AlbertConfig(**json.loads((where / "albert_config.json").read_text()) | dict(hidden_act="gelu_new", layer_norm_eps=1e-12))
    if folder.name == "google_classifier":
        config.num_labels = reader.get_tensor("output_bias").shape[0]
    model = getattr(transformers, "TFAlbert" + cls)(config)
    dummy = {k: v[None] if "Choice" in cls else v for k, v in encoded(["anna"]).items()}
    model(dummy)
    for variable in model.weights:
        name = variable.name.split(":")[0]
        named = prefix + google_name(name)
        if name.endswith("predictions/bias"):
            continue
        if folder.name == "google_same_width" and "embedding_hidden_mapping_in" in name:
            variable.assign(np.eye(16) if "kernel" in name else np.zeros(16))
            continue
        value = reader.get_tensor(named)
        variable.assign(value.T if named.endswith("output_weights") else value)
    return lambda given: {k: np.asarray(v) for k, v in model(given, training=False).items()}, config


def onnx(folder, cls):
    import onnxruntime
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    names = {"ForPreTraining": ["prediction_logits", "sop_logits"], "ForQuestionAnswering": ["start_logits", "end_logits"],
             "Model": ["last_hidden_state", "pooler_output"]}.get(cls, ["logits"])
    return lambda given: dict(zip(names, session.run(None, given))), AlbertConfig.from_pretrained(folder)


def ot(folder, cls):
    import torch
    config = AlbertConfig.from_pretrained(folder)
    model = getattr(transformers, "Albert" + cls)(config).eval()
    state = {k.replace("|", "."): v for k, v in torch.jit.load(str(folder / "rust_model.ot")).named_parameters()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all("decoder" in m for m in missing), (missing, unexpected)
    model.tie_weights()

    def run(given):
        with torch.no_grad():
            return {k: v.numpy() for k, v in model(**{k: torch.from_numpy(v) for k, v in given.items()}).items()}
    return run, config


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [rounded(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}")
    return int(value) if isinstance(value, np.integer) else value


def main():
    kinds = {"tensorflow": dict(keras=keras, flax=flax, google=google), "onnx": dict(onnx=onnx, ot=ot)}[sys.argv[1]]
    calls = []
    for folder in sorted(HERE.iterdir()):
        kind = folder.name.split("_")[0]
        if not (folder / "expected.safetensors").exists() or kind not in kinds or folder.name == "google_squad2":
            continue
        cls = class_of(folder)
        run, config = kinds[kind](folder, cls)
        for task in TASKS[cls]:
            inputs, outputs = zip(*task(run, config.id2label))
            calls.append(dict(model=folder.name, task=task.__name__, inputs=inputs, outputs=rounded(outputs)))
    lines = ",\n".join(json.dumps(c) for c in calls)
    (HERE / f"tasks_{sys.argv[1]}.json").write_text(f"[\n{lines}\n]\n")
    print(len(calls))


if __name__ == "__main__":
    main()
