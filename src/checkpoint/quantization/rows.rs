//! Integers with one scale per row, as floats.

use rayon::prelude::*;

/// Rows that one thread unpacks at a time.
const ROWS: usize = 64;

/// The little-endian f32 values of integers of 8 bits.
pub(in crate::checkpoint) fn eight_bits(stored: &[u8], scales: &[f32]) -> Vec<u8> {
    unpacked(stored, scales, 1, |bytes, scale, out| {
        for (byte, out) in bytes.iter().zip(out.as_chunks_mut::<4>().0) {
            *out = (f32::from(*byte as i8) * scale).to_le_bytes();
        }
    })
}

/// The little-endian f32 values of integers of 4 bits.
pub(in crate::checkpoint) fn four_bits(stored: &[u8], scales: &[f32]) -> Vec<u8> {
    unpacked(stored, scales, 2, |bytes, scale, out| {
        let values: [[u8; 4]; 16] = std::array::from_fn(|code| ((code as f32 - 8.0) * scale).to_le_bytes());
        for (byte, out) in bytes.iter().zip(out.as_chunks_mut::<8>().0) {
            let (even, odd) = (usize::from(byte & 15), usize::from(byte >> 4));
            out[..4].copy_from_slice(&values[even]);
            out[4..].copy_from_slice(&values[odd]);
        }
    })
}

/// Unpacks rows in parallel. `unpack` gets the bytes of a row, its scale, and the bytes of its f32 values.
fn unpacked(
    stored: &[u8],
    scales: &[f32],
    per_byte: usize,
    unpack: impl Fn(&[u8], f32, &mut [u8]) + Sync,
) -> Vec<u8> {
    let row = (stored.len() / scales.len().max(1)).max(1);
    let wide = row * per_byte * 4;
    let mut out = vec![0; stored.len() * per_byte * 4];
    out.par_chunks_mut(ROWS * wide).zip(stored.par_chunks(ROWS * row)).zip(scales.par_chunks(ROWS)).for_each(
        |((out, bytes), scales)| {
            for ((out, bytes), scale) in out.chunks_mut(wide).zip(bytes.chunks(row)).zip(scales) {
                unpack(bytes, *scale, out);
            }
        },
    );
    out
}
