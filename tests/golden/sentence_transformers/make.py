"""Writes the vectors of sentence-transformers for directories with several modules (expected.json), and the weights of
the Dense and LayerNorm modules.

    python make.py

Made with sentence-transformers 5.1.2, transformers 4.57.6 and torch 2.15.0. The model is that of ../cases/models.
"""

import json
import os
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Dense, Dropout, LayerNorm, Normalize, Pooling, Transformer
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "cases", "models")
TEXTS = ["the good film and the bad plot and the good film and the bad plot and the good film",
         " Paris  is in FRANCE (Müller's U.S. café 1990,) ", "Anna", ""]
torch.manual_seed(19)


def model_directory(folder):
    shutil.copytree(os.path.join(CASES, "base"), folder)
    for name in ("tokenizer.json", "spiece.model", "special_tokens_map.json", "tokenizer_config.json"):
        shutil.copy(os.path.join(CASES, "tokenizer", name), folder)
    return folder


def dense(inputs, outputs, activation, bias=True):
    return Dense(inputs, outputs, bias=bias, activation_function=activation)


def norm(dimension):
    layer = LayerNorm(dimension)
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    return layer


# name: (modules after the Transformer, options of the Transformer, options of the model, files in 0_Transformer)
DIRECTORIES = {
    "cls": ([Pooling(48, "cls")], {"max_seq_length": 16}, {}, False),
    "max_normalize": ([Pooling(48, "max"), Normalize()], {"max_seq_length": 12, "do_lower_case": True}, {}, False),
    "all_modes": ([Pooling(48, pooling_mode_cls_token=True, pooling_mode_max_tokens=True, pooling_mode_mean_tokens=True,
                           pooling_mode_mean_sqrt_len_tokens=True, pooling_mode_weightedmean_tokens=True,
                           pooling_mode_lasttoken=True)], {}, {}, False),
    "dense": ([Pooling(48, "mean"), dense(48, 5, nn.Tanh()), dense(5, 3, nn.GELU()), Normalize()], {"max_seq_length": 10}, {}, False),
    "dense_no_bias": ([Pooling(48, "weightedmean"), dense(48, 4, nn.Identity(), False), Dropout(0.5), norm(4)], {}, {}, False),
    "old": ([Pooling(48, "mean_sqrt_len_tokens")], {"max_seq_length": 16}, {}, True),
    "prompt": ([Pooling(48, "mean")], {}, {"prompts": {"query": "query: ", "passage": "the text "}, "default_prompt_name": "passage"}, False),
    "excluded_prompt": ([Pooling(48, pooling_mode_mean_tokens=True, pooling_mode_weightedmean_tokens=True,
                                 pooling_mode_max_tokens=True, include_prompt=False)], {"max_seq_length": 14},
                        {"prompts": {"query": "question of Anna: "}, "default_prompt_name": "query"}, False),
}
made = []
for name, (modules, transformer, options, old) in DIRECTORIES.items():
    with tempfile.TemporaryDirectory() as folder:
        source = Transformer(model_directory(os.path.join(folder, "source")), **transformer)
        model = SentenceTransformer(modules=[source, *modules], device="cpu", **options).eval()
        saved = os.path.join(folder, "saved")
        model.save(saved, create_model_card=False)
        target = os.path.join(HERE, name)
        shutil.rmtree(target, ignore_errors=True)
        # The model itself is in ../cases/models. Everything else stays.
        weights = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                   "spiece.model", "added_tokens.json", "README.md")
        shutil.copytree(saved, target, ignore=lambda d, names: weights if d == saved else ())
        if old:
            list_of_modules = json.load(open(os.path.join(target, "modules.json")))
            list_of_modules[0]["path"] = "0_Transformer"
            json.dump(list_of_modules, open(os.path.join(target, "modules.json"), "w"))
            os.mkdir(os.path.join(target, "0_Transformer"))
            os.rename(os.path.join(target, "sentence_bert_config.json"), os.path.join(target, "0_Transformer", "sentence_bert_config.json"))
        again = SentenceTransformer(saved, device="cpu")
        runs = [{"args": [], "vectors": again.encode(TEXTS)}]
        if options:
            runs.append({"args": ["--prompt", ""], "vectors": again.encode(TEXTS, prompt="")})
            runs.append({"args": ["--prompt-name", "query"], "vectors": again.encode(TEXTS, prompt_name="query")})
        for run in runs:
            run["vectors"] = [[round(float(v), 6) for v in vector] for vector in run["vectors"]]
        made.append({"directory": name, "nested": old, "texts": TEXTS, "runs": runs})
        print(name, len(runs[0]["vectors"][0]), file=sys.stderr)
with open(os.path.join(HERE, "expected.json"), "w") as out:
    out.write("[\n" + ",\n".join(json.dumps(m, ensure_ascii=False) for m in made) + "\n]\n")
