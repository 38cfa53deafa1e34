//! Quantized weights: which library produced them, and what to do about those that cannot be read.

pub(in crate::checkpoint) mod bitsandbytes;
pub(in crate::checkpoint) mod detect;
pub(in crate::checkpoint) mod recipe;
pub(in crate::checkpoint) mod row_scaled;
pub(in crate::checkpoint) mod rows;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use crate::error::Error;

/// Maximum number of bytes of a pickle that are searched for the names of libraries.
const SEARCHED: u64 = 16 << 20;

/// How weights are quantized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantization {
    /// The method, human-readable: `bitsandbytes, 8 bits`.
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

    /// Returns one line for the load report.
    pub fn note(&self) -> String {
        if self.is_readable {
            format!("the weights are quantized ({}); using their dequantized values", self.method)
        } else {
            format!("the weights are quantized ({}), which albert does not read", self.method)
        }
    }

    /// Describes the problem with weights that cannot be read, and the remedy.
    fn problem(&self) -> String {
        format!("{}; {}", self.note(), REMEDY)
    }
}

/// The remedy for weights that cannot be read.
pub(in crate::checkpoint) const REMEDY: &str = "use the unquantized weights of the model, or dequantize these with the library that \
                                  made them; option dtype=int8 computes with 8-bit integers from ordinary weights";

/// Suffixes or parts of the names of tensors that a library quantized.
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

/// Classes in a pickle that indicate quantized tensors.
const CLASSES: [(&str, &str); 6] = [
    ("torchao", "torchao"),
    ("optimum.quanto", "optimum-quanto"),
    ("hqq.", "HQQ"),
    ("neural_compressor", "Intel Neural Compressor"),
    ("_rebuild_qtensor", "quantization of PyTorch"),
    ("torch.ao.nn.quantized", "quantization of PyTorch"),
];

/// Files in a directory that indicate how its weights were quantized.
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

/// Returns the method that a file in the directory of `weights` indicates.
fn beside(weights: &Path) -> Option<&'static str> {
    let directory = weights.parent()?;
    FILES.iter().find(|(file, _)| directory.join(file).is_file()).map(|(_, method)| *method)
}

/// Returns the library whose classes the pickle of a PyTorch file names.
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

/// Replaces the error of a PyTorch file that cannot be opened by an explanation, if its tensors are quantized.
pub(in crate::checkpoint) fn explained(error: Error, path: &Path) -> Error {
    match (&error, in_pickle(path)) {
        (Error::BadFile { .. }, Some(method)) => {
            Error::Weights { path: path.to_owned(), problem: Quantization::unreadable(method).problem() }
        }
        _ => error,
    }
}

/// Returns a hint for messages about an element type that only quantized weights have.
pub(in crate::checkpoint) fn hint(dtype: &str) -> String {
    if ["F8", "F4", "F6"].iter().any(|narrow| dtype.starts_with(narrow)) {
        format!("; the weights are quantized: {REMEDY}")
    } else {
        String::new()
    }
}
