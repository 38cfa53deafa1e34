//! The plan of a fine-tuning run, derived from arguments, recipe and data.

use std::path::Path;

use albert::batch::Padding;
use albert::model::AlbertConfig;
use albert::training::finetune::ExampleStore;
use albert::training::finetune::recipe::{self, PublishedRecipe};
use albert::training::{self, Identity, Optimizer, OptimizerKind, Schedule, TrainOptions};
use albert::{Error, Result};

use super::setup::{Prepared, Setup};
use crate::cli::args::finetune::CommonArgs;
use crate::cli::args::training::PrecisionArg;

/// Padded tokens per forward pass in evaluations.
const CPU_BATCH_TOKENS: usize = 2048;
const GPU_BATCH_TOKENS: usize = 16384;

/// Values derived from the arguments and the data.
pub(super) struct Plan {
    pub batch_size: usize,
    pub micro_batch: usize,
    pub schedule: Schedule,
    pub optimizer: Optimizer,
    pub evaluate_every: u64,
    pub passes: f64,
    pub metric: String,
    pub less_is_better: bool,
    pub padding: Padding,
    pub batch_tokens: usize,
}

/// Metrics for which lower is better.
const ERRORS: [&str; 3] = ["loss", "mean_squared_error", "mean_absolute_error"];

impl Plan {
    /// Fills in everything that the arguments leave open.
    ///
    /// # Errors
    /// Fails with [`Error::InvalidOption`] for an unknown metric, and if the training data is empty.
    pub(super) fn new(setup: &Setup, prepared: &Prepared) -> Result<Self> {
        let (common, recipe) = (setup.common, setup.recipe);
        let gpu = setup.devices[0].is_gpu;
        let examples = &prepared.examples;
        if examples.is_empty() {
            return Err(Error::bad_file(&common.train, "holds no example with a label to learn from"));
        }
        let batch_size = common.batch_size.map(|n| n as usize).or(recipe.map(|r| r.batch_size)).unwrap_or(32);
        let pass = examples.len().div_ceil(batch_size) as u64;
        let of_passes = |passes: f64| ((passes * pass as f64).ceil() as u64).max(1);
        let steps = match (common.steps, common.epochs, recipe) {
            (Some(steps), ..) => steps,
            (None, Some(passes), _) => of_passes(passes),
            (None, None, Some(recipe)) => recipe.steps,
            (None, None, None) => of_passes(recipe::epochs(examples.len())),
        };
        let warmup_steps = common.warmup_steps.unwrap_or_else(|| match recipe {
            Some(recipe) if steps == recipe.steps => recipe.warmup_steps,
            _ => recipe::warmup_steps(steps),
        });
        let kind = common.optimizer.map_or_else(
            || recipe.map_or(OptimizerKind::AdamW, |_| recipe::PUBLISHED_OPTIMIZER),
            OptimizerKind::from,
        );
        let mut optimizer = Optimizer::new(kind);
        optimizer.weight_decay = common.weight_decay as f32;
        let learning_rate = common
            .learning_rate
            .or(recipe.map(|recipe| recipe.learning_rate))
            .unwrap_or_else(|| recipe::learning_rate(&setup.config));
        // The longest example determines the batch that fits.
        let longest = examples.largest().max(1);
        let metric = metric(common, recipe, prepared)?;
        Ok(Self {
            batch_size,
            micro_batch: common
                .micro_batch
                .map_or_else(|| training::recipe::micro_batch(gpu, longest), |n| n as usize),
            schedule: Schedule {
                peak: learning_rate,
                warmup_steps,
                total_steps: steps,
                decay: common.schedule.decay(common.power),
            },
            optimizer,
            evaluate_every: common.eval_every.unwrap_or_else(|| pass.min((steps / 10).max(1))),
            passes: steps as f64 / pass as f64,
            less_is_better: ERRORS.contains(&metric.as_str()),
            metric,
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
        common: &CommonArgs,
        folder: &Path,
        seed: u64,
        config: &AlbertConfig,
        examples: &ExampleStore,
    ) -> TrainOptions {
        let clip_norm = (common.clip_norm > 0.0).then_some(common.clip_norm);
        let mut identity = Identity::default();
        identity
            .fact("config", config.to_json())
            .fact("examples", examples.len())
            .fact("digest of the examples", examples.digest())
            .option("batch_size", self.batch_size)
            .option("seeds", seed)
            .option("precision", format!("{:?}", common.precision))
            .option("clip_norm", clip_norm)
            .option("order", format!("{:?}", common.order))
            .option("freeze", format!("{:?}", common.freeze))
            .option("metric", &self.metric)
            .option("eval_every", self.evaluate_every)
            .option("patience", common.patience)
            .fact("optimizer", self.optimizer)
            .fact("schedule", self.schedule);
        TrainOptions {
            output: folder.to_owned(),
            batch_size: self.batch_size,
            optimizer: self.optimizer,
            schedule: self.schedule,
            clip_norm,
            seed,
            log_every: common.log_every,
            evaluate_every: Some(self.evaluate_every),
            save_every: Some(self.evaluate_every),
            save_minutes: Some(common.save_minutes),
            keep: usize::from(common.keep),
            patience: common.patience,
            scale_loss: common.precision == PrecisionArg::F16,
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
}

/// The metric that selects the best checkpoint.
fn metric(common: &CommonArgs, recipe: Option<&PublishedRecipe>, prepared: &Prepared) -> Result<String> {
    let known = prepared.metrics;
    let asked = common.metric.as_ref().map(|name| name.replace('-', "_"));
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
