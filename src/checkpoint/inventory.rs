//! What a checkpoint holds, by canonical names, whatever the file calls it and however it lays it out.

use std::collections::BTreeMap;
use std::path::Path;

use super::layout::{to_f32, transposed, transposed_bytes};
use super::lora::Merge;
use super::names::{Dialect, is_google_squad2, place_of};
use super::quantized::Quantization;
use super::tensors::{Dtype, Tensors};
use crate::error::{Error, Result};
use crate::model::{AlbertConfig, Head};

/// A checkpoint's tensors under their canonical names.
pub struct Inventory<'a> {
    tensors: &'a Tensors,
    /// By canonical name.
    sources: BTreeMap<String, Source>,
    foreign: Vec<String>,
    google_squad2: bool,
}

/// Where a parameter comes from.
#[derive(Clone, Debug)]
enum Source {
    /// A tensor of the file, `[in, out]` there if it is transposed.
    Tensor { name: String, transposed: bool },
    /// A square matrix that changes nothing.
    Identity(usize),
    /// A vector of nothing.
    Zeros(usize),
    /// What an adapter makes of a parameter, if the base model has it.
    Adapted { base: Option<Box<Source>>, shape: Vec<usize>, dtype: Dtype },
}

impl<'a> Inventory<'a> {
    /// Lists what `tensors` holds.
    ///
    /// # Errors
    /// [`Error::Weights`] when two tensors of the file stand for one parameter.
    pub fn new(tensors: &'a Tensors, config: &AlbertConfig) -> Result<Self> {
        let dialect = tensors.dialect();
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        let mut foreign = Vec::new();
        let mut google_squad2 = false;
        for info in tensors.infos() {
            let Some(place) = place_of(&info.name, dialect) else {
                if dialect == Dialect::Google && is_google_squad2(&info.name) {
                    google_squad2 = true;
                } else {
                    foreign.push(info.name.clone());
                }
                continue;
            };
            let source = Source::Tensor { name: info.name.clone(), transposed: place.transposed };
            let Some(Source::Tensor { name: other, .. }) = sources.insert(place.canonical.clone(), source)
            else {
                continue;
            };
            // Keras stores shared variables once per layer that uses them.
            if dialect != Dialect::Keras {
                return Err(Error::Weights {
                    path: tensors.path().to_owned(),
                    problem: format!(
                        "\"{other}\" and \"{}\" are the same parameter under two names",
                        info.name
                    ),
                });
            }
        }
        // Google's models have no mapping where both widths are the same.
        let mapping = "albert.encoder.embedding_hidden_mapping_in";
        let width = config.hidden_size;
        if dialect == Dialect::Google
            && config.embedding_size == width
            && !sources.contains_key(&format!("{mapping}.weight"))
        {
            sources.insert(format!("{mapping}.weight"), Source::Identity(width));
            sources.insert(format!("{mapping}.bias"), Source::Zeros(width));
        }
        let mut inventory = Self { tensors, sources, foreign, google_squad2 };
        if let Some(merge) = &tensors.merge {
            inventory.adapt(merge)?;
        }
        Ok(inventory)
    }

    /// Puts the changes of an adapter over the parameters of its base model.
    fn adapt(&mut self, merge: &Merge) -> Result<()> {
        let base = self.sources.clone();
        for (canonical, change) in merge.changes() {
            let source = change.copy_of.and_then(|other| base.get(other)).or_else(|| base.get(canonical));
            let problem = |what: String| Error::Weights { path: merge.path().to_owned(), problem: what };
            let shape = match (merge.whole_shape(change), source) {
                (Some(shape), _) => shape,
                (None, Some(source)) => self.shape_of(source).unwrap_or_default(),
                (None, None) => {
                    return Err(problem(format!(
                        "the adapter changes \"{canonical}\", which the base model {} does not have; is it the right one?",
                        self.path().display()
                    )));
                }
            };
            if !merge.fits(change, &shape) {
                return Err(problem(format!(
                    "the adapter does not fit \"{canonical}\" of the base model {}, which is {shape:?}; is it the right one?",
                    self.path().display()
                )));
            }
            let dtype = source.and_then(|source| self.dtype_of(source)).unwrap_or(Dtype::F32);
            let base = source.filter(|_| Merge::needs_base(change)).map(|source| Box::new(source.clone()));
            self.sources.insert(canonical.clone(), Source::Adapted { base, shape, dtype });
        }
        Ok(())
    }

    /// How the file's weights are quantized.
    pub(super) fn quantization(&self) -> Option<&Quantization> {
        self.tensors.quantization()
    }

