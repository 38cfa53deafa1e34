//! Products on processors with AMX: tiles of 16 rows by 64 bytes in dedicated registers.
//!
//! Words are laid out as for AVX-512, which is the layout that AMX expects of its right-hand side. Two by two tiles of
//! accumulators are held at a time: 32 rows by [`COLUMNS`] columns.
#![allow(
    unsafe_code,
    reason = "instructions without intrinsics; every access lies in slices that were checked"
)]

use std::arch::asm;
use std::sync::OnceLock;

use super::MatmulPrecision;
use super::micro_kernel::{Accumulator, COLUMNS, MicroKernel};
use super::operand_layout::STEP;
use crate::ops::isa::{self, Isa};

/// The rows of one tile, and of two.
pub(super) const HEIGHT: usize = 16;
const ROWS: usize = 2 * HEIGHT;

/// Returns true if this processor has AMX for `precision` and the system lets this process use it.
pub(super) fn is_supported(precision: MatmulPrecision) -> bool {
    static HAS: OnceLock<[bool; 2]> = OnceLock::new();
    let [bf16, int8] = *HAS.get_or_init(|| {
        // "Structured extended features": bits 22, 24 and 25 of EDX (Intel's manual, CPUID leaf 7).
        let edx = std::arch::x86_64::__cpuid_count(7, 0).edx;
        let has = |bit: u32| edx >> bit & 1 == 1;
        let base = std::arch::x86_64::__cpuid(0).eax >= 7
            && is_x86_feature_detected!("avx512bf16")
            && is_x86_feature_detected!("avx512vnni")
            && isa::allows(Isa::Amx)
            && has(24)
            && permitted();
        [base && has(22), base && has(25)]
    });
    match precision {
        MatmulPrecision::F32 | MatmulPrecision::Bf16x2 => false,
        MatmulPrecision::Bf16 => bf16,
        MatmulPrecision::Int8 => int8,
    }
}

/// Requests permission from Linux to use the tile data, which enlarges the saved state of a thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn permitted() -> bool {
    const REQUEST_PERMISSION: libc::c_ulong = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // SAFETY: the call takes two integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0 }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn permitted() -> bool {
    false
}

/// The shapes of the eight tiles: accumulators in 0 to 3, left-hand sides in 4 and 5, right-hand sides in 6 and 7.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// A configuration of the tiles, released on drop. Nothing else uses this thread's tiles in the meantime.
pub(super) struct Tiles;

