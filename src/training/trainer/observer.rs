//! Reports of a training run to its caller.

use std::path::Path;

use crate::error::Result;

/// What happened over the steps since the last report, or in an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    /// Steps made so far.
    pub step: u64,
    /// How often the data was seen.
    pub epoch: f64,
    /// The means, by the objective's names.
    pub values: Vec<(&'static str, f64)>,
    /// The rate of the last step; none in an evaluation.
    pub learning_rate: Option<f64>,
    /// The gradients' global norm before clipping, in the mean; none in an evaluation.
    pub gradient_norm: Option<f64>,
    /// Tokens of the whole run.
    pub tokens: u64,
    /// Tokens a second since the last report.
    pub tokens_per_second: f64,
    /// Seconds of training in the whole run.
    pub seconds: f64,
}

/// Told what happens. Only process 0 tells.
pub trait TrainObserver {
    /// The first step is about to be made, after `step` made before.
    fn started(&mut self, step: u64) -> Result<()>;
    /// A step was made.
    fn stepped(&mut self, step: u64, total: u64);
    /// Some steps' means.
    fn trained(&mut self, report: &Report);
    /// The held-out rows' means.
    fn evaluated(&mut self, report: &Report);
    /// A checkpoint was written.
    fn saved(&mut self, path: &Path);
    /// Something is worth knowing.
    fn noted(&mut self, message: &str);
    /// Something is not as it should be, and the run goes on.
    fn warned(&mut self, message: &str);
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All steps were made, or more would not make it better.
    Finished,
    /// It was asked to stop, and can be resumed.
    Interrupted,
}
