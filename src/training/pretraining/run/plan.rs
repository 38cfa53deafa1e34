//! The plan of a pretraining run, derived from options and corpus.

use super::options::PretrainOptions;
use crate::device::{OpenDevice, Precision};
use crate::model::AlbertConfig;
use crate::training::instances::Pairing;
use crate::training::{Duration, Estimate, Identity, Optimizer, Schedule, TrainOptions, estimate, recipe};

/// The values that the options left open, and a summary of the corpus and devices.
#[derive(Clone, Debug)]
pub struct PretrainPlan {
    /// The configuration of the model.
    pub config: AlbertConfig,
    /// Number of the model's parameters.
    pub parameters: usize,
    /// Maximum tokens per row.
    pub row_length: usize,
    /// Rows per step.
    pub batch_size: usize,
    /// Rows per forward and backward pass of a device.
    pub micro_batch: usize,
    /// Learning rates. Its `total_steps` are the length of the run.
    pub schedule: Schedule,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Tokens of the corpus to train on.
    pub tokens: u64,
    /// Estimated memory and arithmetic.
    pub needs: Estimate,
    /// The names of the devices.
    pub devices: Vec<String>,
}

impl PretrainPlan {
    /// Plans a run. `tokens` is the size of the corpus, `parameters` that of the model.
    pub(super) fn new(
        options: &PretrainOptions,
        config: &AlbertConfig,
        devices: &[OpenDevice],
        tokens: u64,
        parameters: usize,
    ) -> Self {
        let row_length = options.row_length(config);
        let batch_size = options.batch_size;
        let tokens = (tokens as f64 * (1.0 - options.eval_fraction)) as u64;
        let steps = match options.duration {
            Duration::Steps(steps) => steps,
            Duration::Epochs(epochs) => {
                recipe::steps(epochs, tokens, batch_size, row_length, options.short_seq_prob)
            }
        };
        let mut optimizer = Optimizer::new(options.optimizer);
        optimizer.weight_decay = options.weight_decay as f32;
        let micro_batch =
            options.micro_batch.unwrap_or_else(|| recipe::micro_batch(devices[0].is_gpu, row_length));
        let float_bytes = match options.precision {
            Precision::F32 | Precision::Bf16x2 => 4,
            Precision::F16 | Precision::Bf16 | Precision::Int8 => 2,
        };
        let masked = (options.masked_lm_prob * row_length as f64).ceil() as u64;
        let rows = (batch_size as u64, micro_batch as u64, row_length as u64);
        Self {
            needs: estimate(config, parameters as u64, rows.0, rows.1, rows.2, masked, float_bytes),
            config: config.clone(),
            parameters,
            row_length,
            batch_size,
            micro_batch,
            schedule: Schedule {
                peak: options.learning_rate.unwrap_or_else(|| {
                    recipe::learning_rate(options.optimizer, batch_size, config.hidden_size)
                }),
                warmup_steps: options.warmup_steps.unwrap_or_else(|| recipe::warmup_steps(steps)),
                total_steps: steps,
                decay: options.decay,
            },
            optimizer,
            tokens,
            devices: devices.iter().map(|open| open.name.clone()).collect(),
        }
    }

    /// Passes over the corpus, if all rows are full.
    pub fn epochs(&self) -> f64 {
        let rows = self.schedule.total_steps * self.batch_size as u64;
        (rows * self.row_length as u64) as f64 / self.tokens.max(1) as f64
    }

    /// The options of the training loop.
    pub(super) fn options(&self, options: &PretrainOptions) -> TrainOptions {
        let twentieth = (self.schedule.total_steps / 20).max(1);
        let order_weight = options.sentence_order_weight;
        let mut identity = Identity::default();
        identity
            .fact("config", self.config.to_json())
            .option("batch_size", options.batch_size)
            .option("max_seq_length", self.row_length)
            .option("short_seq_prob", options.short_seq_prob)
            .option("masked_lm_prob", options.masked_lm_prob)
            .option("max_ngram", options.max_ngram)
            .option("max_predictions", options.max_predictions)
            .option("nsp", options.pairing == Pairing::NextSentence)
            .option("sop_weight", (order_weight != 1.0).then_some(order_weight))
            .option("no_sop", options.pairing == Pairing::Unlabelled)
            .option("freeze", (!options.freeze.is_empty()).then_some(&options.freeze))
            .choice("compat", options.google_compat.then_some("google"))
            .option("eval_fraction", options.eval_fraction)
            .option("seed", options.seed)
            .choice("precision", options.precision)
            .option("clip_norm", options.clip_norm)
            .fact("optimizer", self.optimizer)
            .fact("schedule", self.schedule)
            .fact("tokens", self.tokens);
        TrainOptions {
            output: options.output.clone(),
            batch_size: options.batch_size,
            optimizer: self.optimizer,
            schedule: self.schedule,
            clip_norm: options.clip_norm,
            seed: options.seed,
            log_every: options.log_every,
            evaluate_every: Some(options.evaluate_every.unwrap_or(twentieth)),
            save_every: Some(options.save_every.unwrap_or(twentieth)),
            save_minutes: Some(options.save_minutes),
            keep: options.keep,
            patience: None,
            scale_loss: options.precision == Precision::F16,
            identity,
        }
    }
}
