//! How good a model is on labelled data: predictions of the tasks, judged by the metrics of their reference scripts.

mod choices;
pub mod metrics;
mod questions;
mod report;
mod texts;
mod tokens;

pub use choices::ChoiceEvaluation;
pub use questions::{QuestionEvaluation, QuestionRules};
pub use report::{ClassFigures, Confusion, EvalReport, Judged};
pub use texts::{TextEvaluation, goal_of, problem_type};
pub use tokens::TokenEvaluation;

use crate::error::Result;
use crate::tasks::Runtime;

/// Labelled data, encoded once, and the model to judge by it.
pub trait TaskEvaluation {
    /// The model, which may be replaced between evaluations by another of the same shape.
    fn runtime_mut(&mut self) -> &mut Runtime;

    /// Runs the model on all examples, at most `batch_tokens` padded tokens at a time.
    ///
    /// # Errors
    /// The device's.
    fn run(&self, batch_tokens: usize) -> Result<EvalReport>;
}
