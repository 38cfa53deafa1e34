//! Combines quantized weights of an ONNX model with the tensors needed to dequantize them.

use std::collections::BTreeMap;

use super::quantized::{self, Operands, QuantizedNodes, Scales, from_varints};
use super::{Initializer, OnnxFile};
use crate::checkpoint::layout::{to_bytes, to_f32};
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// A quantized weight with its scales.
#[derive(Clone)]
pub(super) struct Recipe {
    pub weight: Initializer,
    pub scale: Initializer,
    pub times: Option<Initializer>,
    pub zero_point: Option<Initializer>,
    pub form: quantized::Form,
}

impl OnnxFile {
    /// Dequantizes a weight and returns its values as 32-bit floats.
    pub(super) fn dequantized(&self, name: &str, recipe: &Recipe) -> Result<Vec<u8>> {
        let odd = || {
            let problem = format!("the quantized weight \"{name}\" does not fit its scales or zero points");
            Error::bad_file(&self.path, problem)
        };
        let bytes = |initializer: &Initializer| {
            let bytes = self.bytes(initializer.place)?;
            match initializer.place.varints {
                true => from_varints(&bytes, initializer.dtype).ok_or_else(odd),
                false => Ok(bytes),
            }
        };
        let floats = |initializer: &Initializer| {
            to_f32(&bytes(initializer)?, initializer.dtype).filter(|f| !f.is_empty()).ok_or_else(odd)
        };
        let mut scale = floats(&recipe.scale)?;
        if let Some(times) = &recipe.times {
            let factor = floats(times)?[0];
            scale.iter_mut().for_each(|scale| *scale *= factor);
        }
        let zero_point = match &recipe.zero_point {
            Some(initializer) => Some((bytes(initializer)?, initializer.dtype)),
            None => None,
        };
        let Initializer { shape, dtype, .. } = &recipe.weight;
        let (shape, dtype, form) = (shape.clone(), *dtype, recipe.form);
        let operands = Operands { bytes: bytes(&recipe.weight)?, dtype, shape, scale, zero_point, form };
        let values = quantized::dequantized(&operands).ok_or_else(odd)?;
        Ok(to_bytes(&values))
    }
}

/// Returns the quantized weights whose scales are among the initializers.
pub(super) fn recipes(
    initializers: &[Initializer],
    quantized: &mut QuantizedNodes,
) -> BTreeMap<String, Recipe> {
    let by_name: BTreeMap<&str, &Initializer> =
        initializers.iter().map(|initializer| (initializer.name.as_str(), initializer)).collect();
    let mut recipes = BTreeMap::new();
    let mut is_unreadable = false;
    for weight in initializers {
        if weight.dtype.is_float() {
            continue;
        }
        let scales = quantized.scales(&weight.name);
        let recipe = scales.and_then(|Scales { scale, times, zero_point, form }| {
            let find = |name: String| by_name.get(name.as_str()).map(|found| (*found).clone());
            let scale = scale.and_then(find).filter(|scale| scale.dtype.is_float())?;
            let times = match times {
                Some(times) => Some(find(times)?),
                None => None,
            };
            Some(Recipe { weight: weight.clone(), scale, times, zero_point: zero_point.and_then(find), form })
        });
        match recipe {
            Some(recipe) => drop(recipes.insert(weight.name.clone(), recipe)),
            // Integers with more than one axis are weights, not constants of the graph.
            None => {
                is_unreadable |= weight.shape.len() > 1
                    && weight.dtype != Dtype::I32
                    && !quantized.is_zero_point(&weight.name);
            }
        }
    }
    if is_unreadable {
        quantized.set_unreadable();
    }
    recipes
}
