//! Locates a checkpoint: a directory, a weight file, the prefix of a TensorFlow checkpoint, or the built-in model.

use std::path::{Path, PathBuf};

use super::adapter::lora;
use super::adapter::merge::{Merge, WORDS};
use super::adapter::{Adapter, Settings};
use super::config_files::{CONFIGS, find_config};
use super::embedded::EmbeddedTask;
use super::formats::foreign;
use super::inventory::Inventory;
use super::no_weights;
use super::sentence::{MODULES, transformer_directory};
use super::tensors::Tensors;
use super::weight_files::{self, directory_of, has_weights, index_of, weights_in};
use super::{embedded, google_config};
use crate::error::{Error, Result};
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;

/// Subdirectories of a model directory that contain only its weights.
const WEIGHT_FOLDERS: [&str; 3] = ["variables", "onnx", "openvino"];

/// The location of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in model.
    Embedded {
        /// The task whose head is used.
        task: Option<EmbeddedTask>,
    },
    /// A directory. `weights` may be a file that the user named.
    Directory {
        /// The directory with configuration and tokenizer.
        directory: PathBuf,
        /// The weight file or the index of shards.
        weights: PathBuf,
    },
}

/// A checkpoint with its configuration.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The name given by the user; `embedded` for the built-in model.
    pub name: String,
    /// Its location.
    pub origin: Origin,
    /// Its configuration.
    pub config: AlbertConfig,
    /// True if weights may contain NaN and infinity.
    pub allow_non_finite: bool,
    /// The adapter that is merged into the weights.
    pub adapter: Option<Adapter>,
    /// A tokenizer file or directory to use instead of the checkpoint's own.
    pub tokenizer_path: Option<PathBuf>,
    /// The directory with sentence-transformers' `modules.json`, if the checkpoint has one.
    pub modules: Option<PathBuf>,
}

impl Checkpoint {
    /// Opens the built-in model.
    ///
    /// # Errors
    /// None in a correct build.
    pub fn embedded() -> Result<Self> {
        Self::embedded_for(None)
    }

    /// Opens the built-in model with the head and labels of a task, if it supports that task.
    ///
    /// # Errors
    /// None in a correct build.
    pub fn embedded_for(task: Option<EmbeddedTask>) -> Result<Self> {
        let (config, has_task) = embedded::config(task)?;
        let origin = Origin::Embedded { task: task.filter(|_| has_task) };
        Ok(Self {
            name: "embedded".to_owned(),
            origin,
            config,
            allow_non_finite: false,
            adapter: None,
            tokenizer_path: None,
            modules: None,
        })
    }

    /// Returns true if `path` exists: as a directory, a file, or the prefix of a TensorFlow checkpoint.
    pub fn is_local(path: &Path) -> bool {
        weight_files::is_local(path)
    }

    /// Opens a directory, a weight file next to its configuration, the prefix of a TensorFlow checkpoint, or an adapter
    /// whose base model is on this disk. In a sentence-transformers directory, the model may be in a subdirectory.
    ///
    /// # Errors
    /// [`Error::Model`] that names the files searched for; errors from reading the configuration.
    pub fn local(path: &Path) -> Result<Self> {
        let Some(adapter) = Adapter::at(path)? else { return Self::without_adapter(path) };
        let name = path.display().to_string();
        adapter.check(&name)?;
        match adapter.local_base() {
            Some(base) => Self::base_of(&adapter, &name, &base)?.with_adapter(&name, adapter),
            None => Err(adapter.without_base(&name, "no such file or directory")),
        }
    }

    /// Opens the base model of the adapter that the user calls `model`: `named` if given, otherwise the one that the
    /// adapter's configuration names. `locate` maps the name of a model to its directory or file.
    ///
    /// # Errors
    /// [`Error::Model`] if there is no base model or it is itself an adapter; those of [`Checkpoint::local`] and of
    /// `locate`.
    pub fn base_for(
        adapter: &Adapter,
        model: &str,
        named: Option<&str>,
        locate: impl Fn(&str) -> Result<PathBuf>,
    ) -> Result<Self> {
        adapter.check(model)?;
        match (named, adapter.base()) {
            (Some(base), _) => Self::base_of(adapter, model, &locate(base)?),
            (None, None) => Err(adapter.without_base(model, "")),
            (None, Some(base)) => adapter
                .local_base()
                .map_or_else(|| locate(&base), Ok)
                .and_then(|path| Self::base_of(adapter, model, &path))
                .map_err(|error| adapter.without_base(model, &error.to_string())),
        }
    }

