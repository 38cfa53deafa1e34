//! The micro-kernels for x86 processors with AVX2 and FMA: tiles of a product, accumulated in registers.
//!
//! Tiles have up to 3 rows and all columns of a panel, or up to 6 rows and half of the columns. The first tile of a call
//! has all columns: it reads the panel in order and prefetches the next one. The other tiles find the panel in the cache.
//! Floats are accumulated [`DEPTH`] words along k at a time, so that this part of a panel stays in the L1 cache for all
//! rows. The sums of a row are accumulated in the order of k in any tile, so results do not depend on how rows are
//! grouped.
//!
//! Bytes are multiplied by `vpdpbusd` where the processor has AVX-VNNI. Elsewhere `vpmaddubsw` adds pairs of products in
//! 16 bits, with saturation. Pairs of weights that sum to at most 128 cannot saturate, so the scale of a column follows
//! from its largest pair instead of its largest weight. This costs half a bit for normally distributed weights, and less
//! for others; limiting each weight to seven bits would cost a full bit. (Widening bytes to 16 bits for `vpmaddwd` would
//! avoid this, but took 1.4 times as long on Zen 3.)
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};
use crate::ops::isa::{self, Isa};

/// Values in a vector, and vectors in a panel.
const LANES: usize = 8;
const VECTORS: usize = COLUMNS / LANES;

/// Maximum rows of a tile with all columns, and of one with half of them: 12 accumulator registers, and the others for
/// the right-hand side and one value of the left-hand side.
const FEW_ROWS: usize = 3;
const ROWS: usize = 6;

/// Words along k over which floats are accumulated at a time.
const DEPTH: usize = 128;

/// Maximum prefetch distance of the right-hand side.
const AHEAD: usize = 256 * COLUMNS;

/// Returns true if this processor has AVX2 and FMA and the limit on instruction sets allows them.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && isa::allows(Isa::Avx2)
}

/// Returns true if this processor also has AVX-VNNI.
pub(super) fn has_vnni() -> bool {
    is_supported() && is_x86_feature_detected!("avxvnni") && isa::allows(Isa::AvxVnni)
}

/// Calls `$function::<height, vectors>` for each tile, with its first row and column.
macro_rules! for_tiles {
    ($micro_kernel:expr, |$row:ident, $tile:ident, $column:ident| $function:ident $arguments:tt) => {
        let micro_kernel = $micro_kernel;
        let few = micro_kernel.rows.min(FEW_ROWS);
        let ($row, $column) = (0, 0);
        let $tile = MicroKernel { rows: few, ahead: micro_kernel.ahead.min(AHEAD), ..micro_kernel };
        match few {
            1 => $function::<1, VECTORS> $arguments,
            2 => $function::<2, VECTORS> $arguments,
            _ => $function::<3, VECTORS> $arguments,
        }
        if micro_kernel.rows > few {
            let rest = MicroKernel { rows: micro_kernel.rows - few, a: &micro_kernel.a[few * micro_kernel.a_stride..], ahead: 0, ..micro_kernel };
            for (row, $tile) in rest.tiles(ROWS) {
                let $row = few + row;
                for $column in [0, COLUMNS / 2] {
                    match $tile.rows {
                        1 => $function::<1, { VECTORS / 2 }> $arguments,
                        2 => $function::<2, { VECTORS / 2 }> $arguments,
                        3 => $function::<3, { VECTORS / 2 }> $arguments,
                        4 => $function::<4, { VECTORS / 2 }> $arguments,
                        5 => $function::<5, { VECTORS / 2 }> $arguments,
                        _ => $function::<6, { VECTORS / 2 }> $arguments,
                    }
                }
            }
        }
    };
}

/// Computes `out = start + a b` of floats.
///
/// # Safety
/// [`is_supported`] is true, and [`MicroKernel::check`] has passed.
pub(super) unsafe fn floats(
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for first in (0..micro_kernel.k).step_by(DEPTH) {
        let (a, b) = (&micro_kernel.a[first..], &micro_kernel.b[first * micro_kernel.b_stride..]);
        let part = MicroKernel { a, b, k: DEPTH.min(micro_kernel.k - first), ..micro_kernel };
        let start = if first == 0 { start } else { Accumulator::Out };
        // SAFETY: guaranteed by the caller; a part of k stays within the bounds of the whole.
        unsafe {
            for_tiles!(part, |row, tile, column| tile_f32(
                tile,
                column,
                start,
                &mut out[row * out_stride..],
                out_stride
            ));
        }
    }
}

/// The same for bytes.
///
/// # Safety
/// [`is_supported`] is true, [`MicroKernel::check`] has passed, and [`Dequantize`] has the same number of rows and columns.
pub(super) unsafe fn bytes(
    micro_kernel: MicroKernel<'_>,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller; AVX-VNNI is used only if it is available.
    unsafe {
        if has_vnni() {
            for_tiles!(micro_kernel, |row, tile, column| tile_vnni(
                tile,
                column,
                dequantize.row(row),
                start,
                &mut out[row * out_stride..],
                out_stride
            ));
        } else {
            for_tiles!(micro_kernel, |row, tile, column| tile_pairs(
                tile,
                column,
                dequantize.row(row),
                start,
                &mut out[row * out_stride..],
                out_stride
            ));
        }
    }
}

