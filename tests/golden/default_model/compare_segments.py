"""Adds to a small ALBERT a second group of layers whose attention compares the two segments: a start for sentence order.

    albert pretrain ... --max-seq-length 512 --masked-lm-prob 0.01 --show-instances 30000 --format jsonl > rows.jsonl
    python compare_segments.py --model DIR --rows rows.jsonl --output DIR

Sentence order is hard to learn from little text: what tells a row of 512 tokens from the swapped one is mostly where words of one
segment stand in the other. In text that goes on, they stand near the border, so that, on average over a row, the place of the same word
in the other segment is late in the first segment, and early in the second. That one number gives 69 % on rows of 512 tokens and 63 % on
rows of 256, and a model finds it only after very many rows. Here it is put into the weights of layers 4 to 6, which share a group, as a
start for training. The model must have one group of three layers; hidden size 256, four heads.

Six hidden dimensions (those that vary least) are given up: position P and segment G, from the embeddings; the segment as a step of equal
size Q, by two units of the first group's feed-forward network; the place within the segment D; the place of the same word in the other
segment Z; and their comparison S. In the second group

* head 0 looks at the own segment: D = P - mean of P (P itself comes through two units: gelu(x) - gelu(-x) = x);
* head 1 looks at the same word in the other segment, known by linear discriminants of the states, and writes its D as Z;
* heads 2 and 3 look, from [CLS], at the second and the first segment; the difference of their means of Z is S;
* the pooler's first unit and the sentence-order head read S.

Everything else in the second group is near the identity. Prints what the parts do on rows that were not used, and the accuracy.
What it makes is sensitive: with AdamW, a rate above 1e-5 loses it again within a hundred steps.

Requires torch, transformers 4.57, safetensors.
"""

import argparse, json, os, shutil

import torch
from safetensors.torch import load_file, save_file
from transformers import AlbertConfig, AlbertForPreTraining

HIDDEN, HEAD, LENGTH, MASK = 256, 64, 512, 4
GROUP = "albert.encoder.albert_layer_groups.%d.albert_layers.0."
NORMS = ("attention.LayerNorm", "full_layer_layer_norm")
# Scores are divided by the root of the head's size.
ROOT = HEAD ** 0.25
# Sharpness of the same word, of another segment, of the own one, and of the comparison.
SAME, OTHER, OWN, COMPARE = 0.03, 1.5, 1.22, 1.0
# What D and Z add to a state, and S to that of [CLS].
SMALL, GAIN = 0.6, 9.0


class Rows:
    """Full rows with 15 % of their tokens masked."""

    def __init__(self, path, count):
        ids, types, labels = [], [], []
        with open(path) as lines:
            for line in lines:
                row = json.loads(line)
                if row["sentence_order_label"] is None or len(row["input_ids"]) != LENGTH:
                    continue
                ids.append([x if label < 0 else label for x, label in zip(row["input_ids"], row["labels"])])
                types.append(row["token_type_ids"])
                labels.append(row["sentence_order_label"])
                if len(ids) == count:
                    break
        self.ids, self.types, self.labels = torch.tensor(ids), torch.tensor(types), torch.tensor(labels)
        self.mask = (torch.rand(self.ids.shape) < 0.15) & (self.ids > MASK)
        self.masked = torch.where(self.mask, torch.tensor(MASK), self.ids)

    def batches(self, first, end):
        for i in range(first, end, 10):
            yield slice(i, min(i + 10, end))


def build(tensors, config):
    model = AlbertForPreTraining(AlbertConfig(**config, attn_implementation="eager"))
    _, unexpected = model.load_state_dict(tensors, strict=False)
    assert not unexpected, unexpected
    model.tie_weights()
    return model.eval()


@torch.no_grad()
def states(model, rows, count, layer):
    parts = [
        model.albert(rows.masked[b], token_type_ids=rows.types[b], output_hidden_states=True).hidden_states[layer]
        for b in rows.batches(0, count)
    ]
    return torch.cat(parts)


def discriminants(x, tokens, own):
    """Directions of states [n, H] that tell words apart, scaled so that a word varies by 1: [62, H], and the mean."""
    x = x.double()
    x[:, own] = 0
    counts = torch.bincount(tokens, minlength=8000).double()
    means = torch.zeros(len(counts), HIDDEN, dtype=torch.double).index_add_(0, tokens, x) / counts.clamp(min=1)[:, None]
    center = x.mean(0)
    several = counts[tokens] > 1
    within = (x - means[tokens])[several]
    within = within.T @ within / several.sum() + 1e-4 * torch.eye(HIDDEN, dtype=torch.double)
    weight = counts.clamp(max=20) * (counts > 1)
    between = (means - center) * weight.sqrt()[:, None]
    between = between.T @ between / weight.sum()
    inverse = torch.linalg.inv(torch.linalg.cholesky(within))
    _, vectors = torch.linalg.eigh(inverse @ between @ inverse.T)
    directions = (vectors[:, -(HEAD - 2):].T @ inverse).float()
    directions[:, own] = 0
    return directions, center.float()


