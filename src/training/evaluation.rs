//! What tells how good a model is while it learns.

use crate::error::Result;
use crate::model::Albert;

/// Figures of a model, and the one that counts.
#[derive(Clone, Debug)]
pub struct Figures {
    /// For the logs, by name.
    pub values: Vec<(&'static str, f64)>,
    /// By this the best checkpoint is chosen; higher is better.
    pub score: f64,
}

/// Judges the model between steps, by more than its loss.
pub trait Evaluation {
    /// Figures of `model`, which is without automatic differentiation.
    ///
    /// # Errors
    /// The device's.
    fn evaluate(&mut self, model: &Albert) -> Result<Figures>;
}
