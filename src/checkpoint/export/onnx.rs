//! Writes ONNX models: the graph, then the weights one at a time, so that only one tensor is in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::onnx_graph::{Built, Weight};
use super::progress::{ConvertProgress, Progress};
use crate::checkpoint::formats::onnx::proto::{FLOAT, ModelHead, OperatorSet, TensorProto};
use crate::checkpoint::inventory::Inventory;
use crate::checkpoint::layout::cast;
use crate::checkpoint::tensor::Dtype;
use crate::error::{Error, Result};

/// Maximum size of a protocol buffer, and therefore of a model in a single file.
const MAX_BYTES: u64 = i32::MAX as u64;

/// Field numbers of the graph in a model, of an initializer in a graph, and of the bytes in a tensor.
const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;
const RAW_DATA: u32 = 9;

/// A tensor message without its bytes, and the number of these bytes.
struct Entry<'a> {
    weight: &'a Weight,
    head: Vec<u8>,
    bytes: u64,
}

impl Entry<'_> {
    /// Returns the length of the complete message.
    fn length(&self) -> u64 {
        self.head.len() as u64 + field(RAW_DATA, self.bytes) + self.bytes
    }
}

/// Returns the size of a field's key and length.
fn field(tag: u32, length: u64) -> u64 {
    (key_len(tag) + encoded_len_varint(length)) as u64
}

/// Writes a model. `source` returns the values of a weight's parameter. `progress` is called before each weight is
/// written, and cancels the work with `ControlFlow::Break`.
///
/// # Errors
/// [`Error::BadFile`] for a model of more than 2 GiB; errors from reading and writing.
pub(in crate::checkpoint) fn write_onnx(
    path: &Path,
    built: &Built,
    inventory: &Inventory,
    source: &dyn Fn(&str) -> String,
    progress: &mut Progress<'_>,
) -> Result<()> {
    let mut entries = Vec::new();
    for weight in &built.weights {
        let canonical = source(&weight.canonical);
        let mut shape = inventory.shape(&canonical).ok_or_else(|| Error::Weights {
            path: inventory.path().to_owned(),
            problem: format!("tensor {canonical} is missing"),
        })?;
        if weight.transposed {
            shape.reverse();
        }
        let dims: Vec<i64> = shape.iter().map(|n| *n as i64).collect();
        let bytes = shape.iter().map(|n| *n as u64).product::<u64>() * 4;
        let head = TensorProto { dims, data_type: FLOAT, name: weight.name.clone(), raw_data: Vec::new() };
        entries.push(Entry { weight, head: head.encode_to_vec(), bytes });
    }
    let graph = built.graph.encode_to_vec();
    let initializers: u64 =
        entries.iter().map(|entry| field(INITIALIZER, entry.length()) + entry.length()).sum();
    let total = graph.len() as u64 + initializers;
    if total > MAX_BYTES {
        let problem = format!(
            "the model has {total} bytes, more than an ONNX file can hold; use option format=safetensors"
        );
        return Err(Error::bad_file(path, problem));
    }
    let head = ModelHead {
        ir_version: 8,
        producer_name: "albert".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        opset_import: vec![OperatorSet { domain: String::new(), version: 17 }],
    };
    let io = |action| Error::io(path, action);
    let mut file = BufWriter::new(File::create(path).map_err(io("create"))?);
    let mut buffer = head.encode_to_vec();
    prefix(&mut buffer, GRAPH, total);
    buffer.extend(graph);
    file.write_all(&buffer).map_err(io("write"))?;
    let mut done = 0;
    for entry in &entries {
        if progress(ConvertProgress { tensor: &entry.weight.name, done, total }).is_break() {
            return Err(Error::Input("interrupted; nothing was written".to_owned()));
        }
        buffer.clear();
        prefix(&mut buffer, INITIALIZER, entry.length());
        buffer.extend(&entry.head);
        prefix(&mut buffer, RAW_DATA, entry.bytes);
        file.write_all(&buffer).map_err(io("write"))?;
        let canonical = source(&entry.weight.canonical);
        let (bytes, dtype) = inventory.read_bytes_finite(&canonical, entry.weight.transposed)?;
        let floats = cast(bytes, dtype, Dtype::F32).ok_or_else(|| inventory.no_floats(&canonical, dtype))?;
        file.write_all(&floats).map_err(io("write"))?;
        done += entry.bytes;
    }
    let file = file.into_inner().map_err(|e| io("write")(e.into_error()))?;
    file.sync_all().map_err(io("write"))
}

fn prefix(buffer: &mut Vec<u8>, tag: u32, length: u64) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(length, buffer);
}
