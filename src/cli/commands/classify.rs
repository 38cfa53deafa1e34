//! `albert classify`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::tasks::{Classify, ClassifyMode, ClassifyOptions};

use crate::cli::args::classify::ClassifyArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};

pub(super) fn run(args: ClassifyArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let streams = streaming::open_texts(&args.input, &args.output)?;
    let task = (!args.order).then_some(EmbeddedTask::Sentiment);
    let checkpoint = options::checkpoint_for(&args.model, task, reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let mode = if args.order { ClassifyMode::Order } else { ClassifyMode::Labels };
    let ready = options::load(
        &checkpoint,
        &[mode.head()],
        MlmBias::default(),
        &args.device.for_part(&args.input.records.input, &args.input.texts, args.input.records.part),
        options::length_options_with_windows(&args.length),
        reporter,
    )?;
    let has_pair = args.text_pair.is_some() || !args.order;
    let problem = "option order predicts the order of two texts; pass the second one with this option";
    options::check_complete(&args.input.texts, has_pair, "text_pair", problem)?;
    let options = ClassifyOptions {
        mode,
        function: args.function,
        top_k: args.top_k.0,
        text_pair: args.text_pair,
        fields: args.input.fields(),
    };
    let task = Classify::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}
