//! The initial model of a training run.

use burn::tensor::Device;

use super::parameters::Parameters;
use crate::checkpoint::{Checkpoint, Inventory, MlmBias, load_model};
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};

/// Creates a model with ALBERT's initializer.
///
/// # Errors
/// [`Error::Device`] if the device fails.
pub fn new_model(
    config: &AlbertConfig,
    heads: &[Head],
    seed: u64,
    device: &Device,
) -> Result<(Albert, Parameters)> {
    let model = Albert::new(config, heads, device);
    let mut parameters = Parameters::of(&model)?;
    parameters.initialize(config.initializer_range, config.pad_token_id, seed);
    let model = parameters.load_into(model, device);
    Ok((model, parameters))
}

/// Loads the model of `checkpoint` with `heads`. Heads that the checkpoint lacks, or has for a different number of
/// labels, are newly initialized and returned as the third result. `config` may differ from the checkpoint's in labels
/// and dropout.
///
/// # Errors
/// [`Error::Weights`] if the encoder is incomplete; errors of the file's reader.
pub fn model_from(
    checkpoint: &Checkpoint,
    config: &AlbertConfig,
    heads: &[Head],
    seed: u64,
    device: &Device,
) -> Result<(Albert, Parameters, Vec<Head>)> {
    let tensors = checkpoint.tensors()?;
    let stored = &checkpoint.config;
    let held = Inventory::new(&tensors, stored)?.heads(stored);
    // A head for a different number of labels cannot be reused.
    let fits = |head: &Head| {
        let labelled =
            matches!(head, Head::SentenceOrder | Head::SequenceClassification | Head::TokenClassification);
        held.contains(head) && (!labelled || stored.num_labels == config.num_labels)
    };
    let (found, missing): (Vec<Head>, Vec<Head>) = heads.iter().partition(|head| fits(head));
    let (loaded, _) = load_model(&tensors, stored, &found, MlmBias::default(), device)?;
    let loaded = Parameters::of(&loaded)?;
    let (model, mut parameters) = new_model(config, heads, seed, device)?;
    for parameter in parameters.tensors_mut() {
        if let Some(own) = loaded.tensors().iter().find(|own| own.name == parameter.name) {
            parameter.values.clone_from(&own.values);
        }
    }
    let model = parameters.load_into(model, device);
    Ok((model, parameters, missing))
}

/// Checks that the initial model has an embedding for every token of the tokenizer.
///
/// # Errors
/// [`Error::InvalidOption`] if the tokenizer has more tokens than the model's vocabulary.
pub fn check_vocabulary(config: &AlbertConfig, pieces: usize) -> Result<()> {
    if pieces <= config.vocab_size {
        return Ok(());
    }
    Err(Error::InvalidOption {
        name: "tokenizer".to_owned(),
        problem: format!(
            "it has {pieces} pieces and the model's vocabulary {}: they do not belong together",
            config.vocab_size
        ),
    })
}
