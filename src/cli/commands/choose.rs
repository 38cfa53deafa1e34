//! `albert choose`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::io::Needed;
use albert::model::Head;
use albert::tasks::{Choose, ChooseOptions};

use crate::cli::args::choose::ChooseArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::options;
use crate::cli::output::report::Reporter;
use crate::cli::streaming;

pub(super) fn run(args: ChooseArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let source = options::source(&args.prompts, &args.records.input, "PROMPT")?;
    let context = options::context(args.context.as_deref(), args.context_text.as_deref(), &source)?;
    let mut needed = vec![Needed::new(&args.prompt_field, "prompt_field")];
    if args.choices.is_empty() {
        needed.push(Needed::new(&args.choices_field, "choices_field"));
    }
    let output = args.output.output.as_deref();
    let format = |terminal| args.output.format.resolve(output, terminal);
    let streams = streaming::open_records(&source, &args.records, &needed, output, format)?;
    let checkpoint = options::checkpoint_for(&args.model, Some(EmbeddedTask::Choices), reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let ready = options::load(
        &checkpoint,
        &[Head::MultipleChoice],
        MlmBias::default(),
        &args.device.for_part(&args.records.input, &args.prompts, args.records.part),
        options::lengths(&args.length),
        reporter,
    )?;
    let problem = "a prompt needs at least two choices: use this option once for each";
    options::check_complete(&args.prompts, args.choices.len() > 1, "choice", problem)?;
    let options = ChooseOptions {
        choices: args.choices,
        context,
        prompt_field: args.prompt_field,
        choices_field: args.choices_field,
        context_field: args.context_field,
    };
    let task = Choose::new(&ready.pipeline, options);
    streaming::run(&task, streams, args.records.on_error, ready.batch_tokens, reporter)
}
