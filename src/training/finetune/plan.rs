//! The plan of a fine-tuning run, derived from options, recipe and data.

use std::path::Path;

use super::options::FineTuneOptions;
use super::prepare::Setup;
use super::recipe::{self, PublishedRecipe};
use super::store::{ExampleStore, RowLengths};
use super::tasks::Prepared;
use crate::batch::Padding;
use crate::device::FloatType;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;
use crate::training::{self, Duration, Identity, Optimizer, OptimizerKind, Schedule, TrainOptions};

/// Padded tokens per forward pass in evaluations.
const CPU_BATCH_TOKENS: usize = 2048;
const GPU_BATCH_TOKENS: usize = 16384;

/// Metrics for which lower is better.
const ERRORS: [&str; 3] = ["loss", "mean_squared_error", "mean_absolute_error"];

/// Everything that the options left open, and what the run works on.
#[derive(Clone, Debug)]
pub struct Plan {
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
    pub less_is_better: bool,
    /// The fraction of the most frequent label on dev, which a model should beat; only for single-label classification.
    pub majority: Option<f64>,
    /// The names of the devices.
    pub devices: Vec<String>,
    pub(super) padding: Padding,
    pub(super) batch_tokens: usize,
}

impl Plan {
    /// Fills in everything that the options leave open.
    ///
    /// # Errors
    /// Fails with [`Error::InvalidOption`] for an unknown metric, and if the training data is empty.
    pub(super) fn new(setup: &Setup, prepared: &Prepared) -> Result<Self> {
        let (options, recipe) = (setup.options, setup.recipe);
        let gpu = setup.devices[0].is_gpu;
        let examples = &prepared.examples;
        if examples.is_empty() {
            return Err(Error::bad_file(&options.train, "holds no example with a label to learn from"));
        }
        let batch_size = options.batch_size.or(recipe.map(|r| r.batch_size)).unwrap_or(32);
        let pass = examples.len().div_ceil(batch_size) as u64;
        let of_passes = |passes: f64| ((passes * pass as f64).ceil() as u64).max(1);
        let steps = match (options.duration, recipe) {
            (Some(Duration::Steps(steps)), _) => steps,
            (Some(Duration::Epochs(passes)), _) => of_passes(passes),
            (None, Some(recipe)) => recipe.steps,
            (None, None) => of_passes(recipe::epochs(examples.len())),
        };
        let warmup_steps = options.warmup_steps.unwrap_or_else(|| match recipe {
            Some(recipe) if steps == recipe.steps => recipe.warmup_steps,
            _ => recipe::warmup_steps(steps),
        });
        let kind = options
            .optimizer
            .unwrap_or_else(|| recipe.map_or(OptimizerKind::AdamW, |_| recipe::PUBLISHED_OPTIMIZER));
        let mut optimizer = Optimizer::new(kind);
        optimizer.weight_decay = options.weight_decay as f32;
        let learning_rate = options
            .learning_rate
            .or(recipe.map(|recipe| recipe.learning_rate))
            .unwrap_or_else(|| recipe::learning_rate(&setup.config));
        // The longest example determines the batch that fits.
        let longest = examples.largest().max(1);
        let metric = metric(options, recipe, prepared)?;
        Ok(Self {
            model: setup.checkpoint.name.clone(),
            config: prepared.config.clone(),
            examples: examples.len(),
            rows: examples.row_lengths().clone(),
            batch_size,
            micro_batch: options.micro_batch.unwrap_or_else(|| training::recipe::micro_batch(gpu, longest)),
            schedule: Schedule {
                peak: learning_rate,
                warmup_steps,
                total_steps: steps,
                decay: options.decay,
            },
            optimizer,
            evaluate_every: options.evaluate_every.unwrap_or_else(|| pass.min((steps / 10).max(1))),
            epochs: steps as f64 / pass as f64,
            evaluates: prepared.evaluation.is_some(),
            less_is_better: ERRORS.contains(&metric.as_str()),
            metric,
            majority: prepared.majority,
            devices: setup.devices.iter().map(|open| open.name.clone()).collect(),
            padding: Padding {
                id: setup.config.pad_token_id.unwrap_or(0) as u32,
                multiple: setup.pad_multiple(),
                longest: setup.config.max_position_embeddings,
            },
            batch_tokens: if gpu { GPU_BATCH_TOKENS } else { CPU_BATCH_TOKENS },
        })
    }

    /// The training options for a seed.
    pub(super) fn options(
        &self,
        options: &FineTuneOptions,
        folder: &Path,
        seed: u64,
        examples: &ExampleStore,
    ) -> TrainOptions {
        let mut identity = Identity::default();
        identity
            .fact("config", self.config.to_json())
            .fact("examples", examples.len())
            .fact("digest of the examples", examples.digest())
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
            scale_loss: options.precision == FloatType::F16,
            identity,
        }
    }

    /// Returns true if `figure` is better.
    pub(super) fn is_better(&self, figure: Option<f64>, than: Option<f64>) -> bool {
        match (figure, than) {
            (Some(own), Some(other)) if self.less_is_better => own < other,
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

/// The metric that selects the best checkpoint.
fn metric(
    options: &FineTuneOptions,
    recipe: Option<&PublishedRecipe>,
    prepared: &Prepared,
) -> Result<String> {
    let known = prepared.metrics;
    let asked = options.metric.as_ref().map(|name| name.replace('-', "_"));
    match asked.as_deref().or(recipe.map(|recipe| recipe.metric)) {
        None => Ok(known.first().copied().unwrap_or("loss").to_owned()),
        Some(name) if known.contains(&name) => Ok(name.to_owned()),
        // A recipe for two labels, but data with more.
        Some(_) if asked.is_none() => Ok(known.first().copied().unwrap_or("loss").to_owned()),
        Some(name) => Err(Error::InvalidOption {
            name: "metric".to_owned(),
            problem: format!("\"{name}\" is not one of {}", known.join(", ")),
        }),
    }
}
