//! Human-readable messages, progress and reports.

pub(super) mod conversion;
pub(super) mod corpus_report;
pub(super) mod eval_files;
pub(super) mod eval_table;
pub(super) mod instances;
pub(super) mod key_values;
pub(super) mod model_description;
mod pretraining_progress;
pub(super) mod progress;
pub(super) mod report;
pub(super) mod stream_progress;
mod training_plan;
pub(super) mod wording;
