//! Loads the tensors of a checkpoint into a model.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::inventory::{Inventory, head_prefix, head_with_article};
use super::layout::transposed;
use super::naming::module_path::ModulePath;
use super::naming::names::is_buffer;
use super::quantization::Quantization;
use super::report::{LoadReport, Mismatch, nearest};
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};

/// The masked-LM bias to use if a file contains two that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum MlmBias {
    /// `predictions.decoder.bias`, as in transformers for PyTorch (4.57 and 5.23).
    #[default]
    #[cfg_attr(feature = "cli", value(help = "predictions.decoder.bias, as in transformers for PyTorch"))]
    Decoder,
    /// `predictions.bias`, as in transformers for Flax.
    #[cfg_attr(feature = "cli", value(help = "predictions.bias, as in transformers for Flax"))]
    Predictions,
}

const DECODER_WEIGHT: &str = "predictions.decoder.weight";
const DECODER_BIAS: &str = "predictions.decoder.bias";
const MLM_BIAS: &str = "predictions.bias";
const WORD_EMBEDDINGS: &str = "albert.embeddings.word_embeddings.weight";

/// Builds a model with `heads` and loads its weights.
///
/// Weights are converted from the file's type to the device's float type.
///
/// # Errors
/// [`Error::Weights`] for a missing tensor or a wrong shape, since no parameter may keep its random initial values;
/// errors from the file's reader.
pub fn load_model(
    tensors: &Tensors,
    config: &AlbertConfig,
    heads: &[Head],
    mlm_bias: MlmBias,
    device: &Device,
) -> Result<(Albert, LoadReport)> {
    tensors.check_readable(config)?;
    let inventory = Inventory::new(tensors, config)?;
    let held = inventory.heads(config);
    if let Some(head) = heads.iter().find(|head| !held.contains(head)) {
        let name = head_with_article(*head).trim_start_matches("a ");
        let why = if let (Head::QuestionAnswering, Some(unknown)) = (head, inventory.unknown_head()) {
            unknown.to_owned()
        } else if inventory.has_part(head_prefix(*head)) {
            "its classifier is of a different kind".to_owned()
        } else {
            format!("no tensor is named {}*", head_prefix(*head))
        };
        return Err(Error::Weights {
            path: tensors.path().to_owned(),
            problem: format!("the checkpoint has no {name} ({why}); it holds {}", inventory.summary(config)),
        });
    }
    let mut loader = Loader::new(&inventory, config, heads, mlm_bias)?;
    let model = Albert::new(config, heads, device).map(&mut loader);
    let mut report = loader.finish(heads)?;
    report.notes.extend(tensors.quantization().map(Quantization::note));
    Ok((model, report))
}

/// Selects the masked-LM bias, and returns a note if the file has two that differ. Both biases are equal in most files.
/// If they differ, transformers uses the decoder's (its `_tie_weights` overwrites the other one).
pub(super) fn mlm_bias_source(
    inventory: &Inventory,
    wish: MlmBias,
) -> Result<(&'static str, Option<String>)> {
    let both = inventory.has(DECODER_BIAS) && inventory.has(MLM_BIAS);
    let source = match wish {
        _ if !inventory.has(DECODER_BIAS) => MLM_BIAS,
        _ if !inventory.has(MLM_BIAS) => DECODER_BIAS,
        MlmBias::Decoder => DECODER_BIAS,
        MlmBias::Predictions => MLM_BIAS,
    };
    let differ = both && inventory.read(DECODER_BIAS)? != inventory.read(MLM_BIAS)?;
    let note = differ
        .then(|| format!("{MLM_BIAS} and {DECODER_BIAS} differ: using {source} (option mlm_bias chooses)"));
    Ok((source, note))
}

/// Returns a note that names tensors which no part of the model uses, because a model with layers of its own gives other
/// results without them. transformers warns about them, too.
fn note_on_unused(unused: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    let names = unused.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let (count, verb) = match unused.len() {
        0 => return None,
        1 => ("1 tensor is".to_owned(), "it"),
        n => (format!("{n} tensors are"), "them"),
    };
    let more = if unused.len() > SHOWN { ", ..." } else { "" };
    Some(format!(
        "{count} not part of an ALBERT and not used: {names}{more}; results differ if the model was trained with {verb}"
    ))
}

/// A module mapper that loads every parameter.
struct Loader<'a> {
    inventory: &'a Inventory<'a>,
    path: ModulePath,
    report: LoadReport,
    /// Canonical names of the tensors used so far.
    seen: BTreeSet<String>,
    /// The tensor to use as the masked-LM bias.
    bias_source: &'static str,
    error: Option<Error>,
}

impl<'a> Loader<'a> {
    fn new(
        inventory: &'a Inventory<'a>,
        config: &AlbertConfig,
        heads: &[Head],
        mlm_bias: MlmBias,
    ) -> Result<Self> {
        let mut loader = Self {
            inventory,
            path: ModulePath::default(),
            report: LoadReport::default(),
            seen: BTreeSet::new(),
            bias_source: MLM_BIAS,
            error: None,
        };
        if heads.contains(&Head::MaskedLm) {
            loader.choose_bias(mlm_bias)?;
            loader.check_tie(config)?;
        }
        Ok(loader)
    }

