//! The arguments of `albert eval` as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use albert::eval::metrics::EntityScheme;

use super::args::{DeviceArgs, FormatArg, ModelArgs};
use super::data_args::{ChoiceDataArgs, QuestionDataArgs, TextDataArgs, TokenDataArgs};
use super::training_args::CorpusArgs;

/// Evaluate a model on labelled data
///
/// Prints the figures that the reference scripts give (scikit-learn, scipy, seqeval, SQuAD's): a table on a terminal, JSON
/// otherwise. Predictions and errors can be written for reading.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert eval classify -m my-nli-model --data pairs.jsonl
  albert eval qa -m my-qa-model --data dev-v2.0.json --errors errors.jsonl
  albert eval mlm --corpus ./texts")]
pub struct EvalArgs {
    #[command(subcommand)]
    pub task: EvalTask,
}

#[derive(Subcommand, Debug)]
pub enum EvalTask {
    Classify(Box<EvalClassifyArgs>),
    Ner(Box<EvalNerArgs>),
    Qa(Box<EvalQaArgs>),
    Choose(Box<EvalChooseArgs>),
    Mlm(Box<EvalMlmArgs>),
}

/// Labels of texts or pairs, or numbers: accuracy, F1, Matthews; Pearson, Spearman
#[derive(Args, Debug)]
pub struct EvalClassifyArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: TextDataArgs,
}

/// Tags of words: precision, recall and F1 of entities, as seqeval
#[derive(Args, Debug)]
pub struct EvalNerArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: TokenDataArgs,
    /// How tags become entities: seqeval's default, or a scheme in its strict mode
    #[arg(long, value_name = "SCHEME", default_value = "default", help_heading = "Evaluation")]
    pub scheme: SchemeArg,
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

/// Answers to questions: exact match and F1, as SQuAD 1.1's script, or 2.0's if some have no answer
#[derive(Args, Debug)]
pub struct EvalQaArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: QuestionDataArgs,
    /// Which script judges
    #[arg(long, value_name = "RULES", default_value = "auto", help_heading = "Evaluation")]
    pub rules: RulesArg,
    /// No answer is said where its logits are more than this above those of the best answer [default: the model's, else 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = "Evaluation")]
    pub null_threshold: Option<f64>,
    /// Keep the best threshold found here in the model's config.json
    #[arg(long, help_heading = "Evaluation")]
    pub save_threshold: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesArg {
    /// v2 if some questions have no answer, else v1
    Auto,
    /// SQuAD 1.1
    V1,
    /// SQuAD 2.0
    V2,
}

/// Choices: accuracy, of RACE also by school
#[derive(Args, Debug)]
pub struct EvalChooseArgs {
    #[command(flatten)]
    pub common: EvalCommonArgs,
    #[command(flatten)]
    pub data: ChoiceDataArgs,
}

/// Masked words of text: perplexity and accuracy, and accuracy of sentence order
///
/// Rows are made of the text as albert pretrain makes them, the same for a seed.
#[derive(Args, Debug)]
pub struct EvalMlmArgs {
    #[command(flatten)]
    pub corpus: CorpusArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Rows to judge by, at most
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Evaluation")]
    pub rows: u32,
    /// Tokens of a row
    #[arg(long, value_name = "N", default_value = "128", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Evaluation")]
    pub max_seq_length: u32,
    #[command(flatten)]
    pub output: ReportArgs,
}

/// What evaluations on labelled data have in common.
#[derive(Args, Debug)]
pub struct EvalCommonArgs {
    /// Labelled data; .gz and .zst are read too
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub data: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Longest row in tokens [default: the tokenizer's model_max_length, or the model's positions if there are fewer; at
    /// most 384 for qa]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..), help_heading = "Data")]
    pub max_length: Option<u32>,
    #[command(flatten)]
    pub output: ReportArgs,
    /// Write every example with its prediction, a JSON object a line
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub predictions: Option<PathBuf>,
    /// Write the examples that are wrong, likewise
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub errors: Option<PathBuf>,
}

/// Where the report goes.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// text is a table for eyes; auto is text on a terminal, json otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = "Output")]
    pub format: FormatArg,
}
