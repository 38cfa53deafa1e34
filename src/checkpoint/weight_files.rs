//! Finds the weight files of a directory by name.

use std::path::{Path, PathBuf};

use super::formats::foreign;

/// Names of weight files, in order of preference.
pub(super) const WEIGHTS: [&str; 10] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "tf_model.h5",
    "flax_model.msgpack",
    "variables/variables.index",
    "rust_model.ot",
    "model.onnx",
    "onnx/model.onnx",
];

/// ONNX models of other precisions, in a directory or its subdirectory `onnx`, in order of preference.
pub(super) const OTHER_ONNX: [&str; 8] = [
    "model_fp16.onnx",
    "model_quantized.onnx",
    "model_int8.onnx",
    "model_uint8.onnx",
    "model_q8.onnx",
    "model_q4.onnx",
    "model_q4f16.onnx",
    "model_bnb4.onnx",
];

/// Extensions of files that are the weights if they are alone.
pub(super) const LONE: [&str; 9] = ["safetensors", "bin", "pt", "pth", "ckpt", "h5", "msgpack", "ot", "onnx"];

/// Beginnings of the names of files that training programs store next to weights.
const STATES: [&str; 6] =
    ["training_args.", "optimizer.", "scheduler.", "scaler.", "rng_state", "random_states_"];

/// Returns true if `path` exists: as a directory, a file, or the prefix of a TensorFlow checkpoint.
pub(super) fn is_local(path: &Path) -> bool {
    path.exists() || index_of(path).is_some()
}

/// Returns true if a directory contains the weights of a complete model.
pub(super) fn has_weights(directory: &Path) -> bool {
    weights_in(directory).is_some()
}

/// Finds the weights in a directory: a file with a usual name, otherwise the index of a TensorFlow checkpoint, an ONNX
/// model of another precision, or the only file that looks like weights.
pub(super) fn weights_in(directory: &Path) -> Option<PathBuf> {
    WEIGHTS
        .iter()
        .map(|w| directory.join(w))
        .find(|w| w.exists())
        .or_else(|| best_index(directory))
        .or_else(|| {
            let other =
                |folder: &Path| OTHER_ONNX.map(|name| folder.join(name)).into_iter().find(|w| w.is_file());
            other(directory).or_else(|| other(&directory.join("onnx")))
        })
        .or_else(|| only_weight_file(directory))
}

/// Returns `model.ckpt-best.index`, otherwise the index with the highest step.
fn best_index(directory: &Path) -> Option<PathBuf> {
    let index = |path: &PathBuf| path.extension().is_some_and(|e| e == "index") && path.is_file();
    let steps = |path: &PathBuf| {
        let stem = path.file_stem()?.to_str()?;
        let last = stem.rsplit('-').next()?;
        Some(if last == "best" { u64::MAX } else { last.parse().unwrap_or(0) })
    };
    let found = std::fs::read_dir(directory).ok()?.filter_map(|e| Some(e.ok()?.path())).filter(index);
    found.max_by_key(|path| (steps(path), path.clone()))
}

/// Returns the index of the TensorFlow checkpoint with a prefix such as `model.ckpt-best`.
pub(super) fn index_of(prefix: &Path) -> Option<PathBuf> {
    let mut index = prefix.to_owned().into_os_string();
    index.push(".index");
    Some(PathBuf::from(index)).filter(|index| index.is_file())
}

pub(super) fn directory_of(path: &Path) -> PathBuf {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// Returns the only file of a directory that looks like weights, whatever its name.
fn only_weight_file(directory: &Path) -> Option<PathBuf> {
    match candidates(directory).as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

/// Lists the files of a directory that look like weights, whatever their names.
pub(super) fn candidates(directory: &Path) -> Vec<PathBuf> {
    let is_weights = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.extension().is_some_and(|e| LONE.iter().any(|extension| e == *extension))
            && !STATES.iter().any(|start| name.starts_with(start))
            && !foreign::is_foreign(path)
    };
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_weights).collect();
    found.sort();
    found
}
