//! What a training run leaves for eyes: numbers as JSON lines, for TensorBoard, and as a picture.
//!
//! Names of series are the caller's: any kind of training logs here.

mod curves;
mod jsonl;
mod run_log;
mod tensorboard;

pub use curves::{Curves, Panel, Series, SeriesStyle};
pub use jsonl::MetricsFile;
pub use run_log::RunLog;
pub use tensorboard::EventWriter;
