//! Arguments of `albert pretrain`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use albert::device::{DeviceChoice, Precision};
use albert::training::corpus::{CorpusOptions, Sentences};
use albert::training::instances::Pairing;
use albert::training::{Duration, OptimizerKind, PretrainOptions, Size, Start, TeacherOptions};

use super::common::FormatArg;
use super::corpus::CorpusArgs;
use super::device::DeviceCheckArgs;
use super::teacher::TeacherArgs;
use super::training::{ScheduleArg, precision};
use super::values::{fraction, not_negative, positive};

/// Pretrain a model on text with masked-LM and sentence-order losses
///
/// From a folder of text to a directory that transformers loads. The corpus is read as a stream: .txt with one sentence or
/// paragraph per line and a blank line between documents, or .jsonl with one document per record; also .gz and .zst; - is
/// standard input. Its token ids are cached in OUTPUT/cache. Without --tokenizer, a SentencePiece unigram model is trained
/// on the corpus first.
///
/// OUTPUT receives checkpoints/ (each a complete model), metrics.jsonl, TensorBoard events, curves.svg, and finally the
/// model. SIGINT and SIGTERM save a checkpoint and exit with code 130. --resume continues from the newest one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert pretrain --corpus ./texts --output ./my-albert --size mini --steps 20000
  albert pretrain --corpus more.jsonl.gz --output ./more --init-from albert/albert-base-v2
  albert pretrain --corpus ./texts --output ./small --size mini --steps 20000 --teacher ./my-model")]
