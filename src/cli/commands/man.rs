//! `albert man [COMMAND]`.

use clap::CommandFactory;

use albert::Error;
use albert::io::OutputTarget;

use crate::cli::args::Cli;
use crate::cli::args::man::ManArgs;
use crate::cli::exit::{ExitStatus, Failure};

pub(super) fn run(args: ManArgs) -> Result<ExitStatus, Failure> {
    let mut page = Cli::command();
    page.build();
    let version = page.get_version().unwrap_or_default().to_owned();
    for name in &args.command {
        let names: Vec<&str> = page.get_subcommands().map(clap::Command::get_name).collect();
        let found = page.find_subcommand(name).cloned();
        page = found.ok_or_else(|| Error::InvalidOption {
            name: "COMMAND".to_owned(),
            problem: match names.as_slice() {
                [] => format!("{} has no subcommands", page.get_name()),
                names => format!("\"{name}\" is not a subcommand; expected one of {}", names.join(", ")),
            },
        })?;
    }
    let title: Vec<&str> = std::iter::once("albert").chain(args.command.iter().map(String::as_str)).collect();
    let page = page.display_name(title.join("-"));
    let mut text = Vec::new();
    let unwritable = |source| Error::Output { name: "<stdout>".to_owned(), source };
    let man = clap_mangen::Man::new(page).source(format!("albert {version}"));
    man.render(&mut text).map_err(unwritable)?;
    let mut out = OutputTarget::open(None)?;
    out.write(&text)?;
    out.finish()?;
    Ok(ExitStatus::Done)
}
