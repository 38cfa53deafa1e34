//! Opens a model for a task.

use std::path::{Path, PathBuf};

use crate::checkpoint::{Adapter, Checkpoint, EmbeddedTask, MlmBias};
use crate::device::{self, DeviceChoice, Precision, Workload};
use crate::error::{Error, Result};
use crate::model::Head;
use crate::tasks::{LengthOptions, LoadOptions, LoadedPipeline, OverflowStrategy, OwnLimit, Pipeline};

/// A task with its own model.
pub trait Predictor: Sized {
    /// The options of the task.
    type Options: Clone;

    /// The task of the built-in model that serves this pipeline. `None` for its shared encoder and its masked-LM head.
    const TASK: Option<EmbeddedTask>;

    /// Maximum row length in tokens if neither the user nor the tokenizer sets a limit.
    const LONGEST: usize = usize::MAX;

    /// True if long text can be read in overlapping windows.
    const WINDOWS: bool = false;

    /// How long text is handled by default.
    const OVERFLOW: OverflowStrategy = OverflowStrategy::Truncate;

    /// Returns the defaults of transformers' pipeline, overridden by the model's files.
    ///
    /// # Errors
    /// Errors from reading these files.
    fn defaults(checkpoint: &Checkpoint) -> Result<Self::Options>;

    /// Returns the heads to load.
    fn heads(options: &Self::Options) -> Vec<Head>;

    /// Returns the masked-LM bias to load if a checkpoint contains two that differ.
    fn mlm_bias(_options: &Self::Options) -> MlmBias {
        MlmBias::default()
    }

    /// Returns a limit for the row length in tokens that the model's own files set, which replaces the tokenizer's.
    ///
    /// # Errors
    /// Errors from reading these files.
    fn own_length(_checkpoint: &Checkpoint) -> Result<Option<OwnLimit>> {
        Ok(None)
    }

    /// Creates the pipeline from its parts.
    ///
    /// # Errors
    /// If the options do not fit the model.
    fn assemble(loaded: LoadedPipeline, options: Self::Options) -> Result<Self>;
}

/// Settings of a pipeline. The defaults are f32 on the CPU, and the task's defaults in transformers.
#[derive(Clone, Debug)]
pub struct Builder<P: Predictor> {
    device: DeviceChoice,
    precision: Precision,
    max_length: Option<usize>,
    long: OverflowStrategy,
    offline: bool,
    base_model: Option<String>,
    options: Option<P::Options>,
}

impl<P: Predictor> Default for Builder<P> {
    fn default() -> Self {
        Self {
            device: DeviceChoice::Auto,
            precision: Precision::F32,
            max_length: None,
            long: P::OVERFLOW,
            offline: false,
            base_model: None,
            options: None,
        }
    }
}

impl<P: Predictor> Builder<P> {
    /// Sets the device. Here, [`DeviceChoice::Auto`] means the CPU, because the amount of text is unknown.
    pub fn device(mut self, device: DeviceChoice) -> Self {
        self.device = device;
        self
    }

    /// Sets the compute precision.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Sets the maximum row length in tokens, including special tokens. The default is the tokenizer's
    /// `model_max_length`, limited to the model's number of positions.
    pub fn max_length(mut self, tokens: usize) -> Self {
        self.max_length = Some(tokens);
        self
    }

    /// Sets how longer text is handled. By default, it is truncated.
    pub fn overflow(mut self, long: OverflowStrategy) -> Self {
        self.long = long;
        self
    }

    /// Sets whether network access is forbidden. A hub id must then be in the cache.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Sets the base model of a PEFT adapter, instead of the one that its configuration names.
    pub fn base_model(mut self, model: impl Into<String>) -> Self {
        self.base_model = Some(model.into());
        self
    }

    /// Sets the options of the task. They replace all defaults, including those from the model's files.
    pub fn options(mut self, options: P::Options) -> Self {
        self.options = Some(options);
        self
    }

    /// Opens a directory, a file or a hub id (`org/name`, `org/name@revision`). Downloads a hub id that is not in the
    /// cache.
    ///
    /// # Errors
    /// Errors from the model's files, the hub and the device; [`Error::InvalidOption`] for incompatible settings.
    pub fn open(self, model: &str) -> Result<P> {
        let checkpoint = self.checkpoint(model)?;
        self.open_checkpoint(checkpoint)
    }

