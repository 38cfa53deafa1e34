//! Fine-tuning for token classification.

use super::examples::{Known, digest, read};
use super::labels::{LabelCounts, all_known, label_set, missing_in_dev};
use super::{Prepared, encode};
use crate::checkpoint::Architecture;
use crate::data::{self, LabelSet, TokenExample, TokenOptions};
use crate::error::Result;
use crate::eval::{TaskEvaluation, TokenEvaluation};
use crate::model::Head;
use crate::training::finetune::class_weights::ClassWeights;
use crate::training::finetune::objective::TaskLoss;
use crate::training::finetune::observer::FineTuneObserver;
use crate::training::finetune::setup::Setup;

pub(super) fn prepare(
    setup: &Setup,
    options: &TokenOptions,
    (labels, class_weights): (&[String], &ClassWeights),
    observer: &mut dyn FineTuneObserver,
) -> Result<Prepared> {
    let options = TokenOptions { tag_names: labels.to_vec(), ..options.clone() };
    let (train, dev) = read(
        setup,
        |into, path| data::read_tokens_into(into, path, &options),
        |example| example.words.join(" "),
        observer,
    )?;
    let mut counts = LabelCounts::default();
    for example in train.iter() {
        counts.add(&example?.tags);
    }
    // Tags that occur only in dev are included.
    let of_dev = dev.iter().flatten().flat_map(|example| &example.tags);
    let found = LabelSet::of_tokens(counts.names().chain(of_dev));
    let labels = label_set(labels, found, &setup.config.labels)?;
    let mut config = setup.config.clone();
    config.set_labels(labels.names().to_vec());
    let head = Head::TokenClassification;
    let pipeline = setup.pipeline(&config, head, usize::MAX, observer)?;
    let known = Known::new(options.on_error, |example: &TokenExample| {
        all_known(&labels, &example.place, &example.tags)
    });
    let examples =
        known.encoded(setup, &train, |part| encode::tokens(&pipeline, &labels, part), &mut *observer)?;
    let dev = dev.map(|dev| known.dev(setup, dev, &mut *observer)).transpose()?;
    let label_weights = class_weights.of(&labels, &counts.of(&labels))?;
    let dev_digest = dev.as_deref().map(digest);
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => {
            missing_in_dev(dev.iter().flat_map(|example| &example.tags), &labels, observer);
            Some(Box::new(TokenEvaluation::new(pipeline, dev, labels, None)?))
        }
    };
    Ok(Prepared {
        head,
        architecture: Architecture::TokenClassification,
        config,
        examples,
        dev_digest,
        evaluation,
        loss: TaskLoss::Tokens,
        label_weights,
        metrics: &["f1", "precision", "recall", "f1_macro", "token_accuracy", "loss"],
        majority: None,
    })
}
