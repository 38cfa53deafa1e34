"""Writes a tiny masked-LM model and PEFT adapters that train a copy of its word embeddings, of its decoder, or of both,
and the results that PEFT computes with them (untied/).

PEFT unties the two: only the one that was copied changes. Embeddings that were only resized stay tied.

Made with peft 0.18.1, transformers 4.57.6 and torch 2.15.0 on a CPU: `HF_HUB_OFFLINE=1 python make_untied.py`
"""
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AlbertConfig, AlbertForMaskedLM

HERE = pathlib.Path(__file__).resolve().parent / "untied"
WORDS = "<pad> <unk> [CLS] [SEP] [MASK] the a film plot was is good bad old new and of in to it".split()
TOKENIZER = {"cls_token": "[CLS]", "do_lower_case": True, "mask_token": "[MASK]", "model_max_length": 16, "pad_token": "<pad>",
             "sep_token": "[SEP]", "tokenizer_class": "BertTokenizer", "unk_token": "<unk>"}
TEXT = "the [MASK] was good"
IDS = [WORDS.index(word) for word in f"[CLS] {TEXT} [SEP]".split()]


def with_tokenizer(folder, words):
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER, indent=1) + "\n")


def disturbed(model, trained_only):
    """No parameter is zero, as after training."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad or not trained_only:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model.eval()


torch.manual_seed(11)
shutil.rmtree(HERE, ignore_errors=True)
base = HERE / "base"
disturbed(AlbertForMaskedLM(AlbertConfig(
    vocab_size=len(WORDS), embedding_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
    intermediate_size=8, max_position_embeddings=16, pad_token_id=0, bos_token_id=2, eos_token_id=3)), False).save_pretrained(base)
with_tokenizer(base, WORDS)
expected = {}


def make(name, more_words=(), whole=False, **options):
    def loaded():
        model = AlbertForMaskedLM.from_pretrained(base)
        if more_words:
            model.resize_token_embeddings(len(WORDS) + len(more_words), mean_resizing=False)
        return model

    folder = HERE / name
    model = disturbed(get_peft_model(loaded(), LoraConfig(r=2, target_modules=["query"], **options)), True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "../base"
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    if more_words:
        with_tokenizer(folder, [*WORDS, *more_words])
    again = PeftModel.from_pretrained(loaded(), folder).eval()
    with torch.no_grad():
        scores = again(input_ids=torch.tensor([IDS])).logits[0, IDS.index(WORDS.index("[MASK]"))].softmax(-1)
    expected[name] = [round(score, 6) for score in scores.tolist()]
    if whole:
        # The complete model, with the adapter inside.
        other = HERE / f"{name}_whole"
        other.mkdir()
        torch.save(model.state_dict(), other / "pytorch_model.bin")
        shutil.copy(folder / "adapter_config.json", other)
        shutil.copy(base / "config.json", other)
        with_tokenizer(other, WORDS)
        expected[other.name] = expected[name]


make("words", whole=True, modules_to_save=["word_embeddings"])
make("decoder", modules_to_save=["decoder"])
make("head", modules_to_save=["predictions"])
make("both", modules_to_save=["word_embeddings", "decoder"])
make("resized", more_words=["who", "where"])
make("resized_words", more_words=["who", "where"], modules_to_save=["word_embeddings"])
rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(scores)}" for name, scores in expected.items())
(HERE / "expected.json").write_text(f'{{"text": {json.dumps(TEXT)}, "scores": {{\n{rows}\n}}}}\n')
