//! Messages, progress and reports for people.

pub mod corpus_report;
pub mod eval_table;
pub mod progress;
pub mod report;
pub mod stream_progress;