    /// Opens the built-in model.
    ///
    /// # Errors
    /// Errors from the device; [`Error::InvalidOption`] for incompatible settings.
    pub fn built_in(self) -> Result<P> {
        self.open_checkpoint(Checkpoint::embedded_for(P::TASK)?)
    }

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_checkpoint(self, checkpoint: Checkpoint) -> Result<P> {
        let options = match self.options.clone() {
            Some(options) => options,
            None => P::defaults(&checkpoint)?,
        };
        let heads = P::heads(&options);
        let lengths = LengthOptions {
            max_length: self.max_length,
            default: P::LONGEST,
            long: self.long,
            windows: P::WINDOWS,
            own: P::own_length(&checkpoint)?,
        };
        let parts = LoadOptions { heads: &heads, mlm_bias: P::mlm_bias(&options), lengths };
        let loaded = Pipeline::load(&checkpoint, &parts, || match self.device {
            DeviceChoice::Auto => device::open_cpu(self.precision),
            named => device::open_with_matmul_precision(named, self.precision, Workload::Inference(None)),
        });
        P::assemble(loaded.map_err(of_builder)?, options)
    }

    /// Opens the checkpoint that `model` names. If that is an adapter, merges it into its base model.
    fn checkpoint(&self, model: &str) -> Result<Checkpoint> {
        let path = located(model, self.offline)?;
        let Some(adapter) = Adapter::at(&path)? else {
            let mut checkpoint = Checkpoint::local(&path)?;
            checkpoint.name = model.to_owned();
            return Ok(checkpoint);
        };
        let locate = |name: &str| located(name, self.offline);
        Checkpoint::base_for(&adapter, model, self.base_model.as_deref(), locate)?
            .with_adapter(model, adapter)
    }
}

/// Replaces the name of an option in an error by that of the builder's method.
fn of_builder(error: Error) -> Error {
    match error {
        Error::InvalidOption { name, problem } if name == "long" => {
            Error::InvalidOption { name: "overflow".to_owned(), problem }
        }
        other => other,
    }
}

/// Returns a model's directory or file: a path, or a hub id in the cache.
#[cfg(feature = "hub")]
fn located(model: &str, offline: bool) -> Result<PathBuf> {
    use crate::hub::{HubId, HubSettings, NoProgress, fetch, is_hub_id, neither_file_nor_hub_id};

    if Checkpoint::is_local(Path::new(model)) {
        return Ok(model.into());
    }
    if !is_hub_id(model) {
        return Err(no_such_model(model));
    }
    fetch(&HubId::parse(model)?, &HubSettings::from_env(offline)?, &mut NoProgress)
        .map_err(|error| neither_file_nor_hub_id(model, error))
}

/// Returns a model's directory or file.
#[cfg(not(feature = "hub"))]
fn located(model: &str, _offline: bool) -> Result<PathBuf> {
    if Checkpoint::is_local(Path::new(model)) { Ok(model.into()) } else { Err(no_such_model(model)) }
}

fn no_such_model(model: &str) -> Error {
    Error::Model { model: model.to_owned(), problem: "no such file or directory".to_owned() }
}

/// Implements `open`, `built_in` and `builder` of a pipeline.
macro_rules! constructors {
    ($name:ident $(<$task:ident: $bound:ident>)?) => {
        impl$(<$task: $bound>)? $name$(<$task>)? {
            /// Opens a model with the default settings: a directory, a file or a hub id. See [`Builder`] for other
            /// settings.
            ///
            /// # Errors
            /// Errors from the model's files and the hub.
            pub fn open(model: &str) -> Result<Self> {
                Self::builder().open(model)
            }

            /// Opens the built-in model.
            ///
            /// # Errors
            /// Errors from the device.
            pub fn built_in() -> Result<Self> {
                Self::builder().built_in()
            }

            /// Returns settings for opening a model.
            pub fn builder() -> Builder<Self> {
                Builder::default()
            }
        }
    };
}
pub(super) use constructors;
