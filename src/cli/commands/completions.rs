//! `albert completions SHELL`.

use clap::CommandFactory;

use albert::io::OutputTarget;

use crate::cli::args::Cli;
use crate::cli::args::completions::CompletionsArgs;
use crate::cli::exit::{ExitStatus, Failure};

pub(super) fn run(args: CompletionsArgs) -> Result<ExitStatus, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "albert", &mut script);
    let mut out = OutputTarget::open(None)?;
    out.write(&script)?;
    out.finish()?;
    Ok(ExitStatus::Done)
}
