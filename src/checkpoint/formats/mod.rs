//! Readers of weight files, one per container.

pub(in crate::checkpoint) mod foreign;
pub(in crate::checkpoint) mod hdf5;
pub(in crate::checkpoint) mod msgpack;
pub(in crate::checkpoint) mod onnx;
pub(in crate::checkpoint) mod pytorch;
pub(in crate::checkpoint) mod safetensors;
pub(in crate::checkpoint) mod shards;
pub(in crate::checkpoint) mod sniff;
pub(in crate::checkpoint) mod tensorflow;

use std::path::Path;

use self::hdf5::Hdf5File;
use self::msgpack::MsgPackFile;
use self::onnx::OnnxFile;
use self::pytorch::PyTorchFile;
use self::safetensors::SafetensorsFile;
use self::sniff::{ContainerKind, sniff};
use self::tensorflow::TfBundle;
use super::quantization::{self, Quantization};
use super::tensor::{Format, TensorInfo};
use crate::error::{Error, Result};

/// A file and its tensors.
pub(in crate::checkpoint) enum Container {
    Safetensors(SafetensorsFile),
    PyTorch(PyTorchFile),
    TensorFlow(TfBundle),
    Hdf5(Box<Hdf5File>),
    MsgPack(MsgPackFile),
    Onnx(OnnxFile),
}

impl Container {
    pub(in crate::checkpoint) fn open(path: &Path) -> Result<Self> {
        match sniff(path)? {
            ContainerKind::Safetensors => Ok(Self::Safetensors(SafetensorsFile::open(path)?)),
            ContainerKind::PyTorch => Ok(Self::PyTorch(
                PyTorchFile::open(path).map_err(|error| quantization::explained(error, path))?,
            )),
            ContainerKind::TensorFlow => Ok(Self::TensorFlow(TfBundle::open(path)?)),
            ContainerKind::Hdf5 => Ok(Self::Hdf5(Box::new(Hdf5File::open(path)?))),
            ContainerKind::MsgPack => Ok(Self::MsgPack(MsgPackFile::open(path)?)),
            ContainerKind::Onnx => Ok(Self::Onnx(OnnxFile::open(path)?)),
        }
    }

    pub(in crate::checkpoint) fn infos(&self) -> &[TensorInfo] {
        match self {
            Self::Safetensors(f) => f.infos(),
            Self::PyTorch(f) => f.infos(),
            Self::TensorFlow(f) => f.infos(),
            Self::Hdf5(f) => f.infos(),
            Self::MsgPack(f) => f.infos(),
            Self::Onnx(f) => f.infos(),
        }
    }

    /// The bytes of tensor `name`: little-endian, row-major, contiguous.
    pub(in crate::checkpoint) fn read(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Safetensors(f) => f.read(name),
            Self::PyTorch(f) => f.read(name),
            Self::TensorFlow(f) => f.read(name),
            Self::Hdf5(f) => f.read(name),
            Self::MsgPack(f) => f.read(name),
            Self::Onnx(f) => f.read(name),
        }
    }

    pub(in crate::checkpoint) fn format(&self) -> Format {
        match self {
            Self::Safetensors(_) => Format::Safetensors,
            Self::PyTorch(f) => f.format(),
            Self::TensorFlow(_) => Format::TensorFlow,
            Self::Hdf5(_) => Format::Hdf5,
            Self::MsgPack(_) => Format::MsgPack,
            Self::Onnx(_) => Format::Onnx,
        }
    }

    /// Tensors that the file names and that cannot be read, each with the reason.
    pub(in crate::checkpoint) fn unreadable(&self) -> &[(String, String)] {
        match self {
            Self::PyTorch(f) => f.unreadable(),
            _ => &[],
        }
    }

    /// Number of files.
    pub(in crate::checkpoint) fn file_count(&self) -> usize {
        match self {
            Self::TensorFlow(bundle) => bundle.file_count(),
            _ => 1,
        }
    }

    /// How the file says that its weights are quantized.
    pub(in crate::checkpoint) fn quantization(&self) -> Option<Quantization> {
        match self {
            Self::Onnx(file) => file.quantization().cloned(),
            _ => None,
        }
    }

    /// A remark on what the file holds next to tensors.
    pub(in crate::checkpoint) fn note(&self) -> Option<String> {
        match self {
            Self::PyTorch(f) => f.note().map(str::to_owned),
            _ => None,
        }
    }

    /// The size of the file at `path`.
    pub(in crate::checkpoint) fn bytes(&self, path: &Path) -> Result<u64> {
        match self {
            Self::TensorFlow(f) => Ok(f.bytes()),
            _ => size_of_file(path),
        }
    }
}

pub(in crate::checkpoint) fn size_of_file(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path, "read"))?.len())
}
