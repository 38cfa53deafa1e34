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
