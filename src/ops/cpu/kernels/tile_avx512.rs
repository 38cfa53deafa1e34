//! The inner loops for x86 processors with AVX-512: tiles of a product, held in registers.
//!
//! All three number types share one shape: operands are words of four bytes along k (one f32, two
//! bf16, four bytes); a tile of up to [`ROWS`] rows and [`COLUMNS`] columns is summed over k and
//! stored once. A row's sums are taken in the order of k whatever the tile's height, so that
//! results do not depend on how rows are grouped. Where there is AMX, it takes bf16 and bytes, and
//! weights of f32 in parts.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

pub(super) use super::convert_avx512::*;
use super::form::STEP;
use super::{Form, Numbers, Parts, amx, amx_parts};

/// The most rows of a tile: 14 rows of two registers, two for the weights and one for the left side
/// are 31 of the 32.
const ROWS: usize = 14;

/// Columns of a tile: two registers.
pub(in crate::ops::cpu) const COLUMNS: usize = 32;

/// A product's part: some rows of the left side with [`COLUMNS`] columns of the right.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Strip<'a> {
    pub rows: usize,
    /// Words of the left side: row i starts at `i * a_stride` and has `k` of them.
    pub a: &'a [u32],
    pub a_stride: usize,
    /// Words of the right side: word p of column j is at `p * b_stride + j`.
    pub b: &'a [u32],
    pub b_stride: usize,
    /// Words along k, as [`Form::words`] counts them.
    pub k: usize,
    /// Also asks for the words so far behind those that are read: what comes next.
    pub ahead: usize,
}

/// What the sums begin with.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) enum Start<'a> {
    Zero,
    /// The same for every row.
    Row(&'a [f32; COLUMNS]),
    /// What `out` holds.
    Out,
}

/// How sums of bytes become floats: `scale * (scales[j] * sum - zero * sums[j])` with the row's scale
/// and zero.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Dequantize<'a> {
    /// Scale and zero of each row.
    pub rows: &'a [[f32; 2]],
    pub scales: &'a [f32],
    pub sums: &'a [f32],
}

impl Dequantize<'_> {
    /// From row `row` on.
    fn row(self, row: usize) -> Self {
        Self { rows: &self.rows[row..], ..self }
    }
}

/// True if this processor has the instructions for `numbers`.
pub(super) fn runs(numbers: Numbers) -> bool {
    let base = is_x86_feature_detected!("avx512f");
    let bytes = base && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl");
    match numbers {
        Numbers::F32 | Numbers::Bf16x2 => base,
        Numbers::Bf16 => bytes && is_x86_feature_detected!("avx512bf16"),
        Numbers::Int8 => bytes && is_x86_feature_detected!("avx512vnni"),
    }
}

/// True if these are multiplied in tiles of AMX.
pub(super) fn in_tiles(numbers: Numbers) -> bool {
    amx::runs(numbers)
}

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

