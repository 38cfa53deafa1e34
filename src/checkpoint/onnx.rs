//! The weights of ONNX models, found in one pass over the file and read by offset.
//!
//! Exporters keep the names of most parameters, but not of the matrices that they multiply by: these are named
//! after the node that uses them, whose name has the module's path, and are stored `[in, out]`. Such a tensor is
//! listed as `NAME.weight.T`. Reference: `onnx/onnx.proto`, and what `torch.onnx.export` writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prost::Message;

use super::onnx_proto::Node;
use super::tensors::{Dtype, TensorInfo};
use crate::error::{Error, Result};

/// A node of an ALBERT has a few hundred bytes; one with a constant inside may have some more.
const MAX_NODE: u64 = 1 << 20;
const MAX_NAME: u64 = 4096;
const MAX_ITEMS: usize = 1_000_000;

/// One ONNX model.
pub struct OnnxFile {
    path: PathBuf,
    file: Mutex<File>,
    infos: Vec<TensorInfo>,
    places: BTreeMap<String, (u64, u64)>,
}

/// An initializer as the file has it.
struct Initializer {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    place: (u64, u64),
}

impl OnnxFile {
    /// Walks through the file and lists its weights; their bytes are skipped.
    pub fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an ONNX model: {problem}"));
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let reader = BufReader::new(file.try_clone().map_err(Error::io(path, "read"))?);
        let mut walk = Walk { reader, at: 0, nodes: Vec::new(), initializers: Vec::new() };
        walk.model(length).map_err(bad)?;
        if walk.initializers.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        let names = names(&walk.nodes, &walk.initializers);
        let mut places = BTreeMap::new();
        let mut infos = Vec::new();
        for initializer in walk.initializers {
            let Some(name) = names.get(&initializer.name) else { continue };
            // Exporters may store what layers share once per layer; all are the same.
            if places.insert(name.clone(), initializer.place).is_none() {
                infos.push(TensorInfo {
                    name: name.clone(),
                    shape: initializer.shape,
                    dtype: initializer.dtype,
                });
            }
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), infos, places })
    }

    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let Some((offset, size)) = self.places.get(name) else {
            return Err(Error::bad_file(&self.path, format!("has no weight \"{name}\"")));
        };
        let mut bytes = vec![0; *size as usize];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(*offset)).map_err(Error::io(&self.path, "read"))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
        Ok(bytes)
    }
}

/// What each initializer is called, for those that are parameters.
fn names(nodes: &[Node], initializers: &[Initializer]) -> BTreeMap<String, String> {
    let is_initializer: std::collections::BTreeSet<&str> =
        initializers.iter().map(|i| i.name.as_str()).collect();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for node in nodes {
        let Some(weight) = node.input.get(1).filter(|i| is_initializer.contains(i.as_str())) else {
            continue;
        };
        let transposed = match node.op_type.as_str() {
            "MatMul" => true,
            "Gemm" => !node.attribute.iter().any(|a| a.name == "transB" && a.i == 1),
            _ => continue,
        };
        let named = if is_parameter(weight) {
            weight.trim_end_matches(".T").to_owned()
        } else {
            // "/albert/encoder/.../query/MatMul" stands in the module albert.encoder...query.
            let mut path: Vec<&str> = node.name.split('/').filter(|part| !part.is_empty()).collect();
            path.pop();
            format!("{}.weight", path.join("."))
        };
        let name = if transposed { format!("{named}.T") } else { named };
        names.entry(weight.clone()).or_insert(name);
    }
    for initializer in initializers.iter().filter(|i| is_parameter(&i.name)) {
        names.entry(initializer.name.clone()).or_insert_with(|| initializer.name.clone());
    }
    names
}

fn is_parameter(name: &str) -> bool {
    let stem = name.strip_suffix(".T").unwrap_or(name);
    stem.contains('.') && [".weight", ".bias"].iter().any(|end| stem.ends_with(end))
}

type Step<T> = std::result::Result<T, String>;

struct Walk<R> {
    reader: R,
    at: u64,
    nodes: Vec<Node>,
    initializers: Vec<Initializer>,
}

/// A field of a message: its number and what it holds.
enum Field {
    /// A number.
    Number(u64),
    /// So many bytes, which come next.
    Bytes(u64),
    /// Eight or four bytes, skipped.
    Fixed,
}

