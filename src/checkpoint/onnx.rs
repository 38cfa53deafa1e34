//! The weights of ONNX models, found in one pass over the file and read by offset.
//!
//! Weights may lie in other files of the directory, as exporters write models of more than two gigabytes.
//!
//! Exporters keep the names of most parameters, but not of the matrices that they multiply by: these are named
//! after the node that uses them, whose name has the module's path, and are stored `[in, out]`. Such a tensor is
//! listed as `NAME.weight.T`. Reference: `onnx/onnx.proto`, and what `torch.onnx.export` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prost::Message;

use super::onnx_external::{External, Files};
use super::onnx_proto::Node;
use super::tensors::{Dtype, TensorInfo};
use crate::error::{Error, Result};

/// A node of an ALBERT has a few hundred bytes; one with a constant inside may have some more.
const MAX_NODE: u64 = 1 << 20;
const MAX_NAME: u64 = 1024;
const MAX_ITEMS: usize = 200_000;

/// One ONNX model.
pub struct OnnxFile {
    path: PathBuf,
    /// The model itself, then those that it names.
    files: Vec<Mutex<File>>,
    infos: Vec<TensorInfo>,
    places: BTreeMap<String, Place>,
}

/// Where the bytes of a weight are.
#[derive(Clone, Copy)]
struct Place {
    file: usize,
    offset: u64,
    size: u64,
}

/// An initializer as the file has it.
struct Initializer {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    place: Place,
}

/// A node that multiplies by a weight.
struct Product {
    weight: String,
    node: String,
    transposed: bool,
}

impl OnnxFile {
    /// Walks through the file and lists its weights; their bytes are skipped.
    pub fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an ONNX model: {problem}"));
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let reader = BufReader::new(file.try_clone().map_err(Error::io(path, "read"))?);
        let files = Files::beside(path, file);
        let mut walk =
            Walk { reader, at: 0, items: 0, products: Vec::new(), initializers: Vec::new(), files };
        walk.model(length).map_err(bad)?;
        if walk.initializers.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        let names = names(&walk.products, &walk.initializers);
        let mut places = BTreeMap::new();
        let mut infos = Vec::new();
        for initializer in walk.initializers {
            let Some(name) = names.get(&initializer.name) else { continue };
            // Exporters may store what layers share once per layer; all are the same.
            if places.contains_key(name) {
                continue;
            }
            places.insert(name.clone(), initializer.place);
            let Initializer { shape, dtype, .. } = initializer;
            infos.push(TensorInfo { name: name.clone(), shape, dtype });
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), files: walk.files.into_open(), infos, places })
    }

    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let Some(Place { file, offset, size }) = self.places.get(name) else {
            return Err(Error::bad_file(&self.path, format!("has no weight \"{name}\"")));
        };
        let mut bytes = vec![0; *size as usize];
        let mut file = self.files[*file].lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(*offset)).map_err(Error::io(&self.path, "read"))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
        Ok(bytes)
    }
}

/// What each initializer is called, for those that are parameters.
fn names(products: &[Product], initializers: &[Initializer]) -> BTreeMap<String, String> {
    let is_initializer: BTreeSet<&str> = initializers.iter().map(|i| i.name.as_str()).collect();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for Product { weight, node, transposed } in products {
        if !is_initializer.contains(weight.as_str()) {
            continue;
        }
        let named = if is_parameter(weight) {
            weight.trim_end_matches(".T").to_owned()
        } else {
            // "/albert/encoder/.../query/MatMul" stands in the module albert.encoder...query.
            let mut path: Vec<&str> = node.split('/').filter(|part| !part.is_empty()).collect();
            path.pop();
            format!("{}.weight", path.join("."))
        };
        let name = if *transposed { format!("{named}.T") } else { named };
        names.entry(weight.clone()).or_insert(name);
    }
    for initializer in initializers.iter().filter(|i| is_parameter(&i.name)) {
        names.entry(initializer.name.clone()).or_insert_with(|| initializer.name.clone());
    }
    names
}

/// A node's weight, if it multiplies by one.
fn product(node: Node) -> Option<Product> {
    let transposed = match node.op_type.as_str() {
        "MatMul" => true,
        "Gemm" => !node.attribute.iter().any(|a| a.name == "transB" && a.i == 1),
        _ => return None,
    };
    let weight = node.input.into_iter().nth(1)?;
    let short = weight.len() as u64 <= MAX_NAME && node.name.len() as u64 <= MAX_NAME;
    short.then_some(Product { weight, node: node.name, transposed })
}

fn is_parameter(name: &str) -> bool {
    let stem = name.strip_suffix(".T").unwrap_or(name);
    stem.contains('.') && [".weight", ".bias"].iter().any(|end| stem.ends_with(end))
}

type Step<T> = std::result::Result<T, String>;

struct Walk<R> {
    reader: R,
    at: u64,
    items: usize,
    products: Vec<Product>,
    initializers: Vec<Initializer>,
    files: Files,
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
                    self.products.extend(product(node));
                }
                (5, Field::Bytes(length)) => self.initializer(self.at + length)?,
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
            self.items += 1;
            if self.items > MAX_ITEMS {
                return Err("it has too many nodes".to_owned());
            }
        }
        Ok(())
    }

    fn initializer(&mut self, end: u64) -> Step<()> {
        let (mut shape, mut kind, mut name, mut place) = (Vec::new(), 0, String::new(), None);
        let mut external = External::default();
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
                    place = Some(Place { file: 0, offset: self.at, size: length });
                    self.skip(length, end)?;
                }
                (13, Field::Bytes(length)) => external.entry(&self.bytes(length, MAX_NAME)?)?,
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
            if shape.len() > 64 {
                return Err(format!("a tensor before byte {} has too many dimensions", self.at));
            }
        }
        // Constants of the graph may be stored as lists of numbers; they are no weights.
        let Some(dtype) = dtype(kind) else { return Ok(()) };
        let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
        let fitting = shape.and_then(|shape| {
            let bytes = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n))?;
            Some((shape, bytes as u64))
        });
        let (shape, needed) = fitting.ok_or_else(|| format!("\"{name}\" has an impossible shape"))?;
        if external.is_some() {
            let (file, offset) =
                self.files.place(&external, needed).map_err(|e| format!("\"{name}\" {e}"))?;
            place = Some(Place { file, offset, size: needed });
        }
        let Some(place) = place else { return Ok(()) };
        if place.size != needed {
            return Err(format!("\"{name}\" has {} bytes, which do not fit its shape {shape:?}", place.size));
        }
        self.initializers.push(Initializer { name, shape, dtype, place });
        Ok(())
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
