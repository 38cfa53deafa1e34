//! Products of 32-bit floats on processors with AMX, which multiplies bfloat16: each float is the sum of three
//! ([`Form::Parts`]), and of the nine products of parts the six that count are summed. What is left out is below
//! 2^-22 of the product, and on average about what a 32-bit product is rounded by.
//!
//! [`Form::Parts`]: super::Form::Parts
#![allow(
    unsafe_code,
    reason = "instructions without intrinsics; every access lies in slices that were checked"
)]

use std::arch::asm;

use super::amx::{HEIGHT, Tiles, by_tiles, first_sums, for_parts, for_sums, move_sums, parts, text};
use super::form::{STEP, STEP_FLOATS, STEP_WORDS};
use super::tile::{Start, Strip, split_vectors};

/// The loop over k: sums in tiles 0 to 3, or 0 and 1.
macro_rules! multiply {
    ($tiles:ident, $strip:ident, $row:ident) => {{
        let a = $strip.a.as_ptr().add($row * $strip.a_stride);
        let b = $strip.b.as_ptr();
        asm!(
            "2:",
            "/* {lower} */",
            concat!(text!(left $tiles, "0"), text!(right "third"), text!(sum $tiles, "tdpbf16ps")),
            concat!(text!(right "second"), text!(sum $tiles, "tdpbf16ps")),
            concat!(text!(right "b"), text!(sum $tiles, "tdpbf16ps")),
            concat!(text!(left $tiles, "128"), text!(sum $tiles, "tdpbf16ps")),
            concat!(text!(left $tiles, "64"), text!(sum $tiles, "tdpbf16ps")),
            concat!(text!(right "second"), text!(sum $tiles, "tdpbf16ps")),
            "add {a}, 192",
            "add {lower}, 192",
            "add {b}, {b_step}",
            "add {second}, {b_step}",
            "add {third}, {b_step}",
            "dec {steps}",
            "jnz 2b",
            a = inout(reg) a => _,
            lower = inout(reg) a.wrapping_add(HEIGHT * $strip.a_stride) => _,
            b = inout(reg) b => _,
            second = inout(reg) b.wrapping_add(STEP * $strip.b_stride) => _,
            third = inout(reg) b.wrapping_add(2 * STEP * $strip.b_stride) => _,
            steps = inout(reg) $strip.k / (3 * STEP) => _,
            a_stride = in(reg) 4 * $strip.a_stride,
            b_stride = in(reg) 4 * $strip.b_stride,
            b_step = in(reg) 12 * STEP * $strip.b_stride,
            options(nostack, readonly),
        );
    }};
}

/// `out = start + a b`.
///
/// # Safety
/// [`super::amx::runs`] is true for bfloat16, the strip has been checked, and k is a multiple of three times
/// [`STEP`], not 0.
pub(super) unsafe fn floats(strip: Strip<'_>, start: Start<'_>, out: &mut [f32], out_stride: usize) {
    // SAFETY: the caller's; tiles of `height` rows read and write as many.
    unsafe {
        for_sums!(strip, start, out, out_stride, |row, height| {
            by_tiles!(multiply, strip, row, height);
        });
    }
}

/// A step of a panel, where a line of the cache begins.
#[repr(align(64))]
struct Step([u32; STEP_WORDS]);

/// The same with floats on the right, which are split here: less to read where there are few rows.
///
/// # Safety
/// As [`floats`], but that the right side has floats `[2 k / 3, COLUMNS]`.
pub(super) unsafe fn floats_to_split(strip: Strip<'_>, start: Start<'_>, out: &mut [f32], out_stride: usize) {
    let mut split = [const { Step([0; STEP_WORDS]) }; 2];
    let floats = strip.b.as_chunks::<STEP_FLOATS>().0;
    let count = strip.k / (3 * STEP);
    // SAFETY: the caller's; tiles of `height` rows read and write as many.
    unsafe {
        for_sums!(strip, start, out, out_stride, |row, height| {
            split_vectors(&floats[0], &mut split[0].0);
            for step in 0..count {
                // One ahead, so that no load waits for a store.
                if let Some(floats) = floats[..count].get(step + 1) {
                    split_vectors(floats, &mut split[(step + 1) % 2].0);
                }
                let strip =
                    Strip { a: &strip.a[3 * STEP * step..], b: &split[step % 2].0, k: 3 * STEP, ..strip };
                by_tiles!(multiply, strip, row, height);
            }
        });
    }
}
