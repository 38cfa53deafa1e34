//! The plan of a fine-tuning run.

use std::path::Path;

use super::options::FineTuneOptions;
use super::store::{ExampleStore, RowLengths};
use crate::batch::Padding;
use crate::device::Precision;
use crate::model::AlbertConfig;
use crate::training::{Identity, Optimizer, Schedule, TrainOptions};

/// The values that the options left open, and a summary of the data and devices.
#[derive(Clone, Debug)]
pub struct FineTunePlan {
    /// The name of the initial model.
    pub model: String,
    /// The configuration of the model that is written.
    pub config: AlbertConfig,
    /// Number of training examples.
    pub examples: usize,
    /// The lengths of their rows in tokens.
    pub rows: RowLengths,
    /// Examples per step.
    pub batch_size: usize,
    /// Examples per forward and backward pass of a device.
    pub micro_batch: usize,
    /// Learning rates. Its `total_steps` are the length of the run.
    pub schedule: Schedule,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Steps between evaluations.
    pub evaluate_every: u64,
    /// Passes over the training examples.
    pub epochs: f64,
    /// True if there is a dev set.
    pub evaluates: bool,
    /// The metric that selects the best checkpoint.
    pub metric: String,
    /// True if a lower value of the metric is better.
    pub lower_is_better: bool,
    /// The fraction of the most frequent label on dev, which a model should beat; only for single-label classification.
    pub majority: Option<f64>,
    /// The names of the devices.
    pub devices: Vec<String>,
    pub(super) padding: Padding,
    pub(super) batch_tokens: usize,
}

impl FineTunePlan {
    /// The training options for a seed, with the training examples, the fingerprint of the dev examples, and the weights of the
    /// labels.
    pub(super) fn options(
        &self,
        options: &FineTuneOptions,
        folder: &Path,
        seed: u64,
        (examples, dev_digest, label_weights): (&ExampleStore, Option<u32>, &[f32]),
    ) -> TrainOptions {
        let mut identity = Identity::default();
        identity
            .fact("config", self.config.to_json())
            .fact("examples", examples.len())
            .fact("digest of the examples", examples.digest())
            .fact("digest of the dev examples", dev_digest)
            .fact("class_weights", (!label_weights.is_empty()).then_some(label_weights))
            .fact("micro_batch", options.micro_batch)
            .fact("max_answer_len", options.task.max_answer_len())
            .option("batch_size", self.batch_size)
            .option("seeds", seed)
            .choice("precision", options.precision)
            .option("clip_norm", options.clip_norm)
            .choice("order", options.order)
            .choice("freeze", options.freeze)
            .option("metric", &self.metric)
            .option("eval_every", self.evaluate_every)
            .option("patience", options.patience)
            .fact("optimizer", self.optimizer)
            .fact("schedule", self.schedule);
        TrainOptions {
            output: folder.to_owned(),
            batch_size: self.batch_size,
            optimizer: self.optimizer,
            schedule: self.schedule,
            clip_norm: options.clip_norm,
            seed,
            log_every: options.log_every,
            evaluate_every: Some(self.evaluate_every),
            save_every: Some(self.evaluate_every),
            save_minutes: Some(options.save_minutes),
            keep: options.keep,
            patience: options.patience,
            scale_loss: options.precision == Precision::F16,
            identity,
        }
    }

    /// Returns true if `metric` is better.
    pub(super) fn is_better(&self, metric: Option<f64>, than: Option<f64>) -> bool {
        match (metric, than) {
            (Some(own), Some(other)) if self.lower_is_better => own < other,
            (Some(own), Some(other)) => own > other,
            _ => false,
        }
    }

    /// Titles and names of the values to draw.
    pub(super) fn panels(&self) -> Vec<(String, String)> {
        let mut names = vec!["loss", "accuracy"];
        if self.metric != "accuracy" {
            names.push(&self.metric);
        }
        names.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect()
    }
}
