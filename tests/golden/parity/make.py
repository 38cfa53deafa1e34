"""Makes the parity files of this folder: tiny seeded ALBERT checkpoints, and the outputs of transformers.

    python make.py            (from this folder; see README.md for the pinned versions)

Every case is a folder with config.json, weights, and expected.safetensors (inputs and outputs).
`cases.json` is the index, and `bad_configs.json` lists configurations that must be refused.
The script checks its own files: if transformers can read a folder, it loads the folder again and
must get the stored outputs.
"""

import json
import shutil
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AlbertConfig, AlbertForMaskedLM, AlbertForPreTraining, AlbertModel
from transformers.activations import ACT2CLS, ACT2FN

HERE = Path(__file__).resolve().parent
CLASSES = {"AlbertModel": AlbertModel, "AlbertForMaskedLM": AlbertForMaskedLM,
           "AlbertForPreTraining": AlbertForPreTraining}
# prelu and xielu have weights, which no ALBERT checkpoint stores.
ACTIVATIONS = sorted(set(ACT2CLS) - {"prelu", "xielu"})
INDEX = []

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")


# ---------------------------------------------------------------- models and inputs

def config(**over):
    base = dict(vocab_size=60, embedding_size=8, hidden_size=16, num_hidden_layers=2, num_hidden_groups=1,
                num_attention_heads=2, intermediate_size=32, inner_group_num=1, hidden_act="gelu_new",
                max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12)
    base.update(over)
    return AlbertConfig(attn_implementation="eager", **base)


