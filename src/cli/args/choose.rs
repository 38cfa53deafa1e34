//! Arguments of `albert choose`.

use std::path::PathBuf;

use clap::Args;

use super::common::{LengthArgs, ModelArgs, OutputArgs, RecordArgs, WithoutWindows};
use super::device::DeviceArgs;

/// Choose the best of several continuations or answers
///
/// Needs a model fine-tuned for multiple choice. The model reads the pair of prompt and choice or, with a context (as in
/// RACE), the pair of context and prompt plus choice. JSON records contain prompt, choices and optionally context. The
/// number of choices may differ between records.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert choose -m ./my-model \"She was late:\" --choice \"the bus broke.\" --choice \"a red hat.\"
  cat questions.jsonl | albert choose -m ./my-model --prompt-field question")]
pub(crate) struct ChooseArgs {
    /// Prompts [default: read --input or standard input, one record per line]
    #[arg(value_name = "PROMPT", conflicts_with = "input")]
    pub prompts: Vec<String>,
    /// A choice, for records without choices of their own; use it at least twice
    #[arg(long = "choice", value_name = "TEXT", help_heading = "Input")]
    pub choices: Vec<String>,
    /// Read the context from a file (- for standard input)
    #[arg(short, long, value_name = "FILE|-", conflicts_with = "context_text", help_heading = "Input")]
    pub context: Option<PathBuf>,
    /// The context
    #[arg(long, value_name = "TEXT", help_heading = "Input")]
    pub context_text: Option<String>,
    #[command(flatten)]
    pub records: RecordArgs,
    /// JSON field or column with the prompt
    #[arg(long, value_name = "NAME", default_value = "prompt", help_heading = "Input")]
    pub prompt_field: String,
    /// JSON field or column with the list of choices
    #[arg(long, value_name = "NAME", default_value = "choices", help_heading = "Input")]
    pub choices_field: String,
    /// JSON field or column with the context; records without it use --context
    #[arg(long, value_name = "NAME", default_value = "context", help_heading = "Input")]
    pub context_field: String,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<WithoutWindows>,
    #[command(flatten)]
    pub output: OutputArgs,
}
