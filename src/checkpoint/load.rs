//! Filling a model with the tensors of a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::names::{canonical_name, checkpoint_name, is_buffer};
use super::report::{LoadReport, Mismatch, nearest};
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, Head};

/// Which stored bias the masked-LM head adds when a file holds two that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MlmBias {
    /// `predictions.decoder.bias`, as transformers for PyTorch (4.57 and 5.23).
    #[default]
    Decoder,
    /// `predictions.bias`, as transformers for Flax.
    Predictions,
}

const DECODER_WEIGHT: &str = "predictions.decoder.weight";
const DECODER_BIAS: &str = "predictions.decoder.bias";
const MLM_BIAS: &str = "predictions.bias";
const WORD_EMBEDDINGS: &str = "albert.embeddings.word_embeddings.weight";

/// A checkpoint's tensors under their canonical names.
pub struct Inventory<'a> {
    tensors: &'a Tensors,
    /// Canonical name to the file's name.
    names: BTreeMap<String, String>,
}

impl<'a> Inventory<'a> {
    /// Lists what `tensors` holds.
    ///
    /// # Errors
    /// [`Error::Weights`] when two tensors of the file stand for one parameter.
    pub fn new(tensors: &'a Tensors) -> Result<Self> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for info in tensors.infos() {
            if let Some(other) = names.insert(canonical_name(&info.name), info.name.clone()) {
                return Err(Error::Weights {
                    path: tensors.path().to_owned(),
                    problem: format!(
                        "\"{other}\" and \"{}\" are the same parameter under two names",
                        info.name
                    ),
                });
            }
        }
        Ok(Self { tensors, names })
    }

    /// True if a tensor of that canonical name is there.
    pub fn has(&self, canonical: &str) -> bool {
        self.names.contains_key(canonical)
    }

    /// Canonical names, sorted.
    pub fn canonical_names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The heads that the file holds at least in part. A `classifier.*` may be one of three heads; where
    /// neither the class named in the configuration nor the shapes decide, all are listed that it may be.
    pub fn heads(&self, config: &AlbertConfig) -> Vec<Head> {
        Head::ALL.into_iter().filter(|head| self.holds(*head, config)).collect()
    }

    fn has_part(&self, prefix: &str) -> bool {
        self.names.keys().any(|name| name.starts_with(prefix))
    }

    fn holds(&self, head: Head, config: &AlbertConfig) -> bool {
        if !self.has_part(head_prefix(head)) {
            return false;
        }
        let pooler = self.has_part(head_prefix(Head::Pooler));
        let one_output = self.shape("classifier.weight").is_some_and(|shape| shape.first() == Some(&1));
        let labels = !one_output || config.num_labels == 1;
        let named = classifier_class(config);
        match head {
            Head::SequenceClassification => named.map_or(pooler && labels, |n| n == head),
            Head::TokenClassification => named.map_or(labels, |n| n == head),
            Head::MultipleChoice => named.map_or(pooler && one_output, |n| n == head),
            Head::Pooler | Head::MaskedLm | Head::SentenceOrder | Head::QuestionAnswering => true,
        }
    }

    /// What this checkpoint is made of, in words.
    pub fn parts(&self, config: &AlbertConfig) -> Vec<&'static str> {
        let encoder = self.has_part("albert.").then_some("an encoder");
        let mut heads = self.heads(config);
        // Of what a classifier may be, the likeliest.
        if heads.contains(&Head::SequenceClassification) {
            heads.retain(|head| !matches!(head, Head::TokenClassification | Head::MultipleChoice));
        }
        encoder.into_iter().chain(heads.into_iter().map(head_with_article)).collect()
    }

    /// One line for messages: what is there, and which subcommands can use it.
    fn summary(&self, config: &AlbertConfig) -> String {
        let parts = self.parts(config);
        if parts.is_empty() {
            return format!("{} tensors, none of an ALBERT", self.names.len());
        }
        let mut fit: Vec<&str> = self.heads(config).into_iter().filter_map(subcommand).collect();
        if self.has_part("albert.") {
            fit.push("embed");
        }
        let fit: Vec<String> = fit.iter().map(|name| format!("`albert {name}`")).collect();
        format!("{}; it serves {}", parts.join(", "), fit.join(", "))
    }

    fn read(&self, canonical: &str) -> Result<Vec<f32>> {
        let name = self.names.get(canonical).map_or(canonical, String::as_str);
        self.tensors.read_f32(name)
    }

    fn shape(&self, canonical: &str) -> Option<&[usize]> {
        let name = self.names.get(canonical)?;
        self.tensors.get(name).map(|info| info.shape.as_slice())
    }
}

