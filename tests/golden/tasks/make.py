"""Makes the files of this folder: tiny ALBERT checkpoints with every head, and the outputs of transformers' pipelines.

    python make.py            (from this folder; see README.md for the pinned versions)

models/<name>/ are checkpoints. <task>.json is a list of calls, each with the model, the inputs, the options and the
output of the reference. Tokenizers and vocabularies come from ../fill_mask (json_2020: a tokenizer.json as on the hub
since 2020; json_saved: one as saved by transformers 4.57; bert_vocab: WordPiece).
"""

import json
import random
import shutil
import string
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import (AlbertConfig, AlbertForMaskedLM, AlbertForMultipleChoice, AlbertForPreTraining, AlbertForQuestionAnswering,
                          AlbertForSequenceClassification, AlbertForTokenClassification, AlbertModel,
                          AlbertTokenizerFast, BertTokenizerFast, PreTrainedTokenizerFast, pipeline)
from transformers.pipelines import question_answering

HERE = Path(__file__).resolve().parent
TOKENIZERS = HERE.parent / "fill_mask"
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = ["O", "B-PER", "I-PER", "E-PER", "S-PER"]
PLAIN = ["O", "NOUN", "VERB", "X-Y"]
NLI = ["contradiction", "neutral", "entailment"]
# name: tokenizer, seed, labels, configuration
MODELS = {
    "bio": ("json_2020", 1, BIO, {}),
    "groups": ("json_2020", 42, ["ENTAILMENT", "neutral", "Contradiction"], dict(num_hidden_layers=4, num_hidden_groups=2)),
    "relu": ("json_2020", 3, PLAIN, dict(hidden_act="relu", num_attention_heads=2)),
    "inner": ("json_2020", 44, NLI, dict(inner_group_num=2, hidden_act="gelu")),
    "saved": ("json_saved", 5, BIO, dict(hidden_act="gelu_new", max_position_embeddings=48)),
    "bert": ("bert_vocab", 6, NLI + ["B-LOC", "I-LOC"], dict(hidden_act="tanh")),
    "two": ("json_2020", 7, None, dict(problem_type="multi_label_classification")),
    "regression": ("json_2020", 8, ["score"], dict(problem_type="regression")),
    "one": ("json_2020", 9, ["yes"], dict(hidden_act="silu")),
    "bioes": ("json_2020", 10, BIOES, dict(embedding_size=32)),
    "order": ("json_2020", 11, None, dict(num_hidden_layers=2)),
}
# Heads with a different kind of classifier.
CHOICE_MODELS = {
    "choice_a": ("json_2020", 21, {}),
    "choice_b": ("json_2020", 22, dict(num_hidden_layers=4, num_hidden_groups=2)),
    "choice_c": ("json_2020", 23, dict(hidden_act="relu")),
    "choice_d": ("json_saved", 24, dict(inner_group_num=2)),
    "choice_e": ("bert_vocab", 25, dict(hidden_act="gelu")),
    "choice_f": ("json_2020", 26, dict(num_attention_heads=1, hidden_act="tanh")),
}


# ---------------------------------------------------------------- models

