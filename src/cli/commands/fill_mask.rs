//! `albert fill-mask`.

use albert::model::Head;
use albert::tasks::{FillMask, FillMaskOptions, TargetWord};

use crate::cli::args::fill_mask::FillMaskArgs;
use crate::cli::args::list;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;
use crate::cli::{options, streaming};

pub(super) fn run(args: FillMaskArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let streams = streaming::open_texts(&args.input, &args.output)?;
    let checkpoint = options::checkpoint(&args.model, reporter)?;
    let streams = streams.with_model(&checkpoint)?;
    let ready = options::load(
        &checkpoint,
        &[Head::MaskedLm],
        args.mlm_bias,
        &args.device.for_part(&args.input.records.input, &args.input.texts, args.input.records.part),
        options::lengths(&args.length),
        reporter,
    )?;
    let mut targets = Vec::new();
    // As in transformers, empty ones are ignored.
    for word in list::values(&args.targets).iter().filter(|word| !word.is_empty()) {
        let target = TargetWord::new(word, &ready.pipeline)?;
        if !targets.iter().any(|t: &TargetWord| t.pieces == target.pieces) {
            targets.push(target);
        }
    }
    let task = FillMask::new(
        &ready.pipeline,
        FillMaskOptions { top_k: args.top_k as usize, targets, fields: args.input.fields() },
    )?;
    streaming::run(&task, streams, args.input.records.on_error, ready.batch_tokens, reporter)
}
