//! Workspace of the attention that runs through `rten-gemm`.

/// The scores of a block of queries and their gradients.
#[derive(Default)]
pub(in crate::ops::cpu) struct AttentionScores {
    pub(super) probs: Vec<f32>,
    pub(super) dropped: Vec<f32>,
    pub(super) gradient: Vec<f32>,
}
