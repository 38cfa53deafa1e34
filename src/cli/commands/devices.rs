//! `albert devices`.

use std::io::IsTerminal;

use albert::device;
use albert::io::{Format, OutputTarget};

use crate::cli::args::devices::DevicesArgs;
use crate::cli::driver_messages;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;

pub(super) fn run(args: DevicesArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let devices = driver_messages::without(reporter, device::list);
    let objects: Vec<String> = devices
        .iter()
        .map(|d| {
            serde_json::json!({"name": d.name, "kind": d.kind, "description": d.description, "auto": d.auto})
                .to_string()
        })
        .collect();
    let text = match args.format.resolve(std::io::stdout().is_terminal()) {
        Format::Json => format!("[\n{}\n]", objects.join(",\n")),
        Format::Text => {
            let width = devices.iter().map(|d| d.name.len()).max().unwrap_or(0);
            let lines: Vec<String> = devices
                .iter()
                .map(|d| {
                    let auto = if d.auto { "*" } else { " " };
                    format!("{auto} {:width$}  {:14}  {}", d.name, d.kind, d.description)
                })
                .collect();
            format!(
                "{}\n\n* selected by --device auto for training and long files; the CPU otherwise",
                lines.join("\n")
            )
        }
        _ => objects.join("\n"),
    };
    let mut out = OutputTarget::open(None)?;
    out.write(text.as_bytes())?;
    out.write(b"\n")?;
    out.finish()?;
    Ok(ExitStatus::Done)
}