/// Which head the class named in the configuration makes of `classifier.*`, if it names one.
fn classifier_class(config: &AlbertConfig) -> Option<Head> {
    config.architectures.iter().find_map(|name| {
        let class = name.trim_start_matches("TF").trim_start_matches("Flax").strip_prefix("AlbertFor")?;
        match class {
            "SequenceClassification" => Some(Head::SequenceClassification),
            "TokenClassification" => Some(Head::TokenClassification),
            "MultipleChoice" => Some(Head::MultipleChoice),
            _ => None,
        }
    })
}

/// The first part of the names of a head's tensors.
fn head_prefix(head: Head) -> &'static str {
    match head {
        Head::Pooler => "albert.pooler.",
        Head::MaskedLm => "predictions.",
        Head::SentenceOrder => "sop_classifier.",
        Head::SequenceClassification | Head::TokenClassification | Head::MultipleChoice => "classifier.",
        Head::QuestionAnswering => "qa_outputs.",
    }
}

fn head_with_article(head: Head) -> &'static str {
    match head {
        Head::Pooler => "a pooler",
        Head::MaskedLm => "a masked-LM head",
        Head::SentenceOrder => "a sentence-order head",
        Head::SequenceClassification => "a text-classification head",
        Head::TokenClassification => "a token-classification head",
        Head::MultipleChoice => "a multiple-choice head",
        Head::QuestionAnswering => "a question-answering head",
    }
}

/// The subcommand that a head is for.
fn subcommand(head: Head) -> Option<&'static str> {
    match head {
        Head::Pooler => None,
        Head::MaskedLm => Some("fill-mask"),
        Head::SentenceOrder => Some("classify --order"),
        Head::SequenceClassification => Some("classify"),
        Head::TokenClassification => Some("ner"),
        Head::MultipleChoice => Some("choose"),
        Head::QuestionAnswering => Some("qa"),
    }
}

