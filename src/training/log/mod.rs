//! Logs of a training run: JSON lines, TensorBoard events, and a picture of the curves.
//!
//! The caller names the series, so any kind of training can use these logs.

mod curves;
mod jsonl;
mod logged;
mod run_log;
mod tensorboard;

pub use curves::{Curves, Panel, Series, SeriesStyle};
pub use jsonl::MetricsFile;
pub use logged::LoggedRun;
pub use run_log::RunLog;
pub use tensorboard::EventWriter;
