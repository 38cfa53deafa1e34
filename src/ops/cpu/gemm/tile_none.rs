//! Stubs for processors without micro-kernels of our own.

use super::micro_kernel::{Accumulator, Dequantize, MicroKernel};
use super::{MatmulPrecision, OperandLayout, SplitBf16, convert};

pub(super) fn is_supported(_: OperandLayout) -> bool {
    false
}

pub(super) fn in_tiles(_: MatmulPrecision) -> bool {
    false
}

impl MicroKernel<'_> {
    pub(in crate::ops::cpu) fn floats(self, _: OperandLayout, _: Accumulator<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }

    pub(super) fn floats_to_split(self, _: Accumulator<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }

    pub(in crate::ops::cpu) fn bytes(self, _: Dequantize<'_>, _: Accumulator<'_>, _: &mut [f32], _: usize) {
        unreachable!("`runs` says no")
    }
}

pub(super) fn to_bf16(_: &[f32], _: &mut [u16]) {
    unreachable!("`runs` says no")
}

pub(super) fn to_parts(_: SplitBf16, _: &[f32], _: &mut [u32]) {
    unreachable!("`runs` says no")
}

pub(super) fn split_step(_: &[u32], _: &mut [u32]) {
    unreachable!("`runs` says no")
}

pub(super) fn to_pairs(_: OperandLayout, _: &[f32], _: &[f32], _: &mut [u32], _: usize) {
    unreachable!("`runs` says no")
}

pub(super) fn prefetch(_: &[f32]) {}

/// For the library's products of bytes.
pub(super) fn quantize(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    convert::bytes(row, out)
}

/// Nothing is multiplied here.
pub(super) fn pairs_saturate() -> bool {
    false
}
