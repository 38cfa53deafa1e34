//! Transposition and float conversion without intermediate copies.

use half::{bf16, f16};
use rayon::prelude::*;

use super::tensor::Dtype;

/// Columns per parallel transposition task.
const BLOCK: usize = 32;
/// Values that are converted before they are checked for NaN and infinity.
const CHECKED: usize = 4096;
/// Values per conversion step.
const STEP: usize = 1 << 16;

/// Rows that are transposed at a time.
const TOGETHER: usize = 8;

/// Transposes a `[rows, columns]` matrix in blocks, so that source and destination stay in the cache.
pub(crate) fn transposed<T: Copy + Default + Send + Sync>(
    values: &[T],
    rows: usize,
    columns: usize,
) -> Vec<T> {
    let mut out = vec![T::default(); values.len()];
    if rows == 0 || columns == 0 {
        return out;
    }
    out.par_chunks_mut(BLOCK * rows).enumerate().for_each(|(block, out)| {
        let (first, width) = (block * BLOCK, out.len() / rows);
        for (strip, values) in values.chunks(TOGETHER * columns).enumerate() {
            let at = strip * TOGETHER;
            let count = values.len() / columns;
            let row = |i: usize| &values[i * columns + first..][..width];
            if count == TOGETHER {
                let strip: [&[T]; TOGETHER] = std::array::from_fn(row);
                for (c, out) in out.chunks_exact_mut(rows).enumerate() {
                    let column: [T; TOGETHER] = std::array::from_fn(|i| strip[i][c]);
                    out[at..at + TOGETHER].copy_from_slice(&column);
                }
                continue;
            }
            for i in 0..count {
                for (out, value) in out.chunks_exact_mut(rows).zip(row(i)) {
                    out[at + i] = *value;
                }
            }
        }
    });
    out
}

/// Like [`transposed`], for raw elements of 1, 2, 4 or 8 bytes.
pub(super) fn transposed_bytes(bytes: &[u8], rows: usize, columns: usize, element: usize) -> Vec<u8> {
    fn turned<const N: usize>(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8>
    where
        [u8; N]: Default,
    {
        transposed(bytes.as_chunks::<N>().0, rows, columns).into_flattened()
    }
    match element {
        1 => turned::<1>(bytes, rows, columns),
        2 => turned::<2>(bytes, rows, columns),
        4 => turned::<4>(bytes, rows, columns),
        _ => turned::<8>(bytes, rows, columns),
    }
}

/// Converts little-endian floats of any width to f32. Returns `None` for integers.
pub(super) fn to_f32(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F16 => {
            Some(bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect())
        }
        Dtype::BF16 => {
            Some(bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect())
        }
        Dtype::F64 => Some(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
        Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U8 | Dtype::Bool => None,
    }
}

/// Like [`to_f32`], but also returns whether all values are finite. Values are checked in steps, while they are in the
/// cache.
pub(super) fn to_f32_checked(bytes: &[u8], dtype: Dtype) -> Option<(Vec<f32>, bool)> {
    let mut values = Vec::with_capacity(bytes.len() / dtype.size());
    let mut finite = true;
    for step in bytes.chunks(CHECKED * dtype.size()) {
        let from = values.len();
        match dtype {
            Dtype::F32 => values.extend(step.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
            _ => values.extend(to_f32(step, dtype)?),
        }
        finite &= all_finite(&values[from..]);
    }
    // Rejects integers in an empty tensor, too.
    to_f32(&[], dtype)?;
    Some((values, finite))
}

/// Returns true if all floats are finite. Integers always are.
pub(super) fn is_finite(bytes: &[u8], dtype: Dtype) -> bool {
    bytes
        .chunks(CHECKED * dtype.size())
        .all(|step| to_f32(step, dtype).is_none_or(|values| all_finite(&values)))
}

/// Returns true if no value is NaN or infinite. Does not return early, so that the loop can be vectorized.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    const EXPONENT: u32 = 0x7f80_0000;
    values.iter().fold(0, |bad, value| bad | u32::from(value.to_bits() & EXPONENT == EXPONENT)) == 0
}

/// Returns the little-endian bytes of f32 values.
pub(super) fn to_bytes(values: &[f32]) -> Vec<u8> {
    let mut out = vec![0; values.len() * 4];
    out.as_chunks_mut::<4>().0.iter_mut().zip(values).for_each(|(out, value)| *out = value.to_le_bytes());
    out
}

/// Appends f32 values to `out` as elements of the float type `dtype`.
pub(super) fn from_f32(values: &[f32], dtype: Dtype, out: &mut Vec<u8>) {
    match dtype {
        Dtype::F16 => out.extend(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes())),
        Dtype::BF16 => out.extend(values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes())),
        Dtype::F64 => out.extend(values.iter().flat_map(|v| f64::from(*v).to_le_bytes())),
        _ => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
    }
}

