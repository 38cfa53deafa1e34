"""Writes small PEFT adapters for the models in ../cases/models, and the results that PEFT computes with them.

Made with peft 0.21.2, transformers 4.57.6 and torch 2.15.0 on a CPU: `HF_HUB_OFFLINE=1 python make.py`
"""
import json
import pathlib
import shutil
import tempfile

import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AlbertForMaskedLM, AlbertForSequenceClassification, AlbertModel, AutoTokenizer

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parent / "cases" / "models"
TEXTS = ["The film was wonderful.", "He lives in Berlin and works."]
MASKED = "The [MASK] was good."
tokenizer = AutoTokenizer.from_pretrained(MODELS / "tokenizer")
torch.manual_seed(7)
expected = {}


def disturbed(model):
    """The adapter as if trained: no parameter is zero."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            with torch.no_grad():
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def answers(model, kind):
    with torch.no_grad():
        if kind == "fill-mask":
            encoded = tokenizer(MASKED, return_tensors="pt")
            place = (encoded["input_ids"][0] == tokenizer.mask_token_id).nonzero()[0, 0]
            best = model(**encoded).logits[0, place].softmax(-1).topk(5)
            return [[tokenizer.convert_ids_to_tokens(i), s] for s, i in zip(best.values.tolist(), best.indices.tolist())]
        encoded = [tokenizer(text, return_tensors="pt") for text in TEXTS]
        if kind == "embed":
            return [model(**e).last_hidden_state[0].mean(0).tolist() for e in encoded]
        return [model(**e).logits[0].softmax(-1).tolist() for e in encoded]


def make(name, kind, base, config, whole=False, own_config=False, **arguments):
    classes = {"classify": AlbertForSequenceClassification, "fill-mask": AlbertForMaskedLM, "embed": AlbertModel}
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = disturbed(get_peft_model(classes[kind].from_pretrained(base, **arguments), config))
    model.save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    # In the tests, the base model is next to the adapter.
    settings["base_model_name_or_path"] = "../base"
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / "README.md").unlink()
    loaded = PeftModel.from_pretrained(classes[kind].from_pretrained(base, **arguments), folder).eval()
    where = str(pathlib.Path(base).name)
    expected[name] = {"task": kind, "base": where, "answers": answers(loaded, kind)}
    if own_config:
        model.config.save_pretrained(folder)
    if whole:
        other = HERE / f"{name}_whole"
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        torch.save(model.state_dict(), other / "pytorch_model.bin")
        shutil.copy(folder / "adapter_config.json", other)
        expected[f"{name}_whole"] = expected[name]


classify, base = MODELS / "classify", MODELS / "base"
few = ["query", "value"]
task = {"task_type": "SEQ_CLS"}
make("plain", "classify", classify, LoraConfig(r=2, lora_alpha=8, target_modules=few, **task))
make("all_linear", "classify", classify, LoraConfig(r=2, lora_alpha=5, target_modules="all-linear", **task), whole=True)
make("rslora", "classify", classify, LoraConfig(r=4, use_rslora=True, target_modules=["ffn", "dense"], **task))
make("patterns", "classify", classify, LoraConfig(
    r=4, lora_alpha=8, target_modules=["query", "value", "ffn"], rank_pattern={"query": 2, "ffn": 3},
    alpha_pattern={"^albert.*value": 32, "attention.query": 1}, **task))
make("bias_all", "classify", classify, LoraConfig(r=2, bias="all", target_modules=few, **task))
make("bias_lora", "classify", classify, LoraConfig(r=2, lora_bias=True, target_modules=few, **task))
make("dora", "classify", classify, LoraConfig(r=2, use_dora=True, target_modules=["query", "position_embeddings"], **task))
make("embeddings", "classify", classify, LoraConfig(r=1, target_modules=["word_embeddings", "key"], **task))
make("new_labels", "classify", base, LoraConfig(r=2, target_modules=few, **task), num_labels=4)
make("named_labels", "classify", base, LoraConfig(r=2, target_modules=few, **task), own_config=True, num_labels=2,
     id2label={0: "no", 1: "yes"}, label2id={"no": 0, "yes": 1})
make("features", "embed", base, LoraConfig(r=2, target_modules=few, task_type="FEATURE_EXTRACTION"))
with tempfile.TemporaryDirectory() as folder:
    # The decoder shares the word embeddings, and the adapter changes only one of the two.
    masked = pathlib.Path(folder) / "masked"
    AlbertForMaskedLM.from_pretrained(base).save_pretrained(masked)
    shutil.rmtree(HERE / "masked", ignore_errors=True)
    shutil.copytree(masked, HERE / "masked")
    make("masked_words", "fill-mask", masked, LoraConfig(r=1, target_modules=["word_embeddings", "query"]))
    make("masked_decoder", "fill-mask", masked, LoraConfig(r=1, target_modules=["decoder", "query"]))
ia3 = HERE / "ia3"
shutil.rmtree(ia3, ignore_errors=True)
get_peft_model(AlbertForSequenceClassification.from_pretrained(classify),
               IA3Config(target_modules=few, feedforward_modules=[], **task)).save_pretrained(ia3)
(ia3 / "README.md").unlink()
settings = json.loads((ia3 / "adapter_config.json").read_text())
settings["base_model_name_or_path"] = "../base"
(ia3 / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
(HERE / "expected.json").write_text(json.dumps({"texts": TEXTS, "masked": MASKED, "adapters": expected}, indent=1) + "\n")
