//! `albert info`: describes a checkpoint.

use std::io::IsTerminal;
use std::path::Path;

use serde_json::Value;

use albert::Error;
use albert::checkpoint::{Adapter, Checkpoint};
use albert::io::{Format, OutputTarget};

use crate::cli::args::common::FormatArg;
use crate::cli::args::info::InfoArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::options;
use crate::cli::output::key_values::human_readable;
use crate::cli::output::model_description::{adapter_alone, described_model, tokenizer_alone};
use crate::cli::output::report::Reporter;

pub(super) fn run(mut args: InfoArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    if args.checkpoint.is_some() {
        args.model.model = args.checkpoint.take();
    }
    let checkpoint = match options::checkpoint(&args.model, reporter) {
        Ok(checkpoint) => checkpoint,
        // An adapter without its base model is still worth describing. So is a tokenizer without a model.
        Err(error) => {
            let path = args.model.model.as_deref().map(Path::new);
            let described = path.and_then(|path| match Adapter::at(path) {
                Ok(Some(adapter)) => Some(adapter_alone(&adapter, &error)),
                _ if path.is_dir() && !Checkpoint::has_weights(path) => tokenizer_alone(path, &error),
                _ => None,
            });
            let Some(described) = described else { return Err(error.into()) };
            print(&described, args.format)?;
            return Ok(ExitStatus::Done);
        }
    };
    print(&described_model(&checkpoint, reporter)?, args.format)?;
    Ok(ExitStatus::Done)
}

fn print(described: &Value, format: FormatArg) -> Result<(), Error> {
    let text = match format.resolve(std::io::stdout().is_terminal()) {
        Format::Text => human_readable(described),
        Format::Json => format!("{described:#}\n"),
        _ => format!("{described}\n"),
    };
    let mut out = OutputTarget::open(None)?;
    out.write(text.as_bytes())?;
    out.finish()
}
