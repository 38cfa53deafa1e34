//! The command line: parses arguments, calls the library and writes results.

mod args;
mod commands;
mod driver_messages;
mod exit;
mod interrupt;
mod open_device;
mod options;
mod output;
mod processes;
mod resume;
mod streaming;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::{ExitStatus, Failure};
use output::report::Reporter;

/// Parses the arguments, runs the subcommand and returns its exit code.
pub(crate) fn main() -> ExitCode {
    albert::device::use_huge_pages();
    let cli = Cli::parse();
    let reporter = Reporter::new(&cli.global);
    let result = albert::ops::check_isa_limit()
        .map_err(Failure::from)
        .and_then(|()| commands::run(cli.command, &reporter));
    match result {
        Ok(status) => status.into(),
        Err(Failure { error, .. }) if error.is_broken_pipe() => ExitStatus::Done.into(),
        Err(Failure { error, status }) => {
            reporter.error(&error);
            status.into()
        }
    }
}
