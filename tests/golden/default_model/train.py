"""Trains the small default ALBERT with transformers and PyTorch, and saves it as checkpoints were in 2019.

    python train.py --corpus DIR --output DIR [--minutes 30] [--work DIR]

--corpus holds *.txt.gz files: one paragraph a line, an empty line between documents.
--output gets config.json, spiece.model and pytorch_model.bin in the old non-zip form.
--work keeps what can be reused: tokenizer, token ids, embedding start, training checkpoint.

Steps: a SentencePiece vocabulary with ALBERT's options; ids of the whole corpus, one document in a
hundred held out; word embeddings started from a truncated SVD of the positive pointwise mutual
information of pieces within a window of five (half an hour of training is too short to learn them from
nothing); then masked-LM and sentence-order training on packed sequences of one document, 20 % of whole
words masked, AdamW, linear warm-up and decay over the time budget.

Requires torch, transformers 4.57, sentencepiece, numpy, scipy. The result depends on the machine's speed:
the time budget ends it, not a number of steps.
"""

import argparse, glob, gzip, hashlib, json, math, os, time, unicodedata

import numpy as np
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
import torch
import torch.nn.functional as F
from transformers import AlbertConfig, AlbertForPreTraining

VOCAB, LENGTH, BATCH, SEED = 8000, 96, 16, 7
CLS, SEP, MASK = 2, 3, 4
WORD, SHIFTS = 96, (-1, 1, -2, 2)


def normalize(line):
    """ALBERT's preprocess_text with lower case."""
    line = " ".join(line.strip().split()).replace("``", '"').replace("''", '"')
    line = unicodedata.normalize("NFKD", line)
    return "".join(c for c in line if not unicodedata.combining(c)).lower()


def documents(corpus):
    for path in sorted(glob.glob(os.path.join(corpus, "*.txt.gz"))):
        document = []
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    document.append(line)
                elif document:
                    yield document
                    document = []
        if document:
            yield document


def prepare(corpus, work):
    """Tokenizer and ids: train.npy and held.npy, documents separated by -1."""
    model = os.path.join(work, "spiece.model")
    if not os.path.exists(model):
        rng = np.random.default_rng(SEED)
        sample = os.path.join(work, "sample.txt")
        with open(sample, "w", encoding="utf-8") as out:
            for document in documents(corpus):
                for line in document:
                    if rng.random() < 0.25:
                        out.write(normalize(line) + "\n")
        spm.SentencePieceTrainer.train(
            input=sample, model_prefix=os.path.join(work, "spiece"), vocab_size=VOCAB, model_type="unigram",
            pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, pad_piece="<pad>", unk_piece="<unk>",
            control_symbols=["[CLS]", "[SEP]", "[MASK]"], user_defined_symbols=list('()"-.–£€'),
            character_coverage=0.99995, normalization_rule_name="nmt_nfkc", input_sentence_size=120000,
            shuffle_input_sentence=True, num_threads=2, max_sentence_length=20000)
    sp = spm.SentencePieceProcessor(model_file=model)
    if not os.path.exists(os.path.join(work, "train.npy")):
        parts = {"train": [], "held": []}
        for document in documents(corpus):
            digest = hashlib.sha1(document[0].encode()).digest()[0]
            part = parts["held" if digest < 3 else "train"]
            for ids in sp.encode([normalize(line) for line in document]):
                part.append(np.array(ids, dtype=np.int16))
            part.append(np.array([-1], dtype=np.int16))
        for name, ids in parts.items():
            np.save(os.path.join(work, name + ".npy"), np.concatenate(ids))
    return sp