def randomize(model, seed):
    """Spreads weights widely enough to expose any error. No weight stays at zero or one."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=g)
            if "layernorm" in name.lower() or "layer_norm" in name:
                p.copy_(1 + 0.25 * noise if name.endswith("weight") else 0.3 * noise)
            else:
                p.copy_(0.3 * noise)
    return model


def build(architecture, cfg, seed):
    cfg.architectures = [architecture]
    return randomize(CLASSES[architecture](cfg), seed).eval()


def make_inputs(cfg, seed):
    """A padded batch: one row of max_position tokens, one of two, and a pair of eleven."""
    g = torch.Generator().manual_seed(seed)
    lengths = [cfg.max_position_embeddings, 2, 11]
    ids = torch.zeros(len(lengths), lengths[0], dtype=torch.int64)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.randint(1, cfg.vocab_size, (n,), generator=g)
        mask[row, :n] = 1
        if n > 2 and cfg.type_vocab_size > 1:
            types[row, n // 2:n] = 1
            types[row, n - 2:n] = cfg.type_vocab_size - 1
    # The padding of the last row has a nonzero id and type, which must not matter.
    ids[2, 11:], types[2, 11:] = cfg.vocab_size - 1, cfg.type_vocab_size - 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@torch.no_grad()
def outputs(model, inputs, prefix="", keep=None):
    base = model if isinstance(model, AlbertModel) else model.albert
    seen = base(**inputs, output_hidden_states=True, output_attentions=True)
    out = {"last_hidden_state": seen.last_hidden_state, "hidden_states": torch.stack(seen.hidden_states),
           "attentions": torch.stack(seen.attentions)}
    if seen.pooler_output is not None:
        out["pooler_output"] = seen.pooler_output
    if hasattr(model, "predictions"):
        out["mlm_logits"] = model.predictions(seen.last_hidden_state)
    if hasattr(model, "sop_classifier"):
        out["sop_logits"] = model.sop_classifier(seen.pooler_output)
    # The class's own forward must give the same outputs.
    if isinstance(model, AlbertForMaskedLM):
        assert torch.equal(model(**inputs).logits, out["mlm_logits"])
    if isinstance(model, AlbertForPreTraining):
        assert torch.equal(model(**inputs).sop_logits, out["sop_logits"])
    return {prefix + k: v.float().contiguous().clone() for k, v in out.items() if keep is None or k in keep}


def expected(model, seed, batch=("last_hidden_state", "pooler_output", "mlm_logits", "sop_logits"), single=None):
    inputs = make_inputs(model.config, seed)
    alone = {k: v[2:3, :11].contiguous() for k, v in inputs.items()}
    out = {**inputs, **outputs(model, inputs, keep=batch)}
    out |= {f"single_{k}": v.clone() for k, v in alone.items()}
    out |= outputs(model, alone, "single_", single)
    return out


# ---------------------------------------------------------------- files

def full_state(model):
    """state_dict as torch gives it: tied tensors under both names."""
    return dict(model.state_dict())


def untied(state):
    """The tensors that save_pretrained writes to safetensors: each tied tensor once."""
    gone = ("predictions.decoder.weight", "predictions.decoder.bias")
    return {k: v.contiguous().clone() for k, v in state.items() if k not in gone}


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def config_json(cfg):
    value = json.loads(cfg.to_json_string(use_diff=True))
    value.pop("transformers_version", None)
    value["model_type"] = "albert"
    # The diff leaves out what equals the defaults; the shape is always written.
    for key in ("num_hidden_groups", "inner_group_num", "hidden_act", "type_vocab_size", "layer_norm_eps",
                "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob"):
        value[key] = getattr(cfg, key)
    value.setdefault("num_hidden_layers", cfg.num_hidden_layers)
    return value


def safetensors(folder, state):
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return "model.safetensors"


def shards(folder, state, count, stem, suffix, save):
    """Splits `state` into `count` files and an index, named as by save_pretrained."""
    names = sorted(state)
    size = -(-len(names) // count)
    where = {}
    for i in range(count):
        file = f"{stem}-{i + 1:05}-of-{count:05}.{suffix}"
        part = {k: state[k] for k in names[i * size:(i + 1) * size]}
        save(part, folder / file)
        where |= dict.fromkeys(part, file)
    total = sum(v.numel() * v.element_size() for v in state.values())
    index = f"{stem}.{suffix}.index.json"
    write_json(folder / index, {"metadata": {"total_size": total}, "weight_map": where})
    return index


def zip_bin(folder, value):
    torch.save(value, folder / "pytorch_model.bin")
    return "pytorch_model.bin"


def finish(name, model, file, out, features, cfg=None, reads=True, load=None, **extra):
    """Writes config and outputs, loads the folder back with transformers if it can, and indexes the case."""
    folder = HERE / name
    write_json(folder / "config.json", config_json(model.config) if cfg is None else cfg)
    save_file(out, folder / "expected.safetensors")
    architecture = load or model.config.architectures[0]
    if reads:
        again = CLASSES[architecture].from_pretrained(folder, attn_implementation="eager").eval()
        got = outputs(again, {k: out["single_" + k] for k in ("input_ids", "attention_mask", "token_type_ids")})
        for key, value in got.items():
            if "single_" + key in out:
                want = out["single_" + key]
                gap = ((value - want).abs().max() / want.abs().max()).item()
                assert gap < 5e-6, f"{name}: {key} differs by {gap} after loading"
    # Padding must not matter: a row alone equals the same row in the batch. No output may be flat.
    for key in ("last_hidden_state", "mlm_logits"):
        if key in out:
            gap = (out[key][2, :11] - out["single_" + key][0]).abs().max() / out[key].abs().max()
            assert gap < 1e-5, f"{name}: {key} padded against alone {gap}"
    assert all(torch.isfinite(v).all() for v in out.values())
    INDEX.append({"case": name, "architecture": architecture, "weights": file, "features": features,
                  "outputs": sorted(k for k in out if not k.endswith(("_ids", "_mask"))),
                  "read_by_transformers": reads, **extra})


def folder_of(name):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# ---------------------------------------------------------------- cases: the shape of the model

ALL = ("last_hidden_state", "pooler_output", "hidden_states", "attentions", "mlm_logits", "sop_logits")
NO_ATTENTIONS = tuple(k for k in ALL if k != "attentions")
SMALL = ("last_hidden_state", "pooler_output", "mlm_logits", "sop_logits")
FORM = ("last_hidden_state", "pooler_output", "sop_logits")


def shape_case(name, architecture, features, seed, batch=SMALL, single=ALL, scale=None, extra=None,
               **over):
    model = build(architecture, config(**over), seed)
    if scale:
        with torch.no_grad():
            scale(model)
    folder = folder_of(name)
    file = safetensors(folder, untied(full_state(model)))
    finish(name, model, file, expected(model, seed + 1000, batch, single), features, **(extra or {}))


def shape_cases():
    shape_case("base_model", "AlbertModel", ["no albert. prefix", "pooler", "3 layers in 1 group", "2 heads"], 1,
               batch=ALL, num_hidden_layers=3, hidden_size=24, embedding_size=16, intermediate_size=40, vocab_size=120,
               extra={"missing_for": {"mlm": ["predictions.LayerNorm.bias", "predictions.LayerNorm.weight",
                                              "predictions.bias", "predictions.dense.bias",
                                              "predictions.dense.weight"]}})
    shape_case("groups_2_of_5", "AlbertForPreTraining",
               ["5 layers in 2 groups (groups 0 0 0 1 1)", "4 heads", "layer_norm_eps 1e-5", "sop head"], 2,
               batch=NO_ATTENTIONS, num_hidden_layers=5, num_hidden_groups=2, hidden_size=32, num_attention_heads=4,
               intermediate_size=24, embedding_size=24, layer_norm_eps=1e-5, hidden_act="gelu")
    shape_case("groups_3_of_7", "AlbertForMaskedLM",
               ["7 layers in 3 groups (groups 0 0 0 1 1 2 2)", "3 heads", "type_vocab_size 3", "max_position 64"], 3,
               num_hidden_layers=7, num_hidden_groups=3, hidden_size=24, num_attention_heads=3, type_vocab_size=3,
               max_position_embeddings=64, hidden_act="relu")
    shape_case("groups_14_of_18", "AlbertForMaskedLM",
               ["18 layers in 14 groups: int(i / (L / G)) in doubles, which is neither i * G // L nor "
                "int(i / L * G)", "1 head"], 4, num_hidden_layers=18, num_hidden_groups=14,
               num_attention_heads=1, intermediate_size=16)
    shape_case("inner_2", "AlbertForPreTraining",
               ["4 layers in 1 group of 2 inner layers: 5 hidden_states (one per group call), 8 attentions"], 5,
               batch=NO_ATTENTIONS, num_hidden_layers=4, inner_group_num=2, hidden_size=24, num_attention_heads=2)
    shape_case("inner_2_groups_2_of_5", "AlbertForMaskedLM", ["5 layers in 2 groups of 2 inner layers"], 6,
               num_hidden_layers=5, num_hidden_groups=2, inner_group_num=2, num_attention_heads=4)
    shape_case("embedding_eq_hidden", "AlbertForMaskedLM",
               ["embedding_size = hidden_size (the mapping is still there)", "type_vocab_size 1", "1 head",
                "layer_norm_eps 1e-5"], 7, embedding_size=24, hidden_size=24, num_attention_heads=1,
               type_vocab_size=1, layer_norm_eps=1e-5)

    def grow(model):
        for layer in model.albert.encoder.albert_layer_groups[0].albert_layers:
            layer.attention.query.weight.mul_(8)
            layer.attention.key.weight.mul_(8)
        model.predictions.LayerNorm.weight.mul_(30)
        model.sop_classifier.classifier.weight.mul_(40)
    shape_case("large_logits", "AlbertForPreTraining",
               ["attention scores of several hundred", "logits of order 100: compare relative to the largest"], 8,
               scale=grow, hidden_size=48, num_attention_heads=3, vocab_size=80)
    shape_case("sop_three_labels", "AlbertForPreTraining",
               ["the sop head has num_labels = 3 outputs (from id2label)"], 9, hidden_size=16,
               id2label={0: "a", 1: "b", 2: "c"}, label2id={"a": 0, "b": 1, "c": 2})
    for seed, kind in ((10, "relative_key"), (11, "relative_key_query")):
        shape_case(kind, "AlbertForMaskedLM",
                   [f"position_embedding_type {kind}", "attention.distance_embedding",
                    "position_embeddings is in the file and unused"], seed,
                   position_embedding_type=kind, hidden_size=24, num_attention_heads=3, num_hidden_layers=3)


# ---------------------------------------------------------------- cases: the form of the files

def form_model(architecture="AlbertForMaskedLM", seed=50, **over):
    return build(architecture, config(**over), seed)


def form_cases():
    # One model in many forms. form_safetensors/expected.safetensors applies to all cases with "same_as".
    model = form_model("AlbertForPreTraining")
    state, out = full_state(model), expected(model, 1050, FORM, SMALL)

    def form(name, write, features, reads=True, **extra):
        folder = folder_of(name)
        finish(name, model, write(folder), out, features, reads=reads, **extra)

    form("form_safetensors", lambda f: safetensors(f, untied(state)), ["model.safetensors", "tied tensors once"])

    def bare(folder):
        save_file(untied(state), folder / "model.safetensors")
        return "model.safetensors"
    form("form_safetensors_no_metadata", bare, ["model.safetensors without metadata"], reads=True)
    form("form_safetensors_sharded", lambda f: shards(
        f, untied(state), 3, "model", "safetensors", lambda p, path: save_file(p, path, metadata={"format": "pt"})),
        ["three safetensors shards with an index"])
    form("form_bin_zip", lambda f: zip_bin(f, model.state_dict()),
         ["pytorch_model.bin, zip", "decoder shares its storage"])

    def legacy(folder):
        torch.save(model.state_dict(), folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
        return "pytorch_model.bin"
    form("form_bin_legacy", legacy, ["pytorch_model.bin, the stream of pickles before torch 1.6"])
    form("form_bin_sharded", lambda f: shards(f, state, 2, "pytorch_model", "bin", torch.save),
         ["two .bin shards with an index"])
    form("form_bin_state_dict_module", lambda f: zip_bin(f, {
        "epoch": 3, "best": 0.5, "args": {"lr": 1e-3, "tasks": ["mlm", "sop"]},
        "state_dict": {"module." + k: torch.nn.Parameter(v) for k, v in state.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"params": [0]}]}}),
        ['nested {"state_dict": ...} beside other values', "module. prefix", "nn.Parameter values"], reads=False)

    def strides(folder):
        # Matrices are transposed views, and vectors are views into one long storage.
        vectors = [k for k in sorted(state) if state[k].dim() == 1]
        flat, at, value = torch.cat([torch.full((7,), 99.0)] + [state[k] for k in vectors]), 7, {}
        for k in vectors:
            value[k], at = flat[at:at + state[k].numel()], at + state[k].numel()
        for k, v in state.items():
            if v.dim() == 2:
                value[k] = v.t().contiguous().t()
        return zip_bin(folder, value)
    form("form_bin_strides", strides, ["transposed strides", "storage offsets in one shared storage"])

    def old_names(folder):
        def rename(k):
            for old, new in ((".weight", ".gamma"), (".bias", ".beta")):
                for norm in ("LayerNorm", "full_layer_layer_norm"):
                    k = k.replace(norm + old, norm + new)
            return k
        return zip_bin(folder, {rename(k): v for k, v in state.items()})
    form("form_gamma_beta", old_names, ["LayerNorm.gamma/beta and full_layer_layer_norm.gamma/beta: expected as if "
         "all were renamed (transformers renames only the former)"], reads=False)

    def buffers(folder):
        return safetensors(folder, untied(state) | {
            "albert.embeddings.position_ids": torch.arange(40).unsqueeze(0),
            "albert.embeddings.token_type_ids": torch.zeros(1, 40, dtype=torch.int64),
            "seq_relationship.weight": torch.ones(2, 16), "seq_relationship.bias": torch.ones(2),
            "some.unknown.counter": torch.tensor(7), "qa_outputs.weight": torch.ones(2, 16),
            "flags": torch.tensor([True, False])})
    form("form_extra_tensors", buffers, ["position_ids and token_type_ids buffers", "unused tensors, also a scalar, "
         "int64 and bool"], unused=["flags", "qa_outputs.weight", "seq_relationship.bias", "seq_relationship.weight",
                                    "some.unknown.counter"])
    form("form_only_decoder_bias", lambda f: safetensors(
        f, {("predictions.decoder.bias" if k == "predictions.bias" else k): v for k, v in untied(state).items()}),
        ["predictions.decoder.bias only: it is the bias"])

    # Half precision: the expected outputs are computed in float32 from the rounded weights.
    for name, dtype, zipped in (("form_f16", torch.float16, False), ("form_bf16", torch.bfloat16, False),
                                ("form_bin_bf16", torch.bfloat16, True)):
        half = {k: v.to(dtype) for k, v in state.items()}
        rounded = form_model("AlbertForPreTraining")
        rounded.load_state_dict({k: v.float() for k, v in half.items()})
        folder = folder_of(name)
        file = zip_bin(folder, half) if zipped else safetensors(folder, untied(half))
        cfg = config_json(model.config) | {"torch_dtype" if zipped else "dtype": str(dtype).removeprefix("torch.")}
        finish(name, rounded, file, expected(rounded, 1050, FORM, SMALL),
               [f"{dtype} weights, computed in float32"], cfg=cfg)

    # The two biases and the two tables of the masked-LM head.
    lm = form_model(seed=51)
    table = full_state(lm)
    g = torch.Generator().manual_seed(52)
    other_bias, other_table = torch.randn(60, generator=g), 0.3 * torch.randn(60, 8, generator=g)

    def lm_with(bias, weight=None):
        m = form_model(seed=51, tie_word_embeddings=weight is None)
        with torch.no_grad():
            if weight is not None:
                m.load_state_dict(table)
                m.predictions.decoder.weight.copy_(weight)
            m.predictions.decoder.bias.copy_(bias)
        return m

    for name, zipped in (("mlm_two_biases", False), ("mlm_two_biases_bin", True)):
        used, not_used = lm_with(other_bias), lm_with(table["predictions.bias"])
        out2 = expected(used, 1051, FORM, SMALL)
        alt = expected(not_used, 1051, FORM, SMALL)
        out2["single_mlm_logits_predictions_bias"] = alt["single_mlm_logits"]
        folder = folder_of(name)
        both = untied(table) | {"predictions.decoder.bias": other_bias}
        if zipped:
            both["predictions.decoder.weight"] = both["albert.embeddings.word_embeddings.weight"]
        finish(name, used, zip_bin(folder, both) if zipped else safetensors(folder, both), out2,
               ["predictions.bias and predictions.decoder.bias differ: the decoder's is used; the other choice is in "
                "single_mlm_logits_predictions_bias"])

    folder = folder_of("decoder_weight_tied")
    file = safetensors(folder, untied(table) | {"predictions.decoder.weight": other_table})
    finish("decoder_weight_tied", lm, file, expected(lm, 1051, FORM, SMALL),
           ["decoder.weight differs from the embedding; tie_word_embeddings is not false: the embedding is used"])
    for name, tied in (("decoder_weight_untied", False), ("decoder_weight_untied_two_biases", False)):
        two = name.endswith("biases")
        m = lm_with(other_bias if two else table["predictions.bias"], other_table)
        folder = folder_of(name)
        extra = {"predictions.decoder.weight": other_table}
        extra |= {"predictions.decoder.bias": other_bias} if two else {}
        finish(name, m, safetensors(folder, untied(table) | extra), expected(m, 1051, FORM, SMALL),
               ["tie_word_embeddings false: decoder.weight of the file is used"]
               + (["both biases differ: the decoder's"] if two else []))

    folder = folder_of("mlm_no_pooler")
    file = safetensors(folder, untied(table) | {"sop_classifier.classifier.weight": torch.ones(2, 16),
                                                "sop_classifier.classifier.bias": torch.ones(2)})
    finish("mlm_no_pooler", lm, file, expected(lm, 1051, FORM, SMALL), ["no pooler in the file", "unused sop head"],
           missing_for={"pooler": ["albert.pooler.weight", "albert.pooler.bias"]},
           unused=["sop_classifier.classifier.bias", "sop_classifier.classifier.weight"])

    # A pretraining checkpoint read as AlbertModel, and a bare one read under a prefixed name.
    base = AlbertModel(config())
    base.load_state_dict({k.removeprefix("albert."): v for k, v in state.items() if k.startswith("albert.")})
    base.config.architectures = ["AlbertModel"]
    base.eval()
    folder = folder_of("base_from_pretraining")
    finish("base_from_pretraining", base, safetensors(folder, untied(state)), expected(base, 1050, FORM, SMALL),
           ["AlbertModel from a file with the albert. prefix and heads"])
    folder = folder_of("mlm_heads_without_prefix")
    file = safetensors(folder, {k.removeprefix("albert."): v for k, v in untied(state).items()})
    finish("mlm_heads_without_prefix", model, file, expected(model, 1050, FORM, SMALL),
           ["encoder names without the albert. prefix beside the heads"], reads=False)


# ---------------------------------------------------------------- cases: odd but valid configurations

def config_cases():
    model = form_model(seed=60)
    out = expected(model, 1060, FORM, SMALL)
    state = untied(full_state(model))
    full = config_json(model.config)

    def case(name, cfg, features, reads):
        folder = folder_of(name)
        finish(name, model, safetensors(folder, state), out, features, cfg=cfg, reads=reads)

    minimal = ("vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
               "intermediate_size", "max_position_embeddings")
    case("config_minimal", {k: full[k] for k in minimal},
         ["only the shape: no model_type, architectures, hidden_act (gelu_new), layer_norm_eps (1e-12), "
          "type_vocab_size (2), groups (1), dropouts"], True)
    case("config_legacy", full | {
        "attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0, "classifier_dropout_prob": None,
        "down_scale_factor": 1, "gap_size": 0, "net_structure_type": 0, "num_memory_blocks": 0, "layers_to_keep": [],
        "output_past": True, "initializer_range": 0.02, "bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0,
        "_num_labels": 2, "finetuning_task": None, "pruned_heads": {}, "torchscript": False, "use_bfloat16": False,
        "is_decoder": False, "directionality": "bidi", "pooler_fc_size": 768, "unknown_key": {"a": [1, None]}},
        ["the four legacy keys of the published configurations and others", "classifier_dropout_prob null"], True)
    case("config_strings", full | {
        "layer_norm_eps": "1e-12", "hidden_size": 16.0, "num_hidden_layers": "2", "vocab_size": "60",
        "max_position_embeddings": 40.0, "hidden_dropout_prob": "0.1", "initializer_range": "0.02"},
        ['numbers as strings ("1e-12", "60")', "16.0 for an integer"], False)


# ---------------------------------------------------------------- activations

def activation_case():
    """One set of weights, every activation: `<act>.last_hidden_state`, `<act>.mlm_logits` and `<act>.curve`."""
    name, seed = "activations", 70
    folder = folder_of(name)
    model = build("AlbertForMaskedLM", config(intermediate_size=48), seed)
    with torch.no_grad():  # wide enough that relu6 and gelu_10 reach their limits
        model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn.weight.mul_(6)
    file = safetensors(folder, untied(full_state(model)))
    inputs = make_inputs(model.config, seed + 1000)
    alone = {k: v[2:3, :11].contiguous() for k, v in inputs.items()}
    steps = torch.arange(-120, 121, dtype=torch.float32) / 8
    tiny = torch.tensor([1e-30, 1e-8, 1e-4, 0.01, 30.0, 88.0, 104.0, 1000.0, 1e4])
    x = torch.cat([steps, tiny, -tiny, torch.tensor([-0.0])])
    out = {"curve_x": x, **{f"single_{k}": v for k, v in alone.items()}}
    weights = model.state_dict()
    for act in ACTIVATIONS:
        m = build("AlbertForMaskedLM", config(intermediate_size=48, hidden_act=act), seed)
        m.load_state_dict(weights)
        got = outputs(m, alone, keep=("last_hidden_state", "mlm_logits"))
        out |= {f"{act}.{k}": v for k, v in got.items()}
        f = ACT2FN[act]
        out[f"{act}.curve"] = f(x)
        out[f"{act}.curve_f64"] = f(x.double())
    write_json(folder / "config.json", config_json(model.config) | {"hidden_act": "gelu"})
    out = {k: v.contiguous().clone() for k, v in out.items()}
    assert all(torch.isfinite(v).all() for v in out.values())
    save_file(out, folder / "expected.safetensors")
    INDEX.append({"case": name, "architecture": "AlbertForMaskedLM", "weights": file,
                  "features": ["one checkpoint; set hidden_act to each name of `activations`", "row alone, no padding"],
                  "activations": ACTIVATIONS, "outputs": sorted(k for k in out if not k.endswith(("_ids", "_mask"))),
                  "read_by_transformers": True})


# ---------------------------------------------------------------- configurations that must be refused

def bad_configs():
    good = dict(model_type="albert", vocab_size=60, embedding_size=8, hidden_size=16, num_hidden_layers=4,
                num_hidden_groups=1, num_attention_heads=2, intermediate_size=32, inner_group_num=1,
                hidden_act="gelu_new", max_position_embeddings=40, type_vocab_size=2, layer_norm_eps=1e-12)
    bad = [
        ("num_attention_heads", "hidden_size is not divisible by it", dict(num_attention_heads=3)),
        ("num_attention_heads", "zero", dict(num_attention_heads=0)),
        ("num_attention_heads", "more heads than hidden_size", dict(num_attention_heads=32)),
        ("num_attention_heads", "negative", dict(num_attention_heads=-2)),
        ("num_hidden_layers", "zero", dict(num_hidden_layers=0)),
        ("num_hidden_layers", "negative", dict(num_hidden_layers=-1)),
        ("num_hidden_layers", "not an integer", dict(num_hidden_layers=2.5)),
        ("hidden_act", "unknown name", dict(hidden_act="gelu_newer")),
        ("hidden_act", "elu is not in ACT2FN", dict(hidden_act="elu")),
        ("hidden_act", "case matters", dict(hidden_act="GELU")),
        ("hidden_act", "prelu has a weight of its own", dict(hidden_act="prelu")),
        ("hidden_act", "xielu has weights of its own", dict(hidden_act="xielu")),
        ("hidden_act", "null", dict(hidden_act=None)),
        ("hidden_act", "a number", dict(hidden_act=3)),
        ("vocab_size", "zero", dict(vocab_size=0)),
        ("vocab_size", "null", dict(vocab_size=None)),
        ("vocab_size", "negative", dict(vocab_size=-60)),
        ("vocab_size", "beyond any memory", dict(vocab_size=10**18)),
        ("embedding_size", "zero", dict(embedding_size=0)),
        ("hidden_size", "zero", dict(hidden_size=0)),
        ("hidden_size", "a word", dict(hidden_size="large")),
        ("hidden_size", "an empty string", dict(hidden_size="")),
        ("hidden_size", "a list", dict(hidden_size=[16])),
        ("hidden_size", "a boolean", dict(hidden_size=True)),
        ("intermediate_size", "zero", dict(intermediate_size=0)),
        ("max_position_embeddings", "zero", dict(max_position_embeddings=0)),
        ("type_vocab_size", "zero", dict(type_vocab_size=0)),
        ("num_hidden_groups", "more groups than layers", dict(num_hidden_groups=5)),
        ("num_hidden_groups", "zero", dict(num_hidden_groups=0)),
        ("inner_group_num", "zero", dict(inner_group_num=0)),
        ("inner_group_num", "more than layers / groups", dict(inner_group_num=5)),
        ("inner_group_num", "more than layers / groups, two groups", dict(num_hidden_groups=2, inner_group_num=3)),
        ("hidden_dropout_prob", "above one", dict(hidden_dropout_prob=2.0)),
        ("hidden_dropout_prob", "negative", dict(hidden_dropout_prob=-0.1)),
        ("attention_probs_dropout_prob", "above one", dict(attention_probs_dropout_prob=1.5)),
        ("attention_probs_dropout_prob", "a word", dict(attention_probs_dropout_prob="none")),
        ("classifier_dropout_prob", "above one", dict(classifier_dropout_prob=2.0)),
        ("layer_norm_eps", "a word", dict(layer_norm_eps="small")),
        ("layer_norm_eps", "negative", dict(layer_norm_eps=-1e-5)),
        ("position_embedding_type", "unknown name", dict(position_embedding_type="rotary")),
        ("model_type", "not an ALBERT", dict(model_type="bert")),
    ]
    one = torch.ones(1, 3, dtype=torch.int64)
    entries = []
    for key, why, change in bad:
        try:
            if change.get("vocab_size") == 10**18:
                raise MemoryError
            kw = {k: v for k, v in (good | change).items() if k != "model_type"}
            with torch.no_grad():
                AlbertForPreTraining(AlbertConfig(attn_implementation="eager", **kw)).eval()(one)
            verdict = "accepts"
        except Exception as e:  # noqa: BLE001 - any failure counts
            verdict = type(e).__name__
        entries.append({"key": key, "why": why, "transformers": verdict, "config": good | change})
    write_json(HERE / "bad_configs.json", entries)
    return entries


def main():
    assert transformers.__version__.startswith("4.57"), transformers.__version__
    assert any(int(i / (18 / 14)) != i * 14 // 18 for i in range(18))
    shape_cases()
    form_cases()
    config_cases()
    activation_case()
    for e in bad_configs():
        print(f"{e['transformers']:20} {e['key']}: {e['why']}")
    write_json(HERE / "cases.json", INDEX)
    for c in INDEX:
        folder = HERE / c["case"]
        out = load_file(folder / "expected.safetensors")
        top = {k: round(v.abs().max().item(), 1) for k, v in out.items() if k in ("last_hidden_state", "mlm_logits")}
        print(f"{sum(f.stat().st_size for f in folder.iterdir()):8} {c['case']} {top}")
    print(sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file()), "bytes in", len(INDEX), "cases")


if __name__ == "__main__":
    main()
