//! Options of a pretraining run.

use std::path::PathBuf;

use crate::checkpoint::Checkpoint;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;
use crate::training::corpus::CorpusOptions;
use crate::training::distillation::Signal;
use crate::training::instances::Pairing;
use crate::training::{Decay, Duration, OptimizerKind, Size, option_values, run_directory};

/// The options of [`Pretrain`](super::Pretrain). [`PretrainOptions::new`] sets the defaults of `albert pretrain`.
#[derive(Clone, Debug)]
pub struct PretrainOptions {
    /// The initial model.
    pub start: Start,
    /// Files or folders of text ([`crate::training::corpus::Corpus::open`]).
    pub corpus: Vec<PathBuf>,
    /// How the corpus is read.
    pub corpus_options: CorpusOptions,
    /// Directory of cached token ids, which other runs can share. `None`: `cache` in the output directory.
    pub cache: Option<PathBuf>,
    /// Fraction of the documents that are held out for evaluation.
    pub eval_fraction: f64,
    /// Maximum number of rows to evaluate on.
    pub eval_rows: usize,
    /// File or directory of the tokenizer. `None`: the initial model's, or one trained on the corpus.
    pub tokenizer: Option<PathBuf>,
    /// Vocabulary size of a trained tokenizer.
    pub vocab_size: usize,
    /// True if a newly trained tokenizer keeps accents and vowel signs.
    pub keep_accents: bool,
    /// Dropout after projections and on embeddings. `None`: the configuration's.
    pub hidden_dropout: Option<f64>,
    /// Dropout on attention probabilities. `None`: the configuration's.
    pub attention_dropout: Option<f64>,
    /// Maximum tokens per row, including special tokens. `None`: 128, or the model's limit if it is lower.
    pub max_seq_length: Option<usize>,
    /// Fraction of rows with a random shorter length.
    pub short_seq_prob: f64,
    /// Fraction of tokens to predict.
    pub masked_lm_prob: f64,
    /// Maximum number of consecutive whole words masked together.
    pub max_ngram: usize,
    /// Maximum predictions per row. `None`: `masked_lm_prob` times `max_seq_length`, rounded up.
    pub max_predictions: Option<usize>,
    /// The second task: sentence order, next sentence, or none.
    pub pairing: Pairing,
    /// Weight of the sentence-order loss relative to the masked-LM loss.
    pub sentence_order_weight: f64,
    /// Build rows with the quirks of Google's `create_pretraining_data.py`.
    pub google_compat: bool,
    /// A teacher to learn from, in addition to the text.
    pub teacher: Option<TeacherOptions>,
    /// Prefixes of the names of parameters that are not trained.
    pub freeze: Vec<String>,
    /// Length of the run.
    pub duration: Duration,
    /// Rows per step, over all devices and processes.
    pub batch_size: usize,
    /// Rows per forward and backward pass of a device. `None`: about 4096 tokens on a CPU and 32768 on a GPU.
    pub micro_batch: Option<usize>,
    /// The optimizer.
    pub optimizer: OptimizerKind,
    /// Peak learning rate. `None`: one that depends on the optimizer, the batch size and the hidden size.
    pub learning_rate: Option<f64>,
    /// Warm-up steps. `None`: 2.5 % of all steps.
    pub warmup_steps: Option<u64>,
    /// Decay of the learning rate after the warm-up.
    pub decay: Decay,
    /// Weight decay, for all parameters except biases and normalizations.
    pub weight_decay: f64,
    /// Maximum global norm of the gradients; `None`: no limit.
    pub clip_norm: Option<f64>,
    /// Compute precision. Weights and optimizer state stay in f32. [`Precision::Int8`] is not supported for training.
    pub precision: Precision,
    /// Recompute memory-bound activations in the backward pass instead of saving them.
    pub gradient_checkpointing: bool,
    /// Random seed.
    pub seed: u64,
    /// Output directory.
    pub output: PathBuf,
    /// Continue from the newest checkpoint in the output directory. The other options must be those of its run.
    pub resume: bool,
    /// Steps between reports.
    pub log_every: u64,
    /// Steps between evaluations. `None`: a twentieth of all steps.
    pub evaluate_every: Option<u64>,
    /// Steps between checkpoints. `None`: a twentieth of all steps.
    pub save_every: Option<u64>,
    /// Minutes between checkpoints, in addition to `save_every`.
    pub save_minutes: f64,
    /// Number of checkpoints to keep.
    pub keep: usize,
}

