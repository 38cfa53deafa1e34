//! The tasks of fine-tuning: from labelled data to encoded rows, a configuration and an evaluation.

mod choose;
mod classify;
mod encode;
mod examples;
mod labels;
mod ner;
mod qa;

use super::objective::TaskLoss;
use super::observer::FineTuneObserver;
use super::options::FineTuneTask;
use super::setup::Setup;
use super::store::ExampleStore;
use crate::checkpoint::Architecture;
use crate::error::Result;
use crate::eval::TaskEvaluation;
use crate::model::{AlbertConfig, Head};

impl FineTuneTask {
    /// Reads and encodes the data.
    ///
    /// # Errors
    /// Errors of the data, with their locations; [`crate::Error::InvalidOption`] for options that do not fit the data.
    pub(super) fn prepare(&self, setup: &Setup, observer: &mut dyn FineTuneObserver) -> Result<Prepared> {
        match self {
            Self::Classify { data, goal, labels, class_weights } => {
                classify::prepare(setup, data, *goal, (labels, class_weights), observer)
            }
            Self::Ner { data, labels, class_weights } => {
                ner::prepare(setup, data, (labels, class_weights), observer)
            }
            Self::Qa { data, task } => qa::prepare(setup, data, task, observer),
            Self::Choose { data } => choose::prepare(setup, data, observer),
        }
    }
}

/// The data prepared by a task.
pub(super) struct Prepared {
    pub(super) head: Head,
    pub(super) architecture: Architecture,
    /// The configuration of the model that is written.
    pub(super) config: AlbertConfig,
    pub(super) examples: ExampleStore,
    /// A fingerprint of the dev examples.
    pub(super) dev_digest: Option<u32>,
    pub(super) evaluation: Option<Box<dyn TaskEvaluation>>,
    pub(super) loss: TaskLoss,
    pub(super) label_weights: Vec<f32>,
    /// Metrics that can select the best checkpoint, the default first.
    pub(super) metrics: &'static [&'static str],
    /// The fraction of the most frequent label on dev, which a model should beat.
    pub(super) majority: Option<f64>,
}

impl Prepared {
    /// The training examples, the fingerprint of the dev examples, and the weights of the labels.
    pub(super) fn data(&self) -> (&ExampleStore, Option<u32>, &[f32]) {
        (&self.examples, self.dev_digest, &self.label_weights)
    }
}
