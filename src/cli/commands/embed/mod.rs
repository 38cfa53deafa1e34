//! `albert embed`.

mod ids;
mod settings;

use albert::checkpoint::{MlmBias, SentenceModules};
use albert::io::{ArrayLayout, Format, TableKind};
use albert::tasks::{Embed, OwnLimit};

use crate::cli::args::embed::{EmbedArgs, OutputTypeArg};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};
use ids::IdFile;
use settings::{check_array, check_table, embed_options, no_array, report_settings};

pub(super) fn run(args: EmbedArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let array = args.format.array(args.output.as_deref());
    if let Some(kind) = array {
        check_array(&args, kind)?;
    }
    let source = args.input.source()?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let modules = match &checkpoint.modules {
        Some(root) if !args.ignore_modules => Some(SentenceModules::read(root)?),
        _ => None,
    };
    let options = embed_options(&args, modules.as_ref())?;
    let columns = options.width(checkpoint.config.hidden_size)?;
    let half = args.dtype_out == OutputTypeArg::F16;
    let layout = |kind| ArrayLayout { kind, columns, ragged: options.is_per_token(), half };
    let mut needed = args.input.needed();
    needed.extend(IdFile::needed(&args));
    let streams =
        streaming::open_records(&source, &args.input.records, &needed, args.output.as_deref(), |terminal| {
            match array {
                Some(kind) => Ok(Format::Array(layout(kind))),
                None => {
                    let format = args.format.resolve(args.output.as_deref(), terminal)?;
                    check_table(&args, format)?;
                    if half && format != Format::Table(TableKind::Parquet) {
                        return Err(no_array());
                    }
                    Ok(format)
                }
            }
        })?
        .with_model(&checkpoint)?;
    let streams = match IdFile::open(&args, &source, array.is_some())? {
        Some(ids) => streams.with_companion(ids.write(reporter).while_running()?),
        None => streams,
    };
    let mut lengths = options::length_options_with_windows(&args.length);
    lengths.own = modules.as_ref().and_then(OwnLimit::of_modules);
    if let Some(modules) = &modules {
        report_settings(modules, &options, &checkpoint, reporter);
    }
    let ready = options::load(
        &checkpoint,
        options.heads(),
        MlmBias::default(),
        &args.device.for_part(&args.input.records.input, &args.input.texts, args.input.records.part),
        lengths,
        reporter,
    )?;
    let task = Embed::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}
