//! Quantized weights: which library made them, and what to do about those that cannot be read.

pub(in crate::checkpoint) mod bitsandbytes;
pub(in crate::checkpoint) mod row_scaled;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use serde_json::Value;
use zip::ZipArchive;

use super::tensors::{Format, TensorInfo, Tensors};
use crate::checkpoint::naming::names::is_buffer;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// Most of a pickle that is searched for the names of libraries.
const SEARCHED: u64 = 16 << 20;

/// How weights are quantized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantization {
    /// The method, for people: `bitsandbytes, 8 bits`.
    pub method: String,
    /// True if the weights are dequantized when they are read. Otherwise the model cannot be loaded.
    pub is_readable: bool,
}

impl Quantization {
    pub(in crate::checkpoint) fn readable(method: impl Into<String>) -> Self {
        Self { method: method.into(), is_readable: true }
    }

    pub(in crate::checkpoint) fn unreadable(method: impl Into<String>) -> Self {
        Self { method: method.into(), is_readable: false }
    }

    /// One line for the load report.
    pub fn note(&self) -> String {
        if self.is_readable {
            format!("the weights are quantized ({}); using their dequantized values", self.method)
        } else {
            format!("the weights are quantized ({}), which albert does not read", self.method)
        }
    }

    /// The problem with weights that cannot be read, and the remedy.
    fn problem(&self) -> String {
        format!("{}; {}", self.note(), WAY_OUT)
    }
}

/// The remedy for weights that cannot be read.
pub(in crate::checkpoint) const WAY_OUT: &str = "use the unquantized weights of the model, or dequantize these with the library that \
                                  made them; --dtype int8 computes with 8-bit integers from ordinary weights";

/// Ends or parts of the names of tensors that a library quantized.
const MARKS: [(&str, &str); 16] = [
    (".quant_state.bitsandbytes__", "bitsandbytes, 4 bits"),
    (".SCB", "bitsandbytes, 8 bits"),
    (".g_idx", "GPTQ"),
    (".qweight", "AWQ or GPTQ"),
    (".weight_packed", "compressed-tensors"),
    (".weight_scale_inv", "8-bit floats"),
    (".weight_scales", "EETQ"),
    (".weight_scale", "compressed-tensors"),
    ("_weight_qdata", "torchao"),
    (".weight.qdata", "torchao"),
    (".weight._data", "optimum-quanto"),
    (".W_q", "HQQ"),
    ("._packed_params", "quantization of PyTorch"),
    (".codebooks", "AQLM"),
    (".weight_quantizer._scale", "NVIDIA ModelOpt"),
    (".quant_map", "bitsandbytes, 4 bits"),
];

/// Classes in a pickle that stand for quantized tensors.
const CLASSES: [(&str, &str); 6] = [
    ("torchao", "torchao"),
    ("optimum.quanto", "optimum-quanto"),
    ("hqq.", "HQQ"),
    ("neural_compressor", "Intel Neural Compressor"),
    ("_rebuild_qtensor", "quantization of PyTorch"),
    ("torch.ao.nn.quantized", "quantization of PyTorch"),
];

/// Files of a directory that say how its weights were quantized.
const FILES: [(&str, &str); 8] = [
    ("inc_config.json", "Intel Neural Compressor"),
    ("best_configure.yaml", "Intel Neural Compressor"),
    ("best_configure.json", "Intel Neural Compressor"),
    ("qconfig.json", "Intel Neural Compressor"),
    ("quanto_qmap.json", "optimum-quanto"),
    ("quantization_map.json", "optimum-quanto"),
    ("qmodel.pt", "HQQ"),
    ("hf_quant_config.json", "NVIDIA ModelOpt"),
];