/// Converts floats to another type. Returns `None` for integers.
pub(super) fn cast(bytes: Vec<u8>, from: Dtype, to: Dtype) -> Option<Vec<u8>> {
    if from == to {
        return Some(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len() / from.size() * to.size());
    for step in bytes.chunks(STEP * from.size()) {
        from_f32(&to_f32(step, from)?, to, &mut out);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_of_any_size_are_turned() {
        for (rows, columns) in [(0, 0), (1, 1), (2, 3), (31, 33), (64, 32), (100, 1), (1, 100), (70, 45)] {
            let values: Vec<u32> = (0..(rows * columns) as u32).collect();
            let turned = transposed(&values, rows, columns);
            for r in 0..rows {
                for c in 0..columns {
                    assert_eq!(turned[c * rows + r], values[r * columns + c], "{rows} x {columns}");
                }
            }
            assert_eq!(transposed(&turned, columns, rows), values);
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let expected: Vec<u8> = turned.iter().flat_map(|v| v.to_le_bytes()).collect();
            assert_eq!(transposed_bytes(&bytes, rows, columns, 4), expected);
        }
        assert_eq!(transposed_bytes(&[1, 2, 3, 4, 5, 6], 3, 2, 1), [1, 3, 5, 2, 4, 6]);
        assert_eq!(transposed_bytes(&[1, 1, 2, 2, 3, 3, 4, 4], 2, 2, 2), [1, 1, 3, 3, 2, 2, 4, 4]);
    }

    #[test]
    fn every_float_type_becomes_f32() {
        assert_eq!(to_f32(&1.5f32.to_le_bytes(), Dtype::F32), Some(vec![1.5]));
        assert_eq!(to_f32(&1.5f64.to_le_bytes(), Dtype::F64), Some(vec![1.5]));
        assert_eq!(to_f32(&f16::from_f32(1.5).to_le_bytes(), Dtype::F16), Some(vec![1.5]));
        assert_eq!(to_f32(&bf16::from_f32(1.5).to_le_bytes(), Dtype::BF16), Some(vec![1.5]));
        assert_eq!(to_f32(&[0; 8], Dtype::I64), None);
    }

    #[test]
    fn values_that_are_not_finite_are_found() {
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        for length in [1, 7, 4096, 4097, 10_000] {
            let sound: Vec<f32> = (0..length).map(|i| i as f32 - 3.5).collect();
            assert_eq!(to_f32_checked(&bytes(&sound), Dtype::F32), Some((sound.clone(), true)));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for place in [0, length / 2, length - 1] {
                    let mut values = sound.clone();
                    values[place] = bad;
                    assert!(!to_f32_checked(&bytes(&values), Dtype::F32).expect("floats").1);
                }
            }
        }
        let extremes = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -0.0];
        assert!(all_finite(&extremes));
        let (infinite, large) = (f16::INFINITY.to_le_bytes(), f64::MAX.to_le_bytes());
        assert_eq!(to_f32_checked(&infinite, Dtype::F16), Some((vec![f32::INFINITY], false)));
        assert_eq!(to_f32_checked(&large, Dtype::F64), Some((vec![f32::INFINITY], false)));
        assert_eq!(to_f32_checked(&[], Dtype::I64), None);
    }

    #[test]
    fn floats_change_their_type() {
        let halves = |v: f32| f16::from_f32(v).to_le_bytes().to_vec();
        assert_eq!(cast(1.5f32.to_le_bytes().to_vec(), Dtype::F32, Dtype::F16), Some(halves(1.5)));
        assert_eq!(cast(halves(-0.5), Dtype::F16, Dtype::F32), Some((-0.5f32).to_le_bytes().to_vec()));
        assert_eq!(cast(vec![0; 8], Dtype::I64, Dtype::F32), None);
        let many = vec![0x3f; 4 * (STEP + 3)];
        assert_eq!(cast(many, Dtype::F32, Dtype::BF16).map(|b| b.len()), Some(2 * (STEP + 3)));
    }
}
