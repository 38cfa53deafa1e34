//! Matrix products with weights that were arranged beforehand, in three number types.
//!
//! On x86 processors with AVX-512 these are our own inner loops ([`tile`]); elsewhere products go
//! through `rten-gemm`. Weights `[k, n]` are cut into chunks of at most [`CHUNK`] rows, and each
//! chunk into panels of a few columns that stay in the cache while they are used.

#[cfg(target_arch = "x86_64")]
mod convert;
mod left;
mod panels;
#[cfg_attr(target_arch = "x86_64", path = "tile_avx512.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "tile_none.rs")]
mod tile;

pub(super) use left::{Left, apart};
pub(super) use panels::Weights;
pub(super) use tile::{COLUMNS, ROWS, Start, Tile};

use std::cell::Cell;

use super::Numbers;

/// The most rows of a chunk of weights.
const CHUNK: usize = 1024;

impl Numbers {
    /// True if this processor multiplies them with instructions of its own.
    pub(super) fn native(self) -> bool {
        tile::runs(self)
    }

    /// Numbers in a word of four bytes.
    fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }
}

thread_local! {
    /// Room for the left side of [`linear`].
    static LEFT: Cell<Left> = Cell::default();
}

/// `out = x * weights + bias` for the rows of `x` `[rows, width]`, on this thread; without a bias the
/// product is added to `out`. The weights have one group of columns.
pub(super) fn linear(out: &mut [f32], x: &[f32], width: usize, weights: &Weights, bias: Option<&[f32]>) {
    // Taken, not borrowed: a library's product may take up another task of ours on this thread.
    let mut left = LEFT.take();
    for (chunk, columns) in weights.chunks().enumerate() {
        left.fill(weights.numbers(), [x.len() / width, columns.len()], |i, out| {
            out.copy_from_slice(&x[i * width..][columns.clone()]);
        });
        weights.product([chunk, 0], &left, bias.filter(|_| chunk == 0), out);
    }
    LEFT.set(left);
}