impl Tiles {
    /// Configures the tiles for `rows` rows, at most [`ROWS`].
    ///
    /// # Safety
    /// [`is_supported`] is true for at least one precision.
    pub(super) unsafe fn new(rows: usize) -> Self {
        let heights = [rows.min(HEIGHT), rows.saturating_sub(HEIGHT).max(1)].map(|height| height as u8);
        let mut shapes =
            Shapes { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        let [upper, lower] = heights;
        let all = [upper, upper, lower, lower, upper, lower, HEIGHT as u8, HEIGHT as u8];
        shapes.rows[..all.len()].copy_from_slice(&all);
        shapes.row_bytes[..all.len()].fill(64);
        // SAFETY: the processor has AMX, and the shapes are valid for palette 1.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(nostack, readonly)) };
        Self
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the value was created on a processor that has AMX.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Splits the rows of a micro-kernel call into parts of at most [`ROWS`] rows: first row and number of rows.
pub(super) fn parts(rows: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(ROWS).map(move |row| (row, ROWS.min(rows - row)))
}

/// Calls `$body` for each part of the rows, with tiles configured for its height.
macro_rules! for_parts {
    ($rows:expr, |$row:ident, $height:ident| $body:block) => {
        let mut tiles: Option<(usize, Tiles)> = None;
        for ($row, $height) in parts($rows) {
            if tiles.as_ref().is_none_or(|(height, _)| *height != $height) {
                drop(tiles.take());
                tiles = Some(($height, Tiles::new($height)));
            }
            $body
        }
    };
}
pub(super) use for_parts;

/// Assembly text for one or two tiles of rows: loads the left-hand side into tiles 4 and 5 and the right-hand side into
/// tiles 6 and 7, and computes their two or four products.
macro_rules! text {
    (lhs two, $offset:literal) => {
        concat!(
            text!(lhs one, $offset),
            "tileloadd tmm5, [{lower} + {a_stride}*1 + ", $offset, "]\n",
        )
    };
    (lhs one, $offset:literal) => {
        concat!("tileloadd tmm4, [{a} + {a_stride}*1 + ", $offset, "]\n")
    };
    (right $b:literal) => {
        concat!(
            "tileloadd tmm6, [{", $b, "} + {b_stride}*1]\n",
            "tileloadd tmm7, [{", $b, "} + {b_stride}*1 + 64]\n",
        )
    };
    (sum two, $instruction:literal) => {
        concat!(
            text!(sum one, $instruction),
            $instruction, " tmm2, tmm5, tmm6\n",
            $instruction, " tmm3, tmm5, tmm7\n",
        )
    };
    (sum one, $instruction:literal) => {
        concat!($instruction, " tmm0, tmm4, tmm6\n", $instruction, " tmm1, tmm4, tmm7\n")
    };
}
pub(super) use text;

/// Calls `$multiply` for one or two tiles of rows. Without software prefetch: the hardware prefetcher does as well.
macro_rules! by_tiles {
    ($multiply:ident, $micro_kernel:ident, $row:ident, $height:ident) => {
        if $height > HEIGHT {
            $multiply!(two, $micro_kernel, $row)
        } else {
            $multiply!(one, $micro_kernel, $row)
        }
    };
}
pub(super) use by_tiles;

/// The loop over k: accumulates in tiles 0 to 3, or 0 and 1.
macro_rules! multiply {
    ($instruction:literal, $tiles:ident, $micro_kernel:ident, $row:ident) => {{
        let a = $micro_kernel.a.as_ptr().add($row * $micro_kernel.a_stride);
        asm!(
            "2:",
            concat!("/* {lower} */", text!(lhs $tiles, "0"), text!(right "b")),
            text!(sum $tiles, $instruction),
            "add {a}, 64",
            "add {lower}, 64",
            "add {b}, {b_step}",
            "dec {steps}",
            "jnz 2b",
            a = inout(reg) a => _,
            lower = inout(reg) a.wrapping_add(HEIGHT * $micro_kernel.a_stride) => _,
            b = inout(reg) $micro_kernel.b.as_ptr() => _,
            steps = inout(reg) $micro_kernel.k / STEP => _,
            a_stride = in(reg) 4 * $micro_kernel.a_stride,
            b_stride = in(reg) 4 * $micro_kernel.b_stride,
            b_step = in(reg) 4 * STEP * $micro_kernel.b_stride,
            options(nostack, readonly),
        );
    }};
}

macro_rules! multiply_floats {
    ($($rest:tt)*) => { multiply!("tdpbf16ps", $($rest)*) };
}

macro_rules! multiply_bytes {
    ($($rest:tt)*) => { multiply!("tdpbusd", $($rest)*) };
}

/// Moves the accumulators of `$height` rows between tiles 0 to 3 and memory.
macro_rules! move_sums {
    ($store:ident, $memory:ident, $stride:ident, $height:ident) => {
        let bytes = 4 * $stride;
        move_sums!(@ $store, "0", "1", $memory, bytes);
        if $height > HEIGHT {
            let lower = $memory.wrapping_add(HEIGHT * $stride);
            move_sums!(@ $store, "2", "3", lower, bytes);
        }
    };
    (@ load, $lhs:literal, $right:literal, $memory:ident, $bytes:ident) => {
        asm!(
            concat!("tileloadd tmm", $lhs, ", [{at} + {stride}*1]"),
            concat!("tileloadd tmm", $right, ", [{at} + {stride}*1 + 64]"),
            at = in(reg) $memory, stride = in(reg) $bytes, options(nostack, readonly),
        )
    };
    (@ store, $lhs:literal, $right:literal, $memory:ident, $bytes:ident) => {
        asm!(
            concat!("tilestored [{at} + {stride}*1], tmm", $lhs),
            concat!("tilestored [{at} + {stride}*1 + 64], tmm", $right),
            at = in(reg) $memory, stride = in(reg) $bytes, options(nostack),
        )
    };
}

pub(super) use move_sums;

/// Computes `out = start + ...` for each part of the rows, where `$body` adds the products to the accumulators.
macro_rules! for_sums {
    ($micro_kernel:ident, $start:ident, $out:ident, $out_stride:ident, |$row:ident, $height:ident| $body:block) => {
        for_parts!($micro_kernel.rows, |$row, $height| {
            let (from, stride) = first_sums($start, &$out[$row * $out_stride..], $out_stride);
            let to = $out.as_mut_ptr().add($row * $out_stride);
            move_sums!(load, from, stride, $height);
            $body
            move_sums!(store, to, $out_stride, $height);
        });
    };
}
pub(super) use for_sums;

/// The initial accumulators of a row, and the distance to those of the next row: 0 if all rows are the same.
pub(super) fn first_sums(start: Accumulator<'_>, out: &[f32], out_stride: usize) -> (*const f32, usize) {
    const ZEROS: [f32; COLUMNS] = [0.0; COLUMNS];
    match start {
        Accumulator::Zero => (ZEROS.as_ptr(), 0),
        Accumulator::Row(row) => (row.as_ptr(), 0),
        Accumulator::Out => (out.as_ptr(), out_stride),
    }
}

/// Computes `out = start + a b` in bfloat16.
///
/// # Safety
/// [`is_supported`] is true for bfloat16, [`MicroKernel::check`] has passed, and k is a nonzero multiple of [`STEP`].
pub(super) unsafe fn floats(
    micro_kernel: MicroKernel<'_>,
    start: Accumulator<'_>,
    out: &mut [f32],
    out_stride: usize,
) {
    // SAFETY: guaranteed by the caller; tiles of `height` rows read and write only that number of rows.
    unsafe {
        for_sums!(micro_kernel, start, out, out_stride, |row, height| {
            by_tiles!(multiply_floats, micro_kernel, row, height);
        });
    }
}

/// Computes int32 sums of bytes, unsigned on the left and signed on the right; `take(row, sums)` receives the sums of the
/// rows from `row` on.
///
/// # Safety
/// As for [`floats`], with [`is_supported`] true for int8.
pub(super) unsafe fn bytes(micro_kernel: MicroKernel<'_>, mut take: impl FnMut(usize, &[[i32; COLUMNS]])) {
    let mut sums = [[0i32; COLUMNS]; ROWS];
    // SAFETY: guaranteed by the caller; `sums` has room for two by two tiles.
    unsafe {
        for_parts!(micro_kernel.rows, |row, height| {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
            by_tiles!(multiply_bytes, micro_kernel, row, height);
            let to = sums.as_mut_ptr().cast::<i32>();
            let stride = COLUMNS;
            move_sums!(store, to, stride, height);
            take(row, &sums[..height]);
        });
    }
}
