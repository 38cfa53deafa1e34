//! Fine-tuning: labelled examples become rows, the losses of the task heads, and how a run goes by default.

pub mod encode;
mod label_weights;
mod objective;
pub mod recipe;
mod run;
mod source;
mod spread;

pub use label_weights::balanced;
pub use objective::{Answer, FineTuning, TaskLoss, TrainingExample};
pub use run::{DevEvaluation, FineTuneRun, FineTuned, Frozen};
pub use source::{ExampleSource, Order, digest};
pub use spread::Spread;
