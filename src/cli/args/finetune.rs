//! Arguments of `albert finetune`.

use std::path::PathBuf;

use clap::{Arg, Args, Subcommand, ValueEnum};

use albert::device::{DeviceChoice, Precision};
use albert::training::finetune::{ClassWeights, Dev, Dropout, FineTuneOptions, FineTuneTask, Frozen, Order};
use albert::training::{Duration, OptimizerKind};

use super::common::ModelArgs;
use super::data::{ChoiceDataArgs, QuestionDataArgs, TextDataArgs, TokenDataArgs};
use super::device::DeviceCheckArgs;
use super::list::{self, List};
use super::pretrain::PretrainArgs;
use super::training::{ScheduleArg, precision};
use super::values::{fraction, not_negative, positive};

/// Fine-tune a model on labelled data
///
/// Writes a directory that every other subcommand and transformers load: the best checkpoint on --dev, or the last step
/// without it, plus checkpoints/, metrics.jsonl, TensorBoard events, curves.svg and results.json. SIGINT and SIGTERM save a
/// checkpoint and exit with code 130. --resume continues from it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert finetune classify -m albert/albert-base-v2 --train train.jsonl --dev dev.jsonl -o mine
  albert finetune classify -m albert/albert-base-v2 --train cola.tsv --recipe cola -o cola
  albert finetune qa -m albert/albert-base-v2 --train train-v2.0.json --recipe squad2 -o squad2")]
pub(crate) struct FinetuneArgs {
    #[command(subcommand)]
    pub task: FinetuneTask,
}

#[derive(Subcommand, Debug)]
pub(crate) enum FinetuneTask {
    Classify(Box<FinetuneClassifyArgs>),
    Ner(Box<FinetuneNerArgs>),
    Qa(Box<FinetuneQaArgs>),
    Choose(Box<FinetuneChooseArgs>),
    /// Continue pretraining a model on text, as albert pretrain --init-from does
    #[command(
        visible_alias = "mlm",
        mut_args(continued),
        after_help = "\
Examples:
  albert finetune pretraining -m albert/albert-base-v2 --corpus more.jsonl.gz --output ./more"
    )]
    Pretraining(Box<PretrainArgs>),
}

/// Changes the options of `albert pretrain` for a run that starts from a model: the model is required, and options that
/// describe a new one are not shown.
fn continued(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "init_from" => arg.required(true).short('m'),
        "config" | "keep_accents" | "size" | "vocab_size" => arg.hide(true),
        "tokenizer" => arg.help("Tokenizer file, directory or hub id [default: the model's]"),
        _ => arg,
    }
}

/// Fine-tune text classification or regression
///
/// Data: JSON lines with text, text_pair, label (a string, or a list for multi-label) or score (a number); CSV with a
/// header; GLUE's TSV files. Labels are collected from the data and stored in config.json.
#[derive(Args, Debug)]
pub(crate) struct FinetuneClassifyArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub data: TextDataArgs,
    /// Labels in the order of their ids (comma-separated) [default: those of the data: in the order of the model if it has the same, otherwise sorted]
    ///
    /// Write a label that contains a comma in double quotes: --labels '"food, drink",sport'.
    #[arg(long, value_name = "LABELS", help_heading = "Data")]
    pub labels: Vec<List>,
    /// Class weights for the loss: balanced, or label=weight (comma-separated)
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub class_weights: Vec<List>,
}

/// Fine-tune token classification, such as named entities
///
/// Data: JSON lines with tokens and tags; CoNLL columns. Tags are collected from the data and stored in config.json.
#[derive(Args, Debug)]
pub(crate) struct FinetuneNerArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub data: TokenDataArgs,
    /// Tags in the order of their ids (comma-separated) [default: the tags in the data, O first]
    #[arg(long, value_name = "TAGS", help_heading = "Data")]
    pub labels: Vec<List>,
    /// Class weights for the loss: balanced, or tag=weight (comma-separated)
    #[arg(long, value_name = "WEIGHTS", help_heading = "Training")]
    pub class_weights: Vec<List>,
}

/// Fine-tune extractive question answering
///
/// Data: SQuAD JSON, version 1.1 or 2.0; JSON lines with question, context and answers. If some questions have no answer,
/// the rules of SQuAD 2.0 apply, and the best threshold on --dev is stored in config.json.
#[derive(Args, Debug)]
pub(crate) struct FinetuneQaArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub data: QuestionDataArgs,
}

/// Fine-tune multiple choice
///
/// Data: JSON lines with prompt, choices, label and optionally context; RACE folders; SWAG CSV. The number of choices may
/// differ between examples.
#[derive(Args, Debug)]
pub(crate) struct FinetuneChooseArgs {
    #[command(flatten)]
    pub common: CommonArgs,
    #[command(flatten)]
    pub data: ChoiceDataArgs,
}

