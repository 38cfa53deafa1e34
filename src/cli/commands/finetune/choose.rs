//! `albert finetune choose`.

use albert::checkpoint::Architecture;
use albert::data;
use albert::eval::{ChoiceEvaluation, TaskEvaluation};
use albert::model::Head;
use albert::tasks::{Choose, ChooseOptions};
use albert::training::Communicator;
use albert::training::finetune::{TaskLoss, encode};

use super::examples::{encoded, read};

use super::setup::{Prepared, Setup};
use crate::cli::args::finetune::FinetuneChooseArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;

/// Fine-tunes for multiple choice.
///
/// # Errors
/// Errors of the arguments, the data and the run.
pub(super) fn run(
    args: &FinetuneChooseArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "choose", world, reporter)?;
    let options = args.data.options();
    let (train, dev) = read(
        &setup,
        |into, path| data::read_choices_into(into, path, &options),
        |example| example.context.clone().unwrap_or_else(|| example.prompt.clone()),
    )?;
    let head = Head::MultipleChoice;
    let config = setup.config.clone();
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let task = Choose::new(&runtime, ChooseOptions::default());
    let examples = encoded(&setup, &train, |part| encode::choices(&task, part))?;
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => Some(Box::new(ChoiceEvaluation::new(runtime, dev)?)),
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::MultipleChoice,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Choices,
        label_weights: Vec::new(),
        metrics: &["accuracy", "loss"],
        majority: None,
    };
    super::run::run(&setup, prepared)
}
