//! Arguments of `albert info`.

use clap::Args;

use super::common::{FormatArg, ModelArgs};

/// Describe a checkpoint
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert info albert/albert-base-v2")]
pub(crate) struct InfoArgs {
    /// Model directory, weight file, or hub id [default: --model, or else the built-in model]
    #[arg(value_name = "MODEL")]
    pub checkpoint: Option<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Output format; auto is text on a terminal and json otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FormatArg,
}
