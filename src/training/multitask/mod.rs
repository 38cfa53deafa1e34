//! One encoder for several tasks at once, and for text: each step learns from a batch of one of them.

mod objective;
mod part;
mod source;

pub use objective::{MultiExample, MultiTask, TaskPart};
pub use part::task_model;
pub use source::{MultiPlan, MultiSource, Share};
