//! Reads Flax files (`flax_model.msgpack`): nested msgpack maps whose leaves are arrays. Arrays are located in one pass
//! over the file and read by offset.
//!
//! Reference: flax `serialization.py`. An array is extension type 1: a msgpack list of shape, type name and bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rmp::Marker;
use rmp::decode::read_marker;

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};

/// flax's extension type for arrays.
const ARRAY: i8 = 1;
/// Maximum nesting of maps. An ALBERT has eight levels.
const MAX_DEPTH: usize = 32;
/// Maximum length of an array's path.
const MAX_NAME: usize = 1024;
/// Maximum number of elements in all maps and lists together.
const MAX_VALUES: usize = 1_000_000;
const MAX_TENSORS: usize = 20_000;
/// A key of the map that flax writes for arrays larger than a gigabyte, next to `shape` and `chunks`.
const CHUNKED: &str = "__msgpack_chunked_array__";

/// One Flax file.
pub(crate) struct MsgPackFile {
    path: PathBuf,
    file: Mutex<File>,
    infos: Vec<TensorInfo>,
    /// Offset and size of each part of an array, by name.
    places: BTreeMap<String, Vec<(u64, usize)>>,
}

impl MsgPackFile {
    /// Scans the file and lists its arrays without reading their bytes.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad = |problem: String| {
            Error::bad_file(path, format!("cannot be read as a Flax file (msgpack): {problem}"))
        };
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let reader = BufReader::new(file.try_clone().map_err(Error::io(path, "read"))?);
        let mut walk = Parser {
            reader,
            at: 0,
            length,
            values: 0,
            arrays: BTreeMap::new(),
            numbers: BTreeMap::new(),
            chunked: Vec::new(),
        };
        walk.value("", 0).map_err(bad)?;
        if walk.at != length {
            return Err(bad(format!("there is data after its end, at byte {}", walk.at)));
        }
        walk.join_chunks().map_err(bad)?;
        if walk.arrays.is_empty() {
            return Err(bad("it holds no arrays".to_owned()));
        }
        let (infos, places) = walk
            .arrays
            .into_iter()
            .map(|(name, Array { shape, dtype, parts })| {
                (TensorInfo { name: name.clone(), shape, dtype }, (name, parts))
            })
            .unzip();
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), infos, places })
    }
}

impl TensorReader for MsgPackFile {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let Some(parts) = self.places.get(name) else {
            return Err(Error::bad_file(&self.path, format!("has no array \"{name}\"")));
        };
        let mut bytes = vec![0; parts.iter().map(|(_, size)| size).sum()];
        let mut rest = bytes.as_mut_slice();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for (offset, size) in parts {
            let (part, after) = rest.split_at_mut(*size);
            rest = after;
            file.seek(SeekFrom::Start(*offset)).map_err(Error::io(&self.path, "read"))?;
            file.read_exact(part).map_err(Error::io(&self.path, "read"))?;
        }
        Ok(bytes)
    }

    fn format(&self) -> Format {
        Format::MsgPack
    }
}

type ParseResult<T> = std::result::Result<T, String>;

/// An array and the location of its bytes.
struct Array {
    shape: Vec<usize>,
    dtype: Dtype,
    parts: Vec<(u64, usize)>,
}

struct Parser<R> {
    reader: R,
    /// Number of bytes read so far.
    at: u64,
    length: u64,
    values: usize,
    arrays: BTreeMap<String, Array>,
    /// Small integers by path, including the shapes of chunked arrays.
    numbers: BTreeMap<String, u64>,
    /// Paths of chunked arrays.
    chunked: Vec<String>,
}

impl<R: Read + Seek> Parser<R> {
    fn cut_off(&self) -> String {
        format!("it breaks off at byte {}", self.at)
    }

    fn marker(&mut self) -> ParseResult<Marker> {
        let marker = read_marker(&mut self.reader).map_err(|_| self.cut_off())?;
        self.at += 1;
        Ok(marker)
    }

    /// Reads a big-endian integer of `bytes` bytes.
    fn number(&mut self, bytes: usize) -> ParseResult<u64> {
        let mut buffer = [0; 8];
        self.reader.read_exact(&mut buffer[8 - bytes..]).map_err(|_| self.cut_off())?;
        self.at += bytes as u64;
        Ok(u64::from_be_bytes(buffer))
    }

