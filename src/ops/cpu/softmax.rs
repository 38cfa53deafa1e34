//! Softmax of rows, forward and backward.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Exp;

use super::simd;

/// The softmax of each row, in place.
pub(super) struct Softmax<'a> {
    pub rows: &'a mut [f32],
    pub width: usize,
}

impl SimdOp for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        for row in self.rows.chunks_exact_mut(self.width) {
            let (_, sum) = exponentials(isa, row);
            let factor = ops.splat(1.0 / sum);
            simd::map(
                isa,
                [row],
                [],
                #[inline(always)]
                |[x], []| [ops.mul(x, factor)],
            );
        }
    }
}

/// `row = exp(row - max)`; returns the maximum and the sum of the result.
#[inline(always)]
pub(super) fn exponentials<I: Isa>(isa: I, row: &mut [f32]) -> (f32, f32) {
    let ops = isa.f32();
    let [high] = simd::fold(
        isa,
        [ops.splat(f32::MIN)],
        [row],
        #[inline(always)]
        |[high], [x]| [ops.max(high, x)],
    );
    let max = ops.fold_splat(high, f32::MIN, f32::max);
    simd::map(
        isa,
        [&mut *row],
        [],
        #[inline(always)]
        |[x], []| [Exp::apply(isa, ops.sub(x, max))],
    );
    let [sum] = simd::fold(
        isa,
        [ops.zero()],
        [row],
        #[inline(always)]
        |[sum], [x]| [ops.add(sum, x)],
    );
    (max.to_array()[0], ops.sum(sum))
}

/// The gradient before a softmax: `gradient` at the probabilities becomes the one at the scores.
pub(super) struct SoftmaxBackward<'a> {
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
