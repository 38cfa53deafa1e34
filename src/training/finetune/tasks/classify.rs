//! Fine-tuning for text classification and regression.

use super::examples::{Known, digest, read};
use super::labels::{LabelCounts, all_known, label_set, majority, missing_in_dev};
use super::{Prepared, encode};
use crate::checkpoint::Architecture;
use crate::data::{self, LabelSet, TargetKind, TextExample, TextOptions};
use crate::error::Result;
use crate::eval::{self, TaskEvaluation, TextEvaluation};
use crate::model::Head;
use crate::tasks::{Classify, ClassifyOptions};
use crate::training::finetune::class_weights::ClassWeights;
use crate::training::finetune::objective::TaskLoss;
use crate::training::finetune::observer::FineTuneObserver;
use crate::training::finetune::setup::Setup;

pub(super) fn prepare(
    setup: &Setup,
    options: &TextOptions,
    goal: Option<TargetKind>,
    (labels, class_weights): (&[String], &ClassWeights),
    observer: &mut dyn FineTuneObserver,
) -> Result<Prepared> {
    let regression = setup.recipe.is_some_and(|recipe| recipe.name == "sts-b");
    let is_default = goal.is_none();
    let goal = goal.unwrap_or(if regression { TargetKind::Number } else { TargetKind::Label });
    let options = TextOptions { kind: goal, ..options.clone() };
    let (train, dev) = read(
        setup,
        |into, path| data::read_texts_into(into, path, &options),
        |example| format!("{}\n{}", example.text, example.text_pair.as_deref().unwrap_or_default()),
        observer,
    )?;
    let mut counts = LabelCounts::default();
    for example in train.iter() {
        counts.add(example?.target.labels());
    }
    if is_default && goal == TargetKind::Label && are_fractions(counts.names().map(String::as_str)) {
        observer.warned(
            "every label is a number and some are fractions: each number becomes a class of its own; \
             option goal=number predicts the number",
        );
    }
    // The order of label columns is the order of the labels, even of those that no example has.
    let labels = if labels.is_empty() { &options.label_columns } else { labels };
    let labels = match goal {
        TargetKind::Number => LabelSet::default(),
        _ => label_set(labels, LabelSet::of_texts(counts.names()), &setup.config.labels)?,
    };
    let mut config = setup.config.clone();
    match goal {
        TargetKind::Number => config.set_num_labels(1),
        _ => config.set_labels(labels.names().to_vec()),
    }
    config.set_extra("problem_type", eval::problem_type(goal).into());
    let head = Head::SequenceClassification;
    let pipeline = setup.pipeline(&config, head, usize::MAX, observer)?;
    let task = Classify::new(&pipeline, ClassifyOptions::default())?;
    let known = Known::new(options.on_error, |example: &TextExample| {
        all_known(&labels, &example.place, example.target.labels())
    });
    let examples =
        known.encoded(setup, &train, |part| encode::texts(&task, &labels, part), &mut *observer)?;
    let dev = dev.map(|dev| known.dev(setup, dev, &mut *observer)).transpose()?;
    let label_weights = match goal {
        TargetKind::Label => class_weights.of(&labels, &counts.of(&labels))?,
        _ => class_weights.none_or_error()?,
    };
    let majority = dev.as_ref().filter(|_| goal == TargetKind::Label).map(|dev| majority(dev, &labels));
    let dev_digest = dev.as_deref().map(digest);
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => {
            if goal != TargetKind::Number {
                let found = dev.iter().flat_map(|example| example.target.labels());
                missing_in_dev(found, &labels, observer);
            }
            Some(Box::new(TextEvaluation::new(pipeline, dev, goal, labels)?))
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
    Ok(Prepared {
        head,
        architecture,
        config,
        examples,
        dev_digest,
        evaluation,
        loss,
        label_weights,
        metrics,
        majority,
    })
}

/// Returns true if all labels are numbers, at least one of which is not an integer.
fn are_fractions<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let numbers: Option<Vec<f64>> = names.into_iter().map(|name| name.trim().parse().ok()).collect();
    numbers.is_some_and(|numbers| numbers.iter().any(|number| number.is_finite() && number.fract() != 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_no_class_names() {
        assert!(are_fractions(["0.25", "1", "-3.5"]));
        for names in [&["1", "2", "3.0"][..], &["a", "0.5"], &[]] {
            assert!(!are_fractions(names.iter().copied()), "{names:?}");
        }
    }
}