    fn skip(&mut self, bytes: u64) -> ParseResult<()> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.length);
        self.at = end.ok_or_else(|| format!("a value at byte {} is longer than the file", self.at))?;
        self.reader.seek_relative(bytes as i64).map_err(|e| e.to_string())
    }

    fn string(&mut self, length: u64) -> ParseResult<String> {
        if length as usize > MAX_NAME {
            return Err(format!("a name of {length} bytes at byte {}", self.at));
        }
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes).map_err(|_| self.cut_off())?;
        self.at += length;
        String::from_utf8(bytes).map_err(|_| format!("a name before byte {} is not UTF-8", self.at))
    }

    /// Returns the length of a string, if the marker denotes one.
    fn string_length(&mut self, marker: Marker) -> ParseResult<Option<u64>> {
        Ok(Some(match marker {
            Marker::FixStr(length) => u64::from(length),
            Marker::Str8 => self.number(1)?,
            Marker::Str16 => self.number(2)?,
            Marker::Str32 => self.number(4)?,
            _ => return Ok(None),
        }))
    }

    /// Returns an unsigned integer, if the marker denotes one.
    fn unsigned(&mut self, marker: Marker) -> ParseResult<Option<u64>> {
        Ok(Some(match marker {
            Marker::FixPos(n) => u64::from(n),
            Marker::U8 => self.number(1)?,
            Marker::U16 => self.number(2)?,
            Marker::U32 => self.number(4)?,
            Marker::U64 => self.number(8)?,
            _ => return Ok(None),
        }))
    }

    /// Scans a value of any type. `name` is its path.
    fn value(&mut self, name: &str, depth: usize) -> ParseResult<()> {
        if depth > MAX_DEPTH {
            return Err(format!("maps are nested more than {MAX_DEPTH} deep"));
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(format!("it has more than {MAX_VALUES} values"));
        }
        if name.len() > MAX_NAME {
            return Err(format!("a path before byte {} has more than {MAX_NAME} bytes", self.at));
        }
        let marker = self.marker()?;
        if let Some(length) = self.string_length(marker)? {
            return self.skip(length);
        }
        let bytes = match marker {
            Marker::FixMap(n) => return self.map(u64::from(n), name, depth),
            Marker::Map16 => {
                let n = self.number(2)?;
                return self.map(n, name, depth);
            }
            Marker::Map32 => {
                let n = self.number(4)?;
                return self.map(n, name, depth);
            }
            Marker::FixArray(n) => return self.list(u64::from(n), name, depth),
            Marker::Array16 => {
                let n = self.number(2)?;
                return self.list(n, name, depth);
            }
            Marker::Array32 => {
                let n = self.number(4)?;
                return self.list(n, name, depth);
            }
            Marker::FixExt1 => return self.extension(1, name),
            Marker::FixExt2 => return self.extension(2, name),
            Marker::FixExt4 => return self.extension(4, name),
            Marker::FixExt8 => return self.extension(8, name),
            Marker::FixExt16 => return self.extension(16, name),
            Marker::Ext8 => {
                let n = self.number(1)?;
                return self.extension(n, name);
            }
            Marker::Ext16 => {
                let n = self.number(2)?;
                return self.extension(n, name);
            }
            Marker::Ext32 => {
                let n = self.number(4)?;
                return self.extension(n, name);
            }
            Marker::Bin8 => self.number(1)?,
            Marker::Bin16 => self.number(2)?,
            Marker::Bin32 => self.number(4)?,
            Marker::FixPos(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => {
                let number = self.unsigned(marker)?.unwrap_or_default();
                if name.contains("/shape/") {
                    self.numbers.insert(name.to_owned(), number);
                }
                return Ok(());
            }
            Marker::I8 => 1,
            Marker::I16 => 2,
            Marker::I32 | Marker::F32 => 4,
            Marker::I64 | Marker::F64 => 8,
            Marker::Reserved => return Err(format!("an unknown byte before byte {}", self.at)),
            _ => 0,
        };
        self.skip(bytes)
    }

    fn map(&mut self, entries: u64, name: &str, depth: usize) -> ParseResult<()> {
        for _ in 0..entries {
            let marker = self.marker()?;
            let length = self.string_length(marker)?;
            let length = length.ok_or_else(|| format!("a name before byte {} is not a string", self.at))?;
            let key = self.string(length)?;
            if key == CHUNKED {
                self.chunked.push(name.to_owned());
            }
            // A saved training state contains the parameters under the key `params`.
            let path = match name {
                "" | "params" => key,
                _ => format!("{name}/{key}"),
            };
            self.value(&path, depth + 1)?;
        }
        Ok(())
    }

    fn list(&mut self, entries: u64, name: &str, depth: usize) -> ParseResult<()> {
        for i in 0..entries {
            self.value(&format!("{name}/{i}"), depth + 1)?;
        }
        Ok(())
    }

    fn extension(&mut self, length: u64, name: &str) -> ParseResult<()> {
        let kind = self.number(1)? as u8 as i8;
        if kind != ARRAY {
            return self.skip(length);
        }
        let end = self.at.checked_add(length).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| format!("array \"{name}\" is longer than the file"))?;
        let damaged = || format!("array \"{name}\" is damaged");
        if !matches!(self.marker()?, Marker::FixArray(3)) {
            return Err(damaged());
        }
        let dims = match self.marker()? {
            Marker::FixArray(n) => u64::from(n),
            Marker::Array16 => self.number(2)?,
            _ => return Err(damaged()),
        };
        let mut shape = Vec::new();
        for _ in 0..dims {
            let marker = self.marker()?;
            let n = self.unsigned(marker)?.ok_or_else(damaged)?;
            shape.push(usize::try_from(n).map_err(|_| damaged())?);
        }
        let marker = self.marker()?;
        let length = self.string_length(marker)?.ok_or_else(damaged)?;
        let kind = self.string(length)?;
        let dtype = dtype(&kind).ok_or_else(|| format!("array \"{name}\" has elements of type {kind}"))?;
        let size = match self.marker()? {
            Marker::Bin8 => self.number(1)?,
            Marker::Bin16 => self.number(2)?,
            Marker::Bin32 => self.number(4)?,
            _ => return Err(damaged()),
        };
        let needed = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n));
        if needed.map(|n| n as u64) != Some(size) || self.at + size != end {
            return Err(format!("array \"{name}\" has {size} bytes, which do not fit its shape {shape:?}"));
        }
        let array = Array { shape, dtype, parts: vec![(self.at, size as usize)] };
        if self.arrays.len() >= MAX_TENSORS || self.arrays.insert(name.to_owned(), array).is_some() {
            return Err(format!("array \"{name}\" occurs twice, or there are too many"));
        }
        self.skip(size)
    }

    /// Joins the parts of each chunked array.
    fn join_chunks(&mut self) -> ParseResult<()> {
        for path in std::mem::take(&mut self.chunked) {
            let damaged = || format!("the chunks of array \"{path}\" do not make its shape");
            let shape: Option<Vec<usize>> = (0..)
                .map_while(|i| self.numbers.get(&format!("{path}/shape/{i}")))
                .map(|n| usize::try_from(*n).ok())
                .collect();
            let chunks: Vec<Array> =
                (0..).map_while(|i| self.arrays.remove(&format!("{path}/chunks/{i}"))).collect();
            let (shape, dtype) = shape.zip(chunks.first().map(|chunk| chunk.dtype)).ok_or_else(damaged)?;
            let needed = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n));
            let same = chunks.iter().all(|chunk| chunk.dtype == dtype);
            let parts: Vec<(u64, usize)> = chunks.into_iter().flat_map(|chunk| chunk.parts).collect();
            let stored: usize = parts.iter().map(|(_, size)| size).sum();
            if !same || needed != Some(stored) || self.arrays.contains_key(&path) {
                return Err(damaged());
            }
            self.arrays.insert(path, Array { shape, dtype, parts });
        }
        Ok(())
    }
}

/// numpy's type names.
fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "float64" => Dtype::F64,
        "float32" => Dtype::F32,
        "float16" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "int64" => Dtype::I64,
        "int32" => Dtype::I32,
        "int16" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        _ => return None,
    })
}