def without(t, group, own):
    """The group neither reads nor writes the dimensions."""
    for name in ("attention.query", "attention.key", "attention.value", "ffn"):
        t[group + name + ".weight"][:, own] = 0
    for name in ("attention.dense", "ffn_output"):
        t[group + name + ".weight"][own] = 0
        t[group + name + ".bias"][own] = 0
    for name in NORMS:
        t[group + name + ".bias"][own] = 0


def quiet_units(t, group):
    """Two units of the feed-forward network that do least, made free."""
    units = t[group + "ffn_output.weight"].norm(dim=0).argsort()[:2]
    t[group + "ffn.weight"][units] = 0
    t[group + "ffn.bias"][units] = 0
    t[group + "ffn_output.weight"][:, units] = 0
    return units


def carry_position_and_segment(t, own, places):
    """P and G from the embeddings through the first group, and Q."""
    P, G, _, _, _, Q = own
    eP, eG = places
    for name in ("word", "position", "token_type"):
        t[f"albert.embeddings.{name}_embeddings.weight"][:, [eP, eG]] = 0
    t["albert.embeddings.position_embeddings.weight"][:, eP] = 0.1 * (torch.arange(LENGTH) / 255.5 - 1)
    t["albert.embeddings.token_type_embeddings.weight"][:, eG] = torch.tensor([-0.06, 0.06])
    t["albert.embeddings.LayerNorm.weight"][[eP, eG]] = 1
    t["albert.embeddings.LayerNorm.bias"][[eP, eG]] = 0
    mapping = t["albert.encoder.embedding_hidden_mapping_in.weight"]
    mapping[:, [eP, eG]] = 0
    mapping[own] = 0
    t["albert.encoder.embedding_hidden_mapping_in.bias"][own] = 0
    mapping[P, eP] = mapping[G, eG] = 1
    t["predictions.dense.weight"][:, own] = 0
    t["predictions.dense.weight"][[eP, eG]] = 0
    for name in ("dense.bias", "LayerNorm.weight", "LayerNorm.bias"):
        t["predictions." + name][[eP, eG]] = 0
    group = GROUP % 0
    without(t, group, own)
    for name in NORMS:
        t[group + name + ".weight"][own] = 1.1
    # gelu(k x + b) - gelu(k x - b) is a step.
    on, off = quiet_units(t, group)
    t[group + "ffn.weight"][[on, off], G] = 12.0
    t[group + "ffn.bias"][on], t[group + "ffn.bias"][off] = 1.5, -1.5
    step = t[group + "ffn_output.weight"]
    step[Q, on], step[Q, off] = 0.4 / 1.5, -0.4 / 1.5
    t[group + "ffn_output.bias"][Q] = -0.4


