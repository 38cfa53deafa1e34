//! Arguments of `albert ner`.

use std::path::PathBuf;

use clap::Args;

use albert::tasks::{Aggregation, OverflowStrategy, WordBoundaries};

use super::common::{LengthArgs, ModelArgs, RecordArgs};
use super::device::DeviceArgs;
use super::formats::{OutputFormatArg, output_formats};
use super::list::List;

/// Find named entities or other labelled spans
///
/// Needs a model fine-tuned for token classification. Entities are exact slices of the text and never end inside a word.
/// start and end count Unicode code points. Records may contain a list of words (field tokens) instead of a text: offsets
/// then refer to the words joined by spaces, and start_token and end_token count words.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert ner -m ArBert/albert-base-v2-finetuned-ner \"Angela Merkel met Barack Obama in Berlin.\"
  cat news.txt | albert ner -m ArBert/albert-base-v2-finetuned-ner --long window --format conll")]
pub(crate) struct NerArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with a list of words, for records without a text
    #[arg(long, value_name = "NAME", default_value = "tokens", help_heading = "Input")]
    pub tokens_field: String,
    /// How to combine tokens into entities
    #[arg(long, value_name = "HOW", default_value = "simple", help_heading = "Task")]
    pub aggregation: Aggregation,
    /// Labels to leave out (comma-separated)
    #[arg(long, value_name = "LABELS", default_value = "O", help_heading = "Task")]
    pub ignore_labels: Vec<List>,
    /// Word boundaries
    #[arg(long, value_name = "HOW", default_value = "text", help_heading = "Task")]
    pub word_boundaries: WordBoundaries,
    /// Read long texts in windows that overlap by N tokens [default with --long window: a quarter of a window]
    #[arg(long, value_name = "N", help_heading = "Task")]
    pub stride: Option<usize>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<OverflowStrategy>,
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format; text highlights the entities
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = output_formats(&[OutputFormatArg::Conll]), help_heading = "Output")]
    pub format: OutputFormatArg,
}
