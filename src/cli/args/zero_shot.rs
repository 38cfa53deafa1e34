//! Arguments of `albert zero-shot`.

use clap::Args;

use super::common::{LengthArgs, ModelArgs, OutputArgs, RecordArgs, WithoutWindows};
use super::device::DeviceArgs;
use super::list::List;

/// Classify texts with labels of your own
///
/// Needs a model trained on entailment (MNLI, SNLI, ...). Scores how well the text entails a hypothesis that contains the
/// label, like transformers' zero-shot-classification pipeline. JSON records may contain a list of labels of their own.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert zero-shot -m ./my-nli-model --labels sport,politics \"The team won the cup.\"
  cat tickets.jsonl | albert zero-shot -m ./my-nli-model --labels billing,delivery")]
pub(crate) struct ZeroShotArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with a record's own list of labels
    #[arg(long, value_name = "NAME", default_value = "labels", help_heading = "Input")]
    pub labels_field: String,
    /// Labels (comma-separated)
    ///
    /// Write a label that contains a comma in double quotes: --labels '"food, drink",sport'.
    #[arg(long, value_name = "LABELS", help_heading = "Task")]
    pub labels: Vec<List>,
    /// Sentence with {} in place of the label
    #[arg(
        long,
        visible_alias = "hypothesis-template",
        value_name = "SENTENCE",
        default_value = "This example is {}.",
        help_heading = "Task"
    )]
    pub hypothesis: String,
    /// Score each label independently (entailment against contradiction), so that several may apply
    #[arg(long, help_heading = "Task")]
    pub multi_label: bool,
    /// Label of the model that means entailment, if its name does not begin with "entail"
    #[arg(long, value_name = "LABEL|NUMBER", help_heading = "Task")]
    pub entailment_label: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<WithoutWindows>,
    #[command(flatten)]
    pub output: OutputArgs,
}
