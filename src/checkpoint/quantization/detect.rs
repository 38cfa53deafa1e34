//! Detection of quantized tensors.

use serde_json::Value;

use super::{MARKS, Quantization, beside, in_pickle};
use crate::checkpoint::adapter::lora::has_lora;
use crate::checkpoint::naming::names::is_buffer;
use crate::checkpoint::tensor::{Format, TensorInfo};
use crate::checkpoint::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// Determines whether `tensors` are quantized in a way that cannot be dequantized.
pub(in crate::checkpoint) fn detect(tensors: &Tensors) -> Option<Quantization> {
    let infos = tensors.infos();
    let is_integer = |info: &&TensorInfo| !info.dtype.is_float() && !is_buffer(&info.name);
    let mark = MARKS.iter().find(|(mark, _)| infos.iter().any(|info| info.name.contains(mark)));
    let matrices = infos.iter().filter(|info| info.name.ends_with(".weight"));
    let integers = matrices.clone().find(is_integer);
    if let Some((_, method)) = mark
        // A scale next to float weights does not mean that they are quantized.
        && (*method != "compressed-tensors" || integers.is_some() || infos.iter().any(|i| i.name.contains("weight_packed")))
    {
        return Some(Quantization::unreadable(*method));
    }
    if let Some(integers) = integers {
        let method = beside(tensors.path()).map_or_else(
            || format!("by an unknown method: \"{}\" has elements of type {}", integers.name, integers.dtype),
            str::to_owned,
        );
        return Some(Quantization::unreadable(method));
    }
    let is_pickle = matches!(
        tensors.format(),
        Some(Format::PyTorchZip | Format::PyTorchLegacy | Format::PyTorchTar | Format::Pickle)
    );
    let matrix = |info: &TensorInfo| info.shape.len() == 2 && info.name.contains("attention");
    if is_pickle && !infos.iter().any(matrix) {
        return in_pickle(tensors.path()).map(Quantization::unreadable);
    }
    None
}

impl Tensors {
    /// Returns how the tensors are quantized; `None` for ordinary weights.
    pub fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_ref()
    }

    /// Rejects tensors that cannot be read because they are quantized or belong to an adapter without its base model.
    ///
    /// # Errors
    /// [`Error::Weights`] with the method and a remedy.
    pub(in crate::checkpoint) fn check_readable(&self, config: &AlbertConfig) -> Result<()> {
        let error = |problem: String| Err(Error::Weights { path: self.path().to_owned(), problem });
        if self.merge.is_none() && has_lora(self) {
            return error(
                "the file holds LoRA adapters of PEFT that are not merged into the weights; put their adapter_config.json \
                 next to it, or merge them in Python with merge_and_unload and save the model"
                    .to_owned(),
            );
        }
        let Some(quantization) = self.quantization.as_ref().filter(|q| !q.is_readable) else { return Ok(()) };
        let named = named_in(config).filter(|named| !same_method(&quantization.method, named));
        match named {
            Some(named) => {
                error(Quantization::unreadable(format!("{named} according to config.json")).problem())
            }
            None => error(quantization.problem()),
        }
    }
}

/// Returns the method that `quantization_config` in the configuration names, with its bits.
fn named_in(config: &AlbertConfig) -> Option<String> {
    let section = config.extra("quantization_config")?;
    let method = section.get("quant_method").and_then(Value::as_str)?;
    let bits = section.get("bits").or_else(|| section.get("w_bit")).and_then(Value::as_u64);
    Some(bits.map_or_else(|| method.to_owned(), |bits| format!("{method}, {bits} bits")))
}

/// Returns true if the method's name in the configuration adds nothing to what the tensors reveal.
fn same_method(found: &str, named: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    named.contains("bits") && plain(found) == plain(named)
        || !named.contains("bits") && plain(found).contains(&plain(named)) && !found.contains(" or ")
}