def tokenizer_of(folder):
    if (folder / "vocab.txt").exists():
        return BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True, model_max_length=max_length(folder))
    kind = AlbertTokenizerFast if (folder / "spiece.model").exists() else PreTrainedTokenizerFast
    special = dict(cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", pad_token="<pad>", unk_token="<unk>")
    tokenizer = kind(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=max_length(folder), **special)
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return tokenizer


def max_length(folder):
    return json.loads((folder / "config.json").read_text())["max_position_embeddings"]


def two_outputs(cfg):
    return AlbertConfig(**{k: v for k, v in cfg.to_dict().items() if k not in ("id2label", "label2id")})


def make_model(name, tokenizer, seed, labels, over, choice=False):
    folder = HERE / "models" / name
    folder.mkdir(parents=True)
    for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"]:
        if (TOKENIZERS / tokenizer / file).exists():
            shutil.copy(TOKENIZERS / tokenizer / file, folder)
    # The pipelines below truncate to the model's positions.
    settings = folder / "tokenizer_config.json"
    if settings.exists():
        text = json.loads(settings.read_text()) | {"model_max_length": over.get("max_position_embeddings", 64)}
        settings.write_text(json.dumps(text, indent=1) + "\n")
    vocab = json.loads((TOKENIZERS / tokenizer / "config.json").read_text())["vocab_size"]
    if labels:
        over = over | dict(id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)})
    cfg = AlbertConfig(**(dict(
        vocab_size=vocab, embedding_size=8, hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=64, classifier_dropout_prob=0.1) | over))
    if choice:
        parts = [("", AlbertForMultipleChoice(cfg))]
    else:
        parts = [("", AlbertForPreTraining(cfg)), ("classifier.", AlbertForSequenceClassification(cfg)),
                 ("qa_outputs.", AlbertForQuestionAnswering(two_outputs(cfg)))]
    g = torch.Generator().manual_seed(seed)
    state = {}
    for prefix, model in parts:
        for key, p in sorted(model.named_parameters()):
            if not key.startswith(prefix) or (key.startswith("predictions.decoder.")):
                continue
            noise = torch.randn(p.shape, generator=g)
            norm = "layernorm" in key.lower() or "layer_norm" in key
            value = 1 + 0.25 * noise if norm and key.endswith("weight") else 0.3 * noise
            if key.startswith(("classifier.", "qa_outputs.")):
                value = 2 * value  # large logits, for clear predictions
            if "word_embeddings" in key:
                value = 4 * value  # so that tokens differ
            if "attention.dense" in key:
                value = value / 3
            state[key] = value.half().contiguous()
    if name == "order":  # a pretrained model with only its own heads
        state = {k: v for k, v in state.items() if not k.startswith(("classifier.", "qa_outputs."))}
        cfg.architectures = ["AlbertForPreTraining"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    value = {k: v for k, v in json.loads(cfg.to_json_string(use_diff=True)).items() if k != "transformers_version"}
    value["model_type"] = "albert"
    value["max_position_embeddings"] = cfg.max_position_embeddings
    (folder / "config.json").write_text(json.dumps(value, indent=1) + "\n")


def load(cls, name):
    folder = HERE / "models" / name
    cfg = AlbertConfig.from_pretrained(folder)
    over = dict(config=two_outputs(cfg)) if cls is AlbertForQuestionAnswering else {}
    model, info = cls.from_pretrained(folder, output_loading_info=True, **over, torch_dtype=torch.float32)
    unset = [k for k in info["missing_keys"] if "pooler" not in k or hasattr(model, "classifier") and
             cls is not AlbertForTokenClassification]
    assert not unset and not info["mismatched_keys"], (name, cls, info)
    return model.eval(), tokenizer_of(folder)


# ---------------------------------------------------------------- texts

def sentences(seed):
    r = random.Random(seed)
    who = ["The old captain", "a young doctor", "my sister", "every student", "the café owner", "Naïve travellers",
           "Paris", "the United States", "U.S.A.", "George Washington", "Anna-Lena O'Neill", "the state capital"]
    did = ["was walking to", "bought", "painted", "is the capital of", "likes the music of", "forgot", "rebuilt"]
    what = ["the harbour", "a small house", "France", "the market", "an unbelievable story", "seven red apples",
            "the meaning of life", "a well-known song", "northern Germany", "(the state)", "3,000 euros (€)"]
    how = ["in the morning", "yesterday", "for £20", "in 2014, again", "before the winter", '("really")', "twice"]
    return f"{r.choice(who)} {r.choice(did)} {r.choice(what)} {r.choice(how)}{r.choice(['.', '!', '', '?'])}"


HARD = ["", "   ", "a", "U.S.A. (1990), \"quoted\" - and so on.", "😀 smile 👩‍👩‍👧 family", "Zoe\u0301 met Ame\u0301lie in Sa\u0303o Paulo.",
        "tabs\tand\r\nline ends\n\nhere", "[MASK] and [SEP] in the text", "北京是中国的首都。 Paris", "3,000 euros; 12.5% of them."]
SHORT = [sentences(s) for s in range(6)]
LONG = [" ".join(sentences(100 + 20 * n + s) for s in range(14)) for n in range(2)]


def diversity(calls):
    """The number of entities that the pipeline finds per text, to check that no test model labels everything alike."""
    groups = [len(o) for c in calls if c["strategy"] == "simple" and c["options"] == {} for o in c["outputs"]]
    return sum(groups) / len(groups)


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}")
    if isinstance(value, np.integer):
        return int(value)
    return value