    fn choose_bias(&mut self, wish: MlmBias) -> Result<()> {
        let (source, note) = mlm_bias_source(self.inventory, wish)?;
        self.bias_source = source;
        self.seen.extend([DECODER_BIAS.to_owned(), MLM_BIAS.to_owned()]);
        self.report.notes.extend(note);
        Ok(())
    }

    fn check_tie(&mut self, config: &AlbertConfig) -> Result<()> {
        if !config.tie_word_embeddings || !self.inventory.has(DECODER_WEIGHT) {
            return Ok(());
        }
        self.seen.insert(DECODER_WEIGHT.to_owned());
        let same_shape = self.inventory.shape(DECODER_WEIGHT) == self.inventory.shape(WORD_EMBEDDINGS);
        if !same_shape || self.inventory.read(DECODER_WEIGHT)? != self.inventory.read(WORD_EMBEDDINGS)? {
            self.report.notes.push(format!(
                "{DECODER_WEIGHT} differs from {WORD_EMBEDDINGS}: using the embeddings, because \
                 tie_word_embeddings is not false in config.json"
            ));
        }
        Ok(())
    }

    /// Returns the values of one parameter, in burn's layout.
    fn tensor_for(&mut self, name: &str, shape: &[usize], transpose: bool) -> Option<Vec<f32>> {
        let source = if name == MLM_BIAS { self.bias_source } else { name };
        let stored: Vec<usize> =
            if transpose { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        let Some(found) = self.inventory.shape(source) else {
            let unused = self.inventory.canonical_names().filter(|n| !self.seen.contains(*n));
            let near = match self.inventory.unreadable(name) {
                Some(problem) => Some(format!("it {problem}")),
                None => nearest(name, unused).map(|near| format!("the file has {near}")),
            };
            self.report.missing.push((name.to_owned(), near));
            return None;
        };
        self.seen.insert(source.to_owned());
        if found != stored {
            self.report.mismatched.push(Mismatch { name: source.to_owned(), expected: stored, found });
            return None;
        }
        match self.inventory.read_finite(source) {
            Ok(values) => {
                self.report.loaded.push(source.to_owned());
                Some(if transpose { transposed(&values, stored[0], stored[1]) } else { values })
            }
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn finish(mut self, heads: &[Head]) -> Result<LoadReport> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.report.unrecognized = self.inventory.unrecognized().len();
        self.report.details = self.inventory.notes().to_vec();
        for name in self.inventory.canonical_names() {
            if self.seen.contains(name) || is_buffer(name) {
                continue;
            }
            let asked = heads.iter().any(|head| name.starts_with(head_prefix(*head)));
            let spare = !asked && Head::ALL.into_iter().any(|head| name.starts_with(head_prefix(head)));
            if spare {
                self.report.unused_heads.push(name.to_owned());
            } else {
                self.report.unused.push(name.to_owned());
            }
        }
        self.report.notes.extend(note_on_unused(&self.report.unused));
        if self.report.missing.is_empty() && self.report.mismatched.is_empty() {
            return Ok(self.report);
        }
        Err(Error::Weights {
            path: self.inventory.path().to_owned(),
            problem: describe_mismatch(&self.report),
        })
    }
}

/// Describes missing tensors and wrong shapes. Names the first few of each.
fn describe_mismatch(report: &LoadReport) -> String {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    if !report.mismatched.is_empty() {
        lines.push(match report.mismatched.len() {
            1 => "1 tensor does not have the shape that config.json asks for:".to_owned(),
            count => format!("{count} tensors do not have the shape that config.json asks for:"),
        });
        for m in report.mismatched.iter().take(SHOWN) {
            lines.push(format!("  {}: expected {:?}, found {:?}", m.name, m.expected, m.found));
        }
    }
    if !report.missing.is_empty() {
        lines.push(match report.missing.len() {
            1 => "1 tensor that the model needs is missing:".to_owned(),
            count => format!("{count} tensors that the model needs are missing:"),
        });
        for (name, near) in report.missing.iter().take(SHOWN) {
            match near {
                Some(hint) => lines.push(format!("  {name} ({hint})")),
                None => lines.push(format!("  {name}")),
            }
        }
    }
    if report.mismatched.len().max(report.missing.len()) > SHOWN {
        lines.push("  ...".to_owned());
    }
    lines.push("is config.json the one that belongs to these weights?".to_owned());
    lines.join("\n")
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let name = self.path.checkpoint_name();
        let shape = param.lazy_shape();
        let dims: Vec<usize> = (0..D).map(|i| shape[i]).collect();
        let transpose = self.path.is_transposed(D);
        let Some(values) = self.tensor_for(&name, &dims, transpose) else { return param };
        let device = param.lazy_device();
        let tensor = Tensor::from_data(TensorData::new(values, dims), &device);
        Param::initialized(param.id, tensor)
    }
}