    /// Opens `path` as the base model of an adapter.
    ///
    /// # Errors
    /// [`Error::Model`] if it is itself an adapter; those of [`Checkpoint::local`].
    fn base_of(adapter: &Adapter, name: &str, path: &Path) -> Result<Self> {
        let same = |other: &Adapter| {
            let canonical = |path: &Path| std::fs::canonicalize(path).ok();
            canonical(&other.directory) == canonical(&adapter.directory)
        };
        match Adapter::at(path)? {
            Some(other) if !same(&other) || !has_weights(path) => Err(adapter.without_base(
                name,
                "it is an adapter itself; merge it into its own base model with `albert convert`",
            )),
            _ => Self::without_adapter(path),
        }
    }

    /// Returns the model with `adapter` merged into its weights. `name` is the name given by the user.
    ///
    /// # Errors
    /// Those of [`Adapter::check`]; errors from reading the adapter.
    pub fn with_adapter(self, name: &str, adapter: Adapter) -> Result<Self> {
        adapter.check(name)?;
        let Origin::Directory { directory, weights } = self.origin else {
            return Err(adapter.without_base(name, "the built-in model cannot be the base of adapters"));
        };
        let tensors = Tensors::open(&weights)?;
        let inventory = Inventory::new(&tensors, &self.config)?;
        let shared_words = inventory.has_part("predictions.").then(|| inventory.shape(WORDS)).flatten();
        let config = adapter.config(&self.config, shared_words.as_deref())?;
        let modules = adapter.root.join(MODULES).is_file().then(|| adapter.root.clone()).or(self.modules);
        let directory = if has_tokenizer(&adapter.directory) { adapter.directory.clone() } else { directory };
        let origin = Origin::Directory { directory, weights };
        Ok(Self {
            name: name.to_owned(),
            origin,
            config,
            allow_non_finite: false,
            adapter: Some(adapter),
            tokenizer_path: self.tokenizer_path,
            modules,
        })
    }

    /// Returns true if a directory contains weights in any format.
    pub fn has_weights(directory: &Path) -> bool {
        weights_in(&transformer_directory(directory).unwrap_or_else(|| directory.to_owned())).is_some()
    }

