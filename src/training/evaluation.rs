//! Evaluation with task metrics during training.

use crate::error::Result;
use crate::model::Albert;

/// Metrics of a model, and the one that selects the best checkpoint.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// All metrics by name, for the logs.
    pub values: Vec<(&'static str, f64)>,
    /// The metric that selects the best checkpoint; higher is better.
    pub score: f64,
}

/// Computes task metrics between steps, in addition to the loss.
pub trait Evaluation {
    /// The metrics of `model`, which has no automatic differentiation.
    ///
    /// # Errors
    /// If the device fails.
    fn evaluate(&mut self, model: &Albert) -> Result<Metrics>;
}
