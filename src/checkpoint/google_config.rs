//! Completes configurations of Google's checkpoints. Fine-tuned classifiers lack the number of labels. TensorFlow Hub
//! modules lack the complete configuration, which is inferred from tensor shapes for the published models.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::albert_zh;
use super::naming::names::{Dialect, to_canonical};
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// Hidden size, layers and attention heads of the published models: base, large, xlarge, xxlarge.
const PUBLISHED: [(usize, usize, usize); 4] = [(768, 12, 12), (1024, 24, 16), (2048, 24, 16), (4096, 12, 64)];

/// A parameter and its shape.
type Shaped = (String, Vec<usize>);

/// Returns the parameters of a checkpoint with their PyTorch shapes.
fn shapes(tensors: &Tensors) -> Vec<Shaped> {
    let shaped = |info: &super::tensor::TensorInfo| {
        let place = to_canonical(&info.name, Dialect::Google)?;
        let mut shape = info.shape.clone();
        if place.transposed {
            shape.reverse();
        }
        Some((place.canonical, shape))
    };
    tensors.infos().iter().filter_map(shaped).collect()
}

/// Sets the number of labels if the configuration names none, and adapts the configuration to a checkpoint of albert_zh.
///
/// # Errors
/// Errors from reading the index; [`Error::Weights`] for an albert_zh checkpoint of unknown layer kind.
pub(super) fn complete(config: &mut AlbertConfig, weights: &Path) -> Result<()> {
    let tensors = Tensors::open(weights)?;
    albert_zh::configure(config, &tensors)?;
    if config.extra("num_labels").is_some() || config.extra("id2label").is_some() {
        return Ok(());
    }
    let shapes = shapes(&tensors);
    if let Some((_, shape)) = shapes.iter().find(|(name, _)| name == "classifier.weight")
        && let Some(labels) = shape.first().filter(|n| **n > 0)
    {
        config.set_num_labels(*labels);
    }
    Ok(())
}

/// Infers the configuration of a published model from its tensor shapes.
///
/// # Errors
/// [`Error::Model`] if it is not a published model; errors from reading the index.
pub(super) fn inferred(weights: &Path, name: &str) -> Result<AlbertConfig> {
    let tensors = Tensors::open(weights)?;
    let shapes = shapes(&tensors);
    let json = describe(&shapes).ok_or_else(|| Error::Model {
        model: name.to_owned(),
        problem:
            "no albert_config.json or config.json next to the checkpoint, and its shapes are not those of a \
                  published ALBERT; add the configuration"
                .to_owned(),
    })?;
    let mut config = AlbertConfig::from_slice(json.to_string().as_bytes(), Path::new("albert_config.json"))?;
    albert_zh::configure(&mut config, &tensors)?;
    Ok(config)
}

fn describe(shapes: &[Shaped]) -> Option<serde_json::Value> {
    let shape = |name: &str| shapes.iter().find(|(n, _)| n == name).map(|(_, shape)| shape.as_slice());
    let layer = "albert.encoder.albert_layer_groups.0.albert_layers.0";
    let [vocabulary, embedding] = shape("albert.embeddings.word_embeddings.weight")? else { return None };
    let [positions, _] = shape("albert.embeddings.position_embeddings.weight")? else { return None };
    let [types, _] = shape("albert.embeddings.token_type_embeddings.weight")? else { return None };
    let [intermediate, hidden] = shape(&format!("{layer}.ffn.weight"))? else { return None };
    let (_, layers, heads) = PUBLISHED.into_iter().find(|(width, _, _)| width == hidden)?;
    let numbers = |after: &str| {
        let number = |(name, _): &Shaped| name.split(after).nth(1)?.split('.').next()?.parse::<usize>().ok();
        shapes.iter().filter_map(number).collect::<BTreeSet<usize>>().len()
    };
    Some(json!({
        "vocab_size": vocabulary, "embedding_size": embedding, "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": intermediate,
        "num_hidden_groups": numbers("albert_layer_groups."), "inner_group_num": numbers("albert_layers."),
        "max_position_embeddings": positions, "type_vocab_size": types, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.02
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(hidden: usize) -> Vec<Shaped> {
        let layer = "albert.encoder.albert_layer_groups.0.albert_layers.0";
        [
            ("albert.embeddings.word_embeddings.weight".to_owned(), vec![30000, 128]),
            ("albert.embeddings.position_embeddings.weight".to_owned(), vec![512, 128]),
            ("albert.embeddings.token_type_embeddings.weight".to_owned(), vec![2, 128]),
            (format!("{layer}.ffn.weight"), vec![4 * hidden, hidden]),
        ]
        .to_vec()
    }

    #[test]
    fn published_models_are_known_by_their_width() {
        let json = describe(&model(768)).expect("ALBERT-base");
        assert_eq!(json["num_hidden_layers"], 12);
        assert_eq!((&json["num_hidden_groups"], &json["inner_group_num"]), (&1.into(), &1.into()));
        let config = AlbertConfig::from_slice(json.to_string().as_bytes(), Path::new("albert_config.json"));
        assert_eq!(config.expect("sound").hidden_act.name(), "gelu_new");
        assert_eq!(describe(&model(4096)).expect("xxlarge")["num_attention_heads"], 64);
        assert_eq!(describe(&model(500)), None);
        assert_eq!(describe(&[]), None);
    }
}