impl Strip<'_> {
    /// `out = start + a b` with rows of `out` `out_stride` numbers apart; not for [`Form::Bytes`].
    pub(in crate::ops::cpu) fn floats(
        self,
        form: impl Into<Form>,
        start: Start<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let form = form.into();
        if !self.check(form, out, out_stride) {
            return;
        }
        // SAFETY: the processor has the instructions, the slices reach (`check`).
        match form {
            Form::Parts(count) => return unsafe { amx_parts::floats(count, self, start, out, out_stride) },
            Form::Halves if amx::runs(Numbers::Bf16) => {
                return unsafe { amx::floats(self, start, out, out_stride) };
            }
            Form::Bytes => unreachable!("has scales"),
            _ => {}
        }
        for (row, tile) in self.tiles() {
            let out = &mut out[row * out_stride..];
            // SAFETY: as above; a tile has as many rows as the function is for.
            unsafe {
                match form {
                    Form::Halves => by_height!(tile.rows, tile_bf16(tile, start, out, out_stride)),
                    _ => by_height!(tile.rows, tile_f32(tile, start, out, out_stride)),
                }
            }
        }
    }

    /// As [`Strip::floats`] with three [`Form::Parts`] on the left and floats `[2 k / 3, COLUMNS]` on the right, which are
    /// split as they come.
    pub(super) fn floats_to_split(self, start: Start<'_>, out: &mut [f32], out_stride: usize) {
        assert!(self.b_stride == COLUMNS && self.k.is_multiple_of(3 * STEP));
        assert!(self.b.len() >= self.k / 3 * 2 * COLUMNS);
        let left = Strip { b_stride: 0, ..self };
        if left.check(Form::Parts(Parts::Three), out, out_stride) {
            // SAFETY: the processor has the instructions, the slices reach.
            unsafe { amx_parts::floats_to_split(self, start, out, out_stride) }
        }
    }

    /// The same for words of four bytes, unsigned on the left and signed on the right.
    pub(in crate::ops::cpu) fn bytes(
        self,
        dequantize: Dequantize<'_>,
        start: Start<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if !self.check(Form::Bytes, out, out_stride) {
            return;
        }
        assert!(dequantize.rows.len() >= self.rows);
        assert!(dequantize.scales.len() >= COLUMNS && dequantize.sums.len() >= COLUMNS);
        if amx::runs(Numbers::Int8) {
            // SAFETY: the processor has the instructions, the slices reach (`check`).
            unsafe {
                amx::bytes(self, |row, sums| {
                    dequantize_rows(
                        dequantize.row(row),
                        sums,
                        start,
                        &mut out[row * out_stride..],
                        out_stride,
                    );
                });
            }
            return;
        }
        for (row, tile) in self.tiles() {
            let dequantize = dequantize.row(row);
            let out = &mut out[row * out_stride..];
            // SAFETY: as above; a tile has as many rows as the function is for.
            unsafe { by_height!(tile.rows, tile_int8(tile, dequantize, start, out, out_stride)) }
        }
    }

    /// True if there is something to do; then everything that is read and written lies in the slices.
    fn check(&self, form: Form, out: &[f32], out_stride: usize) -> bool {
        if self.rows == 0 {
            return false;
        }
        assert!(form.runs() && self.k > 0 && self.k.is_multiple_of(form.parts() * form.step()));
        let reach = |rows: usize, stride: usize, width: usize| {
            (rows - 1).checked_mul(stride).and_then(|at| at.checked_add(width)).expect("a place in memory")
        };
        assert!(reach(self.rows, self.a_stride, self.k) <= self.a.len());
        assert!(reach(self.k, self.b_stride, COLUMNS) <= self.b.len());
        assert!(reach(self.rows, out_stride, COLUMNS) <= out.len());
        true
    }

    /// Tiles of like heights, each with its first row.
    fn tiles(self) -> impl Iterator<Item = (usize, Self)> {
        let count = self.rows.div_ceil(ROWS).max(1);
        let mut row = 0;
        (0..count).map(move |i| {
            let first = row;
            let rows = self.rows / count + usize::from(i < self.rows % count);
            row += rows;
            // What comes next is asked for once.
            let ahead = if i + 1 == count { self.ahead } else { 0 };
            (first, Self { rows, a: &self.a[first * self.a_stride..], ahead, ..self })
        })
    }

    /// The loop over k; `step(sum, a, b)` is the arithmetic of one word.
    ///
    /// # Safety
    /// The processor has AVX-512, and [`Strip::check`] has passed with as many rows.
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
            Start::Zero => {}
            Start::Row(row) => {
                let row = [_mm512_loadu_ps(row.as_ptr()), _mm512_loadu_ps(row.as_ptr().add(16))];
                for sums in $sums.iter_mut() {
                    *sums = row;
                }
            }
            Start::Out => {
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
unsafe fn tile_f32<const M: usize>(tile: Strip<'_>, start: Start<'_>, out: &mut [f32], out_stride: usize) {
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
unsafe fn tile_bf16<const M: usize>(tile: Strip<'_>, start: Start<'_>, out: &mut [f32], out_stride: usize) {
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
    tile: Strip<'_>,
    dequantize: Dequantize<'_>,
    start: Start<'_>,
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
fn dequantize_vectors(dequantize: Dequantize<'_>, whole: [__m512i; 2], start: Start<'_>, out: &mut [f32]) {
    let (scales, columns) = (dequantize.scales.as_ptr(), dequantize.sums.as_ptr());
    let [scale, zero] = dequantize.rows[0];
    let (scale, zero) = (_mm512_set1_ps(scale), _mm512_set1_ps(zero));
    let out_stride = COLUMNS;
    let mut sums = [[_mm512_setzero_ps(); 2]; 1];
    // SAFETY: `Strip::bytes` has checked that there is room for the columns.
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
fn dequantize_rows(
    dequantize: Dequantize<'_>,
    sums: &[[i32; COLUMNS]],
    start: Start<'_>,
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
