//! `albert qa`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::io::{InputFormat, Needed};
use albert::model::Head;
use albert::tasks::{LengthOptions, Qa, QaOptions, null_threshold};

use crate::cli::args::formats::InputFormatArg;
use crate::cli::args::qa::{AlignArg, QaArgs};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::options;
use crate::cli::output::report::Reporter;
use crate::cli::streaming;

pub(super) fn run(args: QaArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let source = options::source(&args.questions, &args.input, "QUESTION")?;
    let context = options::context(args.context.as_deref(), args.context_text.as_deref(), &source)?;
    let mut needed = vec![Needed::new(&args.question_field, "question_field")];
    if context.is_none() {
        needed.push(Needed::new(&args.context_field, "context_field"));
    }
    let output = args.output.as_deref();
    let format = |terminal| args.format.resolve(output, terminal);
    let input_format = match args.input_format {
        InputFormatArg::Auto => InputFormat::AutoOrSquad,
        named => named.into(),
    };
    let streams =
        streaming::open(&source, input_format, (args.part, args.on_error), &needed, output, format)?;
    let checkpoint = options::checkpoint_for(&args.model, Some(EmbeddedTask::Answers), reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let lengths = LengthOptions {
        max_length: args.max_length.map(|n| n as usize),
        default: QaOptions::LONGEST,
        long: args.long,
        windows: true,
        own: None,
    };
    let ready = options::load(
        &checkpoint,
        &[Head::QuestionAnswering],
        MlmBias::default(),
        &args.device.for_part(&args.input, &args.questions, args.part),
        lengths,
        reporter,
    )?;
    let problem = "a question needs a context: option context=FILE or option context_text=TEXT";
    options::check_complete(&args.questions, context.is_some(), "context", problem)?;
    // A model trained to predict "no answer" stores its threshold.
    let own = null_threshold::of(&checkpoint.config).map(|threshold| threshold as f32);
    let null_threshold = args.null_threshold.map(|threshold| threshold as f32).or(own);
    let options = QaOptions {
        top_k: args.top_k as usize,
        doc_stride: args.doc_stride,
        max_answer_len: args.max_answer_len as usize,
        max_question_len: args.max_question_len as usize,
        impossible: args.impossible,
        null_threshold,
        align_to_words: args.align == AlignArg::Words,
        context,
        question_field: args.question_field,
        context_field: args.context_field,
        id_field: args.id_field,
    };
    let task = Qa::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.on_error, ready.batch_tokens, reporter)
}
