//! Evaluation on labelled data: predictions of the tasks, scored with the metrics of their reference scripts.
//! [`Evaluate`] runs a complete evaluation in one call.

mod choices;
pub mod metrics;
mod questions;
mod report;
mod task;
mod texts;
mod tokens;

pub use choices::ChoiceEvaluation;
pub use questions::{QuestionEvaluation, QuestionRules};
pub use report::{ClassMetrics, Confusion, EvalReport, ScoredExample};
pub use task::{EvalTask, Evaluate, Labelled, SquadVersion};
pub use texts::{TextEvaluation, goal_of, problem_type};
pub use tokens::TokenEvaluation;

use crate::error::Result;
use crate::tasks::Pipeline;

/// Labelled data, encoded once, and the model to evaluate.
pub trait TaskEvaluation {
    /// The model. It may be replaced between evaluations by another one of the same shape.
    fn pipeline_mut(&mut self) -> &mut Pipeline;

    /// Runs the model on all examples, with at most `batch_tokens` padded tokens per forward pass.
    ///
    /// # Errors
    /// If the device fails.
    fn run(&self, batch_tokens: usize) -> Result<EvalReport>;
}
