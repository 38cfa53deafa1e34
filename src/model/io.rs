//! Inputs of the model, and the choice of its outputs.

use burn::tensor::{Bool, Int, Tensor};

/// One batch, padded to its longest item.
#[derive(Clone, Debug)]
pub struct ModelInput {
    /// `[batch, length]`.
    pub input_ids: Tensor<2, Int>,
    /// Segment ids, `[batch, length]`.
    pub token_type_ids: Tensor<2, Int>,
    /// True at padding, `[batch, length]`; `None` if no row is padded.
    pub padding: Option<Tensor<2, Bool>>,
}

/// What to return in addition to the last hidden state.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputOptions {
    /// All hidden states.
    pub hidden_states: bool,
    /// All attention maps.
    pub attentions: bool,
}
