//! The content of a checkpoint by canonical names, independent of the file's names and layout.

use std::collections::BTreeMap;
use std::path::Path;

use super::adapter::merge::Merge;
use super::albert_zh;
use super::layout::{is_finite, to_bytes, to_f32, to_f32_checked, transposed, transposed_bytes};
use super::naming::names::{Dialect, is_google_squad2, place_of};
use super::quantization::Quantization;
use super::source::Source;
use super::tensor::Dtype;
use super::tensors::Tensors;
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

impl<'a> Inventory<'a> {
    /// Lists the parameters in `tensors`.
    ///
    /// # Errors
    /// [`Error::Weights`] if two tensors of the file represent the same parameter.
    pub fn new(tensors: &'a Tensors, config: &AlbertConfig) -> Result<Self> {
        let dialect = tensors.dialect();
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        let mut foreign = tensors.outside().to_vec();
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
            let problem = if dialect != Dialect::Keras {
                format!("\"{other}\" and \"{}\" are the same parameter under two names", info.name)
            } else if place.canonical.contains(".albert_layers.")
                && tensors.read(&other)? != tensors.read(&info.name)?
            {
                format!(
                    "holds two different ALBERTs, one with \"{other}\" and one with \"{}\"; save the one you want to \
                     a file of its own",
                    info.name
                )
            } else {
                // Keras stores shared variables once for each layer that uses them.
                continue;
            };
            return Err(Error::Weights { path: tensors.path().to_owned(), problem });
        }
        // Google's models have no mapping if embedding and hidden size are equal.
        let mapping = "albert.encoder.embedding_hidden_mapping_in";
        let width = config.hidden_size;
        if dialect == Dialect::Google
            && config.embedding_size == width
            && !sources.contains_key(&format!("{mapping}.weight"))
        {
            sources.insert(format!("{mapping}.weight"), Source::Identity(width));
            sources.insert(format!("{mapping}.bias"), Source::Zeros(width));
        }
        if tensors.projects_words {
            albert_zh::complete(&mut sources, tensors);
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

    /// Why the file's tensor of that canonical name cannot be read, if it has one that cannot.
    pub(super) fn unreadable(&self, canonical: &str) -> Option<&str> {
        let dialect = self.tensors.dialect();
        let is_this = |name: &str| place_of(name, dialect).is_some_and(|place| place.canonical == canonical);
        self.tensors.unreadable().find(|(name, _)| is_this(name)).map(|(_, problem)| problem)
    }

    /// Changes to the names of the file's tensors, one line each.
    pub fn notes(&self) -> &[String] {
        self.tensors.notes()
    }

    /// The name that a parameter's tensor has in the file.
    pub fn name_in_file<'b>(&'b self, canonical: &'b str) -> &'b str {
        match self.sources.get(canonical) {
            Some(Source::Tensor { name, .. } | Source::Product { left: name, .. }) => {
                self.tensors.name_in_file(name)
            }
            _ => canonical,
        }
    }

    /// Names in the file that are not parameters: optimizer slots, counters.
    pub fn foreign(&self) -> &[String] {
        &self.foreign
    }

    /// A note about a head of the file that has no counterpart here.
    pub(super) fn unknown_head(&self) -> Option<&'static str> {
        self.google_squad2.then_some(
            "the head of Google's SQuAD 2.0 training (start_logits, end_logits, answer_class) has no counterpart in \
             transformers or albert: its end depends on the start; heads of SQuAD 1.1 are read",
        )
    }

    /// Returns true if the classifier has one output and it is unclear whether it scores choices (like Google's for RACE) or
    /// texts (like Google's for STS-B).
    pub(super) fn one_output_of_google(&self, config: &AlbertConfig) -> bool {
        let one = self.shape("classifier.weight").is_some_and(|shape| shape.first() == Some(&1));
        one && self.tensors.dialect() == Dialect::Google && classifier_class(config).is_none()
    }

    /// Returns true if there is a tensor with this canonical name.
    pub fn has(&self, canonical: &str) -> bool {
        self.sources.contains_key(canonical)
    }

    /// Canonical names, sorted.
    pub fn canonical_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    /// The heads that the file contains at least partly. A `classifier.*` may belong to three heads. If neither the class named in
    /// the configuration nor the shapes decide, all candidates are listed.
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

