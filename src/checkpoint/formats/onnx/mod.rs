//! Reads the weights of ONNX models. They are located in one pass over the file and read by offset.
//!
//! Weights may be stored in other files of the directory, as in models larger than two gigabytes.
//!
//! Reference: `onnx/onnx.proto`, and the output of `torch.onnx.export`.

mod external;
mod graph;
mod names;
pub(in crate::checkpoint) mod proto;
mod quantized;
mod recipes;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prost::Message;

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::quantization::Quantization;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};
use external::{External, Files};
use graph::Graph;
use names::{Content, Listed, names};
use proto::{Node, dtype, is_narrow};
use quantized::QuantizedNodes;
use recipes::{Recipe, recipes};

/// Maximum size of a node. Nodes of an ALBERT have a few hundred bytes, or more with an embedded constant.
const MAX_NODE: u64 = 1 << 20;
pub(in crate::checkpoint) const MAX_NAME: u64 = 1024;
const MAX_ITEMS: usize = 200_000;
/// Number of bytes of weights that are compared.
const COMPARED: u64 = 4096;

/// One ONNX model.
pub(crate) struct OnnxFile {
    pub(in crate::checkpoint) path: PathBuf,
    /// The model itself, followed by the files that it names.
    files: Vec<Mutex<File>>,
    infos: Vec<TensorInfo>,
    places: BTreeMap<String, DataLocation>,
    /// Weights that are columns of an initializer.
    parts: BTreeMap<String, Part>,
    /// Biases that the file leaves out because they are zero, with their size in bytes.
    zeros: BTreeMap<String, usize>,
    unreadable: Vec<(String, String)>,
    /// Weights that are dequantized when they are read.
    recipes: BTreeMap<String, Recipe>,
    quantization: Option<Quantization>,
}

/// One of `count` equal parts of each row of a matrix. A part of a row has `row` bytes.
struct Part {
    index: usize,
    count: usize,
    row: usize,
}

/// The location of a weight's bytes.
#[derive(Clone, Copy)]
pub(in crate::checkpoint) struct DataLocation {
    file: usize,
    offset: u64,
    size: u64,
    /// True if the values are stored as varints.
    pub varints: bool,
}

/// An initializer of the file.
#[derive(Clone)]
pub(in crate::checkpoint) struct Initializer {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    pub place: DataLocation,
}

impl OnnxFile {
    /// Scans the file and lists its weights without reading their bytes.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad =
            |problem: String| Error::bad_file(path, format!("cannot be read as an ONNX model: {problem}"));
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let reader = BufReader::new(file.try_clone().map_err(Error::io(path, "read"))?);
        let files = Files::beside(path, file);
        let mut walk = Parser {
            reader,
            at: 0,
            items: 0,
            nodes: Graph::default(),
            initializers: Vec::new(),
            quantized: QuantizedNodes::default(),
            files,
        };
        walk.model(length).map_err(bad)?;
        if walk.initializers.is_empty() {
            return Err(bad("it holds no weights".to_owned()));
        }
        let recipes_by_initializer = recipes(&walk.initializers, &mut walk.quantized);
        let files = walk.files.into_open();
        let mut model = Self {
            path: path.to_owned(),
            files,
            infos: Vec::new(),
            places: BTreeMap::new(),
            parts: BTreeMap::new(),
            zeros: BTreeMap::new(),
            unreadable: Vec::new(),
            recipes: BTreeMap::new(),
            quantization: None,
        };
        let names = names(&walk.nodes, &walk.initializers, &walk.quantized, &recipes_by_initializer);
        for (name, Listed { initializer, content, others }) in names {
            if !model.are_equal(&others)? {
                continue;
            }
            let (mut shape, mut dtype) = (initializer.shape.clone(), initializer.dtype);
            if let Some(recipe) = recipes_by_initializer.get(&initializer.name) {
                (shape, dtype) = (quantized::shape(&shape, recipe.form), Dtype::F32);
                model.recipes.insert(name.clone(), recipe.clone());
            }
            match (content, shape.last_mut()) {
                (Content::Part { index, count }, Some(columns)) => {
                    *columns /= count;
                    let part = Part { index, count, row: *columns * dtype.size() };
                    model.parts.insert(name.clone(), part);
                }
                (Content::Zeros(width), _) => {
                    shape = vec![width];
                    model.zeros.insert(name.clone(), width * dtype.size());
                }
                _ => {}
            }
            model.places.insert(name.clone(), initializer.place);
            model.infos.push(TensorInfo { name, shape, dtype });
        }
        model.unreadable.extend(model.cut_positions());
        model.quantization =
            walk.quantized.method().map(|(method, is_readable)| Quantization { method, is_readable });
        Ok(model)
    }

    /// Returns the position embeddings with the reason why they cannot be read, if the model was exported for inputs of
    /// one length. The exporter then replaces the table by its first rows.
    fn cut_positions(&self) -> Option<(String, String)> {
        const ENDINGS: [&str; 2] = ["position_embeddings.weight", "token_type_embeddings.weight"];
        let [positions, types] = ENDINGS.map(|ending| self.infos.iter().find(|i| i.name.ends_with(ending)));
        let prefix = types.filter(|_| positions.is_none())?.name.strip_suffix(ENDINGS[1])?;
        let problem = "is not in the file, which was exported for inputs of one length; export it again with dynamic \
            shapes (dynamic_shapes of torch.onnx.export)";
        Some((format!("{prefix}{}", ENDINGS[0]), problem.to_owned()))
    }

    /// Returns true if initializers have the same shape and the same first bytes, which is as good as all bytes for the
    /// weights of different modules.
    fn are_equal(&self, initializers: &[&Initializer]) -> Result<bool> {
        let Some((first, others)) = initializers.split_first().filter(|(_, others)| !others.is_empty())
        else {
            return Ok(true);
        };
        let start = |initializer: &Initializer| {
            let place = initializer.place;
            self.bytes(DataLocation { size: place.size.min(COMPARED), ..place })
        };
        let bytes = start(first)?;
        for other in others {
            if other.shape != first.shape || other.dtype != first.dtype || start(other)? != bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the bytes at a location.
    pub(in crate::checkpoint) fn bytes(
        &self,
        DataLocation { file, offset, size, .. }: DataLocation,
    ) -> Result<Vec<u8>> {
        let mut bytes = vec![0; size as usize];
        let mut file = self.files[file].lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).map_err(Error::io(&self.path, "read"))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
        Ok(bytes)
    }
}