impl<R: Read + Seek> Walk<R> {
    fn cut_off(&self) -> String {
        format!("it breaks off at byte {}", self.at)
    }

    fn varint(&mut self) -> Step<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte).map_err(|_| self.cut_off())?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(format!("a number before byte {} does not end", self.at))
    }

    /// The next field before `end`.
    fn field(&mut self, end: u64) -> Step<(u64, Field)> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Number(self.varint()?),
            1 => {
                self.skip(8, end)?;
                Field::Fixed
            }
            2 => {
                let length = self.varint()?;
                if self.at.checked_add(length).is_none_or(|last| last > end) {
                    return Err(format!("something at byte {} is longer than what it is in", self.at));
                }
                Field::Bytes(length)
            }
            5 => {
                self.skip(4, end)?;
                Field::Fixed
            }
            _ => return Err(format!("an unknown kind of field before byte {}", self.at)),
        };
        Ok((key >> 3, field))
    }

    fn skip(&mut self, bytes: u64, end: u64) -> Step<()> {
        let last = self.at.checked_add(bytes).filter(|last| *last <= end);
        self.at = last.ok_or_else(|| self.cut_off())?;
        self.reader.seek_relative(bytes as i64).map_err(|e| e.to_string())
    }

    fn bytes(&mut self, length: u64, most: u64) -> Step<Vec<u8>> {
        if length > most {
            return Err(format!("{length} bytes at byte {} are too many there", self.at));
        }
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(|_| self.cut_off())?;
        self.at += length;
        Ok(bytes)
    }

    fn model(&mut self, end: u64) -> Step<()> {
        while self.at < end {
            match self.field(end)? {
                (7, Field::Bytes(length)) => self.graph(self.at + length)?,
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn graph(&mut self, end: u64) -> Step<()> {
        while self.at < end {
            match self.field(end)? {
                (1, Field::Bytes(length)) if length <= MAX_NODE => {
                    let bytes = self.bytes(length, MAX_NODE)?;
                    let node =
                        Node::decode(bytes.as_slice()).map_err(|e| format!("a node is damaged: {e}"))?;
                    self.nodes.push(node);
                }
                (5, Field::Bytes(length)) => self.initializer(self.at + length)?,
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
            if self.nodes.len() + self.initializers.len() > MAX_ITEMS {
                return Err("it has too many nodes".to_owned());
            }
        }
        Ok(())
    }

    fn initializer(&mut self, end: u64) -> Step<()> {
        let (mut shape, mut kind, mut name, mut place) = (Vec::new(), 0, String::new(), None);
        let mut external = false;
        while self.at < end {
            match self.field(end)? {
                (1, Field::Number(n)) => shape.push(n),
                (1, Field::Bytes(length)) => {
                    let last = self.at + length;
                    while self.at < last {
                        let n = self.varint()?;
                        shape.push(n);
                    }
                }
                (2, Field::Number(n)) => kind = n,
                (8, Field::Bytes(length)) => {
                    let bytes = self.bytes(length, MAX_NAME)?;
                    name = String::from_utf8_lossy(&bytes).into_owned();
                }
                (9, Field::Bytes(length)) => {
                    place = Some((self.at, length));
                    self.skip(length, end)?;
                }
                (13, Field::Bytes(length)) => {
                    external = true;
                    self.skip(length, end)?;
                }
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
            if shape.len() > 64 {
                return Err(format!("a tensor before byte {} has too many dimensions", self.at));
            }
        }
        // Constants of the graph may be stored as lists of numbers; they are no weights.
        let Some(dtype) = dtype(kind) else { return Ok(()) };
        if external && is_parameter(&name) {
            return Err(format!("\"{name}\" lies in another file, which albert does not read"));
        }
        let Some(place) = place else { return Ok(()) };
        let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
        let needed = shape
            .as_ref()
            .and_then(|s| s.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n)));
        match (shape, needed) {
            (Some(shape), Some(needed)) if needed as u64 == place.1 => {
                self.initializers.push(Initializer { name, shape, dtype, place });
                Ok(())
            }
            _ => Err(format!("\"{name}\" has {} bytes, which do not fit its shape", place.1)),
        }
    }
}

/// ONNX's `TensorProto.DataType`, of floats.
fn dtype(number: u64) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        10 => Dtype::F16,
        11 => Dtype::F64,
        16 => Dtype::BF16,
        _ => return None,
    })
}
