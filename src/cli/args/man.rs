//! Arguments of `albert man`.

use clap::Args;

/// Print the manual page of albert or of a subcommand
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  albert man fill-mask > albert-fill-mask.1")]
pub(crate) struct ManArgs {
    /// The subcommand
    pub command: Option<String>,
}
