//! The exponential of nonpositive arguments, for softmax and the logistic function.

use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd};

/// Below this, the factor 2^k of the result would not be a normal number.
const LOWEST: f32 = -87.0;

/// `exp(x)` for x up to 0, within one or two units in the last place; 0 where the result would be below 2e-38. NaN stays
/// NaN.
///
/// Computes `2^k exp(r)` with |r| at most ln 2 / 2. The polynomial is Norbert Juffa's, which `rten-vecmath` uses for all
/// x.
#[inline(always)]
pub(in crate::ops::cpu) fn exp_nonpositive<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    const LN_2_HIGH: f32 = 6.931_457_5e-1;
    const LN_2_LOW: f32 = 1.428_606_8e-6;
    const POLYNOMIAL: [f32; 7] =
        [1.378_059_4e-3, 8.373_125e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1, 1.0, 1.0];
    /// Adding this constant rounds to an integer, which ends up in the low bits.
    const SHIFT: f32 = 12_582_912.0;
    let (ops, whole) = (isa.f32(), isa.i32());
    let shift = ops.splat(SHIFT);
    let shifted = ops.mul_add(x, ops.splat(std::f32::consts::LOG2_E), shift);
    let k = ops.sub(shifted, shift);
    let r = ops.mul_add(k, ops.splat(-LN_2_HIGH), x);
    let r = ops.mul_add(k, ops.splat(-LN_2_LOW), r);
    let mut y = ops.splat(POLYNOMIAL[0]);
    for factor in &POLYNOMIAL[1..] {
        y = ops.mul_add(y, r, ops.splat(*factor));
    }
    // Shifts the low bits of k to the exponent field.
    let power = whole.shift_left::<23>(shifted.reinterpret_cast());
    let power: I::F32 = whole.add(power, whole.splat(0x3f80_0000)).reinterpret_cast();
    ops.select(ops.zero(), ops.mul(y, power), ops.lt(x, ops.splat(LOWEST)))
}

#[cfg(test)]
mod tests {
    use rten_simd::SimdOp;

    use super::super::simd::{self, Run};
    use super::*;

    struct Exponential<'a>(&'a mut [f32]);

    impl SimdOp for Exponential<'_> {
        type Output = ();

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) {
            simd::map(
                isa,
                [self.0],
                [],
                #[inline(always)]
                |[x], []| [exp_nonpositive(isa, x)],
            );
        }
    }

    #[test]
    fn exponential_is_accurate() {
        let x: Vec<f32> = (0..870_000).map(|i| i as f32 * -1e-4).chain([-1e-30, -0.0]).collect();
        let mut y = x.clone();
        Exponential(&mut y).run();
        for (x, y) in x.iter().zip(y) {
            let exact = f64::from(*x).exp();
            assert!((f64::from(y) - exact).abs() <= 1.5e-7 * exact, "{x}: {y} for {exact}");
        }
        let mut odd = [f32::NAN, f32::NEG_INFINITY, f32::MIN, -1000.0, -87.5];
        Exponential(&mut odd).run();
        assert!(odd[0].is_nan() && odd[1..] == [0.0; 4]);
    }
}
