//! The teacher's model.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::losses::sentence_vectors;
use crate::batch::{Padding, model_input};
use crate::checkpoint::{Checkpoint, MlmBias, load_model};
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head, OutputOptions};
use crate::ops::MatmulPrecision;
use crate::tokenizer::Encoding;
use crate::training::parameters::Parameters;
use crate::training::pretraining::Batch;

/// Knowledge that a model learns from its teacher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Signal {
    /// Vectors of sentences.
    Vectors,
    /// Distributions over the vocabulary at masked tokens.
    #[cfg_attr(feature = "cli", value(help = "Predictions of masked tokens"))]
    Logits,
}

impl Signal {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::Logits => "logits",
        }
    }
}

/// A model that is not trained, on one or more devices.
pub struct Teacher {
    /// The name given by the user.
    pub name: String,
    /// The configuration.
    pub config: AlbertConfig,
    copies: Vec<(Device, Albert)>,
    pad_multiple: usize,
    digest: String,
}

impl Teacher {
    /// Loads the model of `checkpoint` onto each of `devices`, which do not need automatic differentiation. Also returns
    /// notes about the checkpoint. Lengths are padded to a multiple of `pad_multiple`.
    ///
    /// # Errors
    /// [`Error::Weights`] for a missing tensor or head; errors of the file's reader and of the devices.
    pub fn load(
        checkpoint: &Checkpoint,
        signal: Signal,
        devices: &[Device],
        matmul_precision: MatmulPrecision,
        pad_multiple: usize,
    ) -> Result<(Self, Vec<String>)> {
        let heads: &[Head] = if signal == Signal::Logits { &[Head::MaskedLm] } else { &[] };
        let tensors = checkpoint.tensors()?;
        let (mut copies, mut notes, mut digest) = (Vec::<(Device, Albert)>::new(), Vec::new(), String::new());
        for device in devices {
            let device = device.clone().without_autodiff();
            if copies.iter().any(|(other, _)| *other == device) {
                continue;
            }
            let (mut model, report) =
                load_model(&tensors, &checkpoint.config, heads, MlmBias::default(), &device)?;
            model.set_matmul_precision(matmul_precision);
            if copies.is_empty() {
                digest = fingerprint(&model)?;
                notes = report.notes;
            }
            copies.push((device, model));
        }
        let (name, config) = (checkpoint.name.clone(), checkpoint.config.clone());
        Ok((Self { name, config, copies, pad_multiple, digest }, notes))
    }

    /// The first digits of the SHA-256 of the weights.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The number of parameters.
    pub fn parameters(&self) -> usize {
        self.copies.first().map_or(0, |(_, model)| model.num_params())
    }

    fn model(&self, device: &Device) -> Result<&Albert> {
        // The comparison of devices ignores automatic differentiation.
        let copy = self.copies.iter().find(|(own, _)| own == device);
        copy.map(|(_, model)| model).ok_or_else(|| Error::Device {
            device: format!("{device:?}"),
            problem: format!("the teacher {} was not loaded there", self.name),
        })
    }

    /// Unit vectors of texts, `[n, H]`.
    pub(super) fn vectors(&self, rows: &[&Encoding], device: &Device) -> Result<Tensor<2>> {
        let device = device.clone().without_autodiff();
        let padding = Padding {
            id: self.config.pad_token_id.unwrap_or(0) as u32,
            multiple: self.pad_multiple,
            longest: self.config.max_position_embeddings,
        };
        let input = model_input(rows.iter().copied(), padding, &device);
        let states = self.model(&device)?.albert.encode(input, OutputOptions::default()).last_hidden_state;
        Ok(sentence_vectors(states, rows.iter().copied(), &device))
    }

    /// Masked-LM logits at the masked positions, `[n, vocab_size]`.
    pub(super) fn masked_lm_logits(&self, rows: &Batch, device: &Device) -> Result<Tensor<2>> {
        let device = device.clone().without_autodiff();
        let model = self.model(&device)?;
        let states = model.albert.encode(rows.input(&device), OutputOptions::default()).last_hidden_state;
        model.masked_lm_logits(states, rows.masked(&device)).ok_or_else(|| Error::Model {
            model: self.name.clone(),
            problem: "the teacher has no masked-LM head".to_owned(),
        })
    }
}

/// The first digits of the SHA-256 of the names and values of all parameters.
fn fingerprint(model: &Albert) -> Result<String> {
    let mut hash = Sha256::new();
    for parameter in Parameters::of(model)?.tensors() {
        hash.update(parameter.name.as_bytes());
        for values in parameter.values.chunks(4096) {
            hash.update(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}
