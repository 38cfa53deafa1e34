//! The arguments of `albert pretrain` as typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use albert::device::DeviceChoice;
use albert::training::{Decay, OptimizerKind, Size};

use super::args::{FormatArg, PrecisionArg};
use super::training_args::CorpusArgs;

/// Pretrain an ALBERT on text: masked language model and sentence order
///
/// From a folder of text to a directory that transformers loads. The corpus is read as a stream (.txt with a sentence or
/// a paragraph a line and a blank line between documents; .jsonl with a document a record; also .gz and .zst; - is
/// standard input), its token ids are kept in OUTPUT/cache. Without --tokenizer a SentencePiece unigram model is
/// trained from the corpus first.
///
/// OUTPUT gets checkpoints/ (each a model of its own), metrics.jsonl, TensorBoard events, curves.svg, and at the end the
/// model. SIGINT and SIGTERM save a checkpoint and exit with 130; --resume goes on from the newest one.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert pretrain --corpus ./texts --output ./my-albert --size mini --steps 20000
  albert pretrain --corpus more.jsonl.gz --output ./more --init-from albert/albert-base-v2")]
pub struct PretrainArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    /// Whether a line is cut into sentences, or is one
    #[arg(long, value_name = "HOW", default_value = "split", help_heading = "Corpus")]
    pub sentences: SentencesArg,
    /// Keep token ids here, for other runs too [default: OUTPUT/cache]
    #[arg(long, value_name = "DIR", help_heading = "Corpus")]
    pub cache: Option<PathBuf>,
    /// Share of the documents held out for evaluation
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share, help_heading = "Corpus")]
    pub eval_fraction: f64,
    /// Rows to evaluate on, at most
    #[arg(long, value_name = "N", default_value = "1000", help_heading = "Corpus")]
    pub eval_rows: usize,
    /// Print the first rows to train on, and end
    #[arg(long, value_name = "N", help_heading = "Rows")]
    pub show_instances: Option<usize>,
    /// Form of the rows printed: text is for eyes, jsonl has the inputs of transformers' AlbertForPreTraining; auto is text
    /// on a terminal, jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Rows")]
    pub format: FormatArg,

    /// Tokenizer file, directory or hub id [default: trained from the corpus]
    #[arg(long, value_name = "PATH|HUB_ID", help_heading = "Model")]
    pub tokenizer: Option<String>,
    /// Pieces of a tokenizer that is trained
    #[arg(long, value_name = "N", default_value = "30000", value_parser = clap::value_parser!(u32).range(20..), conflicts_with = "tokenizer", help_heading = "Model")]
    pub vocab_size: u32,
    /// Shape by name
    #[arg(long, value_name = "NAME", default_value = "base", conflicts_with_all = ["config", "init_from"], help_heading = "Model")]
    pub size: SizeArg,
    /// Shape from a config.json; its vocabulary size is the tokenizer's
    #[arg(long, value_name = "FILE", conflicts_with = "init_from", help_heading = "Model")]
    pub config: Option<PathBuf>,
    /// Continue pretraining this model: directory, file, or hub id; with its tokenizer
    #[arg(
        long,
        alias = "model",
        value_name = "MODEL",
        conflicts_with = "vocab_size",
        help_heading = "Model"
    )]
    pub init_from: Option<String>,
    /// Never use the network: a hub id must be in the cache
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Use weights that hold NaN or infinity, which are an error otherwise
    #[arg(long, hide_short_help = true, help_heading = "Model")]
    pub allow_non_finite: bool,
    /// Dropout after projections and on embeddings [default: the configuration's]
    #[arg(long, value_name = "P", value_parser = share, help_heading = "Model")]
    pub hidden_dropout: Option<f64>,
    /// Dropout on attention probabilities [default: the configuration's]
    #[arg(long, value_name = "P", value_parser = share, help_heading = "Model")]
    pub attention_dropout: Option<f64>,

    /// Tokens of a row, special tokens included [default: 128, or the model's positions if they are fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Rows")]
    pub max_seq_length: Option<u32>,
    /// Share of the rows that are made shorter at random
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, help_heading = "Rows")]
    pub short_seq_prob: f64,
    /// Share of the tokens to predict
    #[arg(long, value_name = "SHARE", default_value = "0.15", value_parser = share, help_heading = "Rows")]
    pub masked_lm_prob: f64,
    /// Longest run of whole words masked together
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=10), help_heading = "Rows")]
    pub max_ngram: u8,
    /// Predictions of a row, at most [default: the share of --max-seq-length, rounded up]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Rows")]
    pub max_predictions: Option<u32>,
    /// Next-sentence prediction, as BERT's, instead of sentence order
    #[arg(long, conflicts_with = "no_sop", help_heading = "Rows")]
    pub nsp: bool,
    /// Masked language model only
    #[arg(long, help_heading = "Rows")]
    pub no_sop: bool,
    /// How much the loss of sentence order counts beside that of the masked words
    #[arg(long, value_name = "WEIGHT", default_value = "1", value_parser = positive, help_heading = "Training")]
    pub sop_weight: f64,
    /// What does not learn: starts of the names of parameters, as in model.safetensors, like albert.embeddings
    #[arg(long, value_name = "PREFIX", num_args = 1.., value_delimiter = ',', help_heading = "Training")]
    pub freeze: Vec<String>,
    /// Make rows with the quirks of another program
    #[arg(long, value_name = "NAME", help_heading = "Rows")]
    pub compat: Option<CompatArg>,

    /// Steps of the whole run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Training")]
    pub steps: Option<u64>,
    /// Passes over the corpus, instead of --steps [default: 10]
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "steps", help_heading = "Training")]
    pub epochs: Option<f64>,
    /// Rows of one step, over all devices
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub batch_size: u32,
    /// Rows that a device computes at once; gradients are added up [default: about 4096 tokens on a CPU, 32768 on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub micro_batch: Option<u32>,
    /// Update rule
    #[arg(long, value_name = "NAME", default_value = "adamw", help_heading = "Training")]
    pub optimizer: OptimizerArg,
    /// Highest learning rate [default: for lamb 0.00176 at 4096 rows, by the root of the batch size for others; for adamw
    /// 0.0005 up to 512 wide, 0.0001 beyond]
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// Steps of rising learning rate [default: 2.5 % of all]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub warmup_steps: Option<u64>,
    /// Course of the learning rate after the warm-up
    #[arg(long, value_name = "NAME", default_value = "linear", help_heading = "Training")]
    pub schedule: ScheduleArg,
    /// Power of the polynomial schedule
    #[arg(long, value_name = "P", default_value = "1", value_parser = positive, help_heading = "Training")]
    pub power: f64,
    /// Weight decay, for all but biases and normalizations
    #[arg(long, value_name = "RATE", default_value = "0.01", value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: f64,
    /// Largest global norm of the gradients, 0 for any
    #[arg(long, value_name = "NORM", default_value = "1", value_parser = not_negative, help_heading = "Training")]
    pub clip_norm: f64,
    /// Float type of the computation; weights and their updates are f32 always. On a CPU, bf16 is used inside the matrix
    /// products of the layers alone; bf16x2 is f32 there, on processors with AMX as sums of two bf16
    #[arg(long, value_name = "TYPE", default_value = "f32", help_heading = "Training")]
    pub precision: PrecisionArg,
    /// Compute memory-bound results again in the backward pass instead of keeping them
    #[arg(long, help_heading = "Training")]
    pub gradient_checkpointing: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Training")]
    pub seed: u64,

    /// Directory of the run
    #[arg(short, long, value_name = "DIR", help_heading = "Run")]
    pub output: PathBuf,
    /// Go on from the newest checkpoint in OUTPUT, with the same options
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Where to compute, several for data parallel training: auto, flex, ndarray, wgpu[:N], cuda[:N]
    #[arg(long, env = "ALBERT_DEVICE", value_name = "DEVICE", value_delimiter = ',', default_value = "auto", value_parser = str::parse::<DeviceChoice>, help_heading = "Run")]
    pub device: Vec<DeviceChoice>,
    /// CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Run")]
    pub threads: Option<u16>,
    /// Report every so many steps
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub log_every: u64,
    /// Evaluate every so many steps [default: a twentieth of all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub eval_every: Option<u64>,
    /// Checkpoint every so many steps [default: a twentieth of all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    pub save_every: Option<u64>,
    /// Checkpoint every so many minutes too
    #[arg(long, value_name = "N", default_value = "15", value_parser = positive, help_heading = "Run")]
    pub save_minutes: f64,
    /// Checkpoints to keep
    #[arg(long, value_name = "N", default_value = "3", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Run")]
    pub keep: u16,
}

