//! Conversion of rows of floats into operand layouts with AVX-512.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use super::micro_kernel::COLUMNS;
use super::operand_layout::{STEP, STEP_FLOATS, STEP_WORDS, SplitBf16};
use super::tile::{has_avx512_bf16, has_avx512_vnni};
use super::{OperandLayout, convert};

/// Converts `row` to bfloat16, rounding to nearest.
pub(super) fn to_bf16(row: &[f32], out: &mut [u16]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn vectors(row: &[f32], out: &mut [u16]) {
        let (row, rest) = row.as_chunks::<16>();
        let (out, last) = out.as_chunks_mut::<16>();
        for (x, out) in row.iter().zip(out) {
            // SAFETY: sixteen floats become sixteen 16-bit values; any bit pattern is valid.
            unsafe {
                let halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(x.as_ptr()));
                *out = std::mem::transmute::<__m256bh, [u16; 16]>(halves);
            }
        }
        convert::bf16(rest, last);
    }
    if has_avx512_bf16() {
        // SAFETY: the processor has the instructions.
        unsafe { vectors(row, out) }
    } else {
        convert::bf16(row, out);
    }
}

/// Converts two rows to bfloat16, interleaved in each word: `low` in the lower half.
fn to_bf16_pairs(low: &[f32], high: &[f32], out: &mut [u32]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn vectors(low: &[f32], high: &[f32], out: &mut [u32]) {
        let ((low, low_rest), (high, high_rest)) = (low.as_chunks::<16>(), high.as_chunks::<16>());
        let (out, out_rest) = out.as_chunks_mut::<16>();
        for ((low, high), out) in low.iter().zip(high).zip(out) {
            // SAFETY: all three arrays have sixteen elements; any bit pattern is valid.
            unsafe {
                let halves = |x: &[f32; 16]| {
                    let halves = _mm512_cvtneps_pbh(_mm512_loadu_ps(x.as_ptr()));
                    _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(halves))
                };
                let words = _mm512_or_si512(halves(low), _mm512_slli_epi32::<16>(halves(high)));
                _mm512_storeu_si512(out.as_mut_ptr().cast(), words);
            }
        }
        convert::bf16_pairs(low_rest, high_rest, out_rest);
    }
    assert!(low.len() == high.len());
    if has_avx512_bf16() {
        // SAFETY: the processor has the instructions.
        unsafe { vectors(low, high, out) }
    } else {
        convert::bf16_pairs(low, high, out);
    }
}

/// Packs a row as [`OperandLayout::SplitBf16`]; the row fills complete steps.
pub(super) fn to_parts(count: SplitBf16, row: &[f32], out: &mut [u32]) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn vectors<const N: usize>(row: &[f32], out: &mut [u32]) {
        for (x, out) in row.as_chunks::<{ 2 * STEP }>().0.iter().zip(out.chunks_exact_mut(N * STEP)) {
            for half in 0..2 {
                // SAFETY: sixteen floats become N times sixteen 16-bit values within the step.
                unsafe {
                    let at = out.as_mut_ptr().add(half * STEP / 2);
                    let parts = parts::<N>(_mm512_loadu_ps(x.as_ptr().add(half * STEP)));
                    for (i, part) in parts.into_iter().enumerate() {
                        _mm256_storeu_si256(at.add(i * STEP).cast(), part);
                    }
                }
            }
        }
    }
    assert!(has_avx512_bf16() && row.len().is_multiple_of(2 * STEP));
    assert!(2 * out.len() == count as usize * row.len());
    // SAFETY: the processor has the instructions.
    unsafe {
        match count {
            SplitBf16::Two => vectors::<2>(row, out),
            SplitBf16::Three => vectors::<3>(row, out),
        }
    }
}

/// Splits a step of a panel of floats into three parts. Faster than [`to_parts`], which rounds.
pub(super) fn split_step(floats: &[u32], out: &mut [u32]) {
    assert!(has_avx512_bf16());
    let floats = floats.first_chunk().expect("a complete step");
    let out = out.first_chunk_mut().expect("a complete step");
    // SAFETY: the processor has the instructions.
    unsafe { split_vectors(floats, out) }
}

