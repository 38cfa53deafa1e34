//! Multi-task training: several tasks and text share one encoder. Each step uses a batch of one of them.

mod objective;
mod part;
mod source;

pub use objective::{MultiExample, MultiTask, TaskPart};
pub use part::task_model;
pub use source::{MultiPlan, MultiSource, Share};
