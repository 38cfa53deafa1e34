//! Recipes that dequantize matrices when they are read.

use std::path::Path;

use half::{bf16, f16};

use super::rows::{eight_bits, four_bits};
use crate::checkpoint::layout::to_f32;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// The name of bitsandbytes in messages.
pub(super) const BITSANDBYTES: &str = "bitsandbytes";

/// A tensor as stored in a file.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Stored {
    pub(in crate::checkpoint) name: String,
    pub(in crate::checkpoint) holder: usize,
    pub(in crate::checkpoint) dtype: Dtype,
}

impl Stored {
    pub(in crate::checkpoint) fn new(name: String, holder: usize, dtype: Dtype) -> Self {
        Self { name, holder, dtype }
    }
}

/// How a matrix is dequantized.
#[derive(Clone, Debug)]
pub(in crate::checkpoint) enum Recipe {
    /// `i8`, scaled by the largest absolute value of each row divided by 127.
    Int8 { scales: Stored },
    /// 4-bit codes.
    FourBit(Box<FourBit>),
    /// `i8`, multiplied by the scale of each row.
    Rows8 { scales: Stored },
    /// Two integers per byte, multiplied by the scale of each row.
    Rows4 { scales: Stored },
}

#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct FourBit {
    pub(in crate::checkpoint) codes: Stored,
    pub(in crate::checkpoint) absmax: Stored,
    pub(in crate::checkpoint) block: usize,
    pub(in crate::checkpoint) nested: Option<Nested>,
    pub(in crate::checkpoint) count: usize,
    pub(in crate::checkpoint) dtype: Dtype,
}

#[derive(Clone, Debug)]
pub(in crate::checkpoint) struct Nested {
    pub(in crate::checkpoint) codes: Stored,
    pub(in crate::checkpoint) absmax: Stored,
    pub(in crate::checkpoint) block: usize,
    pub(in crate::checkpoint) offset: f32,
}

impl Recipe {
    /// Returns the quantization method in words.
    fn method(&self) -> &'static str {
        match self {
            Self::Int8 { .. } | Self::FourBit(_) => BITSANDBYTES,
            Self::Rows8 { .. } | Self::Rows4 { .. } => "one scale per row",
        }
    }

    /// Dequantizes a matrix from its stored bytes. `read` returns the bytes of other tensors of the file at `path`.
    pub(in crate::checkpoint) fn dequantized(
        &self,
        name: &str,
        stored: &[u8],
        path: &Path,
        read: &dyn Fn(&Stored) -> Result<Vec<u8>>,
    ) -> Result<Vec<f32>> {
        let invalid = |name: &str, problem: &str| invalid_quantized(self.method(), path, name, problem);
        let floats = |part: &Stored| {
            to_f32(&read(part)?, part.dtype)
                .ok_or_else(|| invalid(&part.name, &format!("it has elements of type {}", part.dtype)))
        };
        Ok(match self {
            Recipe::Rows8 { scales } => eight_bits(stored, &floats(scales)?),
            Recipe::Rows4 { scales } => four_bits(stored, &floats(scales)?),
            Recipe::Int8 { scales } => int8(stored, &floats(scales)?),
            Recipe::FourBit(recipe) => {
                let absmax = match &recipe.nested {
                    None => floats(&recipe.absmax)?,
                    Some(nested) => nested_scales(
                        &read(&recipe.absmax)?,
                        &floats(&nested.codes)?,
                        &floats(&nested.absmax)?,
                        nested,
                    )
                    .ok_or_else(|| invalid(name, "its nested scales are too few"))?,
                };
                four_bit(stored, &floats(&recipe.codes)?, &absmax, recipe)
                    .ok_or_else(|| invalid(name, "its codes or scales are too few"))?
            }
        })
    }
}

/// Returns the error for quantized weights that cannot be read.
pub(in crate::checkpoint) fn invalid_quantized(
    method: &str,
    path: &Path,
    name: &str,
    problem: &str,
) -> Error {
    let problem = format!("the weights are quantized ({method}), and \"{name}\" cannot be read: {problem}");
    Error::Weights { path: path.to_owned(), problem }
}

fn int8(stored: &[u8], scales: &[f32]) -> Vec<f32> {
    let columns = (stored.len() / scales.len().max(1)).max(1);
    let row = |(row, scale): (&[u8], &f32)| -> Vec<f32> {
        row.iter().map(|q| f32::from(*q as i8) * scale * (1.0 / 127.0)).collect()
    };
    stored.chunks(columns).zip(scales).flat_map(row).collect()
}

fn nested_scales(bytes: &[u8], codes: &[f32], absmax: &[f32], nested: &Nested) -> Option<Vec<f32>> {
    let value = |(i, code): (usize, &u8)| {
        Some(codes.get(usize::from(*code))? * absmax.get(i / nested.block)? + nested.offset)
    };
    bytes.iter().enumerate().map(value).collect()
}

fn four_bit(bytes: &[u8], codes: &[f32], absmax: &[f32], recipe: &FourBit) -> Option<Vec<f32>> {
    let round = |value: f32| match recipe.dtype {
        Dtype::F16 => f16::from_f32(value).to_f32(),
        Dtype::BF16 => bf16::from_f32(value).to_f32(),
        _ => value,
    };
    let value = |i: usize| {
        let byte = bytes.get(i / 2)?;
        let code = if i.is_multiple_of(2) { byte >> 4 } else { byte & 15 };
        Some(round(codes.get(usize::from(code))? * absmax.get(i / recipe.block)?))
    };
    (0..recipe.count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_scaled_by_rows() {
        let stored = [127u8, 129, 0, 1];
        assert_eq!(int8(&stored, &[2.0, 127.0]), [2.0, -2.0, 0.0, 1.0]);
    }

    #[test]
    fn four_bits_are_codes_of_blocks() {
        let codes: Vec<f32> = (0..16u8).map(f32::from).collect();
        let stored = || Stored { name: String::new(), holder: 0, dtype: Dtype::F32 };
        let mut recipe = FourBit {
            codes: stored(),
            absmax: stored(),
            block: 2,
            nested: None,
            count: 4,
            dtype: Dtype::F32,
        };
        assert_eq!(four_bit(&[0x12, 0xf0], &codes, &[1.0, 10.0], &recipe), Some(vec![1.0, 2.0, 150.0, 0.0]));
        recipe.count = 6;
        assert_eq!(four_bit(&[0x12, 0xf0], &codes, &[1.0, 10.0], &recipe), None);
    }
}
