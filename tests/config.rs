//! Configurations: defaults, tolerance, Google's files, and unknown keys.

use std::path::Path;

use albert::model::{Activation, AlbertConfig};
use serde_json::{Value, json};

fn parse(json: &Value, name: &str) -> AlbertConfig {
    AlbertConfig::from_slice(json.to_string().as_bytes(), Path::new(name)).expect("sound")
}

#[test]
fn missing_keys_take_the_defaults_of_transformers() {
    let config = parse(&json!({}), "config.json");
    assert_eq!((config.hidden_size, config.num_attention_heads, config.intermediate_size), (4096, 64, 16384));
    assert_eq!((config.vocab_size, config.embedding_size, config.max_position_embeddings), (30000, 128, 512));
    assert_eq!((config.num_hidden_layers, config.num_hidden_groups, config.inner_group_num), (12, 1, 1));
    assert_eq!((config.hidden_act, config.layer_norm_eps), (Activation::GeluNew, 1e-12));
    assert_eq!((config.pad_token_id, config.bos_token_id, config.eos_token_id), (Some(0), Some(2), Some(3)));
    assert_eq!(config.classifier_dropout_prob, Some(0.1));
    assert_eq!((config.num_labels, config.label(1)), (2, "LABEL_1".to_owned()));
}

#[test]
fn unknown_keys_are_kept_with_their_order_and_values() {
    let source = json!({
        "net_structure_type": 0, "vocab_size": 60, "hidden_size": 16, "num_attention_heads": 2, "down_scale_factor": 1,
        "gap_size": 0.5, "task_specific_params": {"a": [1, null]}, "id2label": {"1": "good", "0": "bad"},
        "transformers_version": "4.1",
    });
    let config = parse(&source, "config.json");
    let saved = config.to_json();
    for key in [
        "net_structure_type",
        "down_scale_factor",
        "gap_size",
        "task_specific_params",
        "transformers_version",
    ] {
        assert_eq!(saved[key], source[key], "{key}");
        assert_eq!(config.extra(key), Some(&source[key]));
    }
    assert_eq!(saved["id2label"], json!({"0": "bad", "1": "good"}));
    assert_eq!(saved["label2id"], json!({"bad": 0, "good": 1}));
    let keys: Vec<&String> = saved.as_object().expect("an object").keys().collect();
    assert_eq!(
        &keys[..5],
        ["net_structure_type", "vocab_size", "hidden_size", "num_attention_heads", "down_scale_factor"]
    );
    // Saving and reading the configuration again gives the same model.
    let again = parse(&saved, "config.json");
    assert_eq!(again.to_json(), saved);
    assert_eq!((again.hidden_size, again.labels), (config.hidden_size, config.labels));
}

#[test]
fn gelu_in_googles_file_is_the_tanh_form() {
    let json = json!({"hidden_act": "gelu", "hidden_size": 64, "num_attention_heads": 1});
    assert_eq!(parse(&json, "dir/albert_config.json").hidden_act, Activation::GeluNew);
    assert_eq!(parse(&json, "dir/config.json").hidden_act, Activation::Gelu);
}

#[test]
fn numbers_in_strings_and_nulls_are_read() {
    let json = json!({"layer_norm_eps": "1e-12", "hidden_size": 48.0, "num_attention_heads": "3", "classifier_dropout_prob": null});
    let config = parse(&json, "config.json");
    assert_eq!((config.hidden_size, config.num_attention_heads, config.layer_norm_eps), (48, 3, 1e-12));
    assert_eq!(config.classifier_dropout_prob, None);
}
