//! `albert finetune qa`.

use std::cell::Cell;

use albert::checkpoint::Architecture;
use albert::data::{self, QuestionExample};
use albert::eval::{QuestionEvaluation, QuestionRules, TaskEvaluation};
use albert::model::Head;
use albert::tasks::Qa;
use albert::training::Communicator;
use albert::training::finetune::{TaskLoss, encode};

use super::examples::{encoded, read};

use super::setup::{Prepared, Setup};
use crate::cli::args::finetune::FinetuneQaArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;

/// Default maximum length, as for SQuAD.
const LENGTH: usize = 384;

/// Fine-tunes for question answering.
///
/// # Errors
/// Errors of the arguments, the data and the run.
pub(super) fn run(
    args: &FinetuneQaArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "qa", world, reporter)?;
    let options = args.data.options(true);
    let (train, dev) = read(
        &setup,
        |into, path| data::read_questions_into(into, path, &options),
        |example| example.context.to_string(),
    )?;
    let mut config = setup.config.clone();
    if config.num_labels != 2 {
        config.set_num_labels(2);
    }
    let head = Head::QuestionAnswering;
    let runtime = setup.runtime(&config, head, LENGTH)?;
    let task = Qa::new(&runtime, args.data.task())?;
    let unanswerable = |part: &[QuestionExample]| part.iter().any(|example| example.is_impossible);
    let second = Cell::new(dev.as_deref().is_some_and(unanswerable));
    let examples = encoded(&setup, &train, |part| {
        second.set(second.get() || unanswerable(part));
        encode::questions(&task, part)
    })?;
    let second = second.get();
    let rules = if second { QuestionRules::V2 { null_threshold: 0.0 } } else { QuestionRules::V1 };
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => Some(Box::new(QuestionEvaluation::new(runtime, dev, rules, args.data.task())?)),
    };
    let metrics: &'static [&'static str] = if second {
        &["best_f1", "best_exact", "f1", "exact_match", "has_answer_f1", "loss"]
    } else {
        &["f1", "exact_match", "loss"]
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::QuestionAnswering,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Spans,
        label_weights: Vec::new(),
        metrics,
        majority: None,
    };
    super::run::run(&setup, prepared)
}