/// Arguments of all tasks.
#[derive(Args, Debug)]
pub(crate) struct CommonArgs {
    /// Training examples; may be compressed (.gz, .zst)
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub train: PathBuf,
    /// Examples for evaluation during training, which select the best checkpoint
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub dev: Option<PathBuf>,
    /// Use this fraction of --train as --dev
    #[arg(long, value_name = "FRACTION", value_parser = fraction, conflicts_with = "dev", help_heading = "Data")]
    pub dev_fraction: Option<f64>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Maximum number of tokens per row [default: the recipe's, or what the data needs, at most the tokenizer's
    /// model_max_length and the model's positions]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Data")]
    pub max_length: Option<u32>,

    /// Use a published recipe: cola, sts-b, sst-2, mnli, qnli, qqp, rte, mrpc, wnli, squad1, squad2, race
    ///
    /// Sets learning rate, batch size, steps, warm-up, dropout rates and length to the values in the ALBERT paper (table 14).
    /// Other options override it.
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub recipe: Option<String>,
    /// Passes over the data [default: 3, more for small data sets]
    #[arg(long, value_name = "N", value_parser = positive, conflicts_with = "steps", help_heading = "Training")]
    pub epochs: Option<f64>,
    /// Number of steps, instead of --epochs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Training")]
    pub steps: Option<u64>,
    /// Examples per step [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub batch_size: Option<u32>,
    /// Examples per forward and backward pass of a device; gradients are accumulated [default: about 4096 tokens on a CPU, 32768
    /// on a GPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Training")]
    pub micro_batch: Option<u32>,
    /// Peak learning rate [default: by the hidden size, 3e-5 for base]
    #[arg(long, value_name = "RATE", value_parser = positive, help_heading = "Training")]
    pub learning_rate: Option<f64>,
    /// Warm-up steps [default: a tenth of all steps]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub warmup_steps: Option<u64>,
    /// Learning-rate decay after the warm-up
    #[arg(long, value_name = "NAME", default_value = "linear", help_heading = "Training")]
    pub schedule: ScheduleArg,
    /// Power of the polynomial schedule
    #[arg(long, value_name = "P", default_value = "1", value_parser = positive, hide_short_help = true, help_heading = "Training")]
    pub power: f64,
    /// Optimizer [default: adamw; bert-adam with --recipe]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub optimizer: Option<FinetuneOptimizerArg>,
    /// Weight decay, for all parameters except biases and normalizations
    #[arg(long, value_name = "RATE", default_value = "0.01", value_parser = not_negative, help_heading = "Training")]
    pub weight_decay: f64,
    /// Maximum global norm of the gradients (0: no limit)
    #[arg(long, visible_alias = "max-grad-norm", value_name = "NORM", default_value = "1", value_parser = not_negative, help_heading = "Training")]
    pub clip_norm: f64,
    /// Dropout after projections and on embeddings [default: the model's; version 2 models need 0]
    #[arg(long, value_name = "P", value_parser = fraction, help_heading = "Training")]
    pub hidden_dropout: Option<f64>,
    /// Dropout on attention probabilities [default: the model's]
    #[arg(long, value_name = "P", value_parser = fraction, help_heading = "Training")]
    pub attention_dropout: Option<f64>,
    /// Dropout before the head [default: the model's]
    #[arg(long, value_name = "P", value_parser = fraction, help_heading = "Training")]
    pub classifier_dropout: Option<f64>,
    /// Part of the model to freeze
    #[arg(long, value_name = "PART", default_value = "nothing", help_heading = "Training")]
    pub freeze: Frozen,
    /// Order of the examples
    #[arg(
        long,
        value_name = "ORDER",
        default_value = "by-length",
        hide_short_help = true,
        help_heading = "Training"
    )]
    pub order: Order,
    /// Compute precision. Weights and optimizer state stay in f32. On a CPU, bf16 and bf16x2 apply only to the layers' matrix
    /// multiplications; bf16x2 needs AMX
    #[arg(long, value_name = "TYPE", default_value = "f32", value_parser = precision(), help_heading = "Training")]
    pub precision: Precision,
    /// Recompute memory-bound activations in the backward pass instead of saving them
    #[arg(long, help_heading = "Training")]
    pub gradient_checkpointing: bool,
    /// Train once per seed and keep the best model on --dev: a number, a range 1..5, or a list 1,2,3
    #[arg(long, value_name = "SEEDS", default_value = "1", value_parser = seeds, help_heading = "Training")]
    pub seeds: Seeds,

    /// Metric on --dev that selects the best checkpoint [default: by task]
    #[arg(long, value_name = "NAME", help_heading = "Evaluation")]
    pub metric: Option<String>,
    /// Evaluate every N steps [default: once per epoch, or ten times per run if that is more often]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Evaluation")]
    pub eval_every: Option<u64>,
    /// Stop after N consecutive evaluations without improvement
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Evaluation")]
    pub patience: Option<u32>,

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
    /// Save a checkpoint every N minutes, in addition to those after evaluations
    #[arg(long, value_name = "N", default_value = "15", value_parser = positive, help_heading = "Run")]
    pub save_minutes: f64,
    /// Number of checkpoints to keep in addition to the best
    #[arg(long, visible_alias = "keep-checkpoints", value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Run")]
    pub keep: u16,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinetuneOptimizerArg {
    /// AdamW as in PyTorch
    Adamw,
    /// AdamW without bias correction, as in Google's fine-tuning code
    BertAdam,
    /// LAMB as in Google's pretraining code
    Lamb,
}