def write(task, calls):
    lines = ",\n".join(json.dumps(rounded(c), ensure_ascii=False) for c in calls)
    (HERE / f"{task}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(task, len(calls))


# ---------------------------------------------------------------- calls

def classify():
    calls = []
    pairs = [{"text": a, "text_pair": b} for a, b in zip(SHORT + LONG, [*reversed(SHORT), LONG[1], SHORT[0]])]
    texts = [{"text": t} for t in SHORT + LONG + HARD] + pairs
    for name in MODELS:
        if name == "order":
            continue
        model, tokenizer = load(AlbertForSequenceClassification, name)
        pipe = pipeline("text-classification", model=model, tokenizer=tokenizer)
        for batch_size in [1, 4] if name in ("bio", "bert") else [1]:
            for options in [{}, {"top_k": None}, {"top_k": 2}, {"function_to_apply": "sigmoid", "top_k": None},
                            {"function_to_apply": "softmax"}, {"function_to_apply": "none", "top_k": None}]:
                some = texts if options == {"top_k": None} else texts[len(calls) % 5::5]
                out = []
                for i in range(0, len(some), batch_size):
                    part = some[i:i + batch_size]
                    padding = dict(padding=True) if batch_size > 1 else {}
                    if batch_size > 1 and len(part) > 1:
                        part_out = pipe(part, batch_size=batch_size, truncation=True, **padding, **options)
                    else:
                        part_out = [pipe(p, truncation=True, **options) for p in part]
                    out += [o if isinstance(o, list) else [o] for o in part_out]
                calls.append(dict(model=name, batch_size=batch_size, options=options, inputs=some, outputs=out))
    write("classify", calls)


def order():
    calls = []
    for name in MODELS:
        model, tokenizer = load(AlbertForPreTraining, name)
        if model.config.num_labels == 1:
            continue
        inputs, outputs = [], []
        for a, b in zip(SHORT + LONG, [*reversed(SHORT), SHORT[2], LONG[0]]):
            enc = tokenizer(a, b, truncation=True, return_token_type_ids=True, return_tensors="pt")
            with torch.no_grad():
                probs = model(**enc).sop_logits.softmax(-1)[0]
            inputs.append({"text": a, "text_pair": b})
            outputs.append(float(probs[0]))
        calls.append(dict(model=name, inputs=inputs, outputs=outputs))
    write("order", calls)


def ner():
    calls = []
    words = [s.split() for s in SHORT[:3]] + [["U.S.A.", "(", "Paris", ")", ",", "Zoe\u0301", "😀"], ["a"]]
    for n, name in enumerate(MODELS):
        if name in ("order", "regression", "one"):
            continue
        model, tokenizer = load(AlbertForTokenClassification, name)
        pipe = pipeline("token-classification", model=model, tokenizer=tokenizer)
        texts = [t for t in SHORT + LONG[:1] + HARD if t.strip()]
        for strategy in ["none", "simple", "first", "average", "max"]:
            for extra in [{}, {"ignore_labels": []}, {"stride": 8}, {"ignore_labels": ["O", "PER", "B-PER"]}]:
                if "stride" in extra and strategy == "none" or extra == {"ignore_labels": []} and strategy != "average":
                    continue
                some = texts if extra == {} and strategy == "simple" else texts[n % 3::3 if extra == {} else 5]
                if "stride" in extra:
                    some = [LONG[n % 2], SHORT[0]]
                out = [pipe(t, aggregation_strategy=strategy, **extra) for t in some]
                calls.append(dict(model=name, strategy=strategy, options=extra, inputs=some, outputs=out))
            out = [pipe([w], aggregation_strategy=strategy, is_split_into_words=True)[0] for w in words]
            calls.append(dict(model=name, strategy=strategy, options={}, words=words, outputs=out))
    print("ner:", diversity(calls), "groups per text")
    write("ner", calls)


def qa():
    # The pipeline keeps the white space before a word in answers. Here, answers that are equal without it count as one.
    def get_answer(self, answers, target):
        return next((a for a in answers if a["answer"].strip().lower() == target.strip().lower()), None)

    # The choice of the best spans must not depend on the last bits of their scores.
    clear = [True]

    def decode_spans(start, end, topk, max_answer_len, undesired_tokens):
        outer = np.tril(np.triu(np.matmul(start[..., None], end[:, None])), max_answer_len - 1)
        best = -np.sort(-outer.flatten())[:topk + 1]
        if len(best) > topk and best[-1] > 0 and best[-1] > best[-2] * 0.998:
            clear[0] = False
        return ORIGINAL_DECODE_SPANS(start, end, topk, max_answer_len, undesired_tokens)

    question_answering.decode_spans = decode_spans
    calls, left_out = [], 0
    contexts = SHORT[:2] + LONG + [" ".join(LONG), "Paris", HARD[3], HARD[4], HARD[5], HARD[6], HARD[8]]
    questions = ["Who walked?", "What did George buy in 2014?", "Where?"]
    for name in MODELS:
        if name == "order":
            continue
        model, tokenizer = load(AlbertForQuestionAnswering, name)
        pipe = pipeline("question-answering", model=model, tokenizer=tokenizer)
        if name == "saved":
            question_answering.QuestionAnsweringPipeline.get_answer = get_answer
        else:
            question_answering.QuestionAnsweringPipeline.get_answer = ORIGINAL_GET_ANSWER
        for options in [{}, {"top_k": 5}, {"handle_impossible_answer": True, "top_k": 3}, {"max_answer_len": 3},
                        {"doc_stride": 5, "max_seq_len": 40, "top_k": 3}, {"align_to_words": False, "top_k": 3}]:
            some = contexts if options in ({}, {"top_k": 5}) else contexts[2:5] + contexts[6:7]
            if name == "saved" and "doc_stride" not in options:  # the default leaves no space there
                options = options | {"doc_stride": 10}
            inputs, outputs = [], []
            for i, c in enumerate(some):
                q = questions[i % len(questions)]
                clear[0] = True
                out = pipe(question=q, context=c, **options)
                scores = [a["score"] for a in out] if isinstance(out, list) else []
                if not clear[0] or any(b > a * 0.9999 for a, b in zip(scores, scores[1:]) if b > 0):
                    left_out += 1
                    continue
                inputs.append({"question": q, "context": c})
                outputs.append(out if isinstance(out, list) else [out])
            if inputs:
                calls.append(dict(model=name, options=options, inputs=inputs, outputs=outputs))
    print("qa:", left_out, "left out,", sum(len(c["inputs"]) for c in calls), "kept")
    question_answering.QuestionAnsweringPipeline.get_answer = ORIGINAL_GET_ANSWER
    write("qa", calls)


ORIGINAL_DECODE_SPANS = question_answering.decode_spans
ORIGINAL_GET_ANSWER = question_answering.QuestionAnsweringPipeline.get_answer


def choose():
    calls = []
    for name in CHOICE_MODELS:
        model, tokenizer = load(AlbertForMultipleChoice, name)
        inputs, outputs = [], []
        for n, (prompt, context) in enumerate([(SHORT[0], None), (SHORT[1], LONG[0]), (SHORT[2], SHORT[3]),
                                               (LONG[1], None), ("", None), ("Why?", SHORT[5])]):
            choices = [sentences(200 + 10 * n + k) for k in range(2 + n)]
            first = [prompt if context is None else context] * len(choices)
            second = choices if context is None else [f"{prompt} {c}" for c in choices]
            enc = tokenizer(first, second, truncation=True, padding=True, return_token_type_ids=True,
                            return_tensors="pt")
            with torch.no_grad():
                probs = model(**{k: v[None] for k, v in enc.items()}).logits.softmax(-1)[0].tolist()
            inputs.append(dict(prompt=prompt, choices=choices) | ({} if context is None else dict(context=context)))
            outputs.append(probs)
        calls.append(dict(model=name, inputs=inputs, outputs=outputs))
    write("choose", calls)


def embed():
    calls = []
    for name in MODELS:
        model, tokenizer = load(AlbertModel, name)
        pipe = pipeline("feature-extraction", model=model, tokenizer=tokenizer)
        for text in [SHORT[0], LONG[0], HARD[5], ""]:
            enc = tokenizer(text, truncation=True, return_token_type_ids=True, return_tensors="pt")
            with torch.no_grad():
                out = model(**enc, output_hidden_states=True, output_attentions=name in ("bio", "inner"))
            states = out.last_hidden_state[0]
            piped = torch.tensor(pipe(text, tokenize_kwargs=dict(truncation=True))[0])
            assert torch.allclose(piped, states, atol=1e-5)
            call = dict(model=name, text=text, mean=states.mean(0).tolist(), cls=states[0].tolist(),
                        pooler=out.pooler_output[0].tolist(), layer_1=out.hidden_states[1][0].mean(0).tolist())
            if text == SHORT[0]:
                if name in ("bio", "inner"):
                    call["tokens"] = piped.tolist()
                call["layer_0"] = out.hidden_states[0][0].mean(0).tolist()
                if out.attentions is not None:
                    call["attentions"] = torch.stack(out.attentions)[:, 0].tolist()
            calls.append(call)
    for call in calls:
        for key in list(call):
            if isinstance(call[key], list):
                call[key] = json.loads(json.dumps(call[key]), parse_float=lambda x: float(f"{float(x):.5f}"))
    write("embed", calls)


def zero_shot():
    calls = []
    labels = ["politics", "music", "state capital", "the harbour"]
    for name, entailment in [("inner", None), ("groups", None), ("bert", None), ("bio", "I-LOC"), ("relu", "NOUN"),
                             ("bioes", "O"), ("two", "LABEL_1")]:
        model, tokenizer = load(AlbertForSequenceClassification, name)
        if entailment:  # a user of the library would need this too
            model.config.label2id = {("entailment" if l == entailment else l): i for l, i in model.config.label2id.items()}
        pipe = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer)
        for options in [{}, {"multi_label": True}, {"hypothesis_template": "{}, is it?"}]:
            for some in [labels, labels[:1]]:
                inputs = SHORT[:3] + LONG[:1] + HARD[3:5]
                out = [pipe(t, candidate_labels=some, **options) for t in inputs]
                out = [[{"label": l, "score": s} for l, s in zip(o["labels"], o["scores"])] for o in out]
                calls.append(dict(model=name, entailment=entailment, options=options, labels=some, inputs=inputs,
                                  outputs=out))
    write("zero_shot", calls)


