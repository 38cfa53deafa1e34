//! Arguments of `albert devices`.

use clap::Args;

use super::common::FormatArg;

/// List the devices that this build can use on this machine
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert devices")]
pub(crate) struct DevicesArgs {
    /// Output format; auto is text on a terminal and jsonl otherwise
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub format: FormatArg,
}