impl From<FinetuneOptimizerArg> for OptimizerKind {
    fn from(arg: FinetuneOptimizerArg) -> Self {
        match arg {
            FinetuneOptimizerArg::Adamw => Self::AdamW,
            FinetuneOptimizerArg::BertAdam => Self::BertAdam,
            FinetuneOptimizerArg::Lamb => Self::Lamb,
        }
    }
}

impl FinetuneClassifyArgs {
    /// The options of the run.
    ///
    /// # Errors
    /// [`albert::Error::InvalidOption`] for class weights that cannot be read.
    pub(crate) fn options(&self) -> albert::Result<FineTuneOptions> {
        let task = FineTuneTask::Classify {
            data: self.data.options(self.data.goal.unwrap_or_default()),
            goal: self.data.goal,
            labels: list::trimmed(&self.labels),
            class_weights: ClassWeights::parse(&list::values(&self.class_weights))?,
        };
        Ok(self.common.options(task))
    }
}

impl FinetuneNerArgs {
    /// The options of the run.
    ///
    /// # Errors
    /// [`albert::Error::InvalidOption`] for class weights that cannot be read.
    pub(crate) fn options(&self) -> albert::Result<FineTuneOptions> {
        let task = FineTuneTask::Ner {
            data: self.data.options(&list::trimmed(&self.labels)),
            labels: list::trimmed(&self.labels),
            class_weights: ClassWeights::parse(&list::values(&self.class_weights))?,
        };
        Ok(self.common.options(task))
    }
}

impl FinetuneQaArgs {
    /// The options of the run.
    pub(crate) fn options(&self) -> FineTuneOptions {
        self.common.options(FineTuneTask::Qa { data: self.data.options(true), task: self.data.task() })
    }
}

impl FinetuneChooseArgs {
    /// The options of the run.
    pub(crate) fn options(&self) -> FineTuneOptions {
        self.common.options(FineTuneTask::Choose { data: self.data.options() })
    }
}

impl CommonArgs {
    fn options(&self, task: FineTuneTask) -> FineTuneOptions {
        FineTuneOptions {
            task,
            train: self.train.clone(),
            dev: match (&self.dev, self.dev_fraction) {
                (Some(file), _) => Dev::File(file.clone()),
                (None, Some(share)) => Dev::Fraction(share),
                (None, None) => Dev::None,
            },
            max_length: self.max_length.map(|n| n as usize),
            recipe: self.recipe.clone(),
            duration: self.steps.map(Duration::Steps).or(self.epochs.map(Duration::Epochs)),
            batch_size: self.batch_size.map(|n| n as usize),
            micro_batch: self.micro_batch.map(|n| n as usize),
            learning_rate: self.learning_rate,
            warmup_steps: self.warmup_steps,
            decay: self.schedule.decay(self.power),
            optimizer: self.optimizer.map(OptimizerKind::from),
            weight_decay: self.weight_decay,
            clip_norm: (self.clip_norm > 0.0).then_some(self.clip_norm),
            dropout: Dropout {
                hidden: self.hidden_dropout,
                attention: self.attention_dropout,
                classifier: self.classifier_dropout,
            },
            freeze: self.freeze,
            order: self.order,
            precision: self.precision,
            gradient_checkpointing: self.gradient_checkpointing,
            seeds: self.seeds.0.clone(),
            metric: self.metric.clone(),
            evaluate_every: self.eval_every,
            patience: self.patience,
            output: self.output.clone(),
            resume: self.resume,
            log_every: self.log_every,
            save_minutes: self.save_minutes,
            keep: usize::from(self.keep),
        }
    }
}

/// Seeds of the runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub Vec<u64>);

/// More runs than this are certainly a typing error.
const MOST_SEEDS: u64 = 1000;

fn seeds(text: &str) -> Result<Seeds, String> {
    let wrong = || "expected a number, a range like 1..5, or a list like 1,2,3".to_owned();
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
    let seeds: Vec<u64> = match text.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
            if last < first || last - first >= MOST_SEEDS {
                return Err(format!("a range from low to high, of at most {MOST_SEEDS} seeds"));
            }
            (first..=last).collect()
        }
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    let mut sorted = seeds.clone();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.len() < seeds.len() { Err("a seed is named twice".to_owned()) } else { Ok(Seeds(seeds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_ranges_and_lists() {
        assert_eq!(seeds("7"), Ok(Seeds(vec![7])));
        assert_eq!(seeds("1..5"), Ok(Seeds(vec![1, 2, 3, 4, 5])));
        assert_eq!(seeds("3, 1"), Ok(Seeds(vec![3, 1])));
        for wrong in ["", "x", "5..1", "1..1000000", "1,1", "1,,2", "-1"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
