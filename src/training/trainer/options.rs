//! Options of a training run.

use std::path::PathBuf;

use serde_json::Value;

use crate::training::optimizer::Optimizer;
use crate::training::schedule::Schedule;

/// Options of a training run.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// The directory for everything that the run leaves.
    pub output: PathBuf,
    /// Rows of one step, over all devices and processes.
    pub batch_size: usize,
    /// The update rule.
    pub optimizer: Optimizer,
    /// The learning rate; its `total_steps` end the run.
    pub schedule: Schedule,
    /// Gradients are scaled to this global norm where theirs is larger.
    pub clip_norm: Option<f64>,
    /// Seed of everything random.
    pub seed: u64,
    /// A report every so many steps.
    pub log_every: u64,
    /// An evaluation every so many steps.
    pub evaluate_every: Option<u64>,
    /// A checkpoint every so many steps.
    pub save_every: Option<u64>,
    /// A checkpoint every so many minutes.
    pub save_minutes: Option<f64>,
    /// How many checkpoints stay, beside the best.
    pub keep: usize,
    /// The run ends after so many evaluations in a row that were no better than the best.
    pub patience: Option<u32>,
    /// Scale the loss: for gradients in 16-bit floats of the IEEE kind, which underflow otherwise.
    pub scale_loss: bool,
    /// What a resumed run must share with this one.
    pub identity: Value,
}