/// Prefetch distance in floats.
const AHEAD: usize = 2 * STEP_FLOATS;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub(super) fn split_vectors(floats: &[u32; STEP_FLOATS], out: &mut [u32; 3 * STEP_WORDS]) {
    let rows = floats.as_chunks::<COLUMNS>().0.as_chunks::<2>().0;
    for (p, [low, high]) in rows.iter().enumerate() {
        for line in 0..4 {
            // Prefetching an invalid address is harmless.
            _mm_prefetch::<_MM_HINT_T0>(low.as_ptr().wrapping_add(AHEAD + line * STEP).cast());
        }
        for first in [0, COLUMNS / 2] {
            // SAFETY: vectors of sixteen words within the rows and within the step.
            unsafe {
                let low = _mm512_loadu_ps(low.as_ptr().add(first).cast());
                let high = _mm512_loadu_ps(high.as_ptr().add(first).cast());
                let [one, two, three] = split_pair(low, high);
                let at = out.as_mut_ptr().add(p * COLUMNS + first);
                _mm512_storeu_si512(at.cast(), one);
                _mm512_storeu_si512(at.add(STEP_WORDS).cast(), two);
                _mm512_storeu_si512(at.add(2 * STEP_WORDS).cast(), three);
            }
        }
    }
}

/// Splits each float into its upper half, the upper half of the remainder, and the rest. The parts of `low` go to the
/// lower halves of the words, those of `high` to the upper halves.
#[target_feature(enable = "avx512f")]
#[inline]
fn split_pair(mut low: __m512, mut high: __m512) -> [__m512i; 3] {
    let upper = _mm512_set1_epi32(!0xffff);
    // A macro instead of a loop: the elements of an array of vectors may end up in memory inside a loop.
    macro_rules! words {
        () => {{
            let (low_bits, high_bits) = (_mm512_castps_si512(low), _mm512_castps_si512(high));
            low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_and_si512(low_bits, upper)));
            high = _mm512_sub_ps(high, _mm512_castsi512_ps(_mm512_and_si512(high_bits, upper)));
            // Bitwise select: `high` in the upper half of each word.
            _mm512_ternarylogic_epi32::<0xca>(upper, high_bits, _mm512_srli_epi32::<16>(low_bits))
        }};
    }
    let first = words!();
    let second = words!();
    let bits = _mm512_srli_epi32::<16>(_mm512_castps_si512(low));
    [first, second, _mm512_ternarylogic_epi32::<0xca>(upper, _mm512_castps_si512(high), bits)]
}

/// Rounds each float to the nearest bfloat16, and the remainder likewise; the parts are placed as in [`split_pair`].
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn nearest_pair(low: __m512, high: __m512) -> [__m512i; 2] {
    /// Interleaves the 16-bit elements i and 16 + i.
    const INTERLEAVE: [u16; 32] = {
        let mut turns = [0; 32];
        let mut i = 0;
        while i < 32 {
            turns[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        turns
    };
    // SAFETY: the array is as long as a vector; both types have 64 bytes, and any bit pattern is valid.
    unsafe {
        let turns = _mm512_loadu_si512(INTERLEAVE.as_ptr().cast());
        let words = |low, high| {
            let halves = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low));
            _mm512_permutexvar_epi16(turns, halves)
        };
        let first = words(low, high);
        let upper = _mm512_and_si512(first, _mm512_set1_epi32(!0xffff));
        let low = _mm512_sub_ps(low, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(first)));
        let high = _mm512_sub_ps(high, _mm512_castsi512_ps(upper));
        [first, words(low, high)]
    }
}

/// Interleaves two rows in words, `low` in the lower half: as [`OperandLayout::Bf16Pairs`], or as
/// [`OperandLayout::SplitBf16`] with each part `padded_stride` words after the previous one.
pub(super) fn to_pairs(
    layout: OperandLayout,
    low: &[f32],
    high: &[f32],
    out: &mut [u32],
    padded_stride: usize,
) {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn parts(count: SplitBf16, low: &[f32], high: &[f32], out: &mut [u32], padded_stride: usize) {
        for first in (0..low.len()).step_by(16) {
            let width = 16.min(low.len() - first);
            let mask = 0xffff >> (16 - width);
            // SAFETY: the mask selects only floats within the rows, and `to_pairs` has checked the length of `out`.
            unsafe {
                let low = _mm512_maskz_loadu_ps(mask, low.as_ptr().add(first));
                let high = _mm512_maskz_loadu_ps(mask, high.as_ptr().add(first));
                let mut store = |i: usize, words| {
                    let at = out.as_mut_ptr().add(i * padded_stride + first);
                    _mm512_mask_storeu_epi32(at.cast(), mask, words);
                };
                match count {
                    SplitBf16::Two => {
                        let [one, two] = nearest_pair(low, high);
                        store(0, one);
                        store(1, two);
                    }
                    SplitBf16::Three => {
                        let [one, two, three] = split_pair(low, high);
                        store(0, one);
                        store(1, two);
                        store(2, three);
                    }
                }
            }
        }
    }
    let OperandLayout::SplitBf16(count) = layout else {
        return to_bf16_pairs(low, high, &mut out[..low.len()]);
    };
    assert!(has_avx512_bf16() && low.len() == high.len());
    assert!(out.len() >= (count as usize - 1) * padded_stride + low.len());
    // SAFETY: the processor has the instructions.
    unsafe { parts(count, low, high, out, padded_stride) }
}

