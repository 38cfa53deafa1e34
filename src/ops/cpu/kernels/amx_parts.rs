//! Products of 32-bit floats on processors with AMX, which multiplies bfloat16: each float is a sum of these
//! ([`Form::Parts`]). Of three, which are the float exactly, the nine products of parts have six that count: what is
//! left out is below 2^-22 of the product, and on average about what a 32-bit product is rounded by. Of two, three
//! products count, and what is left out is below 2^-16.
//!
//! [`Form::Parts`]: super::Form::Parts
#![allow(
    unsafe_code,
    reason = "instructions without intrinsics; every access lies in slices that were checked"
)]

use std::arch::asm;

use super::amx::{HEIGHT, Tiles, by_tiles, first_sums, for_parts, for_sums, move_sums, parts, text};
use super::form::{Parts, STEP, STEP_FLOATS, STEP_WORDS};
use super::strip::{Start, Strip};
use super::tile::split_vectors;

/// Text for the products of a step, the smallest first.
macro_rules! products {
    (three, $tiles:ident) => {
        concat!(
            "/* {lower} */\n",
            text!(left $tiles, "0"), text!(right "third"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "b"), text!(sum $tiles, "tdpbf16ps"),
            text!(left $tiles, "128"), text!(sum $tiles, "tdpbf16ps"),
            text!(left $tiles, "64"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
        )
    };
    (two, $tiles:ident) => {
        concat!(
            "/* {lower} {third} */\n",
            text!(left $tiles, "0"), text!(right "second"), text!(sum $tiles, "tdpbf16ps"),
            text!(right "b"), text!(sum $tiles, "tdpbf16ps"),
            text!(left $tiles, "64"), text!(sum $tiles, "tdpbf16ps"),
        )
    };
}

/// The loop over k: sums in tiles 0 to 3, or 0 and 1.
macro_rules! multiply {
    ($parts:ident, $count:literal, $tiles:ident, $strip:ident, $row:ident) => {{
        let a = $strip.a.as_ptr().add($row * $strip.a_stride);
        let b = $strip.b.as_ptr();
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
            lower = inout(reg) a.wrapping_add(HEIGHT * $strip.a_stride) => _,
            b = inout(reg) b => _,
            second = inout(reg) b.wrapping_add(STEP * $strip.b_stride) => _,
            third = inout(reg) b.wrapping_add(2 * STEP * $strip.b_stride) => _,
            steps = inout(reg) $strip.k / ($count * STEP) => _,
            a_stride = in(reg) 4 * $strip.a_stride,
            b_stride = in(reg) 4 * $strip.b_stride,
            a_step = const 4 * $count * STEP,
            b_step = in(reg) 4 * $count * STEP * $strip.b_stride,
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

/// `out = start + a b`.
///
/// # Safety
/// [`super::amx::runs`] is true for bfloat16, the strip has been checked, and k is a multiple of as many times
/// [`STEP`] as there are parts, not 0.
pub(super) unsafe fn floats(
    count: Parts,
    strip: Strip<'_>,
    start: Start<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: the caller's; tiles of `height` rows read and write as many.
    unsafe {
        for_sums!(strip, start, out, out_stride, |row, height| {
            match count {
                Parts::Two => by_tiles!(multiply_two, strip, row, height),
                Parts::Three => by_tiles!(multiply_three, strip, row, height),
            }
        });
    }
}

/// A step of a panel, where a line of the cache begins.
#[repr(align(64))]
struct Step([u32; 3 * STEP_WORDS]);

/// The same of three parts, with floats on the right, which are split here: less to read where there are few rows.
///
/// # Safety
/// As [`floats`], but that the right side has floats `[2 k / 3, COLUMNS]`.
pub(super) unsafe fn floats_to_split(strip: Strip<'_>, start: Start<'_>, out: &mut [f32], out_stride: usize) {
    let mut split = [const { Step([0; 3 * STEP_WORDS]) }; 2];
    let floats = strip.b.as_chunks::<STEP_FLOATS>().0;
    let steps = strip.k / (3 * STEP);
    // SAFETY: the caller's; tiles of `height` rows read and write as many.
    unsafe {
        for_sums!(strip, start, out, out_stride, |row, height| {
            split_vectors(&floats[0], &mut split[0].0);
            for step in 0..steps {
                // One ahead, so that no load waits for a store.
                if let Some(floats) = floats[..steps].get(step + 1) {
                    split_vectors(floats, &mut split[(step + 1) % 2].0);
                }
                let strip =
                    Strip { a: &strip.a[3 * STEP * step..], b: &split[step % 2].0, k: 3 * STEP, ..strip };
                by_tiles!(multiply_three, strip, row, height);
            }
        });
    }
}