    /// Names of the file that stand for no parameter: optimizer slots, counters.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// What to say of a head that has no counterpart here, if the file holds one.
    pub(super) fn unknown_head(&self) -> Option<&'static str> {
        self.google_squad2.then_some(
            "the head of Google's SQuAD 2.0 training (start_logits, end_logits, answer_class) has no counterpart in \
             transformers or albert: its end depends on the start; heads of SQuAD 1.1 are read",
        )
    }

    /// True if the file's classifier has one output and nothing says whether it rates choices (as Google's for RACE)
    /// or texts (as that for STS-B).
    pub(super) fn one_output_of_google(&self, config: &AlbertConfig) -> bool {
        let one = self.shape("classifier.weight").is_some_and(|shape| shape.first() == Some(&1));
        one && self.tensors.dialect() == Dialect::Google && classifier_class(config).is_none()
    }

    /// True if a tensor of that canonical name is there.
    pub fn has(&self, canonical: &str) -> bool {
        self.sources.contains_key(canonical)
    }

    /// Canonical names, sorted.
    pub fn canonical_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The heads that the file holds at least in part. A `classifier.*` may be one of three heads; where
    /// neither the class named in the configuration nor the shapes decide, all are listed that it may be.
    pub fn heads(&self, config: &AlbertConfig) -> Vec<Head> {
        Head::ALL.into_iter().filter(|head| self.holds(*head, config)).collect()
    }

    pub(super) fn has_part(&self, prefix: &str) -> bool {
        self.sources.keys().any(|name| name.starts_with(prefix))
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
    pub(super) fn summary(&self, config: &AlbertConfig) -> String {
        let parts = self.parts(config);
        if parts.is_empty() {
            return format!("{} tensors, none of an ALBERT", self.sources.len());
        }
        let mut fit: Vec<&str> = self.heads(config).into_iter().filter_map(subcommand).collect();
        if self.has_part("albert.") {
            fit.push("embed");
        }
        let fit: Vec<String> = fit.iter().map(|name| format!("`albert {name}`")).collect();
        format!("{}; it serves {}", parts.join(", "), fit.join(", "))
    }

    /// The path of the file, for messages.
    pub fn path(&self) -> &Path {
        self.tensors.path()
    }

    /// A parameter's values, laid out as transformers for PyTorch has them.
    ///
    /// # Errors
    /// Those of the file's reader; [`Error::BadFile`] for a tensor of integers.
    pub fn read(&self, canonical: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.read_bytes(canonical, false)?;
        to_f32(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))
    }

    /// A parameter's bytes in the type of the file, laid out as transformers for PyTorch has them, or, if `turned`,
    /// its matrix transposed.
    ///
    /// # Errors
    /// Those of the file's reader.
    pub fn read_bytes(&self, canonical: &str, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        match self.sources.get(canonical) {
            None => self.tensors.read(canonical),
            Some(source) => self.read_source(canonical, source, turned),
        }
    }

    fn read_source(&self, canonical: &str, source: &Source, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        let floats = |values: &[f32]| (values.iter().flat_map(|v| v.to_le_bytes()).collect(), Dtype::F32);
        match source {
            Source::Tensor { name, transposed } => {
                let (bytes, dtype) = self.tensors.read(name)?;
                Ok(match self.tensors.get(name).map(|info| info.shape.as_slice()) {
                    Some([rows, columns]) if *transposed != turned => {
                        (transposed_bytes(&bytes, *rows, *columns, dtype.size()), dtype)
                    }
                    _ => (bytes, dtype),
                })
            }
            Source::Identity(n) => {
                let mut values = vec![0.0; n * n];
                values.iter_mut().step_by(n + 1).for_each(|v| *v = 1.0);
                Ok(floats(&values))
            }
            Source::Zeros(n) => Ok(floats(&vec![0.0; *n])),
            Source::Adapted { base, shape, .. } => {
                let base = match base {
                    None => Vec::new(),
                    Some(base) => {
                        let (bytes, dtype) = self.read_source(canonical, base, false)?;
                        to_f32(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))?
                    }
                };
                let change = self.tensors.merge.as_ref().and_then(|m| Some((m, m.changes().get(canonical)?)));
                let values = match change {
                    Some((merge, change)) => merge.apply(change, base)?,
                    None => base,
                };
                Ok(match shape.as_slice() {
                    [rows, columns] if turned => floats(&transposed(&values, *rows, *columns)),
                    _ => floats(&values),
                })
            }
        }
    }

    pub(super) fn no_floats(&self, canonical: &str, dtype: Dtype) -> Error {
        let problem = format!("tensor \"{canonical}\" has elements of type {dtype}; expected floats");
        Error::bad_file(self.path(), problem)
    }

    /// A parameter's type in the file.
    pub fn dtype(&self, canonical: &str) -> Option<Dtype> {
        self.dtype_of(self.sources.get(canonical)?)
    }

    fn dtype_of(&self, source: &Source) -> Option<Dtype> {
        match source {
            Source::Tensor { name, .. } => self.tensors.get(name).map(|info| info.dtype),
            Source::Identity(_) | Source::Zeros(_) => Some(Dtype::F32),
            Source::Adapted { dtype, .. } => Some(*dtype),
        }
    }

    /// A parameter's extents, laid out as transformers for PyTorch has them.
    pub fn shape(&self, canonical: &str) -> Option<Vec<usize>> {
        self.shape_of(self.sources.get(canonical)?)
    }

    fn shape_of(&self, source: &Source) -> Option<Vec<usize>> {
        match source {
            Source::Tensor { name, transposed } => {
                let mut shape = self.tensors.get(name)?.shape.clone();
                if *transposed {
                    shape.reverse();
                }
                Some(shape)
            }
            Source::Identity(n) => Some(vec![*n, *n]),
            Source::Zeros(n) => Some(vec![*n]),
            Source::Adapted { shape, .. } => Some(shape.clone()),
        }
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
pub(super) fn head_prefix(head: Head) -> &'static str {
    match head {
        Head::Pooler => "albert.pooler.",
        Head::MaskedLm => "predictions.",
        Head::SentenceOrder => "sop_classifier.",
        Head::SequenceClassification | Head::TokenClassification | Head::MultipleChoice => "classifier.",
        Head::QuestionAnswering => "qa_outputs.",
    }
}

pub(super) fn head_with_article(head: Head) -> &'static str {
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
