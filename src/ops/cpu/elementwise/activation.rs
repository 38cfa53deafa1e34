//! Activation functions and their derivatives, vectorized.

use std::marker::PhantomData;

use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, SimdOp, SimdUnaryOp};
use rten_vecmath::{Erf, Exp, Tanh};

use super::exponential::exp_nonpositive;
use super::simd;
use super::simd::Run;
use crate::ops::cpu::ActivationKind;

impl ActivationKind {
    /// Computes `y = f(x)` element by element.
    pub(in crate::ops::cpu) fn forward(self, x: &[f32], y: &mut [f32]) {
        match self {
            Self::Gelu => Forward(x, y, PhantomData::<Gelu>).run(),
            Self::GeluTanh => gelu_tanh(x, y),
            Self::Linear => y.copy_from_slice(x),
            Self::QuickGelu => Forward(x, y, PhantomData::<QuickGelu>).run(),
            Self::Relu => Forward(x, y, PhantomData::<Relu>).run(),
            Self::Sigmoid => Forward(x, y, PhantomData::<Logistic>).run(),
            Self::Silu => Forward(x, y, PhantomData::<Silu>).run(),
            Self::Tanh => Forward(x, y, PhantomData::<Tangent>).run(),
        }
    }

    /// Computes `y = f(x)` and replaces the gradient with respect to y by the gradient with respect to x.
    pub(in crate::ops::cpu) fn backward(self, x: &[f32], y: &mut [f32], gradient: &mut [f32]) {
        match self {
            Self::Gelu => Backward(x, y, gradient, PhantomData::<Gelu>).run(),
            Self::GeluTanh => Backward(x, y, gradient, PhantomData::<GeluTanh>).run(),
            Self::Linear => y.copy_from_slice(x),
            Self::QuickGelu => Backward(x, y, gradient, PhantomData::<QuickGelu>).run(),
            Self::Relu => Backward(x, y, gradient, PhantomData::<Relu>).run(),
            Self::Sigmoid => Backward(x, y, gradient, PhantomData::<Logistic>).run(),
            Self::Silu => Backward(x, y, gradient, PhantomData::<Silu>).run(),
            Self::Tanh => Backward(x, y, gradient, PhantomData::<Tangent>).run(),
        }
    }
}

/// [`GeluTanh`], the activation of every published ALBERT, in AVX-512 where available.
fn gelu_tanh(x: &[f32], y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::gelu_avx512::gelu_tanh(x, y) {
        return;
    }
    Forward(x, y, PhantomData::<GeluTanh>).run();
}

struct Forward<'a, F>(&'a [f32], &'a mut [f32], PhantomData<F>);

impl<F: Function> SimdOp for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        simd::map(
            isa,
            [self.1],
            [self.0],
            #[inline(always)]
            |_, [x]| [F::at(isa, x).0],
        );
    }
}

struct Backward<'a, F>(&'a [f32], &'a mut [f32], &'a mut [f32], PhantomData<F>);

impl<F: Function> SimdOp for Backward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        simd::map(
            isa,
            [self.1, self.2],
            [self.0],
            #[inline(always)]
            |[_, gradient], [x]| {
                let (y, slope) = F::at(isa, x);
                [y, ops.mul(gradient, slope)]
            },
        );
    }
}

/// A function and its derivative.
trait Function {
    /// Returns `(f(x), f'(x))`. With inlining, a value that the caller drops is not computed.
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32);
}

/// `1 / (1 + exp(-u))`.
#[inline(always)]
fn logistic<I: Isa>(isa: I, u: I::F32) -> I::F32 {
    let ops = isa.f32();
    let e = exp_nonpositive(isa, ops.neg(ops.abs(u)));
    let negative = ops.lt(u, ops.zero());
    ops.mul(inverse(isa, ops.add(ops.one(), e)), ops.select(e, ops.one(), negative))
}

/// `1 / d` for d from 1 to 2 without a division: dividing wide vectors would take longer than everything else.
#[inline(always)]
fn inverse<I: Isa>(isa: I, d: I::F32) -> I::F32 {
    let ops = isa.f32();
    // The polynomial of degree 2 with the smallest maximum relative error, 1/99: 1 - d p(d) is the Chebyshev polynomial
    // over this range.
    let linear = ops.mul_add(d, ops.splat(32.0 / 99.0), ops.splat(-144.0 / 99.0));
    let mut y = ops.mul_add(d, linear, ops.splat(210.0 / 99.0));
    // Each Newton step squares the relative error: to 1e-4, then 1e-8.
    for _ in 0..2 {
        y = ops.mul_add(y, ops.mul_sub_from(d, y, ops.one()), y);
    }
    y
}

