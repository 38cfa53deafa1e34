//! Dropout acts only in training (on an autodiff device), and each of the three rates acts where the reference applies
//! it.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor};

use albert::device::{self, DeviceChoice, Precision};
use albert::model::{Albert, AlbertConfig, Head, ModelInput, OutputOptions};

fn config(hidden: f64, attention: f64, classifier: f64) -> AlbertConfig {
    let json = serde_json::json!({
        "model_type": "albert", "vocab_size": 50, "embedding_size": 8, "hidden_size": 16, "num_attention_heads": 2,
        "num_hidden_layers": 2, "intermediate_size": 32, "max_position_embeddings": 16, "initializer_range": 0.5,
        "hidden_dropout_prob": hidden, "attention_probs_dropout_prob": attention, "classifier_dropout_prob": classifier,
    });
    AlbertConfig::from_slice(json.to_string().as_bytes(), Path::new("config.json")).expect("sound")
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("floats")
}

struct Outputs {
    embedded: Vec<f32>,
    pooled: Vec<f32>,
    order: Vec<f32>,
}

/// The outputs of two passes of the same input through the same weights.
fn twice(config: &AlbertConfig, device: &Device) -> [Outputs; 2] {
    let model = Albert::new(config, &[Head::Pooler, Head::SentenceOrder], device);
    let ids = || Tensor::<2, Int>::from_ints([[2, 7, 8, 9, 3, 11, 12, 3]], device);
    let run = || {
        let input = ModelInput { input_ids: ids(), token_type_ids: ids().zeros_like(), padding: None };
        let embedded = model.albert.embeddings.forward(ids(), ids().zeros_like());
        let out = model.albert.forward(input, OutputOptions::default());
        let pooled = out.pooler_output.expect("a pooler");
        let order = model.sentence_order_logits(pooled.clone()).expect("the head");
        Outputs { embedded: floats(embedded), pooled: floats(pooled), order: floats(order) }
    };
    [run(), run()]
}

#[test]
fn each_rate_acts_in_its_place_and_in_training_alone() {
    let plain = device::open(DeviceChoice::Flex, Precision::F32).expect("the CPU").device;
    let training = plain.clone().autodiff();

    let [a, b] = twice(&config(0.5, 0.5, 0.5), &plain);
    assert_eq!((a.embedded, a.pooled, a.order), (b.embedded, b.pooled, b.order));

    let [a, b] = twice(&config(0.0, 0.0, 0.0), &training);
    assert_eq!((a.embedded, a.pooled, a.order), (b.embedded, b.pooled, b.order));

    // The classifier's rate acts after the pooled vector.
    let [a, b] = twice(&config(0.0, 0.0, 0.5), &training);
    assert_eq!(a.pooled, b.pooled);
    assert_ne!(a.order, b.order);

    // The attention's rate acts after the embeddings.
    let [a, b] = twice(&config(0.0, 0.5, 0.0), &training);
    assert_eq!(a.embedded, b.embedded);
    assert_ne!(a.pooled, b.pooled);

    // The hidden rate already acts on the embeddings: about half of them are zero.
    let [a, b] = twice(&config(0.5, 0.0, 0.0), &training);
    assert_ne!(a.embedded, b.embedded);
    let zeros = a.embedded.iter().filter(|v| **v == 0.0).count();
    assert!((16..=48).contains(&zeros), "{zeros} of {}", a.embedded.len());
}
