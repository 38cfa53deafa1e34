//! Transposition of rows of words into columns of a panel.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use super::micro_kernel::COLUMNS;

/// Writes row i of up to [`COLUMNS`] rows of `words` words, which are `stride` apart, to column i of the panel `out`
/// `[words, COLUMNS]`, and zeros to the other columns.
pub(super) fn transpose(rows: usize, words: usize, x: &[u32], stride: usize, out: &mut [u32]) {
    assert!(rows > 0 && rows <= COLUMNS && words <= stride && out.len() >= words * COLUMNS);
    assert!((rows - 1) * stride + words <= x.len());
    #[cfg(target_arch = "x86_64")]
    if super::tile::has_avx512f() {
        // SAFETY: the processor has the instructions, and the bounds of the slices have been checked.
        unsafe { vectors::transpose(rows, words, x, stride, out) };
        return;
    }
    for (p, out) in out.chunks_exact_mut(COLUMNS).take(words).enumerate() {
        let column = x[p..].iter().step_by(stride);
        out[rows..].fill(0);
        out[..rows].iter_mut().zip(column).for_each(|(out, x)| *out = *x);
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::*;

    use super::COLUMNS;

    /// Words in a vector.
    const LANES: usize = 16;

    /// Like [`super::transpose`], in squares of [`LANES`] by [`LANES`] words.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn transpose(rows: usize, words: usize, x: &[u32], stride: usize, out: &mut [u32]) {
        for first in (0..words).step_by(LANES) {
            let width = LANES.min(words - first);
            let mask = 0xffff >> (LANES - width);
            for column in (0..COLUMNS).step_by(LANES) {
                let mut square = [_mm512_setzero_si512(); LANES];
                for (i, vector) in square.iter_mut().enumerate().take(rows.saturating_sub(column)) {
                    // SAFETY: the row exists, and the mask selects only words within it.
                    *vector = unsafe {
                        let at = x.as_ptr().add((column + i) * stride + first);
                        _mm512_maskz_loadu_epi32(mask, at.cast())
                    };
                }
                let square = transposed(square);
                for (p, vector) in square.iter().enumerate().take(width) {
                    // SAFETY: half of a row of the panel.
                    unsafe {
                        _mm512_storeu_si512(
                            out.as_mut_ptr().add((first + p) * COLUMNS + column).cast(),
                            *vector,
                        );
                    }
                }
            }
        }
    }

    /// Transposes a square of words.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn transposed(x: [__m512i; LANES]) -> [__m512i; LANES] {
        // Exchanges words, pairs of words, and quarters of vectors; plain loops, as in the micro-kernels.
        let mut pairs = x;
        for i in (0..LANES).step_by(2) {
            pairs[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
            pairs[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
        }
        let mut fours = pairs;
        for i in (0..LANES).step_by(4) {
            fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
            fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
            fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
            fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
        }
        // Quarter q of fours[4 g + j] holds column 4 q + j of rows 4 g to 4 g + 3.
        let mut out = x;
        for j in 0..4 {
            let low = _mm512_shuffle_i32x4::<0x88>(fours[j], fours[4 + j]);
            let high = _mm512_shuffle_i32x4::<0xdd>(fours[j], fours[4 + j]);
            let low_next = _mm512_shuffle_i32x4::<0x88>(fours[8 + j], fours[12 + j]);
            let high_next = _mm512_shuffle_i32x4::<0xdd>(fours[8 + j], fours[12 + j]);
            out[j] = _mm512_shuffle_i32x4::<0x88>(low, low_next);
            out[4 + j] = _mm512_shuffle_i32x4::<0x88>(high, high_next);
            out[8 + j] = _mm512_shuffle_i32x4::<0xdd>(low, low_next);
            out[12 + j] = _mm512_shuffle_i32x4::<0xdd>(high, high_next);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, words, stride) in [(32, 32, 32), (1, 1, 5), (17, 33, 48), (15, 16, 16), (32, 48, 64)] {
            let x: Vec<u32> = (0..(rows * stride) as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
            let mut out = vec![7; words * COLUMNS + 3];
            transpose(rows, words, &x, stride, &mut out);
            for (p, out) in out.chunks_exact(COLUMNS).take(words).enumerate() {
                for (i, word) in out.iter().enumerate() {
                    let expected = if i < rows { x[i * stride + p] } else { 0 };
                    assert_eq!(*word, expected, "{rows} {words} {p} {i}");
                }
            }
            assert_eq!(out[words * COLUMNS..], [7; 3]);
        }
    }
}