def start_embeddings(ids, size):
    """[VOCAB, size] from the SVD of PPMI, and the log frequencies."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import svds

    counts = np.bincount(ids[ids >= 0], minlength=VOCAB).astype(np.float64)
    together = sparse.csr_matrix((VOCAB, VOCAB), dtype=np.float64)
    for distance in range(1, 6):
        a, b = ids[:-distance], ids[distance:]
        good = (a >= 0) & (b >= 0)
        pairs = sparse.coo_matrix((np.full(good.sum(), 1.0 / distance), (a[good], b[good])), (VOCAB, VOCAB)).tocsr()
        together = together + pairs + pairs.T
    row = np.asarray(together.sum(1)).ravel()
    smooth = row ** 0.75
    smooth /= smooth.sum()
    coo = together.tocoo()
    pmi = np.log(np.maximum(coo.data, 1e-9) / (row[coo.row] * smooth[coo.col] + 1e-9))
    keep = pmi > 0
    ppmi = sparse.coo_matrix((pmi[keep], (coo.row[keep], coo.col[keep])), (VOCAB, VOCAB)).tocsr()
    u, s, _ = svds(ppmi, k=size, random_state=SEED)
    vectors = u * np.sqrt(s)
    vectors -= vectors.mean(0)
    vectors *= 0.04 / (vectors.std() + 1e-9)
    frequency = np.log((counts + 1) / (counts.sum() + VOCAB))
    return vectors.astype(np.float32), frequency.astype(np.float32)


def start_as_window(model, config, vectors):
    """Weights with which the model begins as a mixture of the words one and two places to either side.

    Words live in the first WORD dimensions of the embedding, positions as sines and cosines in the others. Head h
    looks at the place SHIFTS[h] away: a shift is a rotation of each pair of sine and cosine. Values are projections of
    the word, written back a little into the word's own dimensions and, mixed, into the upper half of the hidden
    vector. The masked-LM head reads the word's dimensions. Everything is trained from there; a random start spends
    all of half an hour at the unigram entropy.
    """
    e, h = config.embedding_size, config.hidden_size
    size = h // config.num_attention_heads
    albert, head = model.albert, model.predictions
    layer = albert.encoder.albert_layer_groups[0].albert_layers[0]
    attention = layer.attention
    pairs = (e - WORD) // 2
    omega = torch.linspace(0.1, 3.0, pairs)
    place = torch.arange(config.max_position_embeddings)[:, None] * omega
    words, positions = albert.embeddings.word_embeddings.weight, albert.embeddings.position_embeddings.weight
    words.zero_()
    words[:, :WORD] = vectors[:, -WORD:]
    words[MASK] = 0
    positions.zero_()
    positions[:, WORD:] = 0.057 * torch.stack([torch.sin(place), torch.cos(place)], 2).flatten(1)
    albert.embeddings.token_type_embeddings.weight.mul_(0.1)
    mapping = albert.encoder.embedding_hidden_mapping_in.weight
    mapping.copy_(0.02 * torch.randn_like(mapping))
    mapping[:e] += torch.eye(e)
    for linear in (attention.query, attention.key, attention.value, attention.dense):
        linear.weight.copy_(0.01 * torch.randn_like(linear.weight))
    for i, shift in enumerate(SHIFTS):
        rows = slice(i * size, i * size + 2 * pairs)
        turn = torch.zeros(2 * pairs, 2 * pairs)
        for j, w in enumerate(omega * shift):
            turn[2 * j:2 * j + 2, 2 * j:2 * j + 2] = torch.tensor([[torch.cos(w), torch.sin(w)], [-torch.sin(w), torch.cos(w)]])
        attention.query.weight[rows, WORD:e] += 1.3 * turn
        attention.key.weight[rows, WORD:e] += 1.3 * torch.eye(2 * pairs)
        look = torch.linalg.qr(torch.randn(WORD, size))[0].T
        attention.value.weight[i * size:(i + 1) * size, :WORD] += look
        attention.dense.weight[:WORD, i * size:(i + 1) * size] += 0.3 * look.T
        attention.dense.weight[e:, i * size:(i + 1) * size] += 0.08 * torch.randn(h - e, size)
    layer.ffn.weight.copy_(0.05 * torch.randn_like(layer.ffn.weight))
    layer.ffn_output.weight.copy_(0.02 * torch.randn_like(layer.ffn_output.weight))
    head.dense.weight.copy_(0.02 * torch.randn_like(head.dense.weight))
    head.dense.weight[:, :e] += torch.eye(e)
    # Far on the linear side of the activation; the normalization takes the shift away again.
    head.dense.bias.fill_(2.5)


class Batches:
    """Sequences [CLS] a [SEP] b [SEP] from running text of one document; a and b swapped half of the time."""

    def __init__(self, ids, starts_word, seed, length=LENGTH):
        ends = np.flatnonzero(ids < 0)
        begin = np.concatenate([[0], ends[:-1] + 1])
        room = length - 3
        self.starts = np.concatenate([np.arange(b, e - room + 1, room // 2) for b, e in zip(begin, ends) if e - b >= room])
        self.ids, self.room, self.starts_word = ids, room, starts_word
        self.rng = np.random.default_rng(seed)
        self.length = length

    def next(self, batch):
        rng, room, n = self.rng, self.room, self.length
        x = np.zeros((batch, n), np.int64)
        types = np.zeros((batch, n), np.int64)
        order = (rng.random(batch) < 0.5).astype(np.int64)
        places = self.starts[rng.integers(len(self.starts), size=batch)]
        for i in range(batch):
            text = self.ids[places[i]:places[i] + room].astype(np.int64)
            cut = int(rng.integers(room // 4, room - room // 4))
            a, b = text[:cut], text[cut:]
            if order[i]:
                a, b = b, a
            x[i] = np.concatenate([[CLS], a, [SEP], b, [SEP]])
            types[i, len(a) + 2:] = 1
        special = x <= SEP
        word = np.cumsum(self.starts_word[x] | special, axis=1)
        chosen_words = rng.random((batch, n + 2)) < 0.2
        chosen = np.take_along_axis(chosen_words, word, 1) & ~special
        kind = rng.random((batch, n))
        masked = np.where(chosen & (kind < 0.8), MASK, x)
        masked = np.where(chosen & (kind >= 0.9), rng.integers(13, VOCAB, (batch, n)), masked)
        return [torch.from_numpy(t) for t in (masked, types, np.flatnonzero(chosen), x.ravel()[chosen.ravel()], order)]


def forward(model, batch, encoder=None):
    x, types, places, answers, order = batch
    out = (model.albert if encoder is None else encoder)(input_ids=x, token_type_ids=types)
    states = out[0].reshape(-1, out[0].shape[-1])[places]
    logits = model.predictions(states)
    sop = model.sop_classifier(out[1])
    return F.cross_entropy(logits.float(), answers), logits, F.cross_entropy(sop.float(), order), sop


def evaluate(model, ids, starts_word, batches=60):
    model.eval()
    data = Batches(ids, starts_word, 1)
    loss = right = count = sop_right = rows = 0
    with torch.no_grad():
        for _ in range(batches):
            batch = data.next(32)
            l, logits, _, sop = forward(model, batch)
            n = len(batch[3])
            loss += l.item() * n
            right += (logits.argmax(-1) == batch[3]).sum().item()
            sop_right += (sop.argmax(-1) == batch[4]).sum().item()
            count += n
            rows += 32
    model.train()
    return dict(mlm_loss=loss / count, mlm_perplexity=math.exp(loss / count), mlm_accuracy=right / count,
                sop_accuracy=sop_right / rows)


def save(model, config, work, output):
    os.makedirs(output, exist_ok=True)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    # Positions beyond the training length were never seen; repeat the ones that were, past [CLS].
    table = state["albert.embeddings.position_embeddings.weight"]
    for i in range(LENGTH, table.shape[0]):
        table[i] = table[1 + (i - 1) % (LENGTH - 1)]
    torch.save(state, os.path.join(output, "pytorch_model.bin"), _use_new_zipfile_serialization=False)
    config.architectures = ["AlbertForPreTraining"]
    # The same function under the name that ALBERT's files use; the one above is PyTorch's fused form.
    config.hidden_act = "gelu_new"
    with open(os.path.join(output, "config.json"), "w") as out:
        out.write(config.to_json_string())
    proto = sentencepiece_model_pb2.ModelProto()
    with open(os.path.join(work, "spiece.model"), "rb") as source:
        proto.ParseFromString(source.read())
    # Where it was trained is nobody's concern.
    del proto.trainer_spec.input[:]
    proto.trainer_spec.model_prefix = "spiece"
    with open(os.path.join(output, "spiece.model"), "wb") as out:
        out.write(proto.SerializeToString())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--work")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1e-3)
    args = parser.parse_args()
    work = args.work or os.path.join(args.output, "work")
    os.makedirs(work, exist_ok=True)
    torch.manual_seed(SEED)
    sp = prepare(args.corpus, work)
    train, held = (np.load(os.path.join(work, n + ".npy")).astype(np.int32) for n in ("train", "held"))
    starts_word = np.array([sp.id_to_piece(i).startswith("▁") for i in range(VOCAB)])
    print(f"{(train >= 0).sum()} training tokens, {(held >= 0).sum()} held out", flush=True)

    config = AlbertConfig(
        vocab_size=VOCAB, embedding_size=128, hidden_size=256, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=1024, hidden_act="gelu_pytorch_tanh", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.1, max_position_embeddings=512, attn_implementation="sdpa")
    model = AlbertForPreTraining(config)
    start = os.path.join(work, "start.npz")
    if not os.path.exists(start):
        vectors, frequency = start_embeddings(train, config.embedding_size)
        np.savez(start, vectors=vectors, frequency=frequency)
    loaded = np.load(start)
    with torch.no_grad():
        model.predictions.bias.copy_(torch.from_numpy(loaded["frequency"] - loaded["frequency"].mean()))
        model.predictions.decoder.bias = model.predictions.bias
        start_as_window(model, config, torch.from_numpy(loaded["vectors"]))
    encoder = torch.compile(model.albert, dynamic=False)
    decay = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW([dict(params=decay, weight_decay=0.01), dict(params=plain, weight_decay=0)],
                                  lr=args.rate, betas=(0.9, 0.98), eps=1e-6, fused=True)
    data = Batches(train, starts_word, SEED)
    budget, used, step, seen, averaged = args.minutes * 60, 0.0, 0, 0, None
    saved = 0.0
    # With whole-process accounting, another program on the same cores does not use up the budget.
    threads = torch.get_num_threads()
    clock = lambda: time.process_time() / threads
    begun = clock()
    while used < budget:
        progress = used / budget
        rate = args.rate * min(1.0, progress / 0.03 + 0.01, (1 - progress) / 0.97 + 0.002)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = data.next(BATCH)
        with torch.autocast("cpu", torch.bfloat16):
            mlm, _, sop, _ = forward(model, batch, encoder)
        (mlm + 0.1 * sop).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        seen += BATCH * LENGTH
        averaged = mlm.item() if averaged is None else 0.98 * averaged + 0.02 * mlm.item()
        used = clock() - begun
        if step % 300 == 0:
            print(f"step {step} {used / 60:.1f} min {seen / 1e6:.2f} M tokens {seen / used:.0f}/s "
                  f"mlm {averaged:.3f} sop {sop.item():.3f} rate {rate:.1e}", flush=True)
        if used - saved > 300:
            saved = used
            print(json.dumps(evaluate(model, held, starts_word, 20)), flush=True)
            save(model, config, work, args.output)
    figures = evaluate(model, held, starts_word)
    figures.update(steps=step, tokens=seen, minutes=used / 60)
    print(json.dumps(figures), flush=True)
    save(model, config, work, args.output)
    with open(os.path.join(args.output, "figures.json"), "w") as out:
        json.dump(figures, out, indent=1)


if __name__ == "__main__":
    main()
