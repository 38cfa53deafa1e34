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

/// Receives the events of a run. Only process 0 reports events, except for the start of a run. `()` ignores all events.
pub trait TrainObserver {
    /// The run starts after `step` completed steps.
    ///
    /// # Errors
    /// An error ends the run.
    fn started(&mut self, _step: u64) -> Result<()> {
        Ok(())
    }

    /// A step was completed.
    fn stepped(&mut self, _step: u64, _total: u64) {}

    /// Averages of some training steps.
    fn trained(&mut self, _report: &Report) {}

    /// Averages of an evaluation.
    fn evaluated(&mut self, _report: &Report) {}

    /// A checkpoint was written.
    fn saved(&mut self, _path: &Path) {}

    /// A note for the user.
    fn noted(&mut self, _message: &str) {}

    /// A problem that does not end the run.
    fn warned(&mut self, _message: &str) {}

    /// The steps have ended.
    fn ended(&mut self, _ending: StopReason) {}
}

impl TrainObserver for () {}

/// Forwards only the start of a run, for processes other than 0.
pub(in crate::training) struct StartOnly<'a, O: TrainObserver + ?Sized>(pub &'a mut O);

impl<O: TrainObserver + ?Sized> TrainObserver for StartOnly<'_, O> {
    fn started(&mut self, step: u64) -> Result<()> {
        self.0.started(step)
    }
}

/// The reason why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// All steps were completed, or the run stopped early because it no longer improved.
    Finished,
    /// The run was interrupted and can be resumed.
    Interrupted,
}