    /// The parts of this checkpoint, in words.
    pub fn parts(&self, config: &AlbertConfig) -> Vec<&'static str> {
        let encoder = ["albert.encoder.", "albert.embeddings."].iter().any(|part| self.has_part(part));
        let encoder = encoder.then_some("an encoder");
        let mut heads = self.heads(config);
        // The most likely meaning of a classifier.
        if heads.contains(&Head::SequenceClassification) {
            heads.retain(|head| !matches!(head, Head::TokenClassification | Head::MultipleChoice));
        }
        encoder.into_iter().chain(heads.into_iter().map(head_with_article)).collect()
    }

    /// One line for messages: the parts, and the subcommands that can use them.
    pub(super) fn summary(&self, config: &AlbertConfig) -> String {
        let parts = self.parts(config);
        if parts.is_empty() {
            let example = self.sources.keys().chain(&self.foreign).next();
            let example = example.map_or_else(String::new, |name| format!(", for example \"{name}\""));
            let count = self.sources.len() + self.foreign.len();
            return format!("{count} tensors, none named like an ALBERT's{example}");
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

    /// The values of a parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// Errors of the file's reader; [`Error::BadFile`] for an integer tensor.
    pub fn read(&self, canonical: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.read_bytes(canonical, false)?;
        to_f32(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))
    }

    /// As [`Self::read`]; NaN and infinity are errors unless they are allowed.
    ///
    /// # Errors
    /// Those of [`Self::read`]; [`Error::Weights`] naming the tensor.
    pub fn read_finite(&self, canonical: &str) -> Result<Vec<f32>> {
        let (bytes, dtype) = self.read_bytes(canonical, false)?;
        let (values, finite) =
            to_f32_checked(&bytes, dtype).ok_or_else(|| self.no_floats(canonical, dtype))?;
        if finite || self.tensors.allow_non_finite {
            Ok(values)
        } else {
            Err(self.not_finite(canonical, &values))
        }
    }

    /// As [`Self::read_bytes`]; NaN and infinity are errors unless they are allowed.
    ///
    /// # Errors
    /// Those of [`Self::read_bytes`]; [`Error::Weights`] naming the tensor.
    pub fn read_bytes_finite(&self, canonical: &str, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        let (bytes, dtype) = self.read_bytes(canonical, turned)?;
        if self.tensors.allow_non_finite || is_finite(&bytes, dtype) {
            return Ok((bytes, dtype));
        }
        Err(self.not_finite(canonical, &self.read(canonical)?))
    }

    /// How many values of a parameter are NaN or infinite, and where the first is.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    pub fn non_finite(&self, canonical: &str) -> Result<Option<(usize, usize)>> {
        let values = self.read(canonical)?;
        Ok(values
            .iter()
            .position(|v| !v.is_finite())
            .map(|first| (values[first..].iter().filter(|v| !v.is_finite()).count(), first)))
    }

    fn not_finite(&self, canonical: &str, values: &[f32]) -> Error {
        let bad = || values.iter().enumerate().filter(|(_, value)| !value.is_finite());
        let (place, value) = bad().next().map_or((0, f32::NAN), |(place, value)| (place, *value));
        let problem = format!(
            "tensor \"{}\" holds {} that {} not finite, the first at position {place}: {value}; the weights are damaged \
             or their training diverged (--allow-non-finite uses them anyway)",
            self.name_in_file(canonical),
            match bad().count() {
                1 => "1 value".to_owned(),
                count => format!("{count} values"),
            },
            if bad().count() == 1 { "is" } else { "are" },
        );
        Error::Weights { path: self.path().to_owned(), problem }
    }

    /// The bytes of a parameter in the file's type and in PyTorch's layout, transposed if `turned` is set.
    ///
    /// # Errors
    /// Errors of the file's reader.
    pub fn read_bytes(&self, canonical: &str, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        match self.sources.get(canonical) {
            None => self.tensors.read(canonical),
            Some(source) => self.read_source(canonical, source, turned),
        }
    }

    fn read_source(&self, canonical: &str, source: &Source, turned: bool) -> Result<(Vec<u8>, Dtype)> {
        let floats = |values: &[f32]| (to_bytes(values), Dtype::F32);
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
            Source::Product { left, right } => {
                let mut values = albert_zh::product(self.tensors, left, right)?;
                if turned && let Some([rows, columns]) = self.shape_of(source).as_deref() {
                    values = transposed(&values, *rows, *columns);
                }
                Ok(floats(&values))
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

    /// The type of a parameter in the file.
    pub fn dtype(&self, canonical: &str) -> Option<Dtype> {
        self.dtype_of(self.sources.get(canonical)?)
    }

    fn dtype_of(&self, source: &Source) -> Option<Dtype> {
        match source {
            Source::Tensor { name, .. } => self.tensors.get(name).map(|info| info.dtype),
            Source::Product { .. } | Source::Identity(_) | Source::Zeros(_) => Some(Dtype::F32),
            Source::Adapted { dtype, .. } => Some(*dtype),
        }
    }

    /// The shape of a parameter in PyTorch's layout.
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
            Source::Product { left, right } => {
                let (left, right) = (self.tensors.get(left)?, self.tensors.get(right)?);
                Some(vec![*left.shape.first()?, *right.shape.get(1)?])
            }
            Source::Identity(n) => Some(vec![*n, *n]),
            Source::Zeros(n) => Some(vec![*n]),
            Source::Adapted { shape, .. } => Some(shape.clone()),
        }
    }
}

/// The head to which `classifier.*` belongs according to the class named in the configuration.
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

/// The prefix of a head's tensor names.
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

/// The subcommand that uses a head.
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