def score():
    calls = []
    texts = [{"text": t} for t in SHORT[:2] + LONG[:1] + HARD]
    pairs = [{"text": SHORT[2], "text_pair": SHORT[3]}, {"text": "", "text_pair": HARD[3]}, {"text": LONG[1], "text_pair": SHORT[4]}]
    for name in ["bio", "groups", "saved", "bert"]:
        model, tokenizer = load(AlbertForMaskedLM, name)
        for masking in ["word", "token"]:
            inputs = texts + pairs if masking == "word" else texts[1:2] + texts[-1:] + pairs[:1]
            calls.append(dict(model=name, masking=masking, inputs=inputs,
                              outputs=[score_of(model, tokenizer, masking, **i) for i in inputs]))
    write("score", calls)


def score_of(model, tokenizer, masking, text, text_pair=None):
    enc = tokenizer(text, text_pair, truncation=True, return_token_type_ids=True, return_tensors="pt", return_offsets_mapping=True)
    ids, words, sequences = enc.input_ids[0], enc.word_ids(), enc.sequence_ids()
    tokens = []
    for column, own in enumerate(ids.tolist()):
        if sequences[column] != (0 if text_pair is None else 1) or own == tokenizer.mask_token_id:
            continue
        masked = ids.clone()
        masked[column] = tokenizer.mask_token_id
        for later in range(column + 1, len(ids)):  # as with PLL_metric="within_word_l2r" of minicons
            if masking == "token" or (sequences[later], words[later]) != (sequences[column], words[column]):
                break
            masked[later] = tokenizer.mask_token_id
        with torch.no_grad():
            logits = model(input_ids=masked[None], token_type_ids=enc.token_type_ids).logits
        start, end = enc.offset_mapping[0, column].tolist()
        tokens.append(dict(token=tokenizer.convert_ids_to_tokens(own), start=start, end=end,
                           log_likelihood=float(logits[0, column].double().log_softmax(-1)[own])))
    if not tokens:
        return []
    total = sum(t["log_likelihood"] for t in tokens)
    return [dict(log_likelihood=total, tokens=len(tokens), pseudo_perplexity=float(np.exp(-total / len(tokens))),
                 per_token=tokens)]


def main():
    shutil.rmtree(HERE / "models", ignore_errors=True)
    for name, (tokenizer, seed, labels, over) in MODELS.items():
        make_model(name, tokenizer, seed, labels, over)
    for name, (tokenizer, seed, over) in CHOICE_MODELS.items():
        make_model(name, tokenizer, seed, None, over, choice=True)
    for task in [classify, order, ner, qa, choose, embed, zero_shot, score]:
        task()


if __name__ == "__main__":
    main()
