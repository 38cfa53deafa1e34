//! Dispatch to the micro-kernels for x86 processors: AMX, AVX-512 or AVX2.
#![allow(unsafe_code, reason = "calls what needs instructions that the processor was asked for")]

use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};
use super::operand_layout::STEP;
use super::{
    MatmulPrecision, OperandLayout, SplitBf16, amx, amx_parts, convert, convert_avx2, tile_avx2, tile_avx512,
};
use crate::ops::isa::{self, Isa};

pub(super) use super::convert_avx512::*;

/// Returns true if this processor has the instructions for `layout` and the limit on instruction sets allows them.
pub(super) fn is_supported(layout: OperandLayout) -> bool {
    match layout {
        OperandLayout::Floats => has_avx512f() || tile_avx2::is_supported(),
        OperandLayout::SplitBf16(_) => amx::is_supported(MatmulPrecision::Bf16),
        OperandLayout::Bf16Pairs => has_avx512_bf16(),
        OperandLayout::Bytes => has_avx512_vnni() || tile_avx2::is_supported(),
    }
}

pub(super) fn has_avx512f() -> bool {
    is_x86_feature_detected!("avx512f") && isa::allows(Isa::Avx512)
}

/// Returns true if the instructions that the AVX-512 conversions need are available.
fn has_avx512_bw_vl() -> bool {
    has_avx512f() && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
}

pub(super) fn has_avx512_bf16() -> bool {
    has_avx512_bw_vl() && is_x86_feature_detected!("avx512bf16")
}

pub(super) fn has_avx512_vnni() -> bool {
    has_avx512_bw_vl() && is_x86_feature_detected!("avx512vnni")
}

/// Returns true if products in `precision` use AMX tiles.
pub(super) fn in_tiles(precision: MatmulPrecision) -> bool {
    amx::is_supported(precision)
}

/// See [`convert::bytes`].
pub(super) fn quantize(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    if has_avx512_vnni() {
        quantize_512(row, out)
    } else if tile_avx2::is_supported() {
        convert_avx2::quantize(row, out)
    } else {
        convert::bytes(row, out)
    }
}

/// Returns true if products of bytes are added in pairs of 16 bits: the weights of a pair may then sum to at most 128.
pub(super) fn pairs_saturate() -> bool {
    tile_avx2::is_supported() && !tile_avx2::has_vnni() && !has_avx512_vnni()
}

impl MicroKernel<'_> {
    /// Computes `out = start + a b` with rows of `out` `out_stride` values apart; not for bytes.
    pub(in crate::ops::cpu) fn floats(
        self,
        layout: OperandLayout,
        start: Accumulator<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if !self.check(layout, out, out_stride) {
            return;
        }
        // SAFETY: the processor has the instructions, and `check` has verified the bounds of the slices.
        unsafe {
            match layout {
                OperandLayout::SplitBf16(count) => amx_parts::floats(count, self, start, out, out_stride),
                OperandLayout::Bf16Pairs if amx::is_supported(MatmulPrecision::Bf16) => {
                    amx::floats(self, start, out, out_stride);
                }
                OperandLayout::Bf16Pairs => tile_avx512::floats(layout, self, start, out, out_stride),
                OperandLayout::Floats if has_avx512f() => {
                    tile_avx512::floats(layout, self, start, out, out_stride);
                }
                OperandLayout::Floats => tile_avx2::floats(self, start, out, out_stride),
                OperandLayout::Bytes => unreachable!("has scales"),
            }
        }
    }

    /// Like [`MicroKernel::floats`] with [`OperandLayout::SplitBf16`] of three parts on the left-hand side and floats
    /// `[2 k / 3, COLUMNS]` on the right, which are split on the fly.
    pub(super) fn floats_to_split(self, start: Accumulator<'_>, out: &mut [f32], out_stride: usize) {
        assert!(self.b_stride == COLUMNS && self.k.is_multiple_of(3 * STEP));
        assert!(self.b.len() >= self.k / 3 * 2 * COLUMNS);
        let lhs = MicroKernel { b_stride: 0, ..self };
        if lhs.check(OperandLayout::SplitBf16(SplitBf16::Three), out, out_stride) {
            // SAFETY: the processor has the instructions, and the bounds of the slices have been checked.
            unsafe { amx_parts::floats_to_split(self, start, out, out_stride) }
        }
    }

    /// The same for [`OperandLayout::Bytes`], unsigned on the left-hand side and signed on the right, where
    /// [`pairs_saturate`] applies.
    pub(in crate::ops::cpu) fn bytes(
        self,
        dequantize: Dequantize<'_>,
        start: Accumulator<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if !self.check(OperandLayout::Bytes, out, out_stride) {
            return;
        }
        assert!(dequantize.rows.len() >= self.rows);
        assert!(dequantize.scales.len() >= COLUMNS && dequantize.sums.len() >= COLUMNS);
        // SAFETY: the processor has the instructions, and `check` has verified the bounds of the slices.
        unsafe {
            if amx::is_supported(MatmulPrecision::Int8) {
                amx::bytes(self, |row, sums| {
                    let out = &mut out[row * out_stride..];
                    tile_avx512::dequantize_rows(dequantize.row(row), sums, start, out, out_stride);
                });
            } else if has_avx512_vnni() {
                tile_avx512::bytes(self, dequantize, start, out, out_stride);
            } else {
                tile_avx2::bytes(self, dequantize, start, out, out_stride);
            }
        }
    }
}
