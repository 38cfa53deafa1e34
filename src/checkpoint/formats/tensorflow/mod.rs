//! Reads TensorFlow checkpoints (`model.ckpt-best.index` with `model.ckpt-best.data-00000-of-00001`), the format of
//! Google's published ALBERT models. Partitioned variables are joined.
//!
//! Reference: TensorFlow's `core/protobuf/tensor_bundle.proto`, `core/util/tensor_bundle/tensor_bundle.cc`,
//! `core/util/saved_tensor_slice_util.cc`.

mod slices;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use prost::Message;

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};
use slices::{copy_part, extents, overlap, slice_key};
use table::{read_table, unmasked};

/// Maximum size of an index, far above that of any ALBERT.
const MAX_INDEX_BYTES: u64 = 16 << 20;
/// Maximum number of parts of a variable.
const MAX_PARTS: usize = 1024;

#[derive(Message)]
struct BundleHeader {
    #[prost(int32, tag = "1")]
    num_shards: i32,
    #[prost(int32, tag = "2")]
    endianness: i32,
}

#[derive(Message)]
struct BundleEntry {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShape>,
    #[prost(int32, tag = "3")]
    shard_id: i32,
    #[prost(int64, tag = "4")]
    offset: i64,
    #[prost(int64, tag = "5")]
    size: i64,
    #[prost(fixed32, tag = "6")]
    crc32c: u32,
    #[prost(message, repeated, tag = "7")]
    slices: Vec<TensorSlice>,
}

#[derive(Message)]
struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

#[derive(Message)]
struct Dim {
    #[prost(int64, tag = "1")]
    size: i64,
}

#[derive(Message)]
struct TensorSlice {
    #[prost(message, repeated, tag = "1")]
    extent: Vec<Extent>,
}

#[derive(Message)]
struct Extent {
    #[prost(int64, tag = "1")]
    start: i64,
    /// `None` if the slice covers the complete dimension.
    #[prost(int64, optional, tag = "2")]
    length: Option<i64>,
}

/// A range of bytes in one of the data files.
#[derive(Clone)]
struct Piece {
    shard: usize,
    offset: u64,
    size: usize,
    crc32c: u32,
    /// Start and length in each dimension. Empty for the complete tensor.
    within: Vec<(usize, usize)>,
}

/// One TensorFlow checkpoint.
pub(crate) struct TfBundle {
    path: PathBuf,
    shards: Vec<Mutex<File>>,
    infos: Vec<TensorInfo>,
    pieces: BTreeMap<String, Vec<Piece>>,
    bytes: u64,
}

impl TfBundle {
    /// Reads and checks the index, and opens the data files next to it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad = |problem: String| Error::bad_file(path, problem);
        let size = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
        if size > MAX_INDEX_BYTES {
            return Err(bad(format!(
                "is not an index of a TensorFlow checkpoint: {size} bytes are too many"
            )));
        }
        let file = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let table = read_table(&file)
            .map_err(|problem| bad(format!("is not an index of a TensorFlow checkpoint: {problem}")))?;
        let entries: BTreeMap<Vec<u8>, Vec<u8>> = table.into_iter().collect();
        let header = entries.get(&Vec::new()).and_then(|value| BundleHeader::decode(value.as_slice()).ok());
        let header = header.ok_or_else(|| bad("has no header of a TensorFlow checkpoint".to_owned()))?;
        if header.endianness != 0 {
            return Err(bad("was written by a big-endian machine, which albert does not read".to_owned()));
        }
        let (shards, lengths) = open_shards(path, header.num_shards)?;
        let mut bundle = Self {
            path: path.to_owned(),
            shards,
            infos: Vec::new(),
            pieces: BTreeMap::new(),
            bytes: size + lengths.iter().sum::<u64>(),
        };
        for (key, value) in &entries {
            // The header has an empty name. Names of partitions start with a zero byte.
            if matches!(key.first(), None | Some(0)) {
                continue;
            }
            let Ok(name) = std::str::from_utf8(key) else { continue };
            bundle
                .add(name, value, &entries, &lengths)
                .map_err(|problem| bad(format!("variable \"{name}\": {problem}")))?;
        }
        Ok(bundle)
    }

    fn add(
        &mut self,
        name: &str,
        value: &[u8],
        entries: &BTreeMap<Vec<u8>, Vec<u8>>,
        lengths: &[u64],
    ) -> std::result::Result<(), String> {
        let entry = BundleEntry::decode(value).map_err(|e| format!("its entry is damaged: {e}"))?;
        // Strings, such as the object graph of newer savers, are not parameters.
        let Some(dtype) = dtype(entry.dtype) else { return Ok(()) };
        let shape = shape_of(&entry)?;
        let count = elements(&shape).ok_or("its shape is impossible")?;
        let pieces = if entry.slices.is_empty() {
            vec![piece(&entry, count, dtype, lengths, Vec::new())?]
        } else {
            if entry.slices.len() > MAX_PARTS {
                return Err(format!("it has {} parts", entry.slices.len()));
            }
            let stored: u64 = lengths.iter().sum();
            if count.checked_mul(dtype.size()).is_none_or(|bytes| bytes as u64 > stored) {
                return Err("it is larger than its data files".to_owned());
            }
            let mut pieces: Vec<Piece> = Vec::new();
            let mut covered = 0usize;
            for slice in &entry.slices {
                let within = extents(slice, &shape)?;
                let key = slice_key(name, slice);
                let part = entries.get(&key).ok_or("a part of it is not in the index")?;
                let part =
                    BundleEntry::decode(part.as_slice()).map_err(|e| format!("a part is damaged: {e}"))?;
                let part_shape: Vec<usize> = within.iter().map(|(_, length)| *length).collect();
                let part_count = elements(&part_shape).ok_or("a part of it is impossible")?;
                covered = covered.saturating_add(part_count);
                if pieces.iter().any(|other| overlap(&other.within, &within)) {
                    return Err("two of its parts overlap".to_owned());
                }
                pieces.push(piece(&part, part_count, dtype, lengths, within)?);
            }
            if covered != count {
                return Err(format!("its parts have {covered} elements and it has {count}"));
            }
            pieces
        };
        self.infos.push(TensorInfo { name: name.to_owned(), shape, dtype });
        self.pieces.insert(name.to_owned(), pieces);
        Ok(())
    }

    fn read_piece(&self, piece: &Piece, name: &str) -> Result<Vec<u8>> {
        let mut bytes = vec![0; piece.size];
        let mut file = self.shards[piece.shard].lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(piece.offset)).map_err(Error::io(&self.path, "read the data of"))?;
        file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read the data of"))?;
        if crc32c::crc32c(&bytes) != unmasked(piece.crc32c) {
            let problem = format!("the checksum of variable \"{name}\" is wrong: its data file is damaged");
            return Err(Error::bad_file(&self.path, problem));
        }
        Ok(bytes)
    }
}