/// Builds a model with `heads` and reads its weights.
///
/// Weights are computed with in the device's float type, whatever the file's type.
///
/// # Errors
/// [`Error::Weights`] for a missing or misshapen tensor: a parameter is never left random; whatever
/// the file's reader reports.
pub fn load_model(
    tensors: &Tensors,
    config: &AlbertConfig,
    heads: &[Head],
    mlm_bias: MlmBias,
    device: &Device,
) -> Result<(Albert, LoadReport)> {
    let inventory = Inventory::new(tensors)?;
    let held = inventory.heads(config);
    if let Some(head) = heads.iter().find(|head| !held.contains(head)) {
        let name = head_with_article(*head).trim_start_matches("a ");
        let why = if inventory.has_part(head_prefix(*head)) {
            "its classifier is of another kind".to_owned()
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
    let report = loader.finish(heads)?;
    Ok((model, report))
}

/// The module mapper that puts a tensor into every parameter.
struct Loader<'a> {
    inventory: &'a Inventory<'a>,
    path: Vec<String>,
    containers: Vec<String>,
    report: LoadReport,
    /// Canonical names read or otherwise accounted for.
    seen: BTreeSet<String>,
    /// The tensor that serves as the masked-LM bias.
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
            path: Vec::new(),
            containers: Vec::new(),
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

    /// Both biases are the same vector in most files; where they differ transformers takes the
    /// decoder's (its `_tie_weights` assigns it over the other).
    fn choose_bias(&mut self, wish: MlmBias) -> Result<()> {
        let both = self.inventory.has(DECODER_BIAS) && self.inventory.has(MLM_BIAS);
        self.bias_source = match wish {
            _ if !self.inventory.has(DECODER_BIAS) => MLM_BIAS,
            _ if !self.inventory.has(MLM_BIAS) => DECODER_BIAS,
            MlmBias::Decoder => DECODER_BIAS,
            MlmBias::Predictions => MLM_BIAS,
        };
        self.seen.extend([DECODER_BIAS.to_owned(), MLM_BIAS.to_owned()]);
        if both && self.inventory.read(DECODER_BIAS)? != self.inventory.read(MLM_BIAS)? {
            self.report.notes.push(format!(
                "{MLM_BIAS} and {DECODER_BIAS} differ: using {} (--mlm-bias chooses)",
                self.bias_source
            ));
        }
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

    /// The tensor of one parameter, laid out for burn.
    fn tensor_for(&mut self, name: &str, shape: &[usize], transpose: bool) -> Option<Vec<f32>> {
        let source = if name == MLM_BIAS { self.bias_source } else { name };
        let stored: Vec<usize> =
            if transpose { shape.iter().rev().copied().collect() } else { shape.to_vec() };
        let Some(found) = self.inventory.shape(source) else {
            let unused = self.inventory.canonical_names().filter(|n| !self.seen.contains(*n));
            let near = nearest(name, unused).map(str::to_owned);
            self.report.missing.push((name.to_owned(), near));
            return None;
        };
        self.seen.insert(source.to_owned());
        if found != stored {
            let found = found.to_vec();
            self.report.mismatched.push(Mismatch { name: source.to_owned(), expected: stored, found });
            return None;
        }
        match self.inventory.read(source) {
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
        for name in self.inventory.canonical_names() {
            if self.seen.contains(name) || is_buffer(name) {
                continue;
            }
            let asked = heads.iter().any(|head| name.starts_with(head_prefix(*head)));
            let spare = !asked && Head::ALL.into_iter().any(|head| name.starts_with(head_prefix(head)));
            if spare {
                self.report.set_aside.push(name.to_owned())
            } else {
                self.report.unused.push(name.to_owned())
            }
        }
        if self.report.missing.is_empty() && self.report.mismatched.is_empty() {
            return Ok(self.report);
        }
        Err(Error::Weights {
            path: self.inventory.tensors.path().to_owned(),
            problem: complaint(&self.report),
        })
    }
}

/// What is missing and misshapen, the first few of each by name.
fn complaint(report: &LoadReport) -> String {
    const SHOWN: usize = 5;
    let mut lines = Vec::new();
    if !report.mismatched.is_empty() {
        lines.push(format!(
            "{} tensors do not have the shape that config.json asks for:",
            report.mismatched.len()
        ));
        for m in report.mismatched.iter().take(SHOWN) {
            lines.push(format!("  {}: expected {:?}, found {:?}", m.name, m.expected, m.found));
        }
    }
    if !report.missing.is_empty() {
        lines.push(format!("{} tensors that the model needs are missing:", report.missing.len()));
        for (name, near) in report.missing.iter().take(SHOWN) {
            match near {
                Some(near) => lines.push(format!("  {name} (the file has {near})")),
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
        self.path.push(name.to_owned());
        self.containers.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.error.is_some() {
            return param;
        }
        let name = checkpoint_name(&self.path);
        let shape = param.lazy_shape();
        let dims: Vec<usize> = (0..D).map(|i| shape[i]).collect();
        let transpose = D == 2 && self.containers.last().is_some_and(|c| c == "Struct:Linear");
        let Some(values) = self.tensor_for(&name, &dims, transpose) else { return param };
        let device = param.lazy_device();
        let tensor = Tensor::from_data(TensorData::new(values, dims), &device);
        Param::initialized(param.id, tensor)
    }
}

/// A `[rows, columns]` matrix as `[columns, rows]`, block by block so that both sides stay in cache.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    const BLOCK: usize = 32;
    let mut out = vec![0.0; values.len()];
    for r0 in (0..rows).step_by(BLOCK) {
        for c0 in (0..columns).step_by(BLOCK) {
            for r in r0..(r0 + BLOCK).min(rows) {
                for c in c0..(c0 + BLOCK).min(columns) {
                    out[c * rows + r] = values[r * columns + c];
                }
            }
        }
    }
    out
}
