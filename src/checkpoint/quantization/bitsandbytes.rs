//! Finds weights quantized by bitsandbytes, which are dequantized when they are read.
//!
//! 8 bits: a matrix of `i8` `[out, in]` and the largest absolute value of each row, `SCB`; a weight is `q * SCB / 127`.
//! 4 bits: two codes per byte, the first in the upper half; a weight is `quant_map[code] * absmax[block]`. With double
//! quantization, `absmax` minus its mean is quantized in the same way, in 8 bits.
//! Reference: bitsandbytes 0.50, `functional.py` (`int8_vectorwise_dequant`, `QuantState.from_dict`, `dequantize_4bit`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::Quantization;
use super::recipe::{BITSANDBYTES, FourBit, Nested, Recipe, Stored, invalid_quantized};
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};

const STATE: &str = ".quant_state.bitsandbytes__";

/// Maximum size of a `quant_state`, the description of a quantized matrix.
const MAX_STATE: usize = 1 << 16;

impl Tensors {
    /// Finds the matrices that bitsandbytes quantized, lists them as matrices of 32-bit floats, and hides their scales
    /// and descriptions.
    pub(in crate::checkpoint) fn with_bitsandbytes(mut self) -> Result<Self> {
        let is_marked = |info: &TensorInfo| info.name.ends_with(".SCB") || info.name.contains(STATE);
        if !self.infos.iter().any(is_marked) {
            return Ok(self);
        }
        let names: Vec<String> = self.infos.iter().filter(|i| is_marked(i)).map(|i| i.name.clone()).collect();
        let mut shapes: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut bits = 8;
        for name in names {
            let (matrix, recipe, shape) = if let Some(module) = name.strip_suffix(".SCB") {
                self.int8(module)?
            } else {
                bits = 4;
                self.four_bit(&name)?
            };
            self.recipes.insert(matrix.clone(), recipe);
            shapes.insert(matrix, shape);
        }
        let belongs = |name: &str| {
            let beside = |ends: &[&str]| {
                ends.iter().any(|end| {
                    name.strip_suffix(end).is_some_and(|stem| {
                        shapes.contains_key(stem) || shapes.contains_key(&format!("{stem}.weight"))
                    })
                })
            };
            name.contains(STATE)
                || beside(&[
                    ".SCB",
                    ".weight_format",
                    ".absmax",
                    ".quant_map",
                    ".nested_absmax",
                    ".nested_quant_map",
                ])
        };
        let (infos, holders) = (std::mem::take(&mut self.infos), std::mem::take(&mut self.holders));
        let kept = infos.into_iter().zip(holders).filter(|(info, _)| !belongs(&info.name));
        (self.infos, self.holders) = kept.unzip();
        for info in &mut self.infos {
            if let Some(shape) = shapes.remove(&info.name) {
                (info.shape, info.dtype) = (shape, Dtype::F32);
            }
        }
        self.quantization = Some(Quantization::readable(format!("bitsandbytes, {bits} bits")));
        Ok(self)
    }

    fn int8(&self, module: &str) -> Result<(String, Recipe, Vec<usize>)> {
        let matrix = format!("{module}.weight");
        let (scales, rows) = self.stored(&format!("{module}.SCB"))?;
        let (weights, shape) = self.stored(&matrix)?;
        if weights.dtype != Dtype::I8 || shape.len() != 2 || rows.iter().product::<usize>() != shape[0] {
            return Err(self.invalid_quantized(&matrix, "its scales do not fit it"));
        }
        if let Ok((format, _)) = self.stored(&format!("{module}.weight_format"))
            && self.bytes_of(&format)?.iter().any(|byte| *byte != 0)
        {
            return Err(self.invalid_quantized(
                &matrix,
                "its values are not in rows; save the model before it is used, or with a newer bitsandbytes",
            ));
        }
        Ok((matrix, Recipe::Int8 { scales }, shape))
    }

    fn four_bit(&self, state: &str) -> Result<(String, Recipe, Vec<usize>)> {
        let matrix = state.split(STATE).next().unwrap_or(state).to_owned();
        let invalid_quantized = |problem: &str| self.invalid_quantized(&matrix, problem);
        let (description, length) = self.stored(state)?;
        if length.iter().product::<usize>() > MAX_STATE {
            return Err(invalid_quantized("its quant_state is too long"));
        }
        let description: Value = serde_json::from_slice(&self.bytes_of(&description)?)
            .map_err(|e| invalid_quantized(&format!("its quant_state is not JSON ({e})")))?;
        let number =
            |key: &str| description.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let shape: Option<Vec<usize>> =
            description.get("shape").and_then(Value::as_array).and_then(|shape| {
                shape.iter().map(|n| n.as_u64().and_then(|n| usize::try_from(n).ok())).collect()
            });
        let (Some(shape), Some(block)) = (shape, number("blocksize").filter(|n| *n > 0)) else {
            return Err(invalid_quantized("its quant_state has no shape or no blocksize"));
        };
        let (packed, packed_shape) = self.stored(&matrix)?;
        let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n));
        let bytes = packed_shape.iter().product::<usize>() * packed.dtype.size();
        let Some(count) = count.filter(|count| count.div_ceil(2) == bytes) else {
            return Err(invalid_quantized("its shape does not fit its bytes"));
        };
        let part = |name: &str| Ok::<_, Error>(self.stored(&format!("{matrix}.{name}"))?.0);
        let nested = match description.get("nested_offset").and_then(Value::as_f64) {
            None => None,
            Some(offset) => Some(Nested {
                codes: part("nested_quant_map")?,
                absmax: part("nested_absmax")?,
                block: number("nested_blocksize").filter(|n| *n > 0).unwrap_or(256),
                offset: offset as f32,
            }),
        };
        let dtype = match description.get("dtype").and_then(Value::as_str) {
            Some("float16") => Dtype::F16,
            Some("bfloat16") => Dtype::BF16,
            _ => Dtype::F32,
        };
        let (codes, absmax) = (part("quant_map")?, part("absmax")?);
        let four_bit = FourBit { codes, absmax, block, nested, count, dtype };
        Ok((matrix, Recipe::FourBit(Box::new(four_bit)), shape))
    }

    fn stored(&self, name: &str) -> Result<(Stored, Vec<usize>)> {
        let Ok(i) = self.infos.binary_search_by(|info| info.name.as_str().cmp(name)) else {
            return Err(self.invalid_quantized(name, "it is missing"));
        };
        let stored = self.stored.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let info = &self.infos[i];
        Ok((Stored { name: stored, holder: self.holders[i], dtype: info.dtype }, info.shape.clone()))
    }

    fn bytes_of(&self, stored: &Stored) -> Result<Vec<u8>> {
        self.files[stored.holder].read(&stored.name)
    }

    fn invalid_quantized(&self, name: &str, problem: &str) -> Error {
        invalid_quantized(BITSANDBYTES, &self.path, name, problem)
    }
}
