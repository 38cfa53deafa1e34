//! Pretraining: the two losses of the paper, their data, evaluation, model sizes and costs.

mod cost;
mod evaluate;
mod objective;
mod run;
mod size;
mod source;
mod text_evaluation;

pub use cost::{Estimate, estimate};
pub use evaluate::masked_lm;
pub(in crate::training) use objective::Batch;
pub use objective::{PRETRAINING_PANELS, PRETRAINING_SUMS, Pretraining};
pub use run::{
    PreparedPretrain, Pretrain, PretrainObserver, PretrainOptions, PretrainPhase, PretrainPlan, PretrainRows,
    Start, TeacherOptions,
};
pub use size::Size;
pub use source::PretrainingSource;
pub use text_evaluation::{TextEvaluation, TextRows};
