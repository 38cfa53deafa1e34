//! Options of a fine-tuning run.

use std::path::PathBuf;

use super::class_weights::ClassWeights;
use super::epoch::Order;
use super::run::Frozen;
use crate::data::{ChoiceOptions, QuestionOptions, TargetKind, TextOptions, TokenOptions};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::tasks::QaOptions;
use crate::training::{Decay, Duration, OptimizerKind, option_values};

/// The options of [`FineTune`](super::FineTune). [`FineTuneOptions::new`] sets the defaults of `albert finetune`.
#[derive(Clone, Debug)]
pub struct FineTuneOptions {
    /// The task, the format of its data, and its own options.
    pub task: FineTuneTask,
    /// Training examples: a file, which may be compressed, or a folder if the format is one.
    pub train: PathBuf,
    /// Examples for evaluation, which select the best checkpoint.
    pub dev: Dev,
    /// Maximum row length in tokens, including special tokens. `None`: the recipe's, otherwise the length that the data
    /// needs, limited by the tokenizer and by the model's positions.
    pub max_length: Option<usize>,
    /// A published recipe ([`recipe::PUBLISHED`](super::recipe::PUBLISHED)). Other options override it.
    pub recipe: Option<String>,
    /// Length of the run. `None`: the recipe's, otherwise 3 epochs, or more for small data sets.
    pub duration: Option<Duration>,
    /// Examples per step, over all devices and processes. `None`: the recipe's, otherwise 32.
    pub batch_size: Option<usize>,
    /// Examples per forward and backward pass of a device. `None`: about 4096 tokens on a CPU and 32768 on a GPU.
    pub micro_batch: Option<usize>,
    /// Peak learning rate. `None`: the recipe's, otherwise one that depends on the hidden size.
    pub learning_rate: Option<f64>,
    /// Warm-up steps. `None`: the recipe's, otherwise a tenth of all steps.
    pub warmup_steps: Option<u64>,
    /// Decay of the learning rate after the warm-up.
    pub decay: Decay,
    /// The optimizer. `None`: AdamW, or the one of the published recipes.
    pub optimizer: Option<OptimizerKind>,
    /// Weight decay, for all parameters except biases and normalizations.
    pub weight_decay: f64,
    /// Maximum global norm of the gradients; `None`: no limit.
    pub clip_norm: Option<f64>,
    /// Dropout rates. `None`: the recipe's, otherwise the model's.
    pub dropout: Dropout,
    /// The part of the model that is not trained.
    pub freeze: Frozen,
    /// Order of the examples in an epoch.
    pub order: Order,
    /// Compute precision. Weights and optimizer state stay in f32. [`Precision::Int8`] is not supported for training.
    pub precision: Precision,
    /// Recompute memory-bound activations in the backward pass instead of saving them.
    pub gradient_checkpointing: bool,
    /// One run per seed, of which the best on dev is kept. There must be at least one.
    pub seeds: Vec<u64>,
    /// The metric on dev that selects the best checkpoint. `None`: the recipe's, otherwise the first one of the task.
    pub metric: Option<String>,
    /// Steps between evaluations. `None`: once per epoch, or ten times per run if that is more often.
    pub evaluate_every: Option<u64>,
    /// Stop after this many consecutive evaluations without improvement.
    pub patience: Option<u32>,
    /// Output directory.
    pub output: PathBuf,
    /// Continue from the newest checkpoint in the output directory. The other options must be those of its run.
    pub resume: bool,
    /// Steps between reports.
    pub log_every: u64,
    /// Minutes between checkpoints, in addition to those after evaluations.
    pub save_minutes: f64,
    /// Number of checkpoints to keep in addition to the best.
    pub keep: usize,
}

