//! Pretraining with a teacher: a model learns from the text and from another model.
//!
//! * [`Signal::Vectors`]: sentence vectors. The teacher may have another tokenizer and another hidden size.
//! * [`Signal::Logits`]: predictions of masked tokens. The teacher must have the same vocabulary.

mod losses;
mod objective;
mod sentences;
mod source;
mod teacher;

pub use objective::{DISTILLATION_PANELS, DISTILLATION_SUMS, DistillExample, Distillation};
pub use sentences::{SentencePair, SentenceReader};
pub use source::{DistillPlan, DistillSource, GROUP};
pub use teacher::{Signal, Teacher};
