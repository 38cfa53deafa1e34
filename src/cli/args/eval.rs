//! Arguments of `albert eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use albert::eval::metrics::EntityScheme;
use albert::eval::{EvalTask, SquadVersion};

use super::common::{FormatArg, ModelArgs, not_nan};
use super::corpus::CorpusArgs;
use super::data::{ChoiceDataArgs, QuestionDataArgs, TextDataArgs, TokenDataArgs};
use super::device::DeviceArgs;
use super::list::{self, List};

/// Evaluate a model on labelled data
///
/// Prints the metrics of the reference scripts (scikit-learn, scipy, seqeval, SQuAD): a table on a terminal, JSON otherwise.
/// Can also write predictions and errors.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert eval classify -m my-nli-model --data pairs.jsonl
  albert eval qa -m my-qa-model --data dev-v2.0.json --errors errors.jsonl
  albert eval mlm --corpus ./texts")]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    pub task: EvalTaskArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum EvalTaskArgs {
    Classify(Box<EvalClassifyArgs>),
    Ner(Box<EvalNerArgs>),
    #[command(mut_arg("max_length", |arg| {
        arg.help("Maximum number of tokens per row [default: 384, or the limit of the tokenizer or the model if it is lower]")
    }))]
    Qa(Box<EvalQaArgs>),
    Choose(Box<EvalChooseArgs>),
    Mlm(Box<EvalMlmArgs>),
}

/// Evaluate classification (accuracy, F1, Matthews correlation) or regression (Pearson, Spearman)
#[derive(Args, Debug)]
pub(crate) struct EvalClassifyArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: TextDataArgs,
}

/// Evaluate entities: precision, recall and F1 as in seqeval
#[derive(Args, Debug)]
pub(crate) struct EvalNerArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: TokenDataArgs,
    /// Tagging scheme: seqeval's default, or a scheme in its strict mode
    #[arg(long, value_name = "SCHEME", default_value = "default", help_heading = "Evaluation")]
    pub scheme: SchemeArg,
    /// Names of tags that the data gives as numbers, in order (comma-separated) [default: the model's labels]
    #[arg(long, value_name = "TAGS", help_heading = "Data")]
    pub labels: Vec<List>,
}

impl EvalClassifyArgs {
    /// The task, and how its data is read.
    pub(crate) fn task(&self) -> EvalTask {
        let goal = self.data.goal;
        EvalTask::Classify { data: self.data.options(goal.unwrap_or_default()), goal }
    }
}

impl EvalNerArgs {
    /// The task, and how its data is read.
    pub(crate) fn task(&self) -> EvalTask {
        EvalTask::Ner { data: self.data.options(&list::trimmed(&self.labels)), scheme: self.scheme.into() }
    }
}

impl EvalQaArgs {
    /// The task, and how its data is read.
    pub(crate) fn task(&self) -> EvalTask {
        EvalTask::Qa {
            data: self.data.options(false),
            task: self.data.task(),
            version: match self.rules {
                RulesArg::Auto => None,
                RulesArg::V1 => Some(SquadVersion::V1),
                RulesArg::V2 => Some(SquadVersion::V2),
            },
            null_threshold: self.null_threshold,
        }
    }
}

impl EvalChooseArgs {
    /// The task, and how its data is read.
    pub(crate) fn task(&self) -> EvalTask {
        EvalTask::Choose { data: self.data.options() }
    }
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeArg {
    Default,
    Iob1,
    Iob2,
    Ioe1,
    Ioe2,
    Iobes,
    Bilou,
}

impl From<SchemeArg> for Option<EntityScheme> {
    fn from(arg: SchemeArg) -> Self {
        match arg {
            SchemeArg::Default => None,
            SchemeArg::Iob1 => Some(EntityScheme::Iob1),
            SchemeArg::Iob2 => Some(EntityScheme::Iob2),
            SchemeArg::Ioe1 => Some(EntityScheme::Ioe1),
            SchemeArg::Ioe2 => Some(EntityScheme::Ioe2),
            SchemeArg::Iobes => Some(EntityScheme::Iobes),
            SchemeArg::Bilou => Some(EntityScheme::Bilou),
        }
    }
}

/// Evaluate question answering: exact match and F1 as in SQuAD 1.1, or 2.0 if some questions have no answer
#[derive(Args, Debug)]
pub(crate) struct EvalQaArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: QuestionDataArgs,
    /// Evaluation rules
    #[arg(
        long,
        visible_alias = "squad-version",
        value_name = "RULES",
        default_value = "auto",
        help_heading = "Evaluation"
    )]
    pub rules: RulesArg,
    /// Predict "no answer" if its score exceeds the best answer's by more than N [default: the model's, else 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = not_nan, help_heading = "Evaluation")]
    pub null_threshold: Option<f64>,
    /// Store the best threshold in the model's config.json
    #[arg(long, help_heading = "Evaluation")]
    pub save_threshold: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RulesArg {
    /// v2 if some questions have no answer, else v1
    Auto,
    /// SQuAD 1.1
    #[value(alias = "1.1")]
    V1,
    /// SQuAD 2.0
    #[value(alias = "2.0")]
    V2,
}

/// Evaluate multiple choice: accuracy, for RACE also by school
#[derive(Args, Debug)]
pub(crate) struct EvalChooseArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: ChoiceDataArgs,
}

/// Evaluate masked-LM perplexity and accuracy, and accuracy of sentence order, on text
///
/// Builds rows from the text like albert pretrain, deterministically.
#[derive(Args, Debug)]
pub(crate) struct EvalMlmArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Maximum number of rows
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Evaluation")]
    pub rows: u32,
    /// Tokens per row
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Evaluation")]
    pub max_seq_length: u32,
    #[command(flatten)]
    pub output: ReportArgs,
}

/// Arguments of all evaluations on labelled data.
#[derive(Args, Debug)]
pub(crate) struct EvalCommonArgs {
    /// Labelled data; may be compressed (.gz, .zst)
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Maximum number of tokens per row [default: the tokenizer's model_max_length, at most the model's positions]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Data")]
    pub max_length: Option<u32>,
    #[command(flatten)]
    pub output: ReportArgs,
    /// Write every example with its prediction, one JSON object per line
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub predictions: Option<PathBuf>,
    /// Write the wrong examples in the same format
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub errors: Option<PathBuf>,
}

/// Output of the report.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; text is a table, auto is text on a terminal and json otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: FormatArg,
}
