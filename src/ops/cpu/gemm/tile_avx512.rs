//! The micro-kernels for x86 processors with AVX-512: tiles of a product, accumulated in registers.
//!
//! All three element types share one shape: operands are words of four bytes along k (one f32, two bf16, four bytes). A
//! tile of up to [`ROWS`] rows and [`COLUMNS`] columns is accumulated over k and stored once. The sums of a row are
//! accumulated in the order of k whatever the tile's height, so results do not depend on how rows are grouped.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use super::OperandLayout;
use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};

/// Maximum rows of a tile: 14 rows of two registers, two for the weights and one for the left-hand side make 31 of the
/// 32.
const ROWS: usize = 14;

/// Calls `$function::<height>` for the height of the tile.
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

/// Computes `out = start + a b` for [`OperandLayout::Floats`] or [`OperandLayout::Bf16Pairs`].
///
/// # Safety
/// The processor has the instructions, and [`MicroKernel::check`] has passed.
pub(super) unsafe fn floats(
    layout: OperandLayout,
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for (row, tile) in micro_kernel.tiles(ROWS) {
        let out = &mut out[row * out_stride..];
        // SAFETY: guaranteed by the caller; the tile has the number of rows that the function is instantiated for.
        unsafe {
            match layout {
                OperandLayout::Bf16Pairs => by_height!(tile.rows, tile_bf16(tile, start, out, out_stride)),
                _ => by_height!(tile.rows, tile_f32(tile, start, out, out_stride)),
            }
        }
    }
}

/// The same for [`OperandLayout::Bytes`].
///
/// # Safety
/// As for [`floats`], and [`Dequantize`] has the same number of rows and columns.
pub(super) unsafe fn bytes(
    micro_kernel: MicroKernel<'_>,
    dequantize: Dequantize<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    for (row, tile) in micro_kernel.tiles(ROWS) {
        let (dequantize, out) = (dequantize.row(row), &mut out[row * out_stride..]);
        // SAFETY: guaranteed by the caller; the tile has the number of rows that the function is instantiated for.
        unsafe { by_height!(tile.rows, tile_int8(tile, dequantize, start, out, out_stride)) }
    }
}

impl MicroKernel<'_> {
    /// The loop over k; `step(sum, a, b)` accumulates one word.
    ///
    /// # Safety
    /// The processor has AVX-512, and [`MicroKernel::check`] has passed for M rows.
    #[inline(always)]
    unsafe fn sum<const M: usize, V: Copy>(
        self,
        sums: &mut [[V; 2]; M],
        step: impl Fn(V, __m512i, __m512i) -> V,
    ) {
        let a = self.a.as_ptr();
        let mut b = self.b.as_ptr();
        for p in 0..self.k {
            // SAFETY: `check` has passed, p is below k, and the row is below the number of rows of the tile.
            unsafe {
                let words = [_mm512_loadu_si512(b.cast()), _mm512_loadu_si512(b.add(16).cast())];
                // Prefetching an invalid address is harmless.
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

/// Runs `$body` for each row `$i` of a tile of `M` rows. Row numbers are literals: in a loop, an array as large as the
/// accumulators of a tile would not stay in registers.
macro_rules! for_rows {
    (|$i:ident| $body:block) => {
        for_rows!(@ $i $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    (@ $i:ident $body:block $($n:literal)*) => {
        $(if $n < M {
            let $i: usize = $n;
            $body
        })*
    };
}

/// Initializes the accumulators in `$sums`.
macro_rules! begin {
    ($sums:ident, $start:ident, $out:ident, $out_stride:ident) => {
        match $start {
            Accumulator::Zero => {}
            Accumulator::Row(row) => {
                let row = [_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row.as_ptr().add(16))];
                for_rows!(|i| { $sums[i] = row });
            }
            Accumulator::Out => {
                for_rows!(|i| {
                    let at = $out.as_ptr().add(i * $out_stride);
                    $sums[i] = [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16))];
                });
            }
        }
    };
}

/// Stores the accumulators to `$out`.
macro_rules! store {
    ($sums:ident, $out:ident, $out_stride:ident) => {
        for_rows!(|i| {
            let at = $out.as_mut_ptr().add(i * $out_stride);
            _mm512_storeu_ps(at, $sums[i][0]);
            _mm512_storeu_ps(at.add(16), $sums[i][1]);
        });
    };
}

#[target_feature(enable = "avx512f")]
unsafe fn tile_f32<const M: usize>(
    tile: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller.
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
    // SAFETY: guaranteed by the caller; the types have 64 bytes, and any bit pattern is valid.
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
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); 2]; M];
        tile.sum(
            &mut sums,
            #[inline(always)]
            |sum, a, b| _mm512_dpbusd_epi32(sum, a, b),
        );
        let columns = Columns::new(dequantize);
        let rows = dequantize.rows.as_ptr();
        let out = out.as_mut_ptr();
        // One unrolled sequence of rows for each kind of start, without branches inside.
        match start {
            Accumulator::Zero => {
                for_rows!(|i| {
                    let first = [_mm512_setzero_ps(); 2];
                    columns.store(rows.add(i), sums[i], first, out.add(i * out_stride));
                });
            }
            Accumulator::Row(row) => {
                let first = vectors(row.as_ptr());
                for_rows!(|i| {
                    columns.store(rows.add(i), sums[i], first, out.add(i * out_stride));
                });
            }
            Accumulator::Out => {
                for_rows!(|i| {
                    let out = out.add(i * out_stride);
                    columns.store(rows.add(i), sums[i], vectors(out), out);
                });
            }
        }
    }
}