impl TensorReader for OnnxFile {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        if let Some(recipe) = self.recipes.get(name) {
            return self.dequantized(name, recipe);
        }
        if let Some(size) = self.zeros.get(name) {
            return Ok(vec![0; *size]);
        }
        let Some(place) = self.places.get(name) else {
            return Err(Error::bad_file(&self.path, format!("has no weight \"{name}\"")));
        };
        let bytes = self.bytes(*place)?;
        let Some(Part { index, count, row }) = self.parts.get(name) else { return Ok(bytes) };
        Ok(bytes
            .chunks(row.saturating_mul(*count).max(1))
            .filter_map(|r| r.chunks((*row).max(1)).nth(*index))
            .flatten()
            .copied()
            .collect())
    }

    fn format(&self) -> Format {
        Format::Onnx
    }

    fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    fn quantization(&self) -> Option<Quantization> {
        self.quantization.clone()
    }
}

type ParseResult<T> = std::result::Result<T, String>;

struct Parser<R> {
    reader: R,
    at: u64,
    items: usize,
    nodes: Graph,
    initializers: Vec<Initializer>,
    quantized: QuantizedNodes,
    files: Files,
}

/// A field of a message: its number and its type of value.
enum Field {
    /// An integer.
    Number(u64),
    /// The length of the bytes that follow.
    Bytes(u64),
    /// Eight or four bytes, which are skipped.
    Fixed,
}

impl<R: Read + Seek> Parser<R> {
    fn cut_off(&self) -> String {
        format!("it breaks off at byte {}", self.at)
    }

    fn varint(&mut self) -> ParseResult<u64> {
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

    /// Reads the next field before `end`.
    fn field(&mut self, end: u64) -> ParseResult<(u64, Field)> {
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

    fn skip(&mut self, bytes: u64, end: u64) -> ParseResult<()> {
        let last = self.at.checked_add(bytes).filter(|last| *last <= end);
        self.at = last.ok_or_else(|| self.cut_off())?;
        self.reader.seek_relative(bytes as i64).map_err(|e| e.to_string())
    }

    fn bytes(&mut self, length: u64, most: u64) -> ParseResult<Vec<u8>> {
        if length > most {
            return Err(format!("{length} bytes at byte {} are too many there", self.at));
        }
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(|_| self.cut_off())?;
        self.at += length;
        Ok(bytes)
    }

    fn model(&mut self, end: u64) -> ParseResult<()> {
        while self.at < end {
            match self.field(end)? {
                (7, Field::Bytes(length)) => self.graph(self.at + length)?,
                (_, Field::Bytes(length)) => self.skip(length, end)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn graph(&mut self, end: u64) -> ParseResult<()> {
        while self.at < end {
            match self.field(end)? {
                (1, Field::Bytes(length)) if length <= MAX_NODE => {
                    let bytes = self.bytes(length, MAX_NODE)?;
                    let node =
                        Node::decode(bytes.as_slice()).map_err(|e| format!("a node is damaged: {e}"))?;
                    let quantized = self.quantized.node(&node);
                    self.nodes.add(node, &bytes, quantized);
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

    fn initializer(&mut self, end: u64) -> ParseResult<()> {
        let (mut shape, mut kind, mut name, mut place) = (Vec::new(), 0, String::new(), None);
        let mut external = External::default();
        let (mut floats, mut integers) = (None, None);
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
                    place = Some(DataLocation { file: 0, offset: self.at, size: length, varints: false });
                    self.skip(length, end)?;
                }
                (4, Field::Bytes(length)) => {
                    floats = Some(DataLocation { file: 0, offset: self.at, size: length, varints: false });
                    self.skip(length, end)?;
                }
                (5, Field::Bytes(length)) => {
                    integers = Some(DataLocation { file: 0, offset: self.at, size: length, varints: true });
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
        if is_narrow(kind) {
            self.quantized.set_unreadable();
        }
        let Some(dtype) = dtype(kind) else { return Ok(()) };
        // Small tensors may be stored as lists of numbers.
        match dtype {
            Dtype::F32 => place = place.or(floats),
            Dtype::I8 | Dtype::U8 | Dtype::I32 => place = place.or(integers),
            _ => {}
        }
        let shape: Option<Vec<usize>> = shape.into_iter().map(|n| usize::try_from(n).ok()).collect();
        let fitting = shape.and_then(|shape| {
            let bytes = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n))?;
            Some((shape, bytes as u64))
        });
        let (shape, needed) = fitting.ok_or_else(|| format!("\"{name}\" has an impossible shape"))?;
        if external.is_some() {
            let (file, offset) =
                self.files.place(&external, needed).map_err(|e| format!("\"{name}\" {e}"))?;
            place = Some(DataLocation { file, offset, size: needed, varints: false });
        }
        let Some(place) = place else { return Ok(()) };
        if place.size != needed && !place.varints {
            return Err(format!("\"{name}\" has {} bytes, which do not fit its shape {shape:?}", place.size));
        }
        self.initializers.push(Initializer { name, shape, dtype, place });
        Ok(())
    }
}
