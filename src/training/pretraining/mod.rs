//! Pretraining: the two losses of the paper, their data, evaluation, model sizes and costs.

mod cost;
mod evaluate;
mod objective;
mod size;
mod source;

pub use cost::{Estimate, estimate};
pub use evaluate::masked_lm;
pub(in crate::training) use objective::Batch;
pub use objective::{PRETRAINING_PANELS, PRETRAINING_SUMS, Pretraining};
pub use size::Size;
pub use source::PretrainingSource;
