//! `albert eval`.

mod mlm;

use albert::Error;
use albert::checkpoint::{Checkpoint, MlmBias};
use albert::eval::{EvalReport, EvalTask};
use albert::tasks::null_threshold;

use crate::cli::args::eval::{EvalArgs, EvalCommonArgs, EvalTaskArgs};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::options;
use crate::cli::output::eval_files::EvalFiles;
use crate::cli::output::report::Reporter;

pub(super) fn run(args: EvalArgs, reporter: &Reporter) -> Result<ExitStatus, Failure> {
    let (common, task) = match &args.task {
        EvalTaskArgs::Mlm(args) => return mlm::run(args, reporter),
        EvalTaskArgs::Classify(args) => (&args.common, args.task()),
        EvalTaskArgs::Ner(args) => (&args.common, args.task()),
        EvalTaskArgs::Qa(args) => (&args.common, args.task()),
        EvalTaskArgs::Choose(args) => (&args.common, args.task()),
    };
    let files = EvalFiles::open(common)?;
    let checkpoint = options::checkpoint_for(&common.model, Some(task.embedded()), reporter)?;
    let config = match &args.task {
        EvalTaskArgs::Qa(args) if args.save_threshold => Some(null_threshold::config_of(&checkpoint)?),
        _ => None,
    };
    let report = evaluate(&task, &checkpoint, common, reporter)?;
    if let Some(path) = config {
        let best = report.metric("best_f1_threshold").ok_or_else(|| Error::InvalidOption {
            name: "save_threshold".to_owned(),
            problem: "only the rules of SQuAD 2.0 have a threshold: use option rules=v2".to_owned(),
        })?;
        null_threshold::save(&path, best)?;
        reporter.note(&format!("stored the threshold {best:.4} in {}", path.display()));
    }
    files.write(&report, common)
}

fn evaluate(
    task: &EvalTask,
    checkpoint: &Checkpoint,
    common: &EvalCommonArgs,
    reporter: &Reporter,
) -> Result<EvalReport, Failure> {
    let labelled = task.read(&common.data, checkpoint)?;
    if labelled.is_regression() && common.errors.is_some() {
        return Err(Error::InvalidOption {
            name: "errors".to_owned(),
            problem: "predicted numbers are neither right nor wrong; option predictions writes all of them"
                .to_owned(),
        }
        .into());
    }
    labelled.notes.iter().for_each(|note| reporter.note(note));
    labelled.warnings.iter().for_each(|warning| reporter.warn(warning));
    let ready = options::load(
        checkpoint,
        &[task.head()],
        MlmBias::default(),
        &common.device.for_input(std::slice::from_ref(&common.data), &[]),
        task.lengths(common.max_length.map(|n| n as usize)),
        reporter,
    )?;
    labelled.evaluation(ready.pipeline)?.run(ready.batch_tokens).while_running()
}
