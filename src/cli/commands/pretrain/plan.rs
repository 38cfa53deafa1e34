//! The plan of a pretraining run.

use albert::device::OpenDevice;
use albert::model::AlbertConfig;
use albert::training::{Identity, Optimizer, Schedule, TrainOptions, estimate, recipe};

use crate::cli::args::pretrain::PretrainArgs;
use crate::cli::args::training::PrecisionArg;
use crate::cli::output::report::Reporter;

/// `--max-seq-length` or its default.
pub(super) fn row_length(args: &PretrainArgs, config: &AlbertConfig) -> usize {
    args.max_seq_length.map_or_else(|| config.max_position_embeddings.min(128), |length| length as usize)
}

/// Values derived from the arguments.
pub(super) struct Plan {
    steps: u64,
    pub micro_batch: usize,
    learning_rate: f64,
    warmup_steps: u64,
    tokens: u64,
}

impl Plan {
    pub(super) fn new(
        args: &PretrainArgs,
        config: &AlbertConfig,
        devices: &[OpenDevice],
        tokens: u64,
    ) -> Self {
        let length = row_length(args, config);
        let batch_size = args.batch_size as usize;
        let train = (tokens as f64 * (1.0 - args.eval_fraction)) as u64;
        let steps = args.steps.unwrap_or_else(|| {
            recipe::steps(args.epochs.unwrap_or(10.0), train, batch_size, length, args.short_seq_prob)
        });
        Self {
            steps,
            micro_batch: args
                .micro_batch
                .map_or_else(|| recipe::micro_batch(devices[0].is_gpu, length), |n| n as usize),
            learning_rate: args.learning_rate.unwrap_or_else(|| {
                recipe::learning_rate(args.optimizer.into(), batch_size, config.hidden_size)
            }),
            warmup_steps: args.warmup_steps.unwrap_or_else(|| recipe::warmup_steps(steps)),
            tokens: train,
        }
    }

    /// Describes the run before the first step.
    pub(super) fn announce(
        &self,
        args: &PretrainArgs,
        config: &AlbertConfig,
        devices: &[OpenDevice],
        parameters: usize,
        reporter: &Reporter,
    ) {
        let float_bytes =
            if matches!(args.precision, PrecisionArg::F32 | PrecisionArg::Bf16x2) { 4 } else { 2 };
        let rows = u64::from(args.batch_size);
        let length = row_length(args, config) as u64;
        let masked = (args.masked_lm_prob * length as f64).ceil() as u64;
        let needs =
            estimate(config, parameters as u64, rows, self.micro_batch as u64, length, masked, float_bytes);
        let names: Vec<&str> = devices.iter().map(|open| open.name.as_str()).collect();
        reporter.note(&format!(
            "model: {} parameters; hidden {}, layers {}, groups {}; dropout: hidden {}, attention {}, classifier {}",
            parameters,
            config.hidden_size,
            config.num_hidden_layers,
            config.num_hidden_groups,
            config.hidden_dropout_prob,
            config.attention_probs_dropout_prob,
            config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
        ));
        reporter.note(&format!(
            "memory, about: {} MB for weights and optimizer, {} MB on {}",
            needs.host_bytes >> 20,
            needs.device_bytes >> 20,
            names.join(" and on "),
        ));
        reporter.note(&format!(
            "{} steps of {rows} rows of up to {length} tokens, about {:.1} passes over {} tokens; {:?}, rate {:.3e}, {} steps \
             of warm-up",
            self.steps,
            (self.steps * rows * length) as f64 / self.tokens.max(1) as f64,
            self.tokens,
            args.optimizer,
            self.learning_rate,
            self.warmup_steps,
        ));
    }

    pub(super) fn options(&self, args: &PretrainArgs, config: &AlbertConfig) -> TrainOptions {
        let mut optimizer = Optimizer::new(args.optimizer.into());
        optimizer.weight_decay = args.weight_decay as f32;
        let schedule = Schedule {
            peak: self.learning_rate,
            warmup_steps: self.warmup_steps,
            total_steps: self.steps,
            decay: args.schedule.decay(args.power),
        };
        let clip_norm = (args.clip_norm > 0.0).then_some(args.clip_norm);
        let twentieth = (self.steps / 20).max(1);
        let mut identity = Identity::default();
        identity
            .fact("config", config.to_json())
            .option("batch_size", args.batch_size)
            .option("max_seq_length", row_length(args, config))
            .option("short_seq_prob", args.short_seq_prob)
            .option("masked_lm_prob", args.masked_lm_prob)
            .option("max_ngram", args.max_ngram)
            .option("max_predictions", args.max_predictions)
            .option("nsp", args.nsp)
            .option("sop_weight", (args.sop_weight != 1.0).then_some(args.sop_weight))
            .option("no_sop", args.no_sop)
            .option("freeze", (!args.freeze.is_empty()).then_some(&args.freeze))
            .option("compat", format!("{:?}", args.compat))
            .option("eval_fraction", args.eval_fraction)
            .option("seed", args.seed)
            .option("precision", format!("{:?}", args.precision))
            .option("clip_norm", clip_norm)
            .fact("optimizer", optimizer)
            .fact("schedule", schedule)
            .fact("tokens", self.tokens);
        TrainOptions {
            output: args.output.clone(),
            batch_size: args.batch_size as usize,
            optimizer,
            schedule,
            clip_norm,
            seed: args.seed,
            log_every: args.log_every,
            evaluate_every: Some(args.eval_every.unwrap_or(twentieth)),
            save_every: Some(args.save_every.unwrap_or(twentieth)),
            save_minutes: Some(args.save_minutes),
            keep: usize::from(args.keep),
            patience: None,
            scale_loss: args.precision == PrecisionArg::F16,
            identity,
        }
    }
}
