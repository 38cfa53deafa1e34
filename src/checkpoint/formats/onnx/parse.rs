//! Finds the nodes and the initializers of a model in one pass over its file.

use std::io::{Read, Seek};

use prost::Message;

use super::external::{External, Files};
use super::graph::Graph;
use super::proto::{MAX_NAME, Node, dtype, is_narrow};
use super::quantized::QuantizedNodes;
use super::{DataLocation, Initializer};
use crate::checkpoint::tensor::Dtype;

/// Maximum size of a node. Nodes of an ALBERT have a few hundred bytes, or more with an embedded constant.
const MAX_NODE: u64 = 1 << 20;
const MAX_ITEMS: usize = 200_000;

type ParseResult<T> = std::result::Result<T, String>;

/// The parts of a model that have been read so far.
pub(super) struct Parser<R> {
    pub(super) reader: R,
    pub(super) at: u64,
    pub(super) items: usize,
    pub(super) nodes: Graph,
    pub(super) initializers: Vec<Initializer>,
    pub(super) quantized: QuantizedNodes,
    pub(super) files: Files,
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
                    return Err(format!("the field at byte {} extends beyond its message", self.at));
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
            return Err(format!("the field at byte {} is too long ({length} bytes)", self.at));
        }
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(|_| self.cut_off())?;
        self.at += length;
        Ok(bytes)
    }

    pub(super) fn model(&mut self, end: u64) -> ParseResult<()> {
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
