//! `albert ner`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::io::Needed;
use albert::model::Head;
use albert::tasks::{Ner, NerOptions};

use crate::cli::args::list;
use crate::cli::args::ner::NerArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::options;
use crate::cli::output::report::Reporter;
use crate::cli::streaming;

pub(super) fn run(args: NerArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let source = options::source(&args.texts, &args.records.input, "TEXT")?;
    let needed =
        [Needed { names: vec![args.text_field.clone(), args.tokens_field.clone()], option: "text_field" }];
    let output = args.output.as_deref();
    let format = |terminal| args.format.resolve(output, terminal);
    let streams = streaming::open_records(&source, &args.records, &needed, output, format)?;
    let checkpoint = options::checkpoint_for(&args.model, Some(EmbeddedTask::Entities), reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let ready = options::load(
        &checkpoint,
        &[Head::TokenClassification],
        MlmBias::default(),
        &args.device.for_part(&args.records.input, &args.texts, args.records.part),
        options::length_options_with_windows(&args.length),
        reporter,
    )?;
    let options = NerOptions {
        aggregation: args.aggregation,
        ignore_labels: list::values(&args.ignore_labels),
        word_boundaries: args.word_boundaries,
        stride: args.stride,
        text_field: args.text_field,
        tokens_field: args.tokens_field,
    };
    let task = Ner::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.records.on_error, ready.batch_tokens, reporter)
}