/// Splits each float into N bfloat16 parts: the nearest bfloat16, the one nearest to the remainder, and so on. Three
/// parts sum to the float exactly, all 24 bits of it. Parts below 1e-38 are zero.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[inline]
fn parts<const N: usize>(x: __m512) -> [__m256i; N] {
    let mut rest = x;
    let mut parts = [_mm256_setzero_si256(); N];
    for part in &mut parts {
        // SAFETY: both types hold sixteen 16-bit values.
        *part = unsafe { std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(rest)) };
        let value = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(*part)));
        rest = _mm512_sub_ps(rest, value);
    }
    parts
}

/// Prefetches values that will be read soon.
#[inline]
pub(super) fn prefetch(values: &[f32]) {
    for line in values.chunks(16) {
        // SAFETY: a prefetch is a hint and has no architectural effect.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}

/// See [`convert::bytes`], which rounds the same way.
pub(super) fn quantize_512(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    assert!(has_avx512_vnni() && row.len() == out.len());
    // SAFETY: the processor has the instructions.
    unsafe { quantize_vectors(row, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn quantize_vectors(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    let zeros = _mm512_setzero_ps();
    // The range includes 0, so padding the last vector with zeros does not change it.
    let load = |part: &[f32]| {
        let mask = 0xffff >> (16 - part.len().min(16));
        // SAFETY: the mask selects only lanes within `part`.
        unsafe { _mm512_maskz_loadu_ps(mask, part.as_ptr()) }
    };
    let (mut low, mut high, mut non_finite) = ([zeros; 4], [zeros; 4], [zeros; 4]);
    for part in row.chunks(64) {
        for (i, part) in part.chunks(16).enumerate() {
            let x = load(part);
            // If x is NaN, these return the other operand.
            low[i] = _mm512_min_ps(x, low[i]);
            high[i] = _mm512_max_ps(x, high[i]);
            non_finite[i] = _mm512_fmadd_ps(x, zeros, non_finite[i]);
        }
    }
    let low = _mm512_min_ps(_mm512_min_ps(low[0], low[1]), _mm512_min_ps(low[2], low[3]));
    let high = _mm512_max_ps(_mm512_max_ps(high[0], high[1]), _mm512_max_ps(high[2], high[3]));
    let non_finite = _mm512_add_ps(
        _mm512_add_ps(non_finite[0], non_finite[1]),
        _mm512_add_ps(non_finite[2], non_finite[3]),
    );
    let range = [_mm512_reduce_min_ps(low), _mm512_reduce_max_ps(high)];
    let [scale, zero, inverse] = match convert::scale(range, _mm512_reduce_add_ps(non_finite)) {
        Ok(scale) => scale,
        Err(scale) => {
            out.fill(0);
            return [scale, 0.0];
        }
    };
    let (factor, shift) = (_mm512_set1_ps(inverse), _mm512_set1_ps(zero));
    for (part, out) in row.chunks(16).zip(out.chunks_mut(16)) {
        let y = _mm512_cvtps_epi32(_mm512_add_ps(_mm512_mul_ps(load(part), factor), shift));
        let y = _mm512_max_epi32(y, _mm512_setzero_si512());
        let mask = 0xffff >> (16 - out.len());
        // SAFETY: the mask selects only bytes within `out`.
        unsafe { _mm512_mask_cvtusepi32_storeu_epi8(out.as_mut_ptr().cast(), mask, y) };
    }
    [scale, zero]
}