/// A task, with the options of its data.
#[derive(Clone, Debug)]
pub enum FineTuneTask {
    /// Text classification or regression.
    Classify {
        /// How the data is read. `kind` is replaced by `goal`.
        data: TextOptions,
        /// The kind of target. `None`: numbers for the recipe of STS-B, otherwise one label per text.
        goal: Option<TargetKind>,
        /// Labels in the order of their ids. Empty: the labels in the data, sorted.
        labels: Vec<String>,
        /// Weights of the classes in the loss.
        class_weights: ClassWeights,
    },
    /// Token classification.
    Ner {
        /// How the data is read. Numeric tags are indices into `tag_names`, which `labels` replaces.
        data: TokenOptions,
        /// Tags in the order of their ids. Empty: the tags in the data, O first.
        labels: Vec<String>,
        /// Weights of the classes in the loss.
        class_weights: ClassWeights,
    },
    /// Extractive question answering.
    Qa {
        /// How the data is read. Answers need positions (`need_start`).
        data: QuestionOptions,
        /// How long contexts are split, and the maximum length of answers.
        task: QaOptions,
    },
    /// Multiple choice.
    Choose {
        /// How the data is read.
        data: ChoiceOptions,
    },
}

impl FineTuneTask {
    /// The maximum length of an answer in tokens; `None` for tasks without answers.
    pub(super) fn max_answer_len(&self) -> Option<usize> {
        match self {
            Self::Qa { task, .. } => Some(task.max_answer_len),
            _ => None,
        }
    }

    /// The name of the subcommand. Recipes use it to name their task.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Classify { .. } => "classify",
            Self::Ner { .. } => "ner",
            Self::Qa { .. } => "qa",
            Self::Choose { .. } => "choose",
        }
    }
}

/// The examples that select the best checkpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Dev {
    /// None: the last step is kept.
    #[default]
    None,
    /// A file or folder in the format of the training data.
    File(PathBuf),
    /// This fraction of the training data, between 0 and 1, which is excluded from training.
    Fraction(f64),
}

/// Dropout rates, from 0 to below 1, that replace those of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dropout {
    /// After projections and on embeddings.
    pub hidden: Option<f64>,
    /// On attention probabilities.
    pub attention: Option<f64>,
    /// Before the head.
    pub classifier: Option<f64>,
}

impl FineTuneOptions {
    /// The default options for `task`, with training data and output directory.
    pub fn new(task: FineTuneTask, train: impl Into<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            task,
            train: train.into(),
            dev: Dev::None,
            max_length: None,
            recipe: None,
            duration: None,
            batch_size: None,
            micro_batch: None,
            learning_rate: None,
            warmup_steps: None,
            decay: Decay::Linear,
            optimizer: None,
            weight_decay: 0.01,
            clip_norm: Some(1.0),
            dropout: Dropout::default(),
            freeze: Frozen::default(),
            order: Order::default(),
            precision: Precision::F32,
            gradient_checkpointing: false,
            seeds: vec![1],
            metric: None,
            evaluate_every: None,
            patience: None,
            output: output.into(),
            resume: false,
            log_every: 50,
            save_minutes: 15.0,
            keep: 1,
        }
    }

    /// Checks the values that no later step would reject.
    pub(super) fn check_values(&self) -> Result<()> {
        let wrong =
            |name: &str, problem: String| Err(Error::InvalidOption { name: name.to_owned(), problem });
        if self.precision == Precision::Int8 {
            return wrong("precision", "int8 is for inference only".to_owned());
        }
        if self.seeds.is_empty() {
            return wrong("seeds", "expected at least one seed".to_owned());
        }
        let mut sorted = self.seeds.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return wrong("seeds", "a seed is named twice".to_owned());
        }
        let (steps, epochs) = match self.duration {
            Some(Duration::Steps(steps)) => (Some(steps), None),
            Some(Duration::Epochs(epochs)) => (None, Some(epochs)),
            None => (None, None),
        };
        option_values::at_least_one(&[
            ("batch_size", self.batch_size.map(|n| n as u64)),
            ("micro_batch", self.micro_batch.map(|n| n as u64)),
            ("eval_every", self.evaluate_every),
            ("log_every", Some(self.log_every)),
            ("steps", steps),
            ("patience", self.patience.map(u64::from)),
        ])?;
        let held_out = if let Dev::Fraction(share) = self.dev { Some(share) } else { None };
        option_values::fractions(&[
            ("dev_fraction", held_out),
            ("hidden_dropout", self.dropout.hidden),
            ("attention_dropout", self.dropout.attention),
            ("classifier_dropout", self.dropout.classifier),
        ])?;
        option_values::positive(&[
            ("epochs", epochs),
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
        ])?;
        option_values::not_negative(&[
            ("weight_decay", Some(self.weight_decay)),
            ("save_minutes", Some(self.save_minutes)),
        ])
    }
}
