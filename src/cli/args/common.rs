//! Argument groups shared by several subcommands: model, input, output.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use albert::io::Format;
use albert::stream::OnError;
use albert::tasks::OverflowStrategy;

use super::formats::{InputFormatArg, OutputFormatArg, input_formats, output_formats};
use super::part::PartArgs;

/// Options of every subcommand.
#[derive(Args, Debug)]
pub(crate) struct GlobalArgs {
    /// Print errors only: no warnings, no progress
    #[arg(short, long, global = true, help_heading = "General")]
    pub quiet: bool,
    /// Print details: loaded tensors, device, timings
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = "General")]
    pub verbose: bool,
    /// When to color text output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub color: When,
    /// When to show progress bars on stderr, or json for JSON lines there every few seconds
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "General")]
    pub progress: ProgressArg,
}

/// How to show progress.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressArg {
    Auto,
    Always,
    Never,
    Json,
}

/// When to use features of terminals.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    /// Model directory, weight file, or hub id (org/name or org/name@revision)
    ///
    /// The default is the built-in model. A PEFT adapter (LoRA) is merged into its base model.
    #[arg(short, long, env = "ALBERT_MODEL", value_name = "DIR|FILE|HUB_ID", help_heading = "Model")]
    pub model: Option<String>,
    /// Base model of a PEFT adapter [default: the one that adapter_config.json names]
    #[arg(long, value_name = "DIR|HUB_ID", hide_short_help = true, help_heading = "Model")]
    pub base_model: Option<String>,
    /// Tokenizer file, directory or hub id to use instead of the model's own
    #[arg(long, value_name = "PATH|HUB_ID", help_heading = "Model")]
    pub tokenizer: Option<String>,
    /// Never use the network; a hub id must be in the cache
    #[arg(long, help_heading = "Model")]
    pub offline: bool,
    /// Use weights that hold NaN or infinity, which are an error otherwise
    #[arg(long, hide_short_help = true, help_heading = "Model")]
    pub allow_non_finite: bool,
}

/// The treatment of long texts in tasks that do not read text in windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WithoutWindows(OverflowStrategy);

impl ValueEnum for WithoutWindows {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(OverflowStrategy::Truncate), Self(OverflowStrategy::Error)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        self.0.to_possible_value()
    }
}

impl From<WithoutWindows> for OverflowStrategy {
    fn from(value: WithoutWindows) -> Self {
        value.0
    }
}

/// Limits of text length. `L` is the treatment of longer texts.
#[derive(Args, Debug)]
pub(crate) struct LengthArgs<L: ValueEnum + Send + Sync + 'static> {
    /// Maximum number of tokens per text, including special tokens [default: the tokenizer's model_max_length, at most
    /// the model's positions]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    /// How to handle longer texts
    #[arg(
        long,
        visible_alias = "overflow",
        value_name = "HOW",
        default_value = "truncate",
        help_heading = "Input"
    )]
    pub long: L,
}

/// Texts, or records with texts.
#[derive(Args, Debug)]
pub(crate) struct InputArgs {
    /// Texts [default: read --input or standard input, one record per line]
    #[arg(value_name = "TEXT", conflicts_with = "input")]
    pub texts: Vec<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the text
    #[arg(long, value_name = "NAME", default_value = "text", help_heading = "Input")]
    pub text_field: String,
    /// JSON field or column with the second text of a pair
    #[arg(long, value_name = "NAME", default_value = "text_pair", help_heading = "Input")]
    pub pair_field: String,
}

/// Where records come from.
#[derive(Args, Debug)]
pub(crate) struct RecordArgs {
    /// Read records from files, one after the other (- for standard input)
    ///
    /// Files that are compressed with gzip or Zstandard are decompressed. Tables that are read together need the same columns.
    #[arg(short, long, value_name = "FILE|-", num_args = 1.., help_heading = "Input")]
    pub input: Vec<PathBuf>,
    /// Format of the input; auto detects JSON objects, one per line or in one array, and tables by extension
    ///
    /// auto reads a file named .csv, .tsv or .parquet as a table. Of any other input, it reads a line as JSON if its first character
    /// that is not white space is {, and as text otherwise. A file that begins with [ and then { is one JSON array of
    /// records. The first row of CSV and TSV names the columns.
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = input_formats(&[]), help_heading = "Input")]
    pub input_format: InputFormatArg,
    /// How to handle an invalid record
    #[arg(long, value_name = "HOW", default_value = "stop", help_heading = "Input")]
    pub on_error: OnError,
    #[command(flatten)]
    pub part: PartArgs,
}

#[derive(Args, Debug)]
pub(crate) struct OutputArgs {
    /// Write to a file, which appears once it is complete
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,
    /// Output format
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = output_formats(&[]), help_heading = "Output")]
    pub format: OutputFormatArg,
}

#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
}

impl FormatArg {
    /// The format, given whether the output is a terminal.
    pub(crate) fn resolve(self, terminal: bool) -> Format {
        match self {
            Self::Auto if terminal => Format::Text,
            Self::Auto | Self::Jsonl => Format::Jsonl,
            Self::Text => Format::Text,
            Self::Json => Format::Json,
        }
    }
}

/// Reads a number that is not NaN.
pub(crate) fn not_nan(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if !number.is_nan() => Ok(number),
        _ => Err("expected a number".to_owned()),
    }
}
