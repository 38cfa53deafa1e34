//! Arguments of `albert fill-mask`.

use clap::Args;

use super::common::{InputArgs, LengthArgs, ModelArgs, OutputArgs, WithoutWindows};
use super::device::DeviceArgs;
use super::list::List;
use albert::checkpoint::MlmBias;

/// Predict the words behind [MASK]
///
/// Reads texts from arguments, or one record per line from a file or standard input: plain text, or JSON objects whose
/// other fields pass through. Scores are probabilities, as in transformers' fill-mask pipeline. Several masks in a text are
/// scored independently, and each has a list of its own.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  albert fill-mask \"The capital of France is [MASK].\"
  cat texts.jsonl | albert fill-mask -m albert/albert-base-v2 --top-k 1")]
pub(crate) struct FillMaskArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Predictions per mask
    #[arg(short = 'k', long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Task")]
    pub top_k: u32,
    /// Score only these words (comma-separated)
    ///
    /// A word that is a vocabulary piece as written is scored as that piece, as in transformers (write "▁he" for the word;
    /// "he" may be a piece inside words). Any other word is split into pieces. The score of several pieces is the product of
    /// their probabilities from left to right, with as many masks in its place.
    ///
    /// Write a comma in double quotes: --targets '",",.'.
    #[arg(long, value_name = "WORDS", help_heading = "Task")]
    pub targets: Vec<List>,
    /// Masked-LM bias to use if a checkpoint contains two that differ
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "decoder",
        hide_short_help = true,
        help_heading = "Model"
    )]
    pub mlm_bias: MlmBias,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    #[command(flatten)]
    pub length: LengthArgs<WithoutWindows>,
    #[command(flatten)]
    pub output: OutputArgs,
}
