//! Fine-tuning: encoding of labelled examples, losses of the task heads, recipes, and runs.

pub mod encode;
mod epoch;
mod label_weights;
mod objective;
pub mod recipe;
mod run;
mod source;
mod spread;
mod store;

pub use epoch::Order;
pub use label_weights::balanced;
pub use objective::{Answer, FineTuning, TaskLoss, TrainingExample};
pub use run::{DevEvaluation, FineTuneRun, FineTuned, Frozen};
pub use source::ExampleSource;
pub use spread::Spread;
pub use store::{ExampleStore, RowLengths};
