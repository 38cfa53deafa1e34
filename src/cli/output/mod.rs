//! Messages, progress and reports for people.

pub(super) mod corpus_report;
pub(super) mod eval_table;
pub(super) mod progress;
pub(super) mod report;
pub(super) mod stream_progress;
pub(super) mod wording;
