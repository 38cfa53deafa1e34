//! Matrix multiplication with packed weights in f32, bf16 and int8.
//!
//! On x86 processors with AVX2, AVX-512 or AMX, products run in our own micro-kernels ([`tile`]); elsewhere they go
//! through `rten-gemm`. Weights `[k, n]` are cut into chunks of at most [`CHUNK`] rows, and each chunk into panels of a
//! few columns that stay in the cache while they are used.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod amx_parts;
mod arrange;
mod convert;
#[cfg(target_arch = "x86_64")]
mod convert_avx2;
#[cfg(target_arch = "x86_64")]
mod convert_avx512;
mod gradient;
mod in_place;
pub(super) mod library;
mod library_int8;
mod micro_kernel;
mod operand_layout;
mod packed_lhs;
mod packed_rhs;
mod panels;
#[cfg_attr(target_arch = "x86_64", path = "tile_x86.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "tile_none.rs")]
mod tile;
#[cfg(target_arch = "x86_64")]
mod tile_avx2;
#[cfg(target_arch = "x86_64")]
mod tile_avx512;
mod transpose;
mod words;

pub(super) use arrange::{arrange, arrange_transposed};
pub(super) use gradient::{Gradients, Rows, Workspace as GradientWorkspace, add_transposed};
pub(super) use micro_kernel::{Accumulator, COLUMNS, MicroKernel};
pub(super) use operand_layout::{OperandLayout, SplitBf16};
pub(super) use packed_lhs::{PackedLhs, padded_stride};
pub(super) use packed_rhs::PackedRhs;
pub(super) use words::Words;

use std::cell::Cell;

use super::MatmulPrecision;

/// Maximum number of rows in a chunk of weights.
const CHUNK: usize = 1024;

thread_local! {
    /// The left-hand side of [`linear`].
    static LEFT: Cell<PackedLhs> = Cell::default();
}

/// Computes `out = x * weights + bias` for the rows of `x` `[rows, width]` on the calling thread; without a bias, the
/// product is added to `out`. The weights have one group of columns.
pub(super) fn linear(out: &mut [f32], x: &[f32], width: usize, weights: &PackedRhs, bias: Option<&[f32]>) {
    // Taken, not borrowed: a product of the library may run another of our tasks on this thread.
    let mut lhs = LEFT.take();
    for (chunk, columns) in weights.chunks().enumerate() {
        let rows = Rows { data: &x[columns.start..], width: columns.len(), stride: width };
        lhs.copy(weights.layout(), rows, x.len() / width);
        weights.product([chunk, 0], &lhs, bias.filter(|_| chunk == 0), out);
    }
    LEFT.set(lhs);
}