def second_group(t, own, x, rows):
    """The second group, from states `x` [rows, LENGTH, H] that the first leaves."""
    P, _, D, Z, S, Q = own
    first, group = GROUP % 0, GROUP % 1
    flat = x.reshape(-1, HIDDEN)
    tokens = rows.masked[: len(x)].reshape(-1)
    words = tokens > MASK
    directions, center = discriminants(flat[words], tokens[words], own)
    # [CLS] among the states, by least squares.
    target = torch.zeros(x.shape[:2])
    target[:, 0] = 1
    weight = (1 + 99 * target).reshape(-1, 1)
    left = torch.cat([flat, torch.ones(len(flat), 1)], 1)
    solved = torch.linalg.lstsq(left * weight, target.reshape(-1, 1) * weight).solution[:, 0]

    for name in [name for name in t if name.startswith(first)]:
        t[group + name[len(first):]] = t[name].clone()
    for name in ("query", "key", "value", "dense"):
        t[f"{group}attention.{name}.weight"].normal_(0, 0.004)
        t[f"{group}attention.{name}.bias"].zero_()
    t[group + "ffn_output.weight"] *= 0.03
    t[group + "ffn_output.bias"] *= 0.03
    without(t, group, own)
    for name in NORMS:
        t[group + name + ".weight"][:] = x.std(-1).mean()
        t[group + name + ".bias"][:] = x.mean()
        t[group + name + ".weight"][own] = 1
        t[group + name + ".bias"][own] = 0
    query, key, value, dense = (t[f"{group}attention.{n}.weight"] for n in ("query", "key", "value", "dense"))
    query_bias, key_bias = t[group + "attention.query.bias"], t[group + "attention.key.bias"]
    # Segments are -1 and 1 then.
    unit = ROOT / x[..., Q].abs().mean()

    def read(head, dimension, factor):
        at = head * HEAD
        value[at:at + HEAD] = 0
        value[at, dimension] = factor
        dense[:, at:at + HEAD] = 0
        return at

    at = read(0, P, 1.0)
    query[at], key[at] = 0, 0
    query[at, Q] = key[at, Q] = OWN * unit
    dense[D, at] = -SMALL
    plus, minus = quiet_units(t, group)
    t[group + "ffn.weight"][plus, P], t[group + "ffn.weight"][minus, P] = 1, -1
    t[group + "ffn_output.weight"][D, plus], t[group + "ffn_output.weight"][D, minus] = SMALL, -SMALL

    at = read(1, D, 1 / SMALL)
    same = slice(at, at + HEAD - 2)
    query[same] = key[same] = SAME ** 0.5 * ROOT * directions
    query_bias[same] = key_bias[same] = -(SAME ** 0.5) * ROOT * (directions @ center)
    query[at + HEAD - 2], key[at + HEAD - 2] = 0, 0
    query[at + HEAD - 2, Q], key[at + HEAD - 2, Q] = OTHER * unit, -OTHER * unit
    dense[Z, at] = SMALL

    for head, sign in ((2, 1.0), (3, -1.0)):
        at = read(head, Z, 1 / SMALL)
        query[at] = COMPARE * ROOT * solved[:-1]
        query_bias[at] = COMPARE * ROOT * solved[-1]
        key[at] = 0
        key[at, Q] = sign * COMPARE * unit
        dense[S, at] = sign * GAIN


def calibrate(t, config, rows, own, count):
    """The heads read S so that the two orders lie on either side."""
    S = own[4]
    s = states(build(t, config), rows, count, 6)[:, 0, S]
    labels = rows.labels[:count]
    direction = torch.sign(s[labels == 1].mean() - s[labels == 0].mean())
    slope = 0.7 / s.std()
    t["albert.pooler.weight"][0] = 0
    t["albert.pooler.weight"][0, S] = slope
    t["albert.pooler.bias"][0] = -slope * s.median()
    head = t["sop_classifier.classifier.weight"]
    head *= 0.1
    head[0, 0], head[1, 0] = -direction, direction


@torch.no_grad()
def judge(t, config, rows, first):
    model = build(t, config)
    right, losses = 0, []
    for b in rows.batches(first, len(rows.ids)):
        out = model(rows.masked[b], token_type_ids=rows.types[b])
        right += (out.sop_logits.argmax(-1) == rows.labels[b]).sum().item()
        mask = rows.mask[b]
        losses.append(torch.nn.functional.cross_entropy(out.prediction_logits[mask], rows.ids[b][mask]).item())
    count = len(rows.ids) - first
    print(f"{count} rows: sentence order {right / count:.3f}, masked LM {sum(losses) / len(losses):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--count", type=int, default=640, help="rows to look at")
    args = parser.parse_args()
    torch.manual_seed(0)
    rows = Rows(args.rows, args.count)
    used = len(rows.ids) * 2 // 5
    t = {name: tensor.float() for name, tensor in load_file(os.path.join(args.model, "model.safetensors")).items()}
    with open(os.path.join(args.model, "config.json")) as file:
        config = json.load(file)
    judge(t, config, rows, used)
    x = states(build(t, config), rows, 100, 3).reshape(-1, HIDDEN)
    own = x.var(0).argsort()[:6].tolist()
    embeddings = [t[f"albert.embeddings.{name}_embeddings.weight"] for name in ("word", "position")]
    places = sum(table.var(0) for table in embeddings).argsort()[:2].tolist()
    carry_position_and_segment(t, own, places)
    x = states(build(t, config), rows, used, 3)
    second_group(t, own, x, rows)
    config.update(num_hidden_layers=6, num_hidden_groups=2)
    calibrate(t, config, rows, own, used)
    judge(t, config, rows, used)
    os.makedirs(args.output, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in t.items()}
    save_file(tensors, os.path.join(args.output, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(args.output, "config.json"), "w") as file:
        json.dump(config, file, indent=1)
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        if os.path.exists(os.path.join(args.model, name)):
            shutil.copy(os.path.join(args.model, name), args.output)


if __name__ == "__main__":
    main()
