//! Softmax of rows, forward and backward.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use super::exponential::exp_nonpositive;
use super::simd;

/// Applies softmax to each row in place.
pub(in crate::ops::cpu) struct Softmax<'a> {
    pub rows: &'a mut [f32],
    pub width: usize,
}

impl SimdOp for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        for row in self.rows.chunks_exact_mut(self.width) {
            let factor = Exponentials(row).eval(isa);
            Multiply { row, factor }.eval(isa);
        }
    }
}

/// Computes `row = exp(row - max)`, flushing results below 2e-38 to 0; returns the maximum and the sum of the results.
#[inline(always)]
pub(in crate::ops::cpu) fn exponentials<I: Isa>(isa: I, row: &mut [f32]) -> (f32, f32) {
    let ops = isa.f32();
    let step = ops.len();
    let (wide, rest) = row.split_at_mut(row.len() - row.len() % (simd::SIDE_BY_SIDE * step));

    let mut highs = [ops.splat(f32::MIN); simd::SIDE_BY_SIDE];
    for part in wide.chunks_exact(simd::SIDE_BY_SIDE * step) {
        for (high, x) in highs.iter_mut().zip(part.chunks_exact(step)) {
            *high = ops.max(*high, ops.load(x));
        }
    }
    let [a, b, c, d] = highs;
    let high = ops.max(ops.max(a, b), ops.max(c, d));
    let [high] = simd::fold(
        isa,
        [high],
        [rest],
        #[inline(always)]
        |[high], [x]| [ops.max(high, x)],
    );
    let max = ops.fold_splat(high, f32::MIN, f32::max);

    let mut totals = [ops.zero(); simd::SIDE_BY_SIDE];
    for part in wide.chunks_exact_mut(simd::SIDE_BY_SIDE * step) {
        for (total, x) in totals.iter_mut().zip(part.chunks_exact_mut(step)) {
            let y = exp_nonpositive(isa, ops.sub(ops.load(x), max));
            *total = ops.add(*total, y);
            ops.store(y, x);
        }
    }
    let total = simd::total(isa, totals);
    simd::map(
        isa,
        [&mut *rest],
        [],
        #[inline(always)]
        |[x], []| [exp_nonpositive(isa, ops.sub(x, max))],
    );
    // Padding lanes are ignored.
    let [total] = simd::fold(
        isa,
        [total],
        [rest],
        #[inline(always)]
        |[sum], [x]| [ops.add(sum, x)],
    );
    (max.to_array()[0], ops.sum(total))
}

/// Softmax of a row in place, without normalization; returns the factor that normalizes it.
pub(in crate::ops::cpu) struct Exponentials<'a>(pub &'a mut [f32]);

impl SimdOp for Exponentials<'_> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        1.0 / exponentials(isa, self.0).1
    }
}

/// Multiplies a row by a factor.
pub(in crate::ops::cpu) struct Multiply<'a> {
    pub row: &'a mut [f32],
    pub factor: f32,
}

impl SimdOp for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let factor = ops.splat(self.factor);
        simd::map(
            isa,
            [self.row],
            [],
            #[inline(always)]
            |[x], []| [ops.mul(x, factor)],
        );
    }
}

/// The backward pass of softmax: replaces the gradient with respect to the probabilities by that with respect to the
/// scores.
pub(in crate::ops::cpu) struct SoftmaxBackward<'a> {
    pub gradient: &'a mut [f32],
    pub probs: &'a [f32],
    pub width: usize,
}

impl SimdOp for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let rows = self.gradient.chunks_exact_mut(self.width).zip(self.probs.chunks_exact(self.width));
        for (gradient, probs) in rows {
            let [along] = simd::fold(
                isa,
                [ops.zero()],
                [gradient, probs],
                #[inline(always)]
                |[sum], [dy, p]| [ops.mul_add(dy, p, sum)],
            );
            let along = ops.splat(ops.sum(along));
            simd::map(
                isa,
                [gradient],
                [probs],
                #[inline(always)]
                |[dy], [p]| [ops.mul(p, ops.sub(dy, along))],
            );
        }
    }
}