/// The initial model of a run.
#[derive(Clone, Debug)]
pub enum Start {
    /// A new model of this size.
    Size(Size),
    /// A new model with this `config.json`. The vocabulary size is the tokenizer's.
    Config(PathBuf),
    /// This model and its tokenizer.
    Model(Box<Checkpoint>),
}

/// A teacher and the options of distillation.
#[derive(Clone, Debug)]
pub struct TeacherOptions {
    /// The teacher.
    pub checkpoint: Checkpoint,
    /// The knowledge to learn.
    pub signal: Signal,
    /// Weight of the distillation loss relative to the masked-LM loss.
    pub weight: f64,
}

impl PretrainOptions {
    /// The default options for a model, a corpus and an output directory.
    pub fn new(start: Start, corpus: Vec<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            start,
            corpus,
            corpus_options: CorpusOptions::default(),
            cache: None,
            eval_fraction: 0.01,
            eval_rows: 1000,
            tokenizer: None,
            vocab_size: 30_000,
            keep_accents: false,
            hidden_dropout: None,
            attention_dropout: None,
            max_seq_length: None,
            short_seq_prob: 0.1,
            masked_lm_prob: 0.15,
            max_ngram: 3,
            max_predictions: None,
            pairing: Pairing::SentenceOrder,
            sentence_order_weight: 1.0,
            google_compat: false,
            teacher: None,
            freeze: Vec::new(),
            duration: Duration::Epochs(10.0),
            batch_size: 32,
            micro_batch: None,
            optimizer: OptimizerKind::AdamW,
            learning_rate: None,
            warmup_steps: None,
            decay: Decay::Linear,
            weight_decay: 0.01,
            clip_norm: Some(1.0),
            precision: Precision::F32,
            gradient_checkpointing: false,
            seed: 1,
            output: output.into(),
            resume: false,
            log_every: 50,
            evaluate_every: None,
            save_every: None,
            save_minutes: 15.0,
            keep: 3,
        }
    }

    /// Checks everything that can be checked without the corpus: the values, and that the run starts in a new directory or
    /// resumes in its own.
    ///
    /// # Errors
    /// [`Error::InvalidOption`]; [`Error::BadFile`] for the output directory.
    pub fn check(&self) -> Result<()> {
        self.check_values()?;
        run_directory::check(&self.output, self.resume)
    }

    /// Maximum tokens per row for a model.
    pub(super) fn row_length(&self, config: &AlbertConfig) -> usize {
        self.max_seq_length.unwrap_or_else(|| config.max_position_embeddings.min(128))
    }

    /// Checks the values that no later step would reject.
    fn check_values(&self) -> Result<()> {
        if self.precision == Precision::Int8 {
            return Err(Error::InvalidOption {
                name: "precision".to_owned(),
                problem: "int8 is for inference only".to_owned(),
            });
        }
        let (steps, epochs) = match self.duration {
            Duration::Steps(steps) => (Some(steps), None),
            Duration::Epochs(epochs) => (None, Some(epochs)),
        };
        option_values::at_least_one(&[
            ("batch_size", Some(self.batch_size as u64)),
            ("micro_batch", self.micro_batch.map(|n| n as u64)),
            ("steps", steps),
            ("log_every", Some(self.log_every)),
            ("eval_every", self.evaluate_every),
            ("save_every", self.save_every),
        ])?;
        option_values::positive(&[
            ("epochs", epochs),
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
            ("sop_weight", Some(self.sentence_order_weight)),
            ("distill_weight", self.teacher.as_ref().map(|teacher| teacher.weight)),
        ])?;
        option_values::fractions(&[
            ("hidden_dropout", self.hidden_dropout),
            ("attention_dropout", self.attention_dropout),
        ])?;
        option_values::not_negative(&[
            ("weight_decay", Some(self.weight_decay)),
            ("save_minutes", Some(self.save_minutes)),
        ])
    }
}