impl TensorReader for TfBundle {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let absent = || Error::bad_file(&self.path, format!("has no variable \"{name}\""));
        let info = self.infos.iter().find(|info| info.name == name).ok_or_else(absent)?;
        let pieces = self.pieces.get(name).ok_or_else(absent)?;
        if let [whole] = pieces.as_slice()
            && whole.within.is_empty()
        {
            return self.read_piece(whole, name);
        }
        let size = info.dtype.size();
        let mut out = vec![0; elements(&info.shape).unwrap_or(0) * size];
        for part in pieces {
            copy_part(&mut out, &info.shape, &self.read_piece(part, name)?, &part.within, size);
        }
        Ok(out)
    }

    fn format(&self) -> Format {
        Format::TensorFlow
    }

    fn file_count(&self) -> usize {
        self.shards.len() + 1
    }

    fn bytes(&self, _path: &Path) -> Result<u64> {
        Ok(self.bytes)
    }
}

/// Opens the data files `PREFIX.data-00000-of-0000N`, and returns them with their sizes.
fn open_shards(index: &Path, count: i32) -> Result<(Vec<Mutex<File>>, Vec<u64>)> {
    if !(1..=10_000).contains(&count) {
        return Err(Error::bad_file(index, format!("claims to have {count} data files")));
    }
    let prefix = index.with_extension("");
    let mut files = Vec::new();
    let mut lengths = Vec::new();
    for i in 0..count {
        let mut name = prefix.clone().into_os_string();
        name.push(format!(".data-{i:05}-of-{count:05}"));
        let path = PathBuf::from(name);
        if !path.is_file() {
            let problem = format!("its data file {} is missing", path.display());
            return Err(Error::bad_file(index, problem));
        }
        let file = File::open(&path).map_err(Error::io(&path, "read"))?;
        lengths.push(file.metadata().map_err(Error::io(&path, "read"))?.len());
        files.push(Mutex::new(file));
    }
    Ok((files, lengths))
}

/// Maps TensorFlow's `DataType`.
fn dtype(number: i32) -> Option<Dtype> {
    Some(match number {
        1 => Dtype::F32,
        2 => Dtype::F64,
        3 => Dtype::I32,
        4 => Dtype::U8,
        5 => Dtype::I16,
        6 => Dtype::I8,
        9 => Dtype::I64,
        10 => Dtype::Bool,
        14 => Dtype::BF16,
        19 => Dtype::F16,
        _ => return None,
    })
}

fn shape_of(entry: &BundleEntry) -> std::result::Result<Vec<usize>, String> {
    let dims = entry.shape.iter().flat_map(|shape| &shape.dim);
    dims.map(|dim| usize::try_from(dim.size).map_err(|_| format!("has an extent of {}", dim.size))).collect()
}

fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))
}

fn piece(
    entry: &BundleEntry,
    count: usize,
    dtype: Dtype,
    lengths: &[u64],
    within: Vec<(usize, usize)>,
) -> std::result::Result<Piece, String> {
    let size = count.checked_mul(dtype.size()).ok_or("its shape is impossible")?;
    if entry.size != size as i64 {
        return Err(format!("has {} bytes; its shape needs {size}", entry.size));
    }
    let shard = usize::try_from(entry.shard_id).ok().filter(|shard| *shard < lengths.len());
    let shard = shard.ok_or_else(|| format!("is in data file {}, which does not exist", entry.shard_id))?;
    let offset = u64::try_from(entry.offset).map_err(|_| "has a negative offset")?;
    if offset.checked_add(size as u64).is_none_or(|end| end > lengths[shard]) {
        return Err("lies beyond the end of its data file: is the file truncated?".to_owned());
    }
    Ok(Piece { shard, offset, size, crc32c: entry.crc32c, within })
}
