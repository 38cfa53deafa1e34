//! What a run leaves for eyes.

mod run_log;

pub use run_log::RunLog;
