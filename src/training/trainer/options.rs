//! Options of a training run.

use std::path::PathBuf;

use crate::training::identity::Identity;
use crate::training::optimizer::Optimizer;
use crate::training::schedule::Schedule;

/// Options of a training run.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Output directory of the run.
    pub output: PathBuf,
    /// Rows per step, over all devices and processes.
    pub batch_size: usize,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The learning-rate schedule. The run ends after its `total_steps`.
    pub schedule: Schedule,
    /// Maximum global norm of the gradients; larger gradients are scaled down.
    pub clip_norm: Option<f64>,
    /// Random seed.
    pub seed: u64,
    /// Steps between reports.
    pub log_every: u64,
    /// Steps between evaluations.
    pub evaluate_every: Option<u64>,
    /// Steps between checkpoints.
    pub save_every: Option<u64>,
    /// Minutes between checkpoints.
    pub save_minutes: Option<f64>,
    /// Number of checkpoints to keep in addition to the best.
    pub keep: usize,
    /// Stop after this many consecutive evaluations without improvement.
    pub patience: Option<u32>,
    /// Scale the loss, so that f16 gradients do not underflow.
    pub scale_loss: bool,
    /// The options and facts that a resumed run must share with this one.
    pub identity: Identity,
}
