//! Reads safetensors files. The `safetensors` crate checks the header, and tensors are read by offset.
//!
//! Files are read rather than memory-mapped, because truncating a mapped file would kill the process.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use safetensors::tensor::{Dtype as StDtype, Metadata};

use crate::checkpoint::formats::TensorReader;
use crate::checkpoint::quantization::hint;
use crate::checkpoint::tensor::Format;
use crate::checkpoint::tensor::{Dtype, TensorInfo};
use crate::error::{Error, Result};

/// Maximum size of the header. The format allows 100 MB; an ALBERT needs a few kilobytes.
const MAX_HEADER: u64 = 4 << 20;

/// The source of the bytes.
enum Bytes {
    File(Mutex<File>),
    Memory(&'static [u8]),
}

/// One safetensors file.
pub(crate) struct SafetensorsFile {
    path: PathBuf,
    bytes: Bytes,
    metadata: Metadata,
    /// Offset of the tensor data.
    data: u64,
    infos: Vec<TensorInfo>,
}

impl SafetensorsFile {
    /// Reads and checks the header: sizes, offsets without gaps or overlaps, and the length of the file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io(path, "read"))?;
        let length = file.metadata().map_err(Error::io(path, "read"))?.len();
        let bad = |problem: String| Error::bad_file(path, problem);
        let mut size = [0; 8];
        if length < 8 {
            return Err(bad(format!("is not a safetensors file: {length} bytes are too few")));
        }
        file.read_exact(&mut size).map_err(Error::io(path, "read"))?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER {
            return Err(bad(format!("is not a safetensors file: its header claims {size} bytes")));
        }
        if size + 8 > length {
            return Err(bad(format!(
                "its header claims {size} bytes and the file has {length}: is it truncated, or not a safetensors file?"
            )));
        }
        let mut header = vec![0; size as usize + 8];
        file.seek(SeekFrom::Start(0)).map_err(Error::io(path, "read"))?;
        file.read_exact(&mut header).map_err(Error::io(path, "read"))?;
        let (metadata, data) = read_metadata(&header, length, path)?;
        Self::new(path, Bytes::File(Mutex::new(file)), metadata, data)
    }

    /// Like [`Self::open`], for bytes in memory.
    pub(crate) fn from_bytes(bytes: &'static [u8], name: &Path) -> Result<Self> {
        let (metadata, data) = read_metadata(bytes, bytes.len() as u64, name)?;
        Self::new(name, Bytes::Memory(bytes), metadata, data)
    }

    fn new(path: &Path, bytes: Bytes, metadata: Metadata, data: u64) -> Result<Self> {
        let mut infos = Vec::new();
        for (name, info) in metadata.tensors() {
            infos.push(TensorInfo {
                dtype: dtype(info.dtype, &name, path)?,
                shape: info.shape.clone(),
                name,
            });
        }
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { path: path.to_owned(), bytes, metadata, data, infos })
    }
}

impl TensorReader for SafetensorsFile {
    fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let Some(info) = self.metadata.info(name) else {
            return Err(Error::bad_file(&self.path, format!("has no tensor \"{name}\"")));
        };
        let (start, end) = info.data_offsets;
        match &self.bytes {
            Bytes::Memory(all) => {
                let data = self.data as usize;
                Ok(all.get(data + start..data + end).unwrap_or_default().to_vec())
            }
            Bytes::File(file) => {
                let mut bytes = vec![0; end - start];
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.data + start as u64))
                    .map_err(Error::io(&self.path, "read"))?;
                file.read_exact(&mut bytes).map_err(Error::io(&self.path, "read"))?;
                Ok(bytes)
            }
        }
    }

    fn format(&self) -> Format {
        Format::Safetensors
    }
}

/// Returns the header and the offset of the data, for a file of `length` bytes that begins with `head`.
fn read_metadata(head: &[u8], length: u64, path: &Path) -> Result<(Metadata, u64)> {
    let bad = |problem: String| Error::bad_file(path, format!("is not a valid safetensors file: {problem}"));
    let (size, rest) = head.split_first_chunk::<8>().ok_or_else(|| bad("it is too short".to_owned()))?;
    let size = u64::from_le_bytes(*size);
    let header = usize::try_from(size).ok().and_then(|n| rest.get(..n));
    let header = header.ok_or_else(|| bad(format!("its header claims {size} bytes")))?;
    let metadata: Metadata = serde_json::from_slice(header).map_err(|e| bad(format!("its header: {e}")))?;
    let data = size + 8;
    let promised = data + metadata.data_len() as u64;
    if promised != length {
        return Err(Error::bad_file(
            path,
            format!(
                "its header describes {promised} bytes and the file has {length}: was its download cut off?"
            ),
        ));
    }
    Ok((metadata, data))
}

fn dtype(dtype: StDtype, name: &str, path: &Path) -> Result<Dtype> {
    Ok(match dtype {
        StDtype::F64 => Dtype::F64,
        StDtype::F32 => Dtype::F32,
        StDtype::F16 => Dtype::F16,
        StDtype::BF16 => Dtype::BF16,
        StDtype::I64 => Dtype::I64,
        StDtype::I32 => Dtype::I32,
        StDtype::I16 => Dtype::I16,
        StDtype::I8 => Dtype::I8,
        StDtype::U8 => Dtype::U8,
        StDtype::BOOL => Dtype::Bool,
        other => {
            return Err(Error::bad_file(
                path,
                format!(
                    "tensor \"{name}\" has elements of type {other:?}, unknown to albert{}",
                    hint(&format!("{other:?}"))
                ),
            ));
        }
    })
}
