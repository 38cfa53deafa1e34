"""Writes a sentence-transformers directory that contains a LoRA adapter instead of a model (adapter/), and the vectors
that sentence-transformers computes with it (adapter/expected.json).

    python make_adapter.py

Made with sentence-transformers 5.2.3, peft 0.18.1, transformers 4.57.6 and torch 2.15.0. The base model and the tokenizer
are those of ../cases/models.
"""

import json
import os
import pathlib
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from peft import LoraConfig
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parent / "cases" / "models"
TOKENIZER = ["tokenizer.json", "spiece.model", "special_tokens_map.json", "tokenizer_config.json"]
TEXTS = ["the good film and the bad plot and the good film and the bad plot and the good film", "Anna lives in Paris.", ""]
torch.manual_seed(23)
with tempfile.TemporaryDirectory() as folder:
    base, saved = os.path.join(folder, "base"), os.path.join(folder, "saved")
    shutil.copytree(CASES / "base", base)
    for name in TOKENIZER:
        shutil.copy(CASES / "tokenizer" / name, base)
    dense = Dense(48, 4, activation_function=nn.Tanh())
    modules = [Transformer(base, max_seq_length=12), Pooling(48, "cls"), dense, Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts={"passage": "the text "}, default_prompt_name="passage")
    model.add_adapter(LoraConfig(r=2, target_modules=["query", "value"], task_type="FEATURE_EXTRACTION"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.add_(torch.randn_like(parameter) * 0.5)
    model.save(saved, create_model_card=False)
    vectors = SentenceTransformer(saved, device="cpu").encode(TEXTS)
    target = HERE / "adapter"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(saved, target, ignore=lambda folder, names: [*TOKENIZER, "added_tokens.json", "README.md"])
settings = json.loads((target / "adapter_config.json").read_text())
settings["base_model_name_or_path"] = "../base"
(target / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
expected = {"texts": TEXTS, "vectors": [[round(float(v), 6) for v in vector] for vector in vectors]}
(target / "expected.json").write_text(json.dumps(expected) + "\n")
