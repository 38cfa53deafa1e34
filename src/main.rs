//! The `albert` binary: parses arguments, runs a command and sets the exit code.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
