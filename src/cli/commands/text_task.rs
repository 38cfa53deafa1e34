//! Tasks on texts that are defined in one file.

use albert::tasks::{OnTexts, TextTask};

use crate::cli::args::text_task::{TextTaskArgs, TextTaskCommand};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};

/// Runs the subcommand of a task.
macro_rules! run {
    ($($module:ident: $task:ident on $head:ident;)*) => {
        pub(super) fn run(command: TextTaskCommand, reporter: &Reporter) -> Result<ExitStatus, Failure> {
            match command {
                $(TextTaskCommand::$task(args) => run_task::<albert::tasks::$task>(args, reporter),)*
            }
        }
    };
}
albert::text_tasks!(run);

fn run_task<T: TextTask>(args: TextTaskArgs<T::Options>, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let streams = streaming::open_texts(&args.input, &args.output)?;
    let checkpoint = options::checkpoint_for(&args.model, T::BUILT_IN, reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let ready = options::load(
        &checkpoint,
        &[T::HEAD],
        T::mlm_bias(&args.options),
        &args.device.for_part(&args.input.records.input, &args.input.texts, args.input.records.part),
        options::lengths(&args.length),
        reporter,
    )?;
    let mut task = OnTexts::<T>::new(&ready.pipeline, args.options, args.input.fields())?;
    task.text_pair = args.text_pair;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}
