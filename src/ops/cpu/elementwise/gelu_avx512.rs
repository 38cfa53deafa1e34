//! The tanh form of GELU in AVX-512, which has instructions for parts of the exponential and the quotient.
#![allow(unsafe_code, reason = "vector instructions; every access lies in slices that were checked")]

use std::arch::x86_64::*;

use crate::ops::isa::{Isa, allows};

/// Values per vector.
const LANES: usize = 16;

/// Computes `y = gelu(x)` element by element, as [`super::activation`] does for every instruction set: `x / (1 + 2^t)`
/// with `t = -2 sqrt(2 / pi) log2(e) (x + 0.044715 x^3)`. Returns false without touching `y` if the processor lacks the
/// instructions.
pub(super) fn gelu_tanh(x: &[f32], y: &mut [f32]) -> bool {
    assert!(x.len() == y.len());
    let runs =
        allows(Isa::Avx512) && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq");
    if runs {
        // SAFETY: the processor has the instructions.
        unsafe { vectors(x, y) }
    }
    runs
}

#[target_feature(enable = "avx512f,avx512dq")]
fn vectors(x: &[f32], y: &mut [f32]) {
    let (x, x_rest) = x.as_chunks::<LANES>();
    let (y, y_rest) = y.as_chunks_mut::<LANES>();
    for (x, y) in x.iter().zip(y) {
        // SAFETY: both arrays have as many values as a vector.
        unsafe { _mm512_storeu_ps(y.as_mut_ptr(), gelu(_mm512_loadu_ps(x.as_ptr()))) };
    }
    let mask = (1 << x_rest.len()) - 1;
    // SAFETY: the mask selects only lanes within the remainders, which have equal lengths.
    unsafe {
        let values = _mm512_maskz_loadu_ps(mask, x_rest.as_ptr());
        _mm512_mask_storeu_ps(y_rest.as_mut_ptr(), mask, gelu(values));
    }
}

#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn gelu(x: __m512) -> __m512 {
    const LINEAR: f32 = -2.302_208_2; // -2 sqrt(2 / pi) log2(e)
    const CUBIC: f32 = LINEAR * 0.044_715;
    /// `2^r` for r from 0 to 1, with a relative error of at most 1e-7.
    const POLYNOMIAL: [f32; 6] =
        [0.001_877_576_7, 0.008_989_341, 0.055_826_318, 0.240_153_61, 0.693_153_1, 0.999_999_94];
    let splat = _mm512_set1_ps;
    let square = _mm512_mul_ps(x, x);
    let t = _mm512_mul_ps(x, _mm512_fmadd_ps(square, splat(CUBIC), splat(LINEAR)));
    // Clamped so that the denominator stays finite. If t is NaN, this returns NaN.
    let t = _mm512_min_ps(splat(126.0), t);
    // The fractional part of t, t - floor(t); `scalef` applies the integer part. 0 for an infinite t.
    let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF }>(t);
    let mut power = splat(POLYNOMIAL[0]);
    for factor in &POLYNOMIAL[1..] {
        power = _mm512_fmadd_ps(power, r, splat(*factor));
    }
    let denominator = _mm512_add_ps(_mm512_scalef_ps(power, t), splat(1.0));
    // One Newton step squares the relative error of 2^-14.
    let inverse = _mm512_rcp14_ps(denominator);
    let inverse = _mm512_fmadd_ps(inverse, _mm512_fnmadd_ps(denominator, inverse, splat(1.0)), inverse);
    _mm512_mul_ps(x, inverse)
}
