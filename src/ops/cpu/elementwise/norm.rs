//! Layer normalization of rows, forward and backward.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::simd;
use super::simd::Run;
use crate::ops::cpu::Pair;

/// Scale and offset of a normalization, `[H]` each.
#[derive(Clone, Copy)]
pub(in crate::ops::cpu) struct Affine<'a> {
    pub gamma: &'a [f32],
    pub beta: &'a [f32],
}

/// Computes `out = normalized * gamma + beta`, where `normalized` is `z + residual` with mean 0 and variance 1 in each row.
pub(in crate::ops::cpu) struct AddNormalize<'a> {
    /// `[rows, H]`. Replaced by `z + residual`, or by the normalized rows if `scales` is set.
    pub z: &'a mut [f32],
    pub residual: &'a [f32],
    pub affine: Affine<'a>,
    pub epsilon: f32,
    /// The reciprocal of the standard deviation of each row, for the backward pass.
    pub scales: Option<&'a mut [f32]>,
    pub out: &'a mut [f32],
}

/// Runs [`AddNormalize`] with `norm` on all rows of `z`.
pub(in crate::ops::cpu) fn add_normalize(
    z: &mut [f32],
    residual: &[f32],
    norm: Pair<&[f32]>,
    epsilon: f32,
    scales: Option<&mut [f32]>,
    out: &mut [f32],
) {
    let affine = Affine { gamma: norm.weight, beta: norm.bias };
    AddNormalize { z, residual, affine, epsilon, scales, out }.run();
}

impl SimdOp for AddNormalize<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let ops = isa.f32();
        let Affine { gamma, beta } = self.affine;
        let width = gamma.len();
        let rows = self.z.chunks_exact_mut(width).zip(self.residual.chunks_exact(width));
        for (i, ((z, residual), out)) in rows.zip(self.out.chunks_exact_mut(width)).enumerate() {
            let mut totals = [ops.zero(); simd::SIDE_BY_SIDE];
            simd::map(
                isa,
                [&mut *z],
                [residual],
                #[inline(always)]
                |[z], [r]| {
                    let x = ops.add(z, r);
                    let [a, b, c, d] = totals;
                    totals = [b, c, d, ops.add(a, x)];
                    [x]
                },
            );
            let mean = ops.splat(ops.sum(simd::total(isa, totals)) / width as f32);
            let squares = simd::fold(
                isa,
                [ops.zero(); simd::SIDE_BY_SIDE],
                [z],
                #[inline(always)]
                |[a, b, c, total], [z]| {
                    let d = ops.sub(z, mean);
                    [b, c, total, ops.mul_add(d, d, a)]
                },
            );
            let squares = ops.sum(simd::total(isa, squares));
            let scale = 1.0 / (squares / width as f32 + self.epsilon).sqrt();
            let factor = ops.splat(scale);
            let Some(scales) = &mut self.scales else {
                simd::map(
                    isa,
                    [out],
                    [z, gamma, beta],
                    #[inline(always)]
                    |_, [z, gamma, beta]| {
                        let normal = ops.mul(ops.sub(z, mean), factor);
                        [ops.mul_add(normal, gamma, beta)]
                    },
                );
                continue;
            };
            scales[i] = scale;
            simd::map(
                isa,
                [z, out],
                [gamma, beta],
                #[inline(always)]
                |[z, _], [gamma, beta]| {
                    let normal = ops.mul(ops.sub(z, mean), factor);
                    [normal, ops.mul_add(normal, gamma, beta)]
                },
            );
        }
    }
}

/// Computes `out = z * gamma + beta` for the rows of `z`.
pub(in crate::ops::cpu) struct Scale<'a> {
    pub z: &'a [f32],
    pub affine: Affine<'a>,
    pub out: &'a mut [f32],
}

impl SimdOp for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let width = self.affine.gamma.len();
        for (z, out) in self.z.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            simd::map(
                isa,
                [out],
                [z, self.affine.gamma, self.affine.beta],
                #[inline(always)]
                |_, [z, gamma, beta]| [ops.mul_add(z, gamma, beta)],
            );
        }
    }
}

/// The backward pass of a normalization: replaces the gradient with respect to its output by the gradient with respect to
/// its input, and adds the gradients of scale and offset to `gamma_sum` and `beta_sum`.
pub(in crate::ops::cpu) struct NormalizeBackward<'a> {
    pub gradient: &'a mut [f32],
    pub z: &'a [f32],
    pub scale: &'a [f32],
    pub gamma: &'a [f32],
    pub gamma_sum: &'a mut [f32],
    pub beta_sum: &'a mut [f32],
}

impl SimdOp for NormalizeBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let width = self.gamma.len();
        let rows = self.gradient.chunks_exact_mut(width).zip(self.z.chunks_exact(width));
        for ((gradient, z), scale) in rows.zip(self.scale) {
            let mut total = ops.zero();
            let mut along = ops.zero();
            simd::map(
                isa,
                [&mut *self.gamma_sum, &mut *self.beta_sum],
                [gradient, z, self.gamma],
                #[inline(always)]
                |[gamma_sum, beta_sum], [dy, z, gamma]| {
                    let inner = ops.mul(dy, gamma);
                    total = ops.add(total, inner);
                    along = ops.mul_add(inner, z, along);
                    [ops.mul_add(dy, z, gamma_sum), ops.add(beta_sum, dy)]
                },
            );
            let mean = ops.splat(ops.sum(total) / width as f32);
            let slope = ops.splat(ops.sum(along) / width as f32);
            let scale = ops.splat(*scale);
            simd::map(
                isa,
                [gradient],
                [z, self.gamma],
                #[inline(always)]
                |[dy], [z, gamma]| {
                    let centered = ops.sub(ops.mul(dy, gamma), mean);
                    [ops.mul(scale, ops.sub(centered, ops.mul(z, slope)))]
                },
            );
        }
    }
}

/// Adds the rows of `x` to `sum`, column by column.
pub(in crate::ops::cpu) struct AddRows<'a> {
    pub x: &'a [f32],
    pub sum: &'a mut [f32],
}

impl SimdOp for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        for row in self.x.chunks_exact(self.sum.len()) {
            simd::map(
                isa,
                [&mut *self.sum],
                [row],
                #[inline(always)]
                |[sum], [x]| [ops.add(sum, x)],
            );
        }
    }
}
