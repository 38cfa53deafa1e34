//! `albert man [COMMAND]`.

use clap::CommandFactory;

use albert::Error;
use albert::io::OutputTarget;

use crate::cli::args::Cli;
use crate::cli::args::man::ManArgs;
use crate::cli::exit::{ExitStatus, Failure};

pub(super) fn run(args: ManArgs) -> Result<ExitStatus, Failure> {
    let mut command = Cli::command();
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => {
            let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
            let found = command.find_subcommand(name).cloned();
            found.map(|c| c.display_name(format!("albert-{name}"))).ok_or_else(|| Error::InvalidOption {
                name: "COMMAND".to_owned(),
                problem: format!("\"{name}\" is not a subcommand; expected one of {}", names.join(", ")),
            })?
        }
    };
    let mut text = Vec::new();
    let unwritable = |source| Error::Output { name: "<stdout>".to_owned(), source };
    clap_mangen::Man::new(page).render(&mut text).map_err(unwritable)?;
    let mut out = OutputTarget::open(None)?;
    out.write(&text)?;
    out.finish()?;
    Ok(ExitStatus::Done)
}
