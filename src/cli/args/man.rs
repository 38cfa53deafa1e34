//! Arguments of `albert man`.

use clap::Args;

/// Print the manual page of albert or of a subcommand
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  albert man fill-mask > albert-fill-mask.1\n  albert man finetune classify"
)]
pub(crate) struct ManArgs {
    /// The subcommand, for example classify, or finetune classify
    pub command: Vec<String>,
}
