//! What people read: messages, progress and reports.

pub mod corpus_report;
pub mod eval_table;
pub mod progress;
pub mod report;
pub mod stream_progress;