fn number(text: &str, least: f64, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("expected {wanted}"))?;
    if value.is_finite() && value >= least && fits(value) {
        Ok(value)
    } else {
        Err(format!("expected {wanted}"))
    }
}

pub fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, |value| value < 1.0, "a share from 0 to below 1")
}

pub fn positive(text: &str) -> Result<f64, String> {
    number(text, 0.0, |value| value > 0.0, "a number above 0")
}

pub fn not_negative(text: &str) -> Result<f64, String> {
    number(text, 0.0, |_| true, "a number from 0")
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentencesArg {
    /// Lines are paragraphs: cut them into sentences
    Split,
    /// Lines are sentences
    Lines,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeArg {
    /// E 64, H 128, 4 layers, 2 heads
    Tiny,
    /// E 128, H 256, 6 layers, 4 heads
    Mini,
    /// E 128, H 512, 8 layers, 8 heads
    Small,
    /// E 128, H 768, 12 layers, 12 heads
    Base,
    /// E 128, H 1024, 24 layers, 16 heads
    Large,
    /// E 128, H 2048, 24 layers, 16 heads
    Xlarge,
    /// E 128, H 4096, 12 layers, 64 heads
    Xxlarge,
}

impl From<SizeArg> for Size {
    fn from(arg: SizeArg) -> Self {
        match arg {
            SizeArg::Tiny => Self::Tiny,
            SizeArg::Mini => Self::Mini,
            SizeArg::Small => Self::Small,
            SizeArg::Base => Self::Base,
            SizeArg::Large => Self::Large,
            SizeArg::Xlarge => Self::Xlarge,
            SizeArg::Xxlarge => Self::Xxlarge,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptimizerArg {
    /// As Google's, for batches of thousands: no bias correction; biases and normalizations without decay and adaptation
    Lamb,
    /// As PyTorch's, for batches of any size
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
pub enum ScheduleArg {
    Linear,
    Polynomial,
    Cosine,
    Constant,
}

impl ScheduleArg {
    /// With the power of the polynomial one.
    pub fn decay(self, power: f64) -> Decay {
        match self {
            Self::Linear => Decay::Linear,
            Self::Polynomial => Decay::Polynomial(power),
            Self::Cosine => Decay::Cosine,
            Self::Constant => Decay::Constant,
        }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompatArg {
    /// create_pretraining_data.py: one short length per document, a single sentence is paired with a random document
    Google,
}