    fn without_adapter(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let missing = |problem: String| Error::Model { model: name.clone(), problem };
        foreign::refuse(path)?;
        let (directory, weights) = if path.is_dir() {
            let directory = transformer_directory(path).unwrap_or_else(|| path.to_owned());
            let weights = weights_in(&directory).ok_or_else(|| {
                foreign::in_directory(&directory).unwrap_or_else(|| {
                    missing(format!("{}{}", no_weights::explain(&directory), adapters_below(path)))
                })
            })?;
            (directory, weights)
        } else if path.is_file() {
            (directory_of(path), path.to_owned())
        } else if let Some(index) = index_of(path) {
            (directory_of(path), index)
        } else {
            return Err(missing("no such file or directory".to_owned()));
        };
        // A saved TensorFlow model keeps its variables in a subdirectory.
        let outside = directory
            .file_name()
            .is_some_and(|name| WEIGHT_FOLDERS.iter().any(|folder| name == *folder))
            .then(|| directory_of(&directory));
        let places: Vec<PathBuf> = [Some(&directory), outside.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(|d| [d.clone(), d.join("assets")])
            .collect();
        let config = find_config(&places)?;
        let google = weights.extension().is_some_and(|e| e == "index");
        let config = match config {
            Some(path) => {
                let mut config = if google && path.file_name().is_some_and(|n| n != CONFIGS[0]) {
                    AlbertConfig::from_google_file(&path)?
                } else {
                    AlbertConfig::from_file(&path)?
                };
                if google {
                    google_config::complete(&mut config, &weights)?;
                }
                config
            }
            None if google => google_config::inferred(&weights, &name)?,
            None => {
                if let Ok(tensors) = Tensors::open(&weights)
                    && lora::has_lora(&tensors)
                {
                    tensors.check_readable(&AlbertConfig::default())?;
                }
                let problem = format!("no {} or {} in {}", CONFIGS[0], CONFIGS[1], directory.display());
                return Err(missing(problem));
            }
        };
        let mut config = config;
        if unties_inside(&directory, &weights)? {
            config.tie_word_embeddings = false;
        }
        let directory = outside.unwrap_or(directory);
        let root = if path.is_dir() { path } else { &directory };
        let modules = root.join(MODULES).is_file().then(|| root.to_owned());
        Ok(Self {
            name,
            origin: Origin::Directory { directory, weights },
            config,
            allow_non_finite: false,
            adapter: None,
            tokenizer_path: None,
            modules,
        })
    }

    /// Lists the tensors. Weights are read later, one at a time.
    ///
    /// # Errors
    /// Errors from the file's reader.
    pub fn tensors(&self) -> Result<Tensors> {
        let tensors = match &self.origin {
            Origin::Embedded { task } => embedded::tensors(*task)?,
            Origin::Directory { weights, .. } => self.merged(Tensors::open(weights)?)?,
        };
        Ok(tensors.allowing_non_finite(self.allow_non_finite))
    }

    /// Merges the adapter, if there is one: [`Self::adapter`], or one stored in the weight file itself.
    fn merged(&self, tensors: Tensors) -> Result<Tensors> {
        if let Some(adapter) = &self.adapter {
            let mut merge = Merge::new(adapter.tensors()?, &adapter.settings, false)?;
            if self.is_untied_by_adapter() {
                merge.untie();
            }
            return Ok(tensors.with_adapter(merge));
        }
        let Origin::Directory { directory, weights } = &self.origin else { return Ok(tensors) };
        if !lora::has_lora(&tensors) {
            return Ok(tensors);
        }
        let Some(settings) = Settings::beside(directory)? else { return Ok(tensors) };
        settings.check().map_err(|problem| Error::Model { model: self.name.clone(), problem })?;
        let mut merge = Merge::new(Tensors::open(weights)?, &settings, true)?;
        if self.is_untied_by_adapter() {
            merge.untie();
        }
        Ok(tensors.without_adapter().with_adapter(merge))
    }

    /// Returns true if the adapter unties the word embeddings from the masked-LM decoder. `tie_word_embeddings` describes
    /// the merged model; the key as read from the file still describes the base model.
    fn is_untied_by_adapter(&self) -> bool {
        let tied_in_base = self.config.extra("tie_word_embeddings") != Some(&serde_json::Value::Bool(false));
        tied_in_base && !self.config.tie_word_embeddings
    }

    /// Returns the file that [`Self::tokenizer`] reads. Returns `None` if there is none or the tokenizer is built in.
    pub fn tokenizer_file(&self) -> Option<PathBuf> {
        let place = match (&self.tokenizer_path, &self.origin) {
            (Some(path), _) => path,
            (None, Origin::Directory { directory, .. }) => directory,
            (None, Origin::Embedded { .. }) => return None,
        };
        if place.is_dir() { Tokenizer::file_in(place).ok() } else { Some(place.clone()) }
    }

    /// Loads the tokenizer.
    ///
    /// # Errors
    /// Errors from reading the tokenizer's files.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        if let Some(path) = &self.tokenizer_path {
            return Tokenizer::from_path(path);
        }
        match &self.origin {
            Origin::Embedded { .. } => {
                Tokenizer::from_bytes(embedded::TOKENIZER, Path::new("spiece.model (embedded)"))
            }
            Origin::Directory { directory, .. } => Tokenizer::from_dir(directory),
        }
    }
}

/// Returns true if the file `weights` is a complete masked-LM model with an adapter that unties its word embeddings from
/// its decoder.
fn unties_inside(directory: &Path, weights: &Path) -> Result<bool> {
    let Some(settings) = Settings::beside(directory)?.filter(|settings| settings.check().is_ok()) else {
        return Ok(false);
    };
    let tensors = Tensors::open(weights)?;
    let is_masked_lm = tensors.infos().iter().any(|info| info.name.contains("predictions."));
    Ok(is_masked_lm && lora::has_lora(&tensors) && Merge::new(tensors, &settings, true)?.changes_words())
}

/// Returns true if a directory contains a tokenizer.
fn has_tokenizer(directory: &Path) -> bool {
    ["tokenizer.json", "spiece.model", "30k-clean.model", "vocab.txt"]
        .iter()
        .any(|name| directory.join(name).is_file())
}

/// Lists the adapters in the subdirectories of a directory, for an error message.
fn adapters_below(directory: &Path) -> String {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| matches!(Adapter::at(path), Ok(Some(_))))
        .map(|path| path.display().to_string())
        .collect();
    names.sort();
    names.truncate(8);
    match names.is_empty() {
        true => String::new(),
        false => format!("; there are PEFT adapters in {}: name one of them", names.join(", ")),
    }
}
