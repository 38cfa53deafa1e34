//! Writes safetensors: the header, then the tensors one at a time, so that only one tensor is in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::planned::Planned;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// Writes one file.
pub(in crate::checkpoint) struct SafetensorsWriter;

impl SafetensorsWriter {
    /// Writes `planned` with the bytes from `tensors`, which have the same order.
    ///
    /// # Errors
    /// Errors from `tensors`; [`Error::Io`].
    pub(in crate::checkpoint) fn write(
        path: &Path,
        planned: &[Planned],
        tensors: &mut dyn Iterator<Item = Result<Vec<u8>>>,
    ) -> Result<()> {
        let mut header = Map::new();
        header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
        let mut at = 0;
        for tensor in planned {
            let end = at + tensor.bytes();
            let entry =
                json!({"dtype": name(tensor.dtype), "shape": tensor.shape, "data_offsets": [at, end]});
            header.insert(tensor.name.clone(), entry);
            at = end;
        }
        let mut header = Value::Object(header).to_string().into_bytes();
        // Tensor data must start at a multiple of eight.
        header.resize(header.len().next_multiple_of(8), b' ');
        let io = |action| Error::io(path, action);
        let mut file = BufWriter::new(File::create(path).map_err(io("create"))?);
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(io("write"))?;
        file.write_all(&header).map_err(io("write"))?;
        for (tensor, bytes) in planned.iter().zip(tensors) {
            let bytes = bytes?;
            tensor.check(&bytes, path)?;
            file.write_all(&bytes).map_err(io("write"))?;
        }
        let file = file.into_inner().map_err(|e| io("write")(e.into_error()))?;
        file.sync_all().map_err(io("write"))
    }
}

fn name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "F64",
        Dtype::F32 => "F32",
        Dtype::F16 => "F16",
        Dtype::BF16 => "BF16",
        Dtype::I64 => "I64",
        Dtype::I32 => "I32",
        Dtype::I16 => "I16",
        Dtype::I8 => "I8",
        Dtype::U8 => "U8",
        Dtype::Bool => "BOOL",
    }
}
