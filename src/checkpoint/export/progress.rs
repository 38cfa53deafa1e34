//! Progress of a conversion.

use std::ops::ControlFlow;

/// The state of a conversion before a tensor is written.
#[derive(Clone, Copy, Debug)]
pub struct ConvertProgress<'a> {
    /// The name of the tensor.
    pub tensor: &'a str,
    /// Bytes of the tensors written so far.
    pub done: u64,
    /// Bytes of all tensors.
    pub total: u64,
}

/// Receives progress reports. Cancels the conversion with [`ControlFlow::Break`].
pub(super) type Progress<'a> = dyn FnMut(ConvertProgress<'_>) -> ControlFlow<()> + 'a;
