//! From what the user names to a checkpoint: a directory, a weight file, a hub id, or nothing.

use std::path::{Path, PathBuf};

use super::config_files::{CONFIGS, find_config};
use super::embedded::EmbeddedTask;
use super::sentence::{MODULES, transformer_directory};
use super::tensors::Tensors;
use super::{embedded, google_config};
use crate::error::{Error, Result};
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;

/// Weight files of a directory, the one to prefer first.
const WEIGHTS: [&str; 9] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "flax_model.msgpack",
    "variables/variables.index",
    "rust_model.ot",
    "model.onnx",
];

/// Where a checkpoint lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the binary.
    Embedded {
        /// The task whose head is looked at.
        task: Option<EmbeddedTask>,
    },
    /// In a directory; the weights may be a file that was named itself.
    Directory {
        /// Holds configuration and tokenizer.
        directory: PathBuf,
        /// A weight file or an index of shards.
        weights: PathBuf,
    },
}

/// A checkpoint whose configuration is read and whose tensors are listed.
pub struct Checkpoint {
    /// As the user named it; `embedded` for the one in the binary.
    pub name: String,
    /// Where it lies.
    pub origin: Origin,
    /// Its configuration.
    pub config: AlbertConfig,
    /// A tokenizer file or directory to use instead of the checkpoint's own.
    pub tokenizer_path: Option<PathBuf>,
    /// The directory with the `modules.json` of sentence-transformers that was named or fetched, if it has one.
    pub modules: Option<PathBuf>,
}

impl Checkpoint {
    /// The model inside the binary.
    ///
    /// # Errors
    /// None in a sound build.
    pub fn embedded() -> Result<Self> {
        Self::embedded_for(None)
    }

    /// The model inside the binary, with the head and the labels of a task if it has that.
    ///
    /// # Errors
    /// None in a sound build.
    pub fn embedded_for(task: Option<EmbeddedTask>) -> Result<Self> {
        let (config, has_task) = embedded::config(task)?;
        let origin = Origin::Embedded { task: task.filter(|_| has_task) };
        Ok(Self { name: "embedded".to_owned(), origin, config, tokenizer_path: None, modules: None })
    }

    /// True if `path` names something here: a directory, a file, or the prefix of a TensorFlow checkpoint.
    pub fn is_local(path: &Path) -> bool {
        path.exists() || index_of(path).is_some()
    }

    /// A directory, a weight file beside its configuration, or the prefix of a TensorFlow checkpoint. A directory of
    /// sentence-transformers may keep the model in a directory below.
    ///
    /// # Errors
    /// [`Error::Model`] saying what was looked for; those of the configuration.
    pub fn local(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let missing = |problem: String| Error::Model { model: name.clone(), problem };
        let (directory, weights) = if path.is_dir() {
            let directory = transformer_directory(path).unwrap_or_else(|| path.to_owned());
            let weights = weights_in(&directory).ok_or_else(|| {
                missing(format!(
                    "no weights in this directory; looked for {}, *.ckpt*.index",
                    WEIGHTS.join(", ")
                ))
            })?;
            (directory, weights)
        } else if path.is_file() {
            (directory_of(path), path.to_owned())
        } else if let Some(index) = index_of(path) {
            (directory_of(path), index)
        } else {
            return Err(missing("no such file or directory".to_owned()));
        };
        // A saved TensorFlow model keeps its variables in a folder of their own.
        let outside =
            directory.file_name().is_some_and(|n| n == "variables").then(|| directory_of(&directory));
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
                let problem = format!("no {} or {} in {}", CONFIGS[0], CONFIGS[1], directory.display());
                return Err(missing(problem));
            }
        };
        let directory = outside.unwrap_or(directory);
        let root = if path.is_dir() { path } else { &directory };
        let modules = root.join(MODULES).is_file().then(|| root.to_owned());
        Ok(Self {
            name,
            origin: Origin::Directory { directory, weights },
            config,
            tokenizer_path: None,
            modules,
        })
    }

    /// Lists the tensors. Weights are read later, one by one.
    ///
    /// # Errors
    /// Those of the file's reader.
    pub fn tensors(&self) -> Result<Tensors> {
        match &self.origin {
            Origin::Embedded { task } => embedded::tensors(*task),
            Origin::Directory { weights, .. } => Tensors::open(weights),
        }
    }

    /// The file that [`Self::tokenizer`] reads; `None` if there is none, or it is in the binary.
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
    /// Those of the tokenizer's files.
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

/// The weights of a directory: by their usual names, else a TensorFlow checkpoint, else the only file that
/// looks like weights.
fn weights_in(directory: &Path) -> Option<PathBuf> {
    WEIGHTS
        .iter()
        .map(|w| directory.join(w))
        .find(|w| w.exists())
        .or_else(|| best_index(directory))
        .or_else(|| only_weight_file(directory))
}

/// `model.ckpt-best.index`, else the index with the highest number of steps.
fn best_index(directory: &Path) -> Option<PathBuf> {
    let index = |path: &PathBuf| path.extension().is_some_and(|e| e == "index") && path.is_file();
    let steps = |path: &PathBuf| {
        let stem = path.file_stem()?.to_str()?;
        let last = stem.rsplit('-').next()?;
        Some(if last == "best" { u64::MAX } else { last.parse().unwrap_or(0) })
    };
    let found = std::fs::read_dir(directory).ok()?.filter_map(|e| Some(e.ok()?.path())).filter(index);
    found.max_by_key(|path| (steps(path), path.clone()))
}

/// The index of a TensorFlow checkpoint named by its prefix, `model.ckpt-best`.
fn index_of(prefix: &Path) -> Option<PathBuf> {
    let mut index = prefix.to_owned().into_os_string();
    index.push(".index");
    Some(PathBuf::from(index)).filter(|index| index.is_file())
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The one file of a directory that looks like weights, under whatever name.
fn only_weight_file(directory: &Path) -> Option<PathBuf> {
    let is_weights = |path: &PathBuf| {
        path.extension().is_some_and(|e| {
            ["safetensors", "bin", "pt", "pth", "h5", "msgpack", "ot", "onnx"].iter().any(|w| e == *w)
        }) && path.file_name().is_some_and(|n| n != "training_args.bin")
    };
    let mut found =
        std::fs::read_dir(directory).ok()?.filter_map(|e| Some(e.ok()?.path())).filter(is_weights);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
