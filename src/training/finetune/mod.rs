//! Fine-tuning: labelled examples, the losses of the task heads, and how a run goes by default.

mod objective;
pub mod recipe;
mod source;

pub use objective::{Answer, FineTuning, TaskLoss, TrainingExample};
pub use source::{ExampleSource, Order};
