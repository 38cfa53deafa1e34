//! `albert finetune classify`.

use albert::checkpoint::Architecture;
use albert::data::{self, LabelSet, TargetKind};
use albert::eval::{self, TaskEvaluation, TextEvaluation};
use albert::model::Head;
use albert::tasks::{Classify, ClassifyOptions};
use albert::training::Communicator;
use albert::training::finetune::{TaskLoss, encode};

use super::examples::{encoded, read};
use super::labels::{LabelCounts, label_set, majority, no_weights, warn_of_missing, weights};

use super::setup::{Prepared, Setup};
use crate::cli::args::finetune::FinetuneClassifyArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;

/// Fine-tunes a classifier.
///
/// # Errors
/// Errors of the arguments, the data and the run.
pub(super) fn run(
    args: &FinetuneClassifyArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "classify", world, reporter)?;
    let regression = setup.recipe.is_some_and(|recipe| recipe.name == "sts-b");
    let goal = match args.data.goal {
        Some(goal) => goal,
        None if regression => TargetKind::Number,
        None => TargetKind::Label,
    };
    let options = args.data.options(goal);
    let (train, dev) = read(
        &setup,
        |into, path| data::read_texts_into(into, path, &options),
        |example| format!("{}\n{}", example.text, example.text_pair.as_deref().unwrap_or_default()),
    )?;
    let mut counts = LabelCounts::default();
    for example in train.iter() {
        counts.add(example?.target.labels());
    }
    let labels = match goal {
        TargetKind::Number => LabelSet::default(),
        _ => label_set(&args.labels, LabelSet::of_texts(counts.names()), &setup.config.labels)?,
    };
    let mut config = setup.config.clone();
    match goal {
        TargetKind::Number => config.set_num_labels(1),
        _ => config.set_labels(labels.names().to_vec()),
    }
    config.set_extra("problem_type", eval::problem_type(goal).into());
    let head = Head::SequenceClassification;
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let task = Classify::new(&runtime, ClassifyOptions::default())?;
    let examples = encoded(&setup, &train, |part| encode::texts(&task, &labels, part))?;
    let label_weights = match goal {
        TargetKind::Label => weights(&args.class_weights, &labels, &counts.of(&labels))?,
        _ if args.class_weights.is_empty() => Vec::new(),
        _ => return Err(no_weights().into()),
    };
    let majority = dev.as_ref().filter(|_| goal == TargetKind::Label).map(|dev| majority(dev, &labels));
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => {
            warn_of_missing(dev.iter().flat_map(|example| example.target.labels()), &labels, goal, reporter);
            Some(Box::new(TextEvaluation::new(runtime, dev, goal, labels)?))
        }
    };
    let (loss, metrics): (_, &'static [&'static str]) = match goal {
        TargetKind::Label if config.num_labels == 2 => {
            (TaskLoss::Labels, &["accuracy", "f1", "f1_macro", "f1_weighted", "matthews", "loss"])
        }
        TargetKind::Label => (TaskLoss::Labels, &["accuracy", "f1_macro", "f1_weighted", "matthews", "loss"]),
        TargetKind::Labels => {
            (TaskLoss::MultiLabel, &["f1_micro", "f1_macro", "f1_weighted", "f1_samples", "accuracy", "loss"])
        }
        TargetKind::Number => (
            TaskLoss::Regression,
            &["spearman", "pearson", "mean_squared_error", "mean_absolute_error", "loss"],
        ),
    };
    let architecture = Architecture::SequenceClassification;
    let prepared =
        Prepared { head, architecture, config, examples, evaluation, loss, label_weights, metrics, majority };
    super::run::run(&setup, prepared)
}