/// Finds out whether `tensors` are quantized, after those that can be dequantized have been.
pub(in crate::checkpoint) fn detect(tensors: &Tensors) -> Option<Quantization> {
    let infos = tensors.infos();
    let is_integer = |info: &&TensorInfo| !info.dtype.is_float() && !is_buffer(&info.name);
    let mark = MARKS.iter().find(|(mark, _)| infos.iter().any(|info| info.name.contains(mark)));
    let matrices = infos.iter().filter(|info| info.name.ends_with(".weight"));
    let integers = matrices.clone().find(is_integer);
    if let Some((_, method)) = mark
        // A scale next to weights of floats says nothing about these.
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

/// The method that a file in the directory of `weights` points to.
fn beside(weights: &Path) -> Option<&'static str> {
    let directory = weights.parent()?;
    FILES.iter().find(|(file, _)| directory.join(file).is_file()).map(|(_, method)| *method)
}

/// The library whose classes the pickle of a PyTorch file names.
fn in_pickle(path: &Path) -> Option<&'static str> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    match ZipArchive::new(BufReader::new(file.try_clone().ok()?)) {
        Ok(mut archive) => {
            let names: Vec<String> =
                archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
            let name = names.into_iter().find(|name| name == "data.pkl" || name.ends_with("/data.pkl"))?;
            archive.by_name(&name).ok()?.take(SEARCHED).read_to_end(&mut bytes).ok()?;
        }
        Err(_) => {
            File::open(path).ok()?.take(SEARCHED).read_to_end(&mut bytes).ok()?;
        }
    }
    let method =
        |text: &str| CLASSES.iter().find(|(class, _)| text.contains(class)).map(|(_, method)| *method);
    method(&String::from_utf8_lossy(&bytes)).map(|method| beside(path).unwrap_or(method))
}

/// Explains why a PyTorch file cannot be opened, if its tensors are quantized.
pub(in crate::checkpoint) fn explained(error: Error, path: &Path) -> Error {
    match (&error, in_pickle(path)) {
        (Error::BadFile { .. }, Some(method)) => {
            Error::Weights { path: path.to_owned(), problem: Quantization::unreadable(method).problem() }
        }
        _ => error,
    }
}

/// An addition to messages about elements of a type that only quantized weights have.
pub(in crate::checkpoint) fn hint(dtype: &str) -> String {
    if ["F8", "F4", "F6"].iter().any(|narrow| dtype.starts_with(narrow)) {
        format!("; the weights are quantized: {WAY_OUT}")
    } else {
        String::new()
    }
}

impl Tensors {
    /// How the tensors are quantized; `None` for ordinary weights.
    pub fn quantization(&self) -> Option<&Quantization> {
        self.quantization.as_ref()
    }

    /// Refuses tensors that cannot be read because they are quantized, or are those of an adapter alone.
    ///
    /// # Errors
    /// [`Error::Weights`] naming the method, and a way out.
    pub(in crate::checkpoint) fn check_readable(&self, config: &AlbertConfig) -> Result<()> {
        let error = |problem: String| Err(Error::Weights { path: self.path().to_owned(), problem });
        if self.merge.is_none() && crate::checkpoint::adapter::lora::has_lora(self) {
            return error(
                "the file holds LoRA adapters of PEFT that are not merged into the weights; put their adapter_config.json \
                 beside it, or merge them in Python with merge_and_unload and save the model"
                    .to_owned(),
            );
        }
        let Some(quantization) = self.quantization.as_ref().filter(|q| !q.is_readable) else { return Ok(()) };
        let named = named_in(config).filter(|named| !same_method(&quantization.method, named));
        match named {
            Some(named) => error(Quantization::unreadable(format!("{named}, says config.json")).problem()),
            None => error(quantization.problem()),
        }
    }
}

/// The method that `quantization_config` in the configuration names, with its bits.
pub(in crate::checkpoint) fn named_in(config: &AlbertConfig) -> Option<String> {
    let section = config.extra("quantization_config")?;
    let method = section.get("quant_method").and_then(Value::as_str)?;
    let bits = section.get("bits").or_else(|| section.get("w_bit")).and_then(Value::as_u64);
    Some(bits.map_or_else(|| method.to_owned(), |bits| format!("{method}, {bits} bits")))
}

/// True if the name of a method in a configuration says no more than what the tensors say.
fn same_method(found: &str, named: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    named.contains("bits") && plain(found) == plain(named)
        || !named.contains("bits") && plain(found).contains(&plain(named)) && !found.contains(" or ")
}
