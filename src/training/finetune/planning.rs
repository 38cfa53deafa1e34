//! Planning of a fine-tuning run from options, recipe and data.

use super::options::FineTuneOptions;
use super::plan::FineTunePlan;
use super::recipe::{self, PublishedRecipe};
use super::setup::Setup;
use super::tasks::Prepared;
use crate::batch::Padding;
use crate::device::BatchLimits;
use crate::error::{Error, Result};
use crate::training::{self, Duration, Optimizer, OptimizerKind, Schedule};

/// Metrics for which lower is better.
const ERRORS: [&str; 3] = ["loss", "mean_squared_error", "mean_absolute_error"];

/// Fills in everything that the options leave open.
///
/// # Errors
/// [`Error::InvalidOption`] for an unknown metric, and if the training data is empty.
pub(super) fn plan(setup: &Setup, prepared: &Prepared) -> Result<FineTunePlan> {
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
    // The longest example determines the batch size that fits.
    let longest = examples.largest().max(1);
    let metric = metric(options, recipe, prepared)?;
    Ok(FineTunePlan {
        model: setup.checkpoint.name.clone(),
        config: prepared.config.clone(),
        examples: examples.len(),
        rows: examples.row_lengths().clone(),
        batch_size,
        micro_batch: options.micro_batch.unwrap_or_else(|| training::recipe::micro_batch(gpu, longest)),
        schedule: Schedule { peak: learning_rate, warmup_steps, total_steps: steps, decay: options.decay },
        optimizer,
        evaluate_every: options.evaluate_every.unwrap_or_else(|| pass.min((steps / 10).max(1))),
        epochs: steps as f64 / pass as f64,
        evaluates: prepared.evaluation.is_some(),
        lower_is_better: ERRORS.contains(&metric.as_str()),
        metric,
        majority: prepared.majority,
        devices: setup.devices.iter().map(|open| open.name.clone()).collect(),
        padding: Padding {
            id: setup.config.pad_token_id.unwrap_or(0) as u32,
            multiple: setup.pad_multiple(),
            longest: setup.config.max_position_embeddings,
        },
        batch_tokens: BatchLimits::of(&setup.devices[0]).tokens,
    })
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
        // The recipe is for two labels, but the data has more.
        Some(_) if asked.is_none() => Ok(known.first().copied().unwrap_or("loss").to_owned()),
        Some(name) => Err(Error::InvalidOption {
            name: "metric".to_owned(),
            problem: format!("\"{name}\" is not one of {}", known.join(", ")),
        }),
    }
}