/// Loads two vectors.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn vectors(at: *const f32) -> [__m512; 2] {
    // SAFETY: guaranteed by the caller.
    unsafe { [_mm512_loadu_ps(at), _mm512_loadu_ps(at.add(16))] }
}

/// Scales and sums of the columns of a panel; see [`Dequantize`].
#[derive(Clone, Copy)]
struct Columns {
    scales: [__m512; 2],
    sums: [__m512; 2],
}

impl Columns {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn new(dequantize: Dequantize<'_>) -> Self {
        let (scales, sums) = (&dequantize.scales[..COLUMNS], &dequantize.sums[..COLUMNS]);
        // SAFETY: two vectors are as long as the columns.
        unsafe { Self { scales: vectors(scales.as_ptr()), sums: vectors(sums.as_ptr()) } }
    }

    /// Computes `out = first +` the dequantized sums of a row, with its scale and zero point at `row`.
    ///
    /// # Safety
    /// `row` points to a scale and zero point, and `out` has room for [`COLUMNS`] values.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(self, row: *const [f32; 2], sums: [__m512i; 2], first: [__m512; 2], out: *mut f32) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let [scale, zero] = *row;
            let (scale, zero) = (_mm512_set1_ps(scale), _mm512_set1_ps(zero));
            let low = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[0]), self.scales[0]);
            let high = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[1]), self.scales[1]);
            let low = _mm512_fnmadd_ps(zero, self.sums[0], low);
            let high = _mm512_fnmadd_ps(zero, self.sums[1], high);
            _mm512_storeu_ps(out, _mm512_fmadd_ps(scale, low, first[0]));
            _mm512_storeu_ps(out.add(16), _mm512_fmadd_ps(scale, high, first[1]));
        }
    }
}

/// The same for rows of sums in memory, into rows of `out` that are `out_stride` values apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn dequantize_rows(
    dequantize: Dequantize<'_>,
    sums: &[[i32; COLUMNS]],
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let columns = Columns::new(dequantize);
    for (i, sums) in sums.iter().enumerate() {
        let (row, out) = (&dequantize.rows[i], &mut out[i * out_stride..][..COLUMNS]);
        // SAFETY: the sums, the columns and the output row have two vectors each.
        unsafe {
            let first = match start {
                Accumulator::Zero => [_mm512_setzero_ps(); 2],
                Accumulator::Row(row) => vectors(row.as_ptr()),
                Accumulator::Out => vectors(out.as_ptr()),
            };
            let at = sums.as_ptr();
            let sums = [_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(16).cast())];
            columns.store(row, sums, first, out.as_mut_ptr());
        }
    }
}
