//! The micro-kernels for x86 processors with AVX-512: tiles of a product, held in registers.
//!
//! All three number types share one shape: operands are words of four bytes along k (one f32, two
//! bf16, four bytes); a tile of up to [`ROWS`] rows and [`COLUMNS`] columns is summed over k and
//! stored once. A row's sums are taken in the order of k whatever the tile's height, so that
//! results do not depend on how rows are grouped.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use super::OperandLayout;
use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};

/// The most rows of a tile: 14 rows of two registers, two for the weights and one for the left-hand side
/// are 31 of the 32.
const ROWS: usize = 14;

/// Calls `$function::<height>` for the tile's height.
macro_rules! by_height {
    ($height:expr, $function:ident($($argument:expr),*)) => {
        by_height!(@ $height, $function($($argument),*), 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    (@ $height:expr, $function:ident $arguments:tt, $($n:literal)*) => {
        match $height {
            $($n => $function::<$n> $arguments,)*
            _ => unreachable!("checked"),
        }
    };
}

/// `out = start + a b` of [`OperandLayout::Floats`] or [`OperandLayout::Bf16Pairs`].
///
/// # Safety
/// The processor has the instructions, and [`MicroKernel::check`] has passed.
pub(super) unsafe fn floats(
    form: OperandLayout,
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for (row, tile) in micro_kernel.tiles(ROWS) {
        let out = &mut out[row * out_stride..];
        // SAFETY: the caller's; a tile has as many rows as the function is for.
        unsafe {
            match form {
                OperandLayout::Bf16Pairs => by_height!(tile.rows, tile_bf16(tile, start, out, out_stride)),
                _ => by_height!(tile.rows, tile_f32(tile, start, out, out_stride)),
            }
        }
    }
}

/// The same of [`OperandLayout::Bytes`].
///
/// # Safety
/// As [`floats`], and [`Dequantize`] has as many rows and columns.
pub(super) unsafe fn bytes(
    micro_kernel: MicroKernel<'_>,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for (row, tile) in micro_kernel.tiles(ROWS) {
        let (dequantize, out) = (dequantize.row(row), &mut out[row * out_stride..]);
        // SAFETY: the caller's; a tile has as many rows as the function is for.
        unsafe { by_height!(tile.rows, tile_int8(tile, dequantize, start, out, out_stride)) }
    }
}

impl MicroKernel<'_> {
    /// The loop over k; `step(sum, a, b)` is the arithmetic of one word.
    ///
    /// # Safety
    /// The processor has AVX-512, and [`MicroKernel::check`] has passed with as many rows.
    #[inline(always)]
    unsafe fn sum<const M: usize, V: Copy>(
        self,
        sums: &mut [[V; 2]; M],
        step: impl Fn(V, __m512i, __m512i) -> V,
    ) {
        let a = self.a.as_ptr();
        let mut b = self.b.as_ptr();
        for p in 0..self.k {
            // SAFETY: `check`: p is below k, the row below the tile's rows.
            unsafe {
                let words = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast())];
                // A place outside of memory does no harm.
                let next = b.wrapping_add(self.ahead).cast();
                _mm_prefetch::<_MM_HINT_T1>(next);
                _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(64));
                b = b.wrapping_add(self.b_stride);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let word = _mm512_set1_epi32(a.add(i * self.a_stride + p).read() as i32);
                    sums[0] = step(sums[0], word, words[0]);
                    sums[1] = step(sums[1], word, words[1]);
                }
            }
        }
    }
}

/// Puts the sums' first values in `$sums`; plain loops, because closures over arrays do not take on
/// the instructions of the function around them.
macro_rules! begin {
    ($sums:ident, $start:ident, $out:ident, $out_stride:ident) => {
        match $start {
            Accumulator::Zero => {}
            Accumulator::Row(row) => {
                let row = [_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row.as_ptr().add(16))];
                for sums in $sums.iter_mut() {
                    *sums = row;
                }
            }
            Accumulator::Out => {
                for (i, sums) in $sums.iter_mut().enumerate() {
                    let at = $out.as_ptr().add(i * $out_stride);
                    *sums = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16))];
                }
            }
        }
    };
}

/// Stores the sums in `$out`.
macro_rules! store {
    ($sums:ident, $out:ident, $out_stride:ident) => {
        for (i, sums) in $sums.iter().enumerate() {
            let at = $out.as_mut_ptr().add(i * $out_stride);
            _mm512_storeu_ps(at, sums[0]);
            _mm512_storeu_ps(at.add(16), sums[1]);
        }
    };
}

#[target_feature(enable = "avx512f")]
unsafe fn tile_f32<const M: usize>(
    tile: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: as the caller's.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        begin!(sums, start, out, out_stride);
        tile.sum(
            &mut sums,
            #[inline(always)]
            |sum, a, b| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum),
        );
        store!(sums, out, out_stride);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
unsafe fn tile_bf16<const M: usize>(
    tile: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: as the caller's; the types are 64 bytes of any value.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); 2]; M];
        begin!(sums, start, out, out_stride);
        tile.sum(
            &mut sums,
            #[inline(always)]
            |sum, a, b| {
                let a = std::mem::transmute::<__m512i, __m512bh>(a);
                let b = std::mem::transmute::<__m512i, __m512bh>(b);
                _mm512_dpbf16_ps(sum, a, b)
            },
        );
        store!(sums, out, out_stride);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile_int8<const M: usize>(
    tile: MicroKernel<'_>,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: as the caller's.
    unsafe {
        let mut whole = [[_mm512_setzero_si512(); 2]; M];
        tile.sum(
            &mut whole,
            #[inline(always)]
            |sum, a, b| _mm512_dpbusd_epi32(sum, a, b),
        );
        // Row by row, so that all fits into the registers.
        for (i, whole) in whole.iter().enumerate() {
            dequantize_vectors(dequantize.row(i), *whole, start, &mut out[i * out_stride..]);
        }
    }
}

/// `out = start +` the floats that stand for the sums of the first row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
fn dequantize_vectors(
    dequantize: Dequantize<'_>,
    whole: [__m512i; 2],
    start: Accumulator<'_>,
    out: &mut [f32],
) {
    let (scales, columns) = (dequantize.scales.as_ptr(), dequantize.sums.as_ptr());
    let [scale, zero] = dequantize.rows[0];
    let (scale, zero) = (_mm512_set1_ps(scale), _mm512_set1_ps(zero));
    let out_stride = COLUMNS;
    let mut sums = [[_mm512_setzero_ps(); 2]; 1];
    // SAFETY: `MicroKernel::bytes` has checked that there is room for the columns.
    unsafe {
        begin!(sums, start, out, out_stride);
        for j in 0..2 {
            let sum = _mm512_mul_ps(_mm512_cvtepi32_ps(whole[j]), _mm512_loadu_ps(scales.add(16 * j)));
            let sum = _mm512_fnmadd_ps(zero, _mm512_loadu_ps(columns.add(16 * j)), sum);
            sums[0][j] = _mm512_fmadd_ps(scale, sum, sums[0][j]);
        }
        store!(sums, out, out_stride);
    }
}

/// The same for rows of sums in memory, into rows of `out` `out_stride` numbers apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn dequantize_rows(
    dequantize: Dequantize<'_>,
    sums: &[[i32; COLUMNS]],
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: two vectors are as long as the sums.
        let whole = unsafe {
            let at = sums.as_ptr();
            [_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(16).cast())]
        };
        dequantize_vectors(dequantize.row(i), whole, start, &mut out[i * out_stride..]);
    }
}
