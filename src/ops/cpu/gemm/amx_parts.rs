//! Products of 32-bit floats on processors with AMX, which multiplies bfloat16: each float is represented as a sum of
//! bfloat16 parts ([`OperandLayout::SplitBf16`]). Three parts represent the float exactly, and six of the nine products
//! of parts are computed: the omitted ones are below 2^-22 of the product, and on average about as large as the rounding
//! error of a 32-bit product. With two parts, three products are computed, with errors below 2^-16.
//!
//! [`OperandLayout::SplitBf16`]: super::OperandLayout::SplitBf16
#![allow(
    unsafe_code,
    reason = "instructions without intrinsics; every access lies in slices that were checked"
)]

use std::arch::asm;

use super::amx::{HEIGHT, Tiles, by_tiles, first_sums, for_parts, for_sums, move_sums, parts, text};
use super::micro_kernel::{Accumulator, MicroKernel};
use super::operand_layout::{STEP, STEP_FLOATS, STEP_WORDS, SplitBf16};
use super::tile::split_vectors;

/// Assembly text for the products of a step, the smallest first.
macro_rules! products {
    (three, $tiles:ident) => {
        concat!(
            "/* {lower} */\n",
            text!(lhs $tiles, "0"), text!(right "third"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "b"), text!(sum $tiles, "tdpbf16ps"),
            text!(lhs $tiles, "128"), text!(sum $tiles, "tdpbf16ps"),
            text!(lhs $tiles, "64"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
        )
    };
    (two, $tiles:ident) => {
        concat!(
            "/* {lower} {third} */\n",
            text!(lhs $tiles, "0"), text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "b"), text!(sum $tiles, "tdpbf16ps"),
            text!(lhs $tiles, "64"), text!(sum $tiles, "tdpbf16ps"),
        )
    };
}

/// The loop over k: accumulates in tiles 0 to 3, or 0 and 1.
macro_rules! multiply {
    ($parts:ident, $count:literal, $tiles:ident, $micro_kernel:ident, $row:ident) => {{
        let a = $micro_kernel.a.as_ptr().add($row * $micro_kernel.a_stride);
        let b = $micro_kernel.b.as_ptr();
        asm!(
            "2:",
            products!($parts, $tiles),
            "add {a}, {a_step}",
            "add {lower}, {a_step}",
            "add {b}, {b_step}",
            "add {second}, {b_step}",
            "add {third}, {b_step}",
            "dec {steps}",
            "jnz 2b",
            a = inout(reg) a => _,
            lower = inout(reg) a.wrapping_add(HEIGHT * $micro_kernel.a_stride) => _,
            b = inout(reg) b => _,
            second = inout(reg) b.wrapping_add(STEP * $micro_kernel.b_stride) => _,
            third = inout(reg) b.wrapping_add(2 * STEP * $micro_kernel.b_stride) => _,
            steps = inout(reg) $micro_kernel.k / ($count * STEP) => _,
            a_stride = in(reg) 4 * $micro_kernel.a_stride,
            b_stride = in(reg) 4 * $micro_kernel.b_stride,
            a_step = const 4 * $count * STEP,
            b_step = in(reg) 4 * $count * STEP * $micro_kernel.b_stride,
            options(nostack, readonly),
        );
    }};
}

macro_rules! multiply_three {
    ($($rest:tt)*) => { multiply!(three, 3, $($rest)*) };
}

macro_rules! multiply_two {
    ($($rest:tt)*) => { multiply!(two, 2, $($rest)*) };
}

/// Computes `out = start + a b`.
///
/// # Safety
/// [`super::amx::runs`] is true for bfloat16, the micro-kernel's arguments have been checked, and k is a nonzero multiple
/// of [`STEP`] times the number of parts.
pub(super) unsafe fn floats(
    count: SplitBf16,
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller; tiles of `height` rows read and write only that number of rows.
    unsafe {
        for_sums!(micro_kernel, start, out, out_stride, |row, height| {
            match count {
                SplitBf16::Two => by_tiles!(multiply_two, micro_kernel, row, height),
                SplitBf16::Three => by_tiles!(multiply_three, micro_kernel, row, height),
            }
        });
    }
}

/// A step of a panel, aligned to a cache line.
#[repr(align(64))]
struct Step([u32; 3 * STEP_WORDS]);

/// Like [`floats`] with three parts, but the right-hand side holds floats, which are split on the fly: less memory
/// traffic if there are few rows.
///
/// # Safety
/// As for [`floats`], except that the right-hand side has floats `[2 k / 3, COLUMNS]`.
pub(super) unsafe fn floats_to_split(
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    let mut split = [const { Step([0; 3 * STEP_WORDS]) }; 2];
    let floats = micro_kernel.b.as_chunks::<STEP_FLOATS>().0;
    let steps = micro_kernel.k / (3 * STEP);
    // SAFETY: guaranteed by the caller; tiles of `height` rows read and write only that number of rows.
    unsafe {
        for_sums!(micro_kernel, start, out, out_stride, |row, height| {
            split_vectors(&floats[0], &mut split[0].0);
            for step in 0..steps {
                // Split one step ahead, so that no load waits for a store.
                if let Some(floats) = floats[..steps].get(step + 1) {
                    split_vectors(floats, &mut split[(step + 1) % 2].0);
                }
                let micro_kernel = MicroKernel {
                    a: &micro_kernel.a[3 * STEP * step..],
                    b: &split[step % 2].0,
                    k: 3 * STEP,
                    ..micro_kernel
                };
                by_tiles!(multiply_three, micro_kernel, row, height);
            }
        });
    }
}
