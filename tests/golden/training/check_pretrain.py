"""Pretrains with the given program, loads the result in transformers, and compares losses and tokens.

    python check_pretrain.py PATH/TO/albert        (torch and transformers, 4.57 or 5.x)

Runs one step at a learning rate close to zero. Its losses are then those of the saved weights on the rows that
--show-instances prints.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from transformers import AlbertForPreTraining, AutoTokenizer

WORDS = "the river runs through a green valley and people walk along it every morning before they work".split()
ROWS = 24


def corpus(path):
    state, lines = 3, []
    for line in range(400):
        words = []
        for _ in range(8):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            words.append(WORDS[(state >> 33) % len(WORDS)])
        lines.append(" ".join(words) + "." + ("\n" if line % 10 == 9 else ""))
    path.write_text("\n".join(lines))
    return lines


def main(program):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        lines = corpus(folder / "corpus.txt")
        # No dropout, not even before the sentence-order head.
        config = dict(model_type="albert", embedding_size=64, hidden_size=128, num_hidden_layers=4, num_hidden_groups=2,
                      num_attention_heads=2, intermediate_size=512, classifier_dropout_prob=0.0)
        (folder / "config.json").write_text(json.dumps(config))
        command = [program, "pretrain", "--corpus", folder / "corpus.txt", "--output", folder / "run", "--config",
                   folder / "config.json", "--vocab-size", "200", "--steps", "1", "--warmup-steps", "0", "--learning-rate", "1e-30",
                   "--batch-size", str(ROWS), "--max-seq-length", "48", "--log-every", "1", "--device", "flex", "-q"]
        rows = subprocess.run([*command, "--show-instances", str(ROWS), "--format", "jsonl"], check=True,
                              capture_output=True, text=True).stdout
        rows = [json.loads(row) for row in rows.splitlines()]
        subprocess.run(command, check=True)
        metrics = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
        train = next(record for record in metrics if record["kind"] == "train")

        model, info = AlbertForPreTraining.from_pretrained(folder / "run", output_loading_info=True)
        problems = {key: value for key, value in info.items() if value}
        assert not problems, problems
        longest = max(len(row["input_ids"]) for row in rows)

        def padded(name, value):
            return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

        mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
        order = torch.tensor([row["sentence_order_label"] for row in rows])
        labels = padded("labels", -100)
        with torch.no_grad():
            out = model.eval()(input_ids=padded("input_ids", 0), token_type_ids=padded("token_type_ids", 0),
                               attention_mask=mask, labels=labels, sentence_order_label=order)
            mlm = torch.nn.functional.cross_entropy(out.prediction_logits.flatten(0, 1), labels.flatten())
            sop = torch.nn.functional.cross_entropy(out.sop_logits, order)
        for name, value in [("mlm_loss", mlm), ("sop_loss", sop)]:
            apart = abs(train[name] - value.item()) / value.item()
            assert apart < 1e-4, (name, train[name], value.item())
        assert abs(out.loss.item() - train["mlm_loss"] - train["sop_loss"]) < 1e-3

        tokenizer = AutoTokenizer.from_pretrained(folder / "run")
        said = subprocess.run([program, "tokenize", "--model", folder / "run", "--format", "jsonl"], check=True,
                              input="\n".join(lines), capture_output=True, text=True).stdout
        for line, record in zip("\n".join(lines).split("\n"), said.splitlines()):
            own = json.loads(record)["predictions"][0]["ids"]
            assert own == tokenizer(line)["input_ids"], line
    print(f"transformers {transformers.__version__}: the pretrained model loads and gives the same losses "
          f"({train['mlm_loss']:.4f}, {train['sop_loss']:.4f}) and tokens")


if __name__ == "__main__":
    main(sys.argv[1])
