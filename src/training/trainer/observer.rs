//! Reports of a training run to its caller.

use std::path::Path;

use crate::error::Result;

/// Averages over the steps since the last report, or over an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    /// Completed steps.
    pub step: u64,
    /// Number of passes over the data.
    pub epoch: f64,
    /// Mean values, under the objective's names.
    pub values: Vec<(&'static str, f64)>,
    /// Learning rate of the last step; `None` for an evaluation.
    pub learning_rate: Option<f64>,
    /// Mean global norm of the gradients before clipping; `None` for an evaluation.
    pub gradient_norm: Option<f64>,
    /// Tokens processed in the run.
    pub tokens: u64,
    /// Tokens per second since the last report.
    pub tokens_per_second: f64,
    /// Seconds of training in the run.
    pub seconds: f64,
}

/// Receives the events of a run. Only process 0 reports events.
pub trait TrainObserver {
    /// The run starts after `step` completed steps.
    fn started(&mut self, step: u64) -> Result<()>;
    /// A step was completed.
    fn stepped(&mut self, step: u64, total: u64);
    /// Averages of some training steps.
    fn trained(&mut self, report: &Report);
    /// Averages of an evaluation.
    fn evaluated(&mut self, report: &Report);
    /// A checkpoint was written.
    fn saved(&mut self, path: &Path);
    /// A remark for the user.
    fn noted(&mut self, message: &str);
    /// A problem that does not end the run.
    fn warned(&mut self, message: &str);
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were completed, or the run stopped early because it no longer improved.
    Finished,
    /// The run was interrupted and can be resumed.
    Interrupted,
}
