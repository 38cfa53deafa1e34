//! Writes the JSON files of a checkpoint.

use std::path::Path;

use serde_json::Value;

use crate::checkpoint::architecture::Architecture;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// Returns the `config.json` of a model saved as `architecture` in the float type `dtype`.
pub(in crate::checkpoint) fn config_json(
    config: &AlbertConfig,
    architecture: Architecture,
    dtype: Dtype,
) -> Value {
    let mut config = config.clone();
    config.architectures = vec![architecture.class().to_owned()];
    let mut value = config.to_json();
    let dtype = match dtype {
        Dtype::F16 => "float16",
        Dtype::BF16 => "bfloat16",
        _ => "float32",
    };
    if let Value::Object(map) = &mut value {
        // Keep only the key that every version reads.
        map.remove("dtype");
        // The written weights are not quantized.
        map.shift_remove("quantization_config");
        map.insert("torch_dtype".to_owned(), dtype.into());
    }
    value
}

pub(in crate::checkpoint) fn write_json(path: &Path, value: &Value) -> Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

pub(in crate::checkpoint) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io(path, "write"))
}
