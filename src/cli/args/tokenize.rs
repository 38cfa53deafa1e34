//! Arguments of `albert tokenize`.

use clap::Args;

use super::common::{InputArgs, ModelArgs, OutputArgs};

/// Show how a model's tokenizer splits text
///
/// Offsets count Unicode code points of the text (for tokens of the second text, of that text).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert tokenize \"The U.S. in 1990\"
  cat texts.jsonl | albert tokenize -m albert/albert-base-v2")]
pub(crate) struct TokenizeArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Cut texts to at most N tokens, special tokens included [default: no limit, even if the tokenizer has one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Input")]
    pub max_length: Option<u32>,
    #[command(flatten)]
    pub output: OutputArgs,
}
