//! The tasks of fine-tuning: from labelled data to encoded rows, a configuration and an evaluation.

mod choose;
mod classify;
mod encode;
mod examples;
mod label_weights;
mod labels;
mod ner;
mod qa;

pub use label_weights::ClassWeights;

use super::objective::TaskLoss;
use super::observer::FineTuneObserver;
use super::prepare::Setup;
use super::store::ExampleStore;
use crate::checkpoint::Architecture;
use crate::data::{ChoiceOptions, QuestionOptions, TargetKind, TextOptions, TokenOptions};
use crate::error::Result;
use crate::eval::TaskEvaluation;
use crate::model::{AlbertConfig, Head};
use crate::tasks::QaOptions;

/// A task, with the options of its data.
#[derive(Clone, Debug)]
pub enum FineTuneTask {
    /// Text classification or regression.
    Classify {
        /// How the data is read. `kind` is replaced by `goal`.
        data: TextOptions,
        /// The kind of target. `None`: numbers for the recipe of STS-B, else one label per text.
        goal: Option<TargetKind>,
        /// Labels in the order of their ids. Empty: the labels in the data, sorted.
        labels: Vec<String>,
        /// Weights of the classes in the loss.
        class_weights: ClassWeights,
    },
    /// Token classification.
    Ner {
        /// How the data is read. Numeric tags are indices into `tag_names`, which `labels` replaces.
        data: TokenOptions,
        /// Tags in the order of their ids. Empty: the tags in the data, O first.
        labels: Vec<String>,
        /// Weights of the classes in the loss.
        class_weights: ClassWeights,
    },
    /// Extractive question answering.
    Qa {
        /// How the data is read. Answers need their places (`need_start`).
        data: QuestionOptions,
        /// How long contexts are divided, and how long answers may be.
        task: QaOptions,
    },
    /// Multiple choice.
    Choose {
        /// How the data is read.
        data: ChoiceOptions,
    },
}

impl FineTuneTask {
    /// The name of the subcommand, by which recipes name their task.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Classify { .. } => "classify",
            Self::Ner { .. } => "ner",
            Self::Qa { .. } => "qa",
            Self::Choose { .. } => "choose",
        }
    }

    /// Reads and encodes the data.
    ///
    /// # Errors
    /// Errors of the data, with their places; [`crate::Error::InvalidOption`] for options that do not fit it.
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
    pub(super) evaluation: Option<Box<dyn TaskEvaluation>>,
    pub(super) loss: TaskLoss,
    pub(super) label_weights: Vec<f32>,
    /// Metrics that can select the best checkpoint, the default first.
    pub(super) metrics: &'static [&'static str],
    /// The fraction of the most frequent label on dev, which a model should beat.
    pub(super) majority: Option<f64>,
}
