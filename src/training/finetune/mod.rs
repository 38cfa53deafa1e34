//! Fine-tuning: [`FineTune`] is a complete run, from labelled data to a model. Its parts are the encoding of the data,
//! the losses of the task heads, recipes, and runs with one seed.

mod class_weights;
mod epoch;
mod objective;
mod observer;
mod options;
mod plan;
mod planning;
mod prepare;
pub mod recipe;
mod results;
mod run;
mod seed_statistics;
mod seeds;
mod setup;
mod source;
mod store;
mod tasks;

pub use class_weights::ClassWeights;
pub use epoch::Order;
pub use objective::{Answer, FineTuning, TaskLoss, TrainingExample};
pub use observer::FineTuneObserver;
pub use options::{Dev, Dropout, FineTuneOptions, FineTuneTask};
pub use plan::FineTunePlan;
pub use prepare::{FineTune, PreparedFineTune};
pub use results::{FineTuneResults, SeedResult};
pub use run::{DevEvaluation, FineTuneRun, FineTuned, Frozen};
pub use seed_statistics::SeedStatistics;
pub use source::ExampleSource;
pub use store::{ExampleStore, RowLengths};
