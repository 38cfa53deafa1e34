//! The model that a run begins with.

use burn::tensor::Device;

use super::parameters::Parameters;
use crate::checkpoint::{Checkpoint, Inventory, MlmBias, load_model};
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};

/// A new model from ALBERT's initializer.
///
/// # Errors
/// [`Error::Device`] when the device fails.
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

/// The model of `checkpoint` with `heads`; heads that it lacks, or has for another number of labels, are new, and named in
/// the third result. `config` may differ from the checkpoint's in labels and dropout.
///
/// # Errors
/// [`Error::Weights`] when the encoder is not whole; those of reading.
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
    // A head for another number of labels is no beginning for this one.
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

/// Checks that `--init-from` and a tokenizer belong together.
///
/// # Errors
/// [`Error::Usage`] when the tokenizer has ids that the model has no vectors for.
pub fn check_vocabulary(config: &AlbertConfig, pieces: usize) -> Result<()> {
    if pieces <= config.vocab_size {
        return Ok(());
    }
    Err(Error::Usage {
        flag: "--tokenizer".to_owned(),
        problem: format!(
            "it has {pieces} pieces and the model's vocabulary {}: they do not belong together",
            config.vocab_size
        ),
    })
}