pub(crate) struct PretrainArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    /// How lines are split into sentences
    #[arg(long, value_name = "HOW", default_value = "split", help_heading = "Corpus")]
    pub sentences: SentencesArg,
    /// Cache token ids in this directory, which other runs can share [default: OUTPUT/cache]
    #[arg(long, value_name = "DIR", help_heading = "Corpus")]
    pub cache: Option<PathBuf>,
    /// Fraction of the documents to hold out for evaluation
    #[arg(long, value_name = "FRACTION", default_value = "0.01", value_parser = fraction, help_heading = "Corpus")]
    pub eval_fraction: f64,
    /// Maximum number of rows to evaluate on
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Corpus")]
    pub eval_rows: usize,
    /// Print the first N training rows and exit
    #[arg(long, value_name = "N", help_heading = "Rows")]
    pub show_instances: Option<usize>,
    /// Format of printed rows; jsonl has the inputs of transformers' AlbertForPreTraining, auto is text on a terminal and jsonl
    /// otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Rows")]
    pub format: FormatArg,

    /// Tokenizer file, directory or hub id [default: trained from the corpus]
    #[arg(long, value_name = "PATH|HUB_ID", help_heading = "Model")]
    pub tokenizer: Option<String>,
    /// Vocabulary size of a trained tokenizer
    #[arg(long, value_name = "N", default_value = "30000", value_parser = clap::value_parser!(u32).range(20..), conflicts_with = "tokenizer", help_heading = "Model")]
    pub vocab_size: u32,
    /// Keep accents and vowel signs in a trained tokenizer, for languages such as Hindi and Thai
    #[arg(long, conflicts_with_all = ["tokenizer", "init_from"], help_heading = "Model")]
    pub keep_accents: bool,
    /// Model size
    #[arg(long, value_name = "NAME", default_value = "base", conflicts_with_all = ["config", "init_from"], help_heading = "Model")]
    pub size: Size,
    /// Model size from a config.json; the vocabulary size is taken from the tokenizer
    #[arg(long, value_name = "FILE", conflicts_with = "init_from", help_heading = "Model")]
    pub config: Option<PathBuf>,
    /// Continue from this model and its tokenizer: directory, file, or hub id
    #[arg(
        long,
        alias = "model",
        value_name = "MODEL",
        conflicts_with = "vocab_size",
        help_heading = "Model"
    )]
    pub init_from: Option<String>,
    /// Never use the network; a hub id must be in the cache
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Use weights that hold NaN or infinity, which are an error otherwise
    #[arg(long, hide_short_help = true, help_heading = "Model")]
    pub allow_non_finite: bool,
    /// Dropout after projections and on embeddings [default: the configuration's]
    #[arg(long, value_name = "P", value_parser = fraction, help_heading = "Model")]
    pub hidden_dropout: Option<f64>,
    /// Dropout on attention probabilities [default: the configuration's]
    #[arg(long, value_name = "P", value_parser = fraction, help_heading = "Model")]
    pub attention_dropout: Option<f64>,

    /// Maximum tokens per row, including special tokens [default: 128, or the model's limit if it is lower]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Rows")]
    pub max_seq_length: Option<u32>,
    /// Fraction of rows with a random shorter length
    #[arg(long, value_name = "FRACTION", default_value = "0.1", value_parser = fraction, help_heading = "Rows")]
    pub short_seq_prob: f64,
    /// Fraction of tokens to predict
    #[arg(long, value_name = "FRACTION", default_value = "0.15", value_parser = fraction, help_heading = "Rows")]
    pub masked_lm_prob: f64,
    /// Maximum number of consecutive whole words masked together
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=10), help_heading = "Rows")]
    pub max_ngram: u8,
    /// Maximum predictions per row [default: --masked-lm-prob times --max-seq-length, rounded up]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Rows")]
    pub max_predictions: Option<u32>,
    /// Use BERT's next-sentence prediction instead of sentence order
    #[arg(long, conflicts_with = "no_sop", help_heading = "Rows")]
    pub nsp: bool,
    /// Train only the masked language model
    #[arg(long, help_heading = "Rows")]
    pub no_sop: bool,
    /// Weight of the sentence-order loss relative to the masked-LM loss
    #[arg(long, value_name = "WEIGHT", default_value = "1", value_parser = positive, help_heading = "Training")]
    pub sop_weight: f64,
    /// Freeze parameters whose names start with these prefixes, e.g. albert.embeddings
    #[arg(long, value_name = "PREFIX", num_args = 1.., value_delimiter = ',', help_heading = "Training")]
    pub freeze: Vec<String>,
    /// Reproduce the quirks of another program when building rows
    #[arg(long, value_name = "NAME", help_heading = "Rows")]
    pub compat: Option<CompatArg>,

    #[command(flatten)]
    pub distillation: TeacherArgs,

    /// Total number of steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Training")]
    pub steps: Option<u64>,
    /// Passes over the corpus, instead of --steps [default: 10]
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "steps", help_heading = "Training")]
    pub epochs: Option<f64>,
    /// Rows per step, over all devices
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub batch_size: u32,
    /// Rows per forward and backward pass of a device; gradients are accumulated [default: about 4096 tokens on a CPU, 32768 on
    /// a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub micro_batch: Option<u32>,
    /// Optimizer
    #[arg(long, value_name = "NAME", default_value = "adamw", help_heading = "Training")]
    pub optimizer: OptimizerArg,
    /// Peak learning rate [default for lamb: 0.00176 at 4096 rows, scaled by the square root of the batch size; for adamw: 0.0005
    /// up to hidden size 512, 0.0001 above]
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// Warm-up steps [default: 2.5 % of all steps]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub warmup_steps: Option<u64>,
    /// Learning-rate decay after the warm-up
    #[arg(long, value_name = "NAME", default_value = "linear", help_heading = "Training")]
    pub schedule: ScheduleArg,
    /// Power of the polynomial schedule
    #[arg(long, value_name = "P", default_value = "1", value_parser = positive, help_heading = "Training")]
    pub power: f64,
    /// Weight decay, for all parameters except biases and normalizations
    #[arg(long, value_name = "RATE", default_value = "0.01", value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: f64,
    /// Maximum global norm of the gradients (0: no limit)
    #[arg(long, visible_alias = "max-grad-norm", value_name = "NORM", default_value = "1", value_parser = not_negative, help_heading = "Training")]
    pub clip_norm: f64,
    /// Compute precision. Weights and optimizer state stay in f32. On a CPU, bf16 and bf16x2 apply only to the layers' matrix
    /// multiplications; bf16x2 needs AMX
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = precision(), help_heading = "Training")]
    pub precision: Precision,
    /// Recompute memory-bound activations in the backward pass instead of saving them
    #[arg(long, help_heading = "Training")]
    pub gradient_checkpointing: bool,
    /// Random seed
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Training")]
    pub seed: u64,

    /// Output directory
    #[arg(short, long, value_name = "DIR", help_heading = "Run")]
    pub output: PathBuf,
    /// Continue from the newest checkpoint in OUTPUT, with the same options
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Devices, several for data-parallel training: auto, flex, ndarray, wgpu[:N], cuda[:N]
    #[arg(long, env = "ALBERT_DEVICE", value_name = "DEVICE", value_delimiter = ',', default_value = "auto", value_parser = str::parse::<DeviceChoice>, help_heading = "Run")]
    pub device: Vec<DeviceChoice>,
    #[command(flatten, next_help_heading = "Run")]
    pub check: DeviceCheckArgs,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Run")]
    pub threads: Option<u16>,
    /// Report every N steps
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub log_every: u64,
    /// Evaluate every N steps [default: a twentieth of all steps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub eval_every: Option<u64>,
    /// Save a checkpoint every N steps [default: a twentieth of all steps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub save_every: Option<u64>,
    /// Also save a checkpoint every N minutes
    #[arg(long, value_name = "N", default_value = "15", value_parser = positive, help_heading = "Run")]
    pub save_minutes: f64,
    /// Number of checkpoints to keep
    #[arg(long, visible_alias = "keep-checkpoints", value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Run")]
    pub keep: u16,
}

