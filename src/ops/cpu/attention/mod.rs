//! Attention of one head of one sequence: forward in training ([`portable`]) and inference ([`tiled`]), and backward.

mod keys;
mod portable;
mod scores;
mod tiled;
mod tiled_backward;

pub(super) use keys::Keys;
pub(super) use portable::Head;
pub(super) use scores::AttentionScores;
pub(super) use tiled::{Head as InferenceHead, Workspace as AttentionWorkspace};
pub(super) use tiled_backward::Workspace as BackwardWorkspace;
