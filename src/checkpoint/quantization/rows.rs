//! Converts integers with one scale per row to floats.

use rayon::prelude::*;

/// Rows that one thread unpacks at a time.
const ROWS: usize = 64;

/// Converts 8-bit integers.
pub(in crate::checkpoint) fn eight_bits(stored: &[u8], scales: &[f32]) -> Vec<f32> {
    unpacked(stored, scales, 1, |bytes, scale, out| {
        for (byte, out) in bytes.iter().zip(out) {
            *out = f32::from(*byte as i8) * scale;
        }
    })
}

/// Converts packed 4-bit integers.
pub(in crate::checkpoint) fn four_bits(stored: &[u8], scales: &[f32]) -> Vec<f32> {
    unpacked(stored, scales, 2, |bytes, scale, out| {
        for (byte, out) in bytes.iter().zip(out.as_chunks_mut::<2>().0) {
            *out = [byte & 15, byte >> 4].map(|code| (f32::from(code) - 8.0) * scale);
        }
    })
}

/// Unpacks rows in parallel. `unpack` receives the bytes of a row, its scale, and the slice for its values.
fn unpacked(
    stored: &[u8],
    scales: &[f32],
    per_byte: usize,
    unpack: impl Fn(&[u8], f32, &mut [f32]) + Sync,
) -> Vec<f32> {
    let row = (stored.len() / scales.len().max(1)).max(1);
    let wide = row * per_byte;
    let mut out = vec![0.0; stored.len() * per_byte];
    out.par_chunks_mut(ROWS * wide).zip(stored.par_chunks(ROWS * row)).zip(scales.par_chunks(ROWS)).for_each(
        |((out, bytes), scales)| {
            for ((out, bytes), scale) in out.chunks_mut(wide).zip(bytes.chunks(row)).zip(scales) {
                unpack(bytes, *scale, out);
            }
        },
    );
    out
}