/// Initializes `$sums` for the columns from `$column` on. Uses plain loops because closures over arrays do not inherit
/// the target features of the enclosing function.
macro_rules! begin {
    ($sums:ident, $start:ident, $column:ident, $out:ident, $out_stride:ident) => {
        match $start {
            Accumulator::Zero => {}
            Accumulator::Row(row) => {
                for sums in $sums.iter_mut() {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_loadu_ps(row.as_ptr().add($column + LANES * j));
                    }
                }
            }
            Accumulator::Out => {
                for (i, sums) in $sums.iter_mut().enumerate() {
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum = _mm256_loadu_ps($out.as_ptr().add(i * $out_stride + $column + LANES * j));
                    }
                }
            }
        }
    };
}

/// Stores the sums to the columns of `$out` from `$column` on.
macro_rules! store {
    ($sums:ident, $column:ident, $out:ident, $out_stride:ident) => {
        for (i, sums) in $sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps($out.as_mut_ptr().add(i * $out_stride + $column + LANES * j), *sum);
            }
        }
    };
}

/// The loop over k: `$sum = $step` for each row and vector of columns, where `$b` is a vector of the right-hand side and
/// `$a` is a word of the left-hand side, broadcast by `$spread`.
macro_rules! sum {
    ($tile:ident, $column:ident, $sums:ident, $spread:expr, |$sum:ident, $a:ident, $b:ident| $step:expr) => {
        let a = $tile.a.as_ptr();
        let mut at = $tile.b.as_ptr().add($column);
        for p in 0..$tile.k {
            let mut b = [_mm256_setzero_si256(); W];
            for (j, b) in b.iter_mut().enumerate() {
                *b = _mm256_loadu_si256(at.add(LANES * j).cast());
                // Prefetching an invalid address is harmless. Every second vector begins at a cache line.
                if j % 2 == 0 {
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add($tile.ahead + LANES * j).cast());
                }
            }
            at = at.wrapping_add($tile.b_stride);
            for (i, sums) in $sums.iter_mut().enumerate() {
                let $a = $spread(a.add(i * $tile.a_stride + p).read());
                for ($sum, $b) in sums.iter_mut().zip(b) {
                    *$sum = $step;
                }
            }
        }
    };
}

#[target_feature(enable = "avx2,fma")]
unsafe fn tile_f32<const M: usize, const W: usize>(
    tile: MicroKernel<'_>,
    column: usize,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); W]; M];
        begin!(sums, start, column, out, out_stride);
        sum!(tile, column, sums, spread_float, |sum, a, b| _mm256_fmadd_ps(a, _mm256_castsi256_ps(b), *sum));
        store!(sums, column, out, out_stride);
    }
}

#[target_feature(enable = "avx2,fma,avxvnni")]
unsafe fn tile_vnni<const M: usize, const W: usize>(
    tile: MicroKernel<'_>,
    column: usize,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [[_mm256_setzero_si256(); W]; M];
        sum!(tile, column, sums, spread_word, |sum, a, b| _mm256_dpbusd_avx_epi32(*sum, a, b));
        for (i, sums) in sums.into_iter().enumerate() {
            dequantize_vectors(dequantize.row(i), sums, column, start, &mut out[i * out_stride..]);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn tile_pairs<const M: usize, const W: usize>(
    tile: MicroKernel<'_>,
    column: usize,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let ones = _mm256_set1_epi16(1);
        let mut sums = [[_mm256_setzero_si256(); W]; M];
        sum!(tile, column, sums, spread_word, |sum, a, b| {
            _mm256_add_epi32(*sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones))
        });
        for (i, sums) in sums.into_iter().enumerate() {
            dequantize_vectors(dequantize.row(i), sums, column, start, &mut out[i * out_stride..]);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn spread_float(word: u32) -> __m256 {
    _mm256_set1_ps(f32::from_bits(word))
}

#[target_feature(enable = "avx2,fma")]
#[inline]
fn spread_word(word: u32) -> __m256i {
    _mm256_set1_epi32(word as i32)
}

/// Computes `out = start +` the dequantized sums of the first row, for the columns from `column` on.
#[target_feature(enable = "avx2,fma")]
#[inline]
fn dequantize_vectors<const W: usize>(
    dequantize: Dequantize<'_>,
    whole: [__m256i; W],
    column: usize,
    start: Accumulator<'_>,
    out: &mut [f32],
) {
    let columns = column..column + W * LANES;
    let (scales, column_sums) = (&dequantize.scales[columns.clone()], &dequantize.sums[columns.clone()]);
    assert!(columns.end <= COLUMNS && out.len() >= COLUMNS);
    let [scale, zero] = dequantize.rows[0];
    let (scale, zero) = (_mm256_set1_ps(scale), _mm256_set1_ps(zero));
    let out_stride = COLUMNS;
    let mut sums = [[_mm256_setzero_ps(); W]; 1];
    // SAFETY: all operands have the same number of columns.
    unsafe {
        begin!(sums, start, column, out, out_stride);
        for j in 0..W {
            let scales = _mm256_loadu_ps(scales.as_ptr().add(LANES * j));
            let sum = _mm256_mul_ps(_mm256_cvtepi32_ps(whole[j]), scales);
            let sum = _mm256_fnmadd_ps(zero, _mm256_loadu_ps(column_sums.as_ptr().add(LANES * j)), sum);
            sums[0][j] = _mm256_fmadd_ps(scale, sum, sums[0][j]);
        }
        store!(sums, column, out, out_stride);
    }
}
