//! Fine-tuning for multiple choice.

use super::Prepared;
use super::encode;
use super::examples::{digest, encoded, read};
use crate::checkpoint::Architecture;
use crate::data::{self, ChoiceOptions};
use crate::error::Result;
use crate::eval::{ChoiceEvaluation, TaskEvaluation};
use crate::model::Head;
use crate::tasks::{Choose, ChooseOptions};
use crate::training::finetune::objective::TaskLoss;
use crate::training::finetune::observer::FineTuneObserver;
use crate::training::finetune::setup::Setup;

pub(super) fn prepare(
    setup: &Setup,
    options: &ChoiceOptions,
    observer: &mut dyn FineTuneObserver,
) -> Result<Prepared> {
    let (train, dev) = read(
        setup,
        |into, path| data::read_choices_into(into, path, options),
        |example| example.context.clone().unwrap_or_else(|| example.prompt.clone()),
        observer,
    )?;
    let head = Head::MultipleChoice;
    let config = setup.config.clone();
    let pipeline = setup.pipeline(&config, head, usize::MAX, observer)?;
    let task = Choose::new(&pipeline, ChooseOptions::default());
    let examples = encoded(setup, train.iter(), |part| encode::choices(&task, part))?;
    let dev_digest = dev.as_deref().map(digest);
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => Some(Box::new(ChoiceEvaluation::new(pipeline, dev)?)),
    };
    Ok(Prepared {
        head,
        architecture: Architecture::MultipleChoice,
        config,
        examples,
        dev_digest,
        evaluation,
        loss: TaskLoss::Choices,
        label_weights: Vec::new(),
        metrics: &["accuracy", "loss"],
        majority: None,
    })
}
