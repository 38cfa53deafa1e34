//! ALBERT-base's encoder with random weights.

use std::path::Path;
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor};
use serde_json::{Value, json};

use albert::model::{Albert, AlbertConfig, ModelInput, OutputOptions};

/// The configuration, in the form of a transformers config.json.
pub(crate) fn base_config() -> Value {
    json!({
        "model_type": "albert", "vocab_size": 30_000, "embedding_size": 128, "hidden_size": 768,
        "num_attention_heads": 12, "num_hidden_layers": 12, "intermediate_size": 3072,
        "max_position_embeddings": 512, "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    })
}

/// The encoder alone, without heads.
pub(crate) fn model(config: &Value, device: &Device) -> Albert {
    let config = AlbertConfig::from_slice(config.to_string().as_bytes(), Path::new("config.json"));
    Albert::new(&config.expect("sound"), &[], device)
}

/// Seconds for embeddings and encoder on a batch without padding.
pub(crate) fn forward(model: &Albert, shape: [usize; 2], device: &Device) -> f64 {
    let ids: Vec<i64> = (0..(shape[0] * shape[1]) as i64).map(|i| 5 + i * 7919 % 29_995).collect();
    let started = Instant::now();
    let input_ids = Tensor::<1, Int>::from_data(ids.as_slice(), device).reshape(shape);
    let input = ModelInput { token_type_ids: input_ids.zeros_like(), input_ids, padding: None };
    let out = model.albert.encode(input, OutputOptions::default());
    drop(out.last_hidden_state.into_data());
    started.elapsed().as_secs_f64()
}
