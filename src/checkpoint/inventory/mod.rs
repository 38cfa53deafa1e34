//! Maps the contents of a checkpoint to canonical names, independent of the file's names and layout.

mod heads;
mod read;

pub(in crate::checkpoint) use heads::{head_prefix, head_with_article};

use std::collections::BTreeMap;
use std::path::Path;

use crate::checkpoint::adapter::merge::Merge;
use crate::checkpoint::albert_zh;
use crate::checkpoint::naming::names::{Dialect, is_google_squad2, to_canonical};
use crate::checkpoint::quantization::Quantization;
use crate::checkpoint::source::Source;
use crate::checkpoint::tensor::Dtype;
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// A checkpoint's tensors under their canonical names.
pub struct Inventory<'a> {
    tensors: &'a Tensors,
    /// Sources by canonical name.
    sources: BTreeMap<String, Source>,
    unrecognized: Vec<String>,
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
        let mut unrecognized = tensors.outside().to_vec();
        let mut google_squad2 = false;
        for info in tensors.infos() {
            let Some(place) = to_canonical(&info.name, dialect) else {
                if dialect == Dialect::Google && is_google_squad2(&info.name) {
                    google_squad2 = true;
                } else {
                    unrecognized.push(info.name.clone());
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
        let mut inventory = Self { tensors, sources, unrecognized, google_squad2 };
        if let Some(merge) = &tensors.merge {
            inventory.adapt(merge)?;
        }
        Ok(inventory)
    }

    /// Applies the changes of an adapter to the parameters of its base model.
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

    /// Returns how the file's weights are quantized, if they are.
    pub(in crate::checkpoint) fn quantization(&self) -> Option<&Quantization> {
        self.tensors.quantization()
    }

    /// Returns the reason why the tensor with this canonical name cannot be read, if the file has one that cannot.
    pub(in crate::checkpoint) fn unreadable(&self, canonical: &str) -> Option<&str> {
        let dialect = self.tensors.dialect();
        let is_this =
            |name: &str| to_canonical(name, dialect).is_some_and(|place| place.canonical == canonical);
        self.tensors.unreadable().find(|(name, _)| is_this(name)).map(|(_, problem)| problem)
    }

    /// Changes to the names of the file's tensors, one line each.
    pub fn notes(&self) -> &[String] {
        self.tensors.notes()
    }

    /// Returns the name of a parameter's tensor in the file.
    pub fn name_in_file<'b>(&'b self, canonical: &'b str) -> &'b str {
        match self.sources.get(canonical) {
            Some(Source::Tensor { name, .. } | Source::Product { left: name, .. }) => {
                self.tensors.name_in_file(name)
            }
            _ => canonical,
        }
    }

    /// Returns names in the file that are not parameters: optimizer slots, counters.
    pub fn unrecognized(&self) -> &[String] {
        &self.unrecognized
    }

    /// Returns true if there is a tensor with this canonical name.
    pub fn has(&self, canonical: &str) -> bool {
        self.sources.contains_key(canonical)
    }

    /// Returns the canonical names, sorted.
    pub fn canonical_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }

    pub(in crate::checkpoint) fn has_part(&self, prefix: &str) -> bool {
        self.sources.keys().any(|name| name.starts_with(prefix))
    }

    /// Returns the path of the file, for messages.
    pub fn path(&self) -> &Path {
        self.tensors.path()
    }
}