impl PretrainArgs {
    /// The options of the run, with the models that the arguments name.
    pub(crate) fn options(
        &self,
        start: Start,
        tokenizer: Option<PathBuf>,
        teacher: Option<TeacherOptions>,
    ) -> PretrainOptions {
        let sentences = match self.sentences {
            SentencesArg::Split => Sentences::Split,
            SentencesArg::Lines => Sentences::Lines,
        };
        let epochs = Duration::Epochs(self.epochs.unwrap_or(10.0));
        PretrainOptions {
            start,
            corpus: self.corpus.corpus.clone(),
            corpus_options: CorpusOptions { text_field: self.corpus.text_field.clone(), sentences },
            cache: self.cache.clone(),
            eval_fraction: self.eval_fraction,
            eval_rows: self.eval_rows,
            tokenizer,
            vocab_size: self.vocab_size as usize,
            keep_accents: self.keep_accents,
            hidden_dropout: self.hidden_dropout,
            attention_dropout: self.attention_dropout,
            max_seq_length: self.max_seq_length.map(|n| n as usize),
            short_seq_prob: self.short_seq_prob,
            masked_lm_prob: self.masked_lm_prob,
            max_ngram: usize::from(self.max_ngram),
            max_predictions: self.max_predictions.map(|n| n as usize),
            pairing: match (self.nsp, self.no_sop) {
                (true, _) => Pairing::NextSentence,
                (_, true) => Pairing::Unlabelled,
                _ => Pairing::SentenceOrder,
            },
            sentence_order_weight: self.sop_weight,
            google_compat: self.compat == Some(CompatArg::Google),
            teacher,
            freeze: self.freeze.clone(),
            duration: self.steps.map_or(epochs, Duration::Steps),
            batch_size: self.batch_size as usize,
            micro_batch: self.micro_batch.map(|n| n as usize),
            optimizer: self.optimizer.into(),
            learning_rate: self.learning_rate,
            warmup_steps: self.warmup_steps,
            decay: self.schedule.decay(self.power),
            weight_decay: self.weight_decay,
            clip_norm: (self.clip_norm > 0.0).then_some(self.clip_norm),
            precision: self.precision,
            gradient_checkpointing: self.gradient_checkpointing,
            seed: self.seed,
            output: self.output.clone(),
            // `--show-instances` also works with an existing run.
            resume: self.resume || self.show_instances.is_some(),
            log_every: self.log_every,
            evaluate_every: self.eval_every,
            save_every: self.save_every,
            save_minutes: self.save_minutes,
            keep: usize::from(self.keep),
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentencesArg {
    /// Lines are paragraphs: split them into sentences
    Split,
    /// Lines are sentences
    Lines,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerArg {
    /// Google's variant of LAMB, for batches of thousands: without bias correction, and without decay and trust ratio for biases
    /// and normalizations
    Lamb,
    /// AdamW as in PyTorch, for batches of any size
    Adamw,
}

impl From<OptimizerArg> for OptimizerKind {
    fn from(arg: OptimizerArg) -> Self {
        match arg {
            OptimizerArg::Lamb => Self::Lamb,
            OptimizerArg::Adamw => Self::AdamW,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CompatArg {
    /// create_pretraining_data.py: one short length per document, single sentences are paired with a random document
    Google,
}
