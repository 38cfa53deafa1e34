//! Dispatch to the micro-kernels for x86 processors: AMX, AVX-512 or AVX2.
#![allow(unsafe_code, reason = "calls what needs instructions that the processor was asked for")]

use super::micro_kernel::{Accumulator, COLUMNS, Dequantize, MicroKernel};
use super::operand_layout::STEP;
use super::{
    MatmulPrecision, OperandLayout, SplitBf16, amx, amx_parts, convert, convert_avx2, tile_avx2, tile_avx512,
};
use crate::ops::isa::{self, Isa};

pub(super) use super::convert_avx512::*;

/// Returns true if this processor has the instructions for `form` and the limit on instruction sets allows them.
pub(super) fn runs(form: OperandLayout) -> bool {
    match form {
        OperandLayout::Floats => floats_512() || tile_avx2::runs(),
        OperandLayout::SplitBf16(_) => amx::runs(MatmulPrecision::Bf16),
        OperandLayout::Bf16Pairs => halves_512(),
        OperandLayout::Bytes => bytes_512() || tile_avx2::runs(),
    }
}

pub(super) fn floats_512() -> bool {
    is_x86_feature_detected!("avx512f") && isa::allows(Isa::Avx512)
}

/// Returns true if the instructions that the AVX-512 conversions need are available.
fn words_512() -> bool {
    floats_512() && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
}

pub(super) fn halves_512() -> bool {
    words_512() && is_x86_feature_detected!("avx512bf16")
}

pub(super) fn bytes_512() -> bool {
    words_512() && is_x86_feature_detected!("avx512vnni")
}

/// Returns true if products in `precision` use AMX tiles.
pub(super) fn in_tiles(precision: MatmulPrecision) -> bool {
    amx::runs(precision)
}

/// See [`convert::bytes`].
pub(super) fn quantize(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    if bytes_512() {
        quantize_512(row, out)
    } else if tile_avx2::runs() {
        convert_avx2::quantize(row, out)
    } else {
        convert::bytes(row, out)
    }
}

/// Returns true if products of bytes are added in pairs of 16 bits: the weights of a pair may then sum to at most 128.
pub(super) fn pairs_saturate() -> bool {
    tile_avx2::runs() && !tile_avx2::has_vnni() && !bytes_512()
}

impl MicroKernel<'_> {
    /// Computes `out = start + a b` with rows of `out` `out_stride` values apart; not for bytes.
    pub(in crate::ops::cpu) fn floats(
        self,
        form: OperandLayout,
        start: Accumulator<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if !self.check(form, out, out_stride) {
            return;
        }
        // SAFETY: the processor has the instructions, and `check` has verified the bounds of the slices.
        unsafe {
            match form {
                OperandLayout::SplitBf16(count) => amx_parts::floats(count, self, start, out, out_stride),
                OperandLayout::Bf16Pairs if amx::runs(MatmulPrecision::Bf16) => {
                    amx::floats(self, start, out, out_stride);
                }
                OperandLayout::Bf16Pairs => tile_avx512::floats(form, self, start, out, out_stride),
                OperandLayout::Floats if floats_512() => {
                    tile_avx512::floats(form, self, start, out, out_stride);
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
            if amx::runs(MatmulPrecision::Int8) {
                amx::bytes(self, |row, sums| {
                    let out = &mut out[row * out_stride..];
                    tile_avx512::dequantize_rows(dequantize.row(row), sums, start, out, out_stride);
                });
            } else if bytes_512() {
                tile_avx512::bytes(self, dequantize, start, out, out_stride);
            } else {
                tile_avx2::bytes(self, dequantize, start, out, out_stride);
            }
        }
    }
}
