//! `albert info` names the anomalies of a checkpoint, for each kind of file in `golden/cases`.

mod common;

use common::albert;
use common::cases::{Case, case};
use serde_json::Value;

fn info(case: &Case, path: &str) -> Value {
    let output = albert()
        .args(["info", "--offline", "--format", "jsonl", &case.text(path)])
        .env("HF_HUB_CACHE", case.path("no-cache"))
        .output()
        .expect("runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{path}: {err}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Asserts that an entry of `warnings` contains `text`.
fn is_odd(info: &Value, text: &str) {
    let warnings = info["warnings"].as_array().expect("a list");
    assert!(
        warnings.iter().any(|line| line.as_str().is_some_and(|line| line.contains(text))),
        "{text}: {warnings:?}"
    );
}

#[test]
fn tokenizers_with_changes() {
    let added = case("01-added-tokens");
    assert_eq!(info(&added, "spiece")["tokenizer"]["added"]["<e1>"], 2000);
    assert_eq!(info(&added, "vocab")["tokenizer"]["added"]["[E1]"], 2000);
    let class = case("02-tokenizer-class");
    assert_eq!(info(&class, "japanese")["tokenizer"]["class"], "BertJapaneseTokenizer");
    is_odd(
        &info(&case("03-lower-case"), "model"),
        "overrides the normalizer of tokenizer.json: do_lower_case false",
    );
    let lengths = case("04-max-length");
    assert_eq!(info(&lengths, "classify")["tokenizer"]["model_max_length"], 32);
    assert_eq!(info(&case("09-google-chinese"), "albert_base")["tokenizer"]["file"], "vocab_chinese.txt");
    let models = case("00-models");
    assert_eq!(info(&models, "classify")["warnings"], serde_json::json!([]));
}

#[test]
fn tokenizers_without_a_model() {
    let types = case("13-sentencepiece-types");
    for (path, kind) in [("bpe", "BPE"), ("char", "CHAR")] {
        let found = info(&types, path);
        assert_eq!(found["tokenizer"]["model_type"], kind);
        is_odd(&found, "no weights in this directory");
    }
}

#[test]
fn names_of_labels_and_tensors() {
    is_odd(&info(&case("10-id2label"), "ints"), "id2label has names that are not strings, such as 0");
    let prefixes = case("12-prefixes");
    for (path, text) in [
        ("orig_mod", "\"_orig_mod\""),
        ("key_bert", "\"bert.\""),
        ("model_and_classifier", "state_dict.model."),
    ] {
        is_odd(&info(&prefixes, path), text);
    }
    let open = case("90-open-questions");
    for path in ["tf-names/albert_zh", "tf-names/layer_normalization"] {
        is_odd(&info(&open, path), "the names of the variables are another program's");
    }
}

#[test]
fn contents_next_to_the_weights() {
    let pickles = case("11-pickle-neighbours");
    for (path, class) in
        [("lightning-1.2/last.ckpt", "lightning"), ("easydict/last.ckpt", "easydict.EasyDict")]
    {
        let found = info(&pickles, path);
        is_odd(&found, "skipped Python objects next to the weights: ");
        is_odd(&found, class);
    }
    let messages = case("14-messages");
    is_odd(&info(&messages, "adapter"), "is a PEFT adapter (LORA) for the base model");
    is_odd(&info(&messages, "onnx-int8"), "the weights are quantized (ONNX with");
    let open = case("90-open-questions");
    is_odd(&info(&open, "nan-weights"), "not finite");
    assert_eq!(info(&open, "sentence-transformers")["sentence_transformers"]["max_seq_length"], 16);
}