/// Returns `x * sigmoid(u)` and its derivative; `du` is the derivative of u.
#[inline(always)]
fn gated<I: Isa>(isa: I, x: I::F32, u: I::F32, du: I::F32) -> (I::F32, I::F32) {
    let ops = isa.f32();
    let gate = logistic(isa, u);
    let y = ops.mul(x, gate);
    // y' = s + x s (1 - s) u'
    let rest = ops.mul(ops.sub(ops.one(), gate), du);
    (y, ops.mul_add(y, rest, gate))
}

struct GeluTanh;

impl Function for GeluTanh {
    /// Uses `0.5 (1 + tanh v) = sigmoid(2v)`.
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        const LINEAR: f32 = 1.595_769; // 2 sqrt(2 / pi)
        const CUBIC: f32 = LINEAR * 0.044_715;
        let ops = isa.f32();
        let square = ops.mul(x, x);
        let u = ops.mul(x, ops.mul_add(square, ops.splat(CUBIC), ops.splat(LINEAR)));
        let du = ops.mul_add(square, ops.splat(3.0 * CUBIC), ops.splat(LINEAR));
        gated(isa, x, u, du)
    }
}

struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        const INVERSE_ROOT_TWO_PI: f32 = 0.398_942_3;
        let ops = isa.f32();
        let half = ops.splat(0.5);
        let erf = Erf::apply(isa, ops.mul(x, ops.splat(std::f32::consts::FRAC_1_SQRT_2)));
        let cumulative = ops.mul_add(erf, half, half);
        let exponent = ops.mul(ops.mul(x, x), ops.splat(-0.5));
        let density = ops.mul(Exp::apply(isa, exponent), ops.splat(INVERSE_ROOT_TWO_PI));
        (ops.mul(x, cumulative), ops.mul_add(x, density, cumulative))
    }
}

struct QuickGelu;

impl Function for QuickGelu {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let factor = isa.f32().splat(1.702);
        gated(isa, x, isa.f32().mul(x, factor), factor)
    }
}

struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        gated(isa, x, x, isa.f32().one())
    }
}

struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let ops = isa.f32();
        // Tests x <= 0 instead of x > 0, so that NaN stays NaN.
        let off = ops.le(x, ops.zero());
        (ops.select(ops.zero(), x, off), ops.select(ops.zero(), ops.one(), off))
    }
}

struct Logistic;

impl Function for Logistic {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let ops = isa.f32();
        let y = logistic(isa, x);
        (y, ops.mul(y, ops.sub(ops.one(), y)))
    }
}

struct Tangent;

impl Function for Tangent {
    #[inline(always)]
    fn at<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::F32) {
        let ops = isa.f32();
        let y = Tanh::apply(isa, x);
        (y, ops.sub(ops.one(), ops.mul(y, y)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_accurate() {
        let x: Vec<f32> = (-4000..=4000)
            .map(|i| i as f32 / 200.0)
            .chain([-1e30, -300.0, -88.0, -1e-30, 0.0, 1e-30, 88.0, 300.0, 1e30])
            .collect();
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let tanh_gelu =
            |x: f64| x * sigmoid(2.0 * (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x));
        let exact: [(ActivationKind, &dyn Fn(f64) -> f64); 4] = [
            (ActivationKind::Sigmoid, &sigmoid),
            (ActivationKind::Silu, &|x| x * sigmoid(x)),
            (ActivationKind::QuickGelu, &|x| x * sigmoid(1.702 * x)),
            (ActivationKind::GeluTanh, &tanh_gelu),
        ];
        for (curve, exact) in exact {
            let mut y = vec![f32::NAN; x.len()];
            curve.forward(&x, &mut y);
            for (x, y) in x.iter().zip(y) {
                let expected = exact(f64::from(*x));
                // The cubic term in the exponent amplifies rounding errors where the result is close to zero.
                let tolerance = 1e-6 * expected.abs().max(f64::from(x.abs()) * 1e-2);
                assert!((f64::from(y) - expected).abs() <= tolerance, "{curve:?} {x}: {y} for {expected}");
            }
        }
        for x in [f32::NAN, f32::INFINITY] {
            let mut y = [0.0; 3];
            ActivationKind::GeluTanh.forward(&[1.0, x, 2.0], &mut y);
            assert!(!y[1].is_finite() && y[0].is_finite() && y[2].is_finite());
        }
    }
}
