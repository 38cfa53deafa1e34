//! Fine-tuning for question answering.

use std::cell::Cell;

use super::examples::{digest, encoded, read};
use super::{Prepared, encode};
use crate::checkpoint::Architecture;
use crate::data::{self, QuestionExample, QuestionOptions};
use crate::error::Result;
use crate::eval::{QuestionEvaluation, QuestionRules, TaskEvaluation};
use crate::model::Head;
use crate::tasks::{Qa, QaOptions};
use crate::training::finetune::objective::TaskLoss;
use crate::training::finetune::observer::FineTuneObserver;
use crate::training::finetune::setup::Setup;

pub(super) fn prepare(
    setup: &Setup,
    options: &QuestionOptions,
    task_options: &QaOptions,
    observer: &mut dyn FineTuneObserver,
) -> Result<Prepared> {
    let options = QuestionOptions { need_start: true, ..options.clone() };
    let (train, dev) = read(
        setup,
        |into, path| data::read_questions_into(into, path, &options),
        |example| example.context.to_string(),
        observer,
    )?;
    let mut config = setup.config.clone();
    if config.num_labels != 2 {
        config.set_num_labels(2);
    }
    let head = Head::QuestionAnswering;
    let pipeline = setup.pipeline(&config, head, QaOptions::LONGEST, observer)?;
    let task = Qa::new(&pipeline, task_options.clone())?;
    let unanswerable = |part: &[QuestionExample]| part.iter().any(|example| example.is_impossible);
    let second = Cell::new(dev.as_deref().is_some_and(unanswerable));
    let examples = encoded(setup, train.iter(), |part| {
        second.set(second.get() || unanswerable(part));
        encode::questions(&task, part)
    })?;
    let second = second.get();
    let rules = if second { QuestionRules::V2 { null_threshold: 0.0 } } else { QuestionRules::V1 };
    let dev_digest = dev.as_deref().map(digest);
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => Some(Box::new(QuestionEvaluation::new(pipeline, dev, rules, task_options.clone())?)),
    };
    let metrics: &'static [&'static str] = if second {
        &["best_f1", "best_exact", "f1", "exact_match", "has_answer_f1", "loss"]
    } else {
        &["f1", "exact_match", "loss"]
    };
    Ok(Prepared {
        head,
        architecture: Architecture::QuestionAnswering,
        config,
        examples,
        dev_digest,
        evaluation,
        loss: TaskLoss::Spans,
        label_weights: Vec::new(),
        metrics,
        majority: None,
    })
}
