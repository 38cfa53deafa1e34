//! `albert zero-shot`.

use albert::checkpoint::{EmbeddedTask, MlmBias};
use albert::io::Needed;
use albert::model::Head;
use albert::tasks::{ZeroShot, ZeroShotOptions};

use crate::cli::args::list;
use crate::cli::args::zero_shot::ZeroShotArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::options;
use crate::cli::output::report::Reporter;
use crate::cli::streaming;

pub(super) fn run(args: ZeroShotArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let source = options::source(&args.texts, &args.records.input, "TEXT")?;
    let labels = list::words("labels", &args.labels)?;
    let mut needed = vec![Needed::new(&args.text_field, "text_field")];
    if labels.is_empty() {
        needed.push(Needed::new(&args.labels_field, "labels_field"));
    }
    let output = args.output.output.as_deref();
    let format = |terminal| args.output.format.resolve(output, terminal);
    let streams = streaming::open_records(&source, &args.records, &needed, output, format)?;
    let checkpoint = options::checkpoint_for(&args.model, Some(EmbeddedTask::Entailment), reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let ready = options::load(
        &checkpoint,
        &[Head::SequenceClassification],
        MlmBias::default(),
        &args.device.for_part(&args.records.input, &args.texts, args.records.part),
        options::lengths(&args.length),
        reporter,
    )?;
    options::check_complete(
        &args.texts,
        !labels.is_empty(),
        "labels",
        "texts need labels: option labels=a,b,c",
    )?;
    let options = ZeroShotOptions {
        labels,
        hypothesis: args.hypothesis,
        multi_label: args.multi_label,
        entailment_label: args.entailment_label,
        text_field: args.text_field,
        labels_field: args.labels_field,
    };
    let task = ZeroShot::new(&ready.pipeline, options)?;
    streaming::run(&task, streams, args.records.on_error, ready.batch_tokens, reporter)
}
