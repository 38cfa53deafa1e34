//! Conversion of f32 rows into operand layouts. Each function has one body, compiled for several instruction sets.

/// Converts to bfloat16, rounding to nearest, ties to even; NaN stays NaN.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for our own micro-kernels"))]
pub(super) fn bf16(row: &[f32], out: &mut [u16]) {
    for (out, x) in out.iter_mut().zip(row) {
        *out = half::bf16::from_f32(*x).to_bits();
    }
}

/// Converts two rows to bfloat16, interleaved in each word: `low` in the lower half.
#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "for our own micro-kernels"))]
pub(super) fn bf16_pairs(low: &[f32], high: &[f32], out: &mut [u32]) {
    let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
    for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = bits(*low) | bits(*high) << 16;
    }
}

/// Quantizes a row to bytes that represent `scale * (byte - zero)`; returns scale and zero point. The range includes 0. A
/// row with a value that is not finite gets a scale of NaN, which propagates to every sum.
#[inline(always)]
pub(super) fn bytes(row: &[f32], out: &mut [u8]) -> [f32; 2] {
    const LANES: usize = 64;
    let (mut low, mut high, mut non_finite) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
    let mut look = |part: &[f32]| {
        for (((low, high), non_finite), &x) in low.iter_mut().zip(&mut high).zip(&mut non_finite).zip(part) {
            *low = if x < *low { x } else { *low };
            *high = if x > *high { x } else { *high };
            *non_finite += x * 0.0;
        }
    };
    let (whole, rest) = row.as_chunks::<LANES>();
    for part in whole {
        look(part);
    }
    look(rest);
    let low = low.iter().copied().fold(0.0, f32::min);
    let high = high.iter().copied().fold(0.0, f32::max);
    let non_finite: f32 = non_finite.iter().sum();
    let [scale, zero, inverse] = match self::scale([low, high], non_finite) {
        Ok(scale) => scale,
        Err(scale) => {
            out.fill(0);
            return [scale, 0.0];
        }
    };
    // Adding 2^23 leaves the rounded integer in the low bits.
    const SHIFT: f32 = 8_388_608.0;
    for (out, x) in out.iter_mut().zip(row) {
        let y = x * inverse + zero;
        let y = if y > 255.0 { 255.0 } else { y };
        let y = if y < 0.0 { 0.0 } else { y };
        *out = (y + SHIFT).to_bits() as u8;
    }
    [scale, zero]
}

/// Returns scale, zero point and the reciprocal of the scale for values from `low` to `high`; `non_finite` is 0 unless one of
/// the values is not finite. The error is the scale of a row whose bytes are all 0: NaN for values that are not finite, 0
/// for values that are zero or negligibly small.
#[inline(always)]
pub(super) fn scale([low, high]: [f32; 2], non_finite: f32) -> Result<[f32; 3], f32> {
    let scale = (high - low) / 255.0;
    let inverse = 1.0 / scale;
    if non_finite != 0.0 || !scale.is_finite() {
        return Err(f32::NAN);
    }
    if !inverse.is_finite() {
        return Err(0.0);
    }
    Ok([scale, (-low * inverse).round_ties_even(), inverse])
}

#[cfg(test)]
mod tests {
    use super::super::{OperandLayout, tile};
    use super::*;

    #[test]
    fn quantized_bytes_approximate_the_values() {
        for size in [1usize, 5, 64, 100, 257] {
            let row: Vec<f32> = (0..size).map(|i| (i as f32 * 1.7).sin() * 3.0 + 0.4).collect();
            let mut out = vec![0; size];
            let [scale, zero] = bytes(&row, &mut out);
            for (x, byte) in row.iter().zip(&out) {
                assert!((x - scale * (f32::from(*byte) - zero)).abs() <= 0.51 * scale, "{x} {byte}");
            }
            let mut other = vec![0; size];
            assert_eq!(tile::quantize(&row, &mut other), [scale, zero]);
            assert_eq!(other, out);
        }
    }

    #[test]
    fn the_processor_rounds_to_bf16_as_the_library_does() {
        if !OperandLayout::Bf16Pairs.is_supported() {
            return;
        }
        let row: Vec<f32> =
            (0..1000).map(|i| f32::from_bits(0x3f80_0000 + i * 7919)).chain([0.0, -0.0, f32::MAX]).collect();
        let (mut ours, mut theirs) = (vec![0; row.len()], vec![0; row.len()]);
        tile::to_bf16(&row, &mut ours);
        bf16(&row, &mut theirs);
        assert_eq!(ours, theirs);
    }
}
