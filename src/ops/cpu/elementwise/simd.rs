//! Vector code over slices: one body, compiled for every instruction set and selected at run time.
#![allow(unsafe_code, reason = "a function for instructions that the processor was asked for")]

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

/// Vector operations that respect the limit on instruction sets.
pub(in crate::ops::cpu) trait Run: SimdOp + Sized {
    /// Like [`SimdOp::dispatch`]. The library has no limit of its own, so a limit below AVX-512 is applied here.
    fn run(self) -> Self::Output {
        #[cfg(target_arch = "x86_64")]
        {
            use crate::ops::isa::{Isa as Set, allows};
            use rten_simd::isa::Avx2Isa;

            // Like the library's own dispatch; enables the features that `Avx2Isa::new` checks for.
            #[target_feature(enable = "avx2,avx,fma,f16c")]
            fn avx2<Op: SimdOp>(isa: Avx2Isa, operation: Op) -> Op::Output {
                operation.eval(isa)
            }

            if allows(Set::Avx2)
                && !allows(Set::Avx512)
                && is_x86_feature_detected!("f16c")
                && let Some(isa) = Avx2Isa::new()
            {
                // SAFETY: the processor has the instructions.
                return unsafe { avx2(isa, self) };
            }
        }
        self.dispatch()
    }
}

impl<Op: SimdOp> Run for Op {}

/// Calls `f` with vectors of `ins` and the current vectors of `outs`, and stores its results in `outs`.
///
/// All slices have the same length. The last, partial vectors are padded with zeros.
#[inline(always)]
pub(in crate::ops::cpu) fn map<I: Isa, const IN: usize, const OUT: usize>(
    isa: I,
    mut outs: [&mut [f32]; OUT],
    ins: [&[f32]; IN],
    mut f: impl FnMut([I::F32; OUT], [I::F32; IN]) -> [I::F32; OUT],
) {
    let ops = isa.f32();
    let step = ops.len();
    let length = outs[0].len();
    assert!(outs.iter().all(|out| out.len() == length) && ins.iter().all(|x| x.len() == length));
    let whole = length - length % step;
    let mut at = 0;
    while at < whole {
        let old = std::array::from_fn(
            #[inline(always)]
            |i| ops.load(&outs[i][at..at + step]),
        );
        let x = std::array::from_fn(
            #[inline(always)]
            |i| ops.load(&ins[i][at..at + step]),
        );
        let new = f(old, x);
        for (out, y) in outs.iter_mut().zip(new) {
            ops.store(y, &mut out[at..at + step]);
        }
        at += step;
    }
    if whole < length {
        let old = std::array::from_fn(
            #[inline(always)]
            |i| ops.load_pad(&outs[i][whole..]).0,
        );
        let x = std::array::from_fn(
            #[inline(always)]
            |i| ops.load_pad(&ins[i][whole..]).0,
        );
        let new = f(old, x);
        for (out, y) in outs.iter_mut().zip(new) {
            let y = y.to_array();
            out[whole..].copy_from_slice(&y.as_ref()[..length - whole]);
        }
    }
}

/// Accumulates vectors of `ins` from `start`; padding lanes of the last vectors are ignored.
#[inline(always)]
pub(in crate::ops::cpu) fn fold<I: Isa, const IN: usize, const ACC: usize>(
    isa: I,
    start: [I::F32; ACC],
    ins: [&[f32]; IN],
    mut f: impl FnMut([I::F32; ACC], [I::F32; IN]) -> [I::F32; ACC],
) -> [I::F32; ACC] {
    let ops = isa.f32();
    let step = ops.len();
    let length = ins[0].len();
    assert!(ins.iter().all(|x| x.len() == length));
    let whole = length - length % step;
    let mut total = start;
    let mut at = 0;
    while at < whole {
        let x = std::array::from_fn(
            #[inline(always)]
            |i| ops.load(&ins[i][at..at + step]),
        );
        total = f(total, x);
        at += step;
    }
    if whole < length {
        let mask = ops.first_n_mask(length - whole);
        let x = std::array::from_fn(
            #[inline(always)]
            |i| ops.load_pad(&ins[i][whole..]).0,
        );
        let new = f(total, x);
        total = std::array::from_fn(
            #[inline(always)]
            |i| ops.select(new[i], total[i], mask),
        );
    }
    total
}

/// Number of vectors processed side by side. Independent accumulators hide the latency of additions.
pub(in crate::ops::cpu) const SIDE_BY_SIDE: usize = 4;

/// Adds up independent accumulators, lane by lane.
#[inline(always)]
pub(in crate::ops::cpu) fn total<I: Isa>(isa: I, [a, b, c, d]: [I::F32; SIDE_BY_SIDE]) -> I::F32 {
    let ops = isa.f32();
    ops.add(ops.add(a, b), ops.add(c, d))
}
