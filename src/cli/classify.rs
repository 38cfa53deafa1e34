//! `albert classify`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::tasks::{Classify, ClassifyOptions, Judgement};

use super::exit::{ExitStatus, Failure};
use super::options::Lengths;
use super::report::Reporter;
use super::task_args::ClassifyArgs;
use super::{options, streaming};

pub fn run(args: ClassifyArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let streams = streaming::open_texts(&args.input, &args.output)?;
    let task = (!args.order).then_some(EmbeddedTask::Sentiment);
    let checkpoint = options::checkpoint_for(&args.model, task, reporter)?;
    let judgement = if args.order { Judgement::Order } else { Judgement::Labels };
    let ready = options::load(
        &checkpoint,
        &[judgement.head()],
        MlmBias::default(),
        &args.device.for_input(&args.input.records.input, &args.input.texts),
        Lengths::with_windows(&args.length),
        reporter,
    )?;
    let options = ClassifyOptions {
        judgement,
        function: args.function.into(),
        top_k: args.top_k.0,
        text_pair: args.text_pair,
        fields: args.input.fields(),
    };
    let task = Classify::new(&ready.runtime, options)?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}
