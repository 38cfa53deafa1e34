//! Arguments of `albert completions`.

use clap::Args;

/// Print a completion script for a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  albert completions bash > ~/.local/share/bash-completion/completions/albert"
)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}
