//! The ALBERT layer on the CPU, over plain slices: forward and backward.
//!
//! Products run in our own micro-kernels or through `rten-gemm` ([`gemm`]). Everything between two products runs on
//! blocks of rows while they are in the cache, in parallel over the blocks. Sums are accumulated in an order that does
//! not depend on the number of threads.

mod attention;
mod buffer;
mod cross_entropy;
mod elementwise;
mod gemm;
mod inference;
mod layer;
pub mod measure;

pub(crate) use cross_entropy::cross_entropy;
pub(crate) use inference::{infer, infer_once};
pub(crate) use layer::{Layer, PackedLayer, SavePolicy, SavedActivations};

use gemm::OperandLayout;

use super::types::{ActivationKind, LayerOptions, LayerParameters, MatmulPrecision, Pair};

/// Returns true if this processor multiplies in `precision` faster than in f32.
pub(crate) fn is_native(precision: MatmulPrecision) -> bool {
    match precision {
        MatmulPrecision::F32 => true,
        MatmulPrecision::Bf16x2 => {
            OperandLayout::for_weights(precision) != OperandLayout::for_weights(MatmulPrecision::F32)
        }
        MatmulPrecision::Bf16 => OperandLayout::Bf16Pairs.is_supported(),
        MatmulPrecision::Int8 => {
            OperandLayout::for_micro_kernels(precision).is_some()
                || gemm::library::LibraryRhsInt8::is_faster()
        }
    }
}

/// Rows that one task processes at a time: few enough for their activations to stay in the L2 cache.
const BLOCK_ROWS: usize = 64;

/// Sizes of a layer's input and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Sequences.
    pub batch: usize,
    /// Tokens per sequence.
    pub length: usize,
    /// H.
    pub hidden: usize,
    /// Attention heads; their number divides H.
    pub heads: usize,
    /// Width of the feed-forward network.
    pub inner: usize,
}

impl Sizes {
    fn tokens(self) -> usize {
        self.batch * self.length
    }

    fn head_size(self) -> usize {
        self.hidden / self.heads
    }
}

/// Splits a `[rows, width]` matrix into blocks of rows.
fn blocks(data: &[f32], width: usize) -> std::slice::Chunks<'_, f32> {
    data.chunks(BLOCK_ROWS * width)
}

/// Mutable [`blocks`].
fn blocks_mut(data: &mut [f32], width: usize) -> std::slice::ChunksMut<'_, f32> {
    data.chunks_mut(BLOCK_ROWS * width)
}
