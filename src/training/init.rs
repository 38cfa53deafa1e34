//! The initial model of a training run.

use burn::tensor::Device;

use super::parameters::{Parameter, Parameters};
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

/// Loads the model of `checkpoint` with `heads`. `config` may differ from the checkpoint's in labels and dropout: the rows of a
/// classifier are matched by the names of the labels. Heads that the checkpoint lacks, or has for entirely different labels
/// and another number of them, are newly initialized and returned as the third result.
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
    let rows = label_rows(stored, config);
    let fits = |head: &Head| {
        held.contains(head)
            && match head {
                Head::SentenceOrder => stored.num_labels == config.num_labels,
                Head::SequenceClassification | Head::TokenClassification => rows.is_some(),
                _ => true,
            }
    };
    let (found, missing): (Vec<Head>, Vec<Head>) = heads.iter().partition(|head| fits(head));
    let (loaded, _) = load_model(&tensors, stored, &found, MlmBias::default(), device)?;
    let loaded = Parameters::of(&loaded)?;
    let (model, mut parameters) = new_model(config, heads, seed, device)?;
    for parameter in parameters.tensors_mut() {
        let Some(own) = loaded.tensors().iter().find(|own| own.name == parameter.name) else { continue };
        match rows.as_deref().filter(|_| own.name.starts_with("classifier.")) {
            Some(rows) => copy_rows(own, parameter, rows),
            None => parameter.values.clone_from(&own.values),
        }
    }
    let model = parameters.load_into(model, device);
    Ok((model, parameters, missing))
}

/// Returns, for each label of a configuration, the label of a stored classifier whose weights it starts from: the one with the
/// same name. If no name is the same, labels are matched by their numbers. Returns `None` if the numbers of labels differ, too.
pub(super) fn label_rows(stored: &AlbertConfig, config: &AlbertConfig) -> Option<Vec<Option<usize>>> {
    let names = |config: &AlbertConfig| (0..config.num_labels).map(|id| config.label(id)).collect::<Vec<_>>();
    let (old, new) = (names(stored), names(config));
    let rows: Vec<_> = new.iter().map(|name| old.iter().position(|other| other == name)).collect();
    if rows.iter().any(Option::is_some) {
        return Some(rows);
    }
    (old.len() == new.len()).then(|| (0..new.len()).map(Some).collect())
}

/// Copies the weights or biases of outputs, which are in the last dimension of burn's linear layers.
fn copy_rows(from: &Parameter, to: &mut Parameter, rows: &[Option<usize>]) {
    let (old, new) = (from.shape.last().copied().unwrap_or(1), to.shape.last().copied().unwrap_or(1));
    for (from, to) in from.values.chunks_exact(old).zip(to.values.chunks_exact_mut(new)) {
        for (value, row) in to.iter_mut().zip(rows) {
            if let Some(own) = row.and_then(|row| from.get(row)) {
                *value = *own;
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn config(labels: &[&str]) -> AlbertConfig {
        let mut config = AlbertConfig::default();
        config.set_labels(labels.iter().map(|label| (*label).to_owned()).collect());
        config
    }

    #[test]
    fn rows_are_matched_by_name() {
        let rows = |old: &[&str], new: &[&str]| label_rows(&config(old), &config(new));
        assert_eq!(rows(&["a", "b"], &["a", "b"]), Some(vec![Some(0), Some(1)]));
        assert_eq!(rows(&["a", "b"], &["b", "a"]), Some(vec![Some(1), Some(0)]));
        assert_eq!(rows(&["a", "b"], &["b", "c", "a"]), Some(vec![Some(1), None, Some(0)]));
        assert_eq!(rows(&["LABEL_0", "LABEL_1"], &["no", "yes"]), Some(vec![Some(0), Some(1)]));
        assert_eq!(rows(&["a", "b"], &["c", "d", "e"]), None);
    }

    #[test]
    fn outputs_are_in_the_last_dimension() {
        let parameter = |shape: &[usize], values: &[f32]| Parameter {
            name: "classifier.weight".to_owned(),
            transposed: true,
            shape: shape.to_vec(),
            values: values.to_vec(),
            frozen: false,
        };
        let from = parameter(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let mut to = parameter(&[2, 3], &[0.0; 6]);
        copy_rows(&from, &mut to, &[Some(1), None, Some(0)]);
        assert_eq!(to.values, [2.0, 0.0, 1.0, 4.0, 0.0, 3.0]);
    }
}
