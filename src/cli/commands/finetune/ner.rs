//! `albert finetune ner`.

use albert::checkpoint::Architecture;
use albert::data::{self, LabelSet, TargetKind};
use albert::eval::{TaskEvaluation, TokenEvaluation};
use albert::model::Head;
use albert::training::Communicator;
use albert::training::finetune::{TaskLoss, encode};

use super::examples::{encoded, read};
use super::labels::{LabelCounts, label_set, warn_of_missing, weights};

use super::setup::{Prepared, Setup};
use crate::cli::args::finetune::FinetuneNerArgs;
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::output::report::Reporter;

/// Fine-tunes a token classifier.
///
/// # Errors
/// Errors of the arguments, the data and the run.
pub(super) fn run(
    args: &FinetuneNerArgs,
    world: &dyn Communicator,
    reporter: &Reporter,
) -> std::result::Result<ExitStatus, Failure> {
    let common = &args.common;
    let setup = Setup::new(common, "ner", world, reporter)?;
    let options = args.data.options(&args.labels);
    let (train, dev) = read(
        &setup,
        |into, path| data::read_tokens_into(into, path, &options),
        |example| example.words.join(" "),
    )?;
    let mut counts = LabelCounts::default();
    for example in train.iter() {
        counts.add(&example?.tags);
    }
    // Tags that occur only in dev are included.
    let of_dev = dev.iter().flatten().flat_map(|example| &example.tags);
    let found = LabelSet::of_tokens(counts.names().chain(of_dev));
    let labels = label_set(&args.labels, found, &setup.config.labels)?;
    let mut config = setup.config.clone();
    config.set_labels(labels.names().to_vec());
    let head = Head::TokenClassification;
    let runtime = setup.runtime(&config, head, usize::MAX)?;
    let examples = encoded(&setup, &train, |part| encode::tokens(&runtime, &labels, part))?;
    let label_weights = weights(&args.class_weights, &labels, &counts.of(&labels))?;
    let evaluation: Option<Box<dyn TaskEvaluation>> = match dev {
        None => None,
        Some(dev) => {
            let tags = dev.iter().flat_map(|example| &example.tags);
            warn_of_missing(tags, &labels, TargetKind::Label, reporter);
            Some(Box::new(TokenEvaluation::new(runtime, dev, labels, None)?))
        }
    };
    let prepared = Prepared {
        head,
        architecture: Architecture::TokenClassification,
        config,
        examples,
        evaluation,
        loss: TaskLoss::Tokens,
        label_weights,
        metrics: &["f1", "precision", "recall", "f1_macro", "token_accuracy", "loss"],
        majority: None,
    };
    super::run::run(&setup, prepared)
}
