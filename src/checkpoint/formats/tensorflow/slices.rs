//! Partitions of variables: their keys in the index, and their positions in the tensor.

use super::{Extent, TensorSlice};

/// Returns start and length in each dimension.
pub(super) fn extents(
    slice: &TensorSlice,
    shape: &[usize],
) -> std::result::Result<Vec<(usize, usize)>, String> {
    if slice.extent.len() != shape.len() {
        return Err("a part of it has a different number of dimensions".to_owned());
    }
    let extent = |(extent, size): (&Extent, &usize)| {
        let start = usize::try_from(extent.start).ok()?;
        let length = match extent.length {
            None => *size,
            Some(length) => usize::try_from(length).ok()?,
        };
        start.checked_add(length).filter(|end| end <= size).map(|_| (start, length))
    };
    slice
        .extent
        .iter()
        .zip(shape)
        .map(extent)
        .collect::<Option<_>>()
        .ok_or_else(|| "a part of it lies outside".to_owned())
}

/// Returns true if two partitions of a tensor overlap.
pub(super) fn overlap(a: &[(usize, usize)], b: &[(usize, usize)]) -> bool {
    a.iter().zip(b).all(|((a, n), (b, m))| *a.max(b) < (a + n).min(b + m))
}

/// Copies a partition into the complete tensor, one row of its last dimension at a time.
pub(super) fn copy_part(
    whole: &mut [u8],
    shape: &[usize],
    part: &[u8],
    within: &[(usize, usize)],
    size: usize,
) {
    let Some((last, outer)) = within.split_last() else {
        whole.copy_from_slice(part);
        return;
    };
    let row = last.1 * size;
    if row == 0 {
        return;
    }
    for (number, values) in part.chunks_exact(row).enumerate() {
        // The coordinates of this row.
        let mut rest = number;
        let mut place = 0;
        let mut stride = shape[shape.len() - 1];
        for (dimension, (start, length)) in outer.iter().enumerate().rev() {
            place += (start + rest % length.max(&1)) * stride;
            rest /= length.max(&1);
            stride *= shape[dimension];
        }
        let at = (place + last.0) * size;
        whole[at..at + row].copy_from_slice(values);
    }
}

/// Returns the key of a partition: `EncodeTensorNameSlice`.
pub(super) fn slice_key(name: &str, slice: &TensorSlice) -> Vec<u8> {
    let mut key = Vec::new();
    ordered_number(&mut key, 0);
    for byte in name.bytes() {
        match byte {
            0 => key.extend([0, 0xff]),
            0xff => key.extend([0xff, 0]),
            other => key.push(other),
        }
    }
    key.extend([0, 1]);
    ordered_number(&mut key, slice.extent.len() as u64);
    for extent in &slice.extent {
        ordered_signed(&mut key, extent.start);
        ordered_signed(&mut key, extent.length.unwrap_or(-1));
    }
    key
}

/// TensorFlow's `OrderedCode::WriteNumIncreasing`.
fn ordered_number(out: &mut Vec<u8>, value: u64) {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    out.push((8 - zeros) as u8);
    out.extend(&bytes[zeros..]);
}

/// TensorFlow's `OrderedCode::WriteSignedNumIncreasing`.
fn ordered_signed(out: &mut Vec<u8>, value: i64) {
    let magnitude = if value < 0 { !value } else { value } as u64;
    let bits = 64 - magnitude.leading_zeros() as usize;
    // One bit holds the sign, and one bit per byte the length.
    let length = bits / 7 + 1;
    let mut bytes = [if value < 0 { 0xff } else { 0 }; 10];
    bytes[2..].copy_from_slice(&value.to_be_bytes());
    let start = 10 - length;
    let header: u16 = if length >= 16 { u16::MAX } else { !(u16::MAX >> length) };
    bytes[start] ^= (header >> 8) as u8;
    if length > 1 {
        bytes[start + 1] ^= header as u8;
    }
    out.extend(&bytes[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_parts_are_those_of_tensorflow() {
        let mut out = Vec::new();
        for (value, expected) in [
            (0, vec![0x80]),
            (1, vec![0x81]),
            (-1, vec![0x7f]),
            (63, vec![0xbf]),
            (64, vec![0xc0, 0x40]),
            (-64, vec![0x40]),
            (-65, vec![0x3f, 0xbf]),
            (15000, vec![0xe0, 0x3a, 0x98]),
        ] {
            out.clear();
            ordered_signed(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
        out.clear();
        ordered_number(&mut out, 0);
        ordered_number(&mut out, 300);
        assert_eq!(out, [0, 2, 1, 44]);
    }

    #[test]
    fn parts_find_their_places() {
        let mut whole = vec![0u8; 12];
        copy_part(&mut whole, &[3, 4], &[1, 2, 3, 4], &[(1, 2), (1, 2)], 1);
        assert_eq!(whole, [0, 0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0]);
        let mut whole = vec![0u8; 8];
        copy_part(&mut whole, &[2, 2, 2], &[1, 2, 3, 4], &[(0, 2), (1, 1), (0, 2)], 1);
        assert_eq!(whole, [0, 0, 1, 2, 0, 0, 3, 4]);
    }
}
