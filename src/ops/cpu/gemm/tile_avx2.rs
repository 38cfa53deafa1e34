//! The micro-kernels for x86 processors with AVX2 and FMA: tiles of a product, held in registers.
//!
//! Tiles have up to 3 rows and all columns of a panel, or up to 6 rows and half of the columns. The first of a call is
//! one of the former, which reads the panel in order and fetches what comes next; the others find it in the cache.
//! Floats are summed [`DEPTH`] words along k at a time, so that this part of a panel stays in the nearest cache for all
//! rows. A row's sums are taken in the order of k in any tile, so that results do not depend on how rows are grouped.
//!
//! Bytes are multiplied by `vpdpbusd` where the processor has AVX-VNNI. Elsewhere `vpmaddubsw` adds pairs of products
//! in 16 bits, with saturation. Pairs of weights that add up to 128 at most cannot reach it, and so the scale of a
//! column follows from its largest pair instead of its largest weight. Of weights with a normal distribution this takes
//! half a bit, of others less; keeping each weight to seven bits would take a full bit. (Bytes widened to 16 bits and
//! multiplied by `vpmaddwd` need none of this, but took 1.4 times as long on Zen 3.)
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};
use crate::ops::isa::{self, Isa};

/// Numbers in a vector, and vectors in a panel.
const LANES: usize = 8;
const VECTORS: usize = COLUMNS / LANES;

/// The most rows of a tile of all columns, and of one of half of them: 12 registers of sums, and the others for the
/// right-hand side and a number of the left-hand side.
const FEW_ROWS: usize = 3;
const ROWS: usize = 6;

/// Words along k that floats are summed over at a time.
const DEPTH: usize = 128;

/// How far ahead the right-hand side is fetched at most.
const AHEAD: usize = 256 * COLUMNS;

/// True if this processor has AVX2 and FMA, and may use them.
pub(super) fn runs() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && isa::allows(Isa::Avx2)
}

/// True if this processor has AVX-VNNI, too.
pub(super) fn has_vnni() -> bool {
    runs() && is_x86_feature_detected!("avxvnni") && isa::allows(Isa::AvxVnni)
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

/// `out = start + a b` of floats.
///
/// # Safety
/// [`runs`] is true, and [`MicroKernel::check`] has passed.
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
        // SAFETY: the caller's; a part reaches no farther than the whole.
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

/// The same of bytes.
///
/// # Safety
/// [`runs`] is true, [`MicroKernel::check`] has passed, and [`Dequantize`] has as many rows and columns.
pub(super) unsafe fn bytes(
    micro_kernel: MicroKernel<'_>,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: the caller's; the processor has AVX-VNNI where it is used.
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

/// Puts the first values of the columns from `$column` on in `$sums`; plain loops, because closures over arrays do not
/// take on the instructions of the function around them.
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

/// Stores the sums in the columns of `$out` from `$column` on.
macro_rules! store {
    ($sums:ident, $column:ident, $out:ident, $out_stride:ident) => {
        for (i, sums) in $sums.iter().enumerate() {
            for (j, sum) in sums.iter().enumerate() {
                _mm256_storeu_ps($out.as_mut_ptr().add(i * $out_stride + $column + LANES * j), *sum);
            }
        }
    };
}

/// The loop over k: `$sum = $step` for each row and vector of columns, with a vector `$b` of the right-hand side and `$a`, what
/// `$spread` makes of a word of the left-hand side.
macro_rules! sum {
    ($tile:ident, $column:ident, $sums:ident, $spread:expr, |$sum:ident, $a:ident, $b:ident| $step:expr) => {
        let a = $tile.a.as_ptr();
        let mut at = $tile.b.as_ptr().add($column);
        for p in 0..$tile.k {
            let mut b = [_mm256_setzero_si256(); W];
            for (j, b) in b.iter_mut().enumerate() {
                *b = _mm256_loadu_si256(at.add(LANES * j).cast());
                // A place outside of memory does no harm. Half of the vectors begin where a line of the cache does.
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
    // SAFETY: as the caller's.
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
    // SAFETY: as the caller's.
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
    // SAFETY: as the caller's.
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

/// `out = start +` the floats that stand for the sums of the first row, for the columns from `column` on.
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
    // SAFETY: there are as many columns on all sides.
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
