//! Readers of weight files, one per container format.

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
use super::tensor::{Contents, Dtype, Format, TensorInfo};
use crate::error::{Error, Result};

/// A weight file. Its tensors are listed when it is opened, and read one at a time.
pub(in crate::checkpoint) trait TensorReader: Send + Sync {
    /// Returns the tensors in file order.
    fn infos(&self) -> &[TensorInfo];

    /// Reads the bytes of tensor `name`: little-endian, row-major, contiguous.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file; [`Error::Io`].
    fn read(&self, name: &str) -> Result<Vec<u8>>;

    /// Reads the elements of tensor `name`, which [`Self::infos`] lists with type `dtype`. Readers that compute tensors
    /// return values.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    fn contents(&self, name: &str, dtype: Dtype) -> Result<Contents> {
        Ok(Contents::Bytes(self.read(name)?, dtype))
    }

    /// Returns the name that tensor `name` has in the file itself.
    fn name_in_file<'a>(&'a self, name: &'a str) -> &'a str {
        name
    }

    /// Returns the container format.
    fn format(&self) -> Format;

    /// Returns tensors that the file names but that cannot be read, each with the reason.
    fn unreadable(&self) -> &[(String, String)] {
        &[]
    }

    /// Returns the number of files.
    fn file_count(&self) -> usize {
        1
    }

    /// Returns how the weights are quantized, if the file says so.
    fn quantization(&self) -> Option<Quantization> {
        None
    }

    /// Returns a remark on contents of the file that are not tensors.
    fn note(&self) -> Option<String> {
        None
    }

    /// Returns the size of the file at `path` in bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn bytes(&self, path: &Path) -> Result<u64> {
        size_of_file(path)
    }
}

/// Opens a weight file. Its content determines the container format.
///
/// # Errors
/// Errors from the reader.
pub(in crate::checkpoint) fn open(path: &Path) -> Result<Box<dyn TensorReader>> {
    Ok(match sniff(path)? {
        ContainerKind::Safetensors => Box::new(SafetensorsFile::open(path)?),
        ContainerKind::PyTorch => {
            Box::new(PyTorchFile::open(path).map_err(|error| quantization::explained(error, path))?)
        }
        ContainerKind::TensorFlow => Box::new(TfBundle::open(path)?),
        ContainerKind::Hdf5 => Box::new(Hdf5File::open(path)?),
        ContainerKind::MsgPack => Box::new(MsgPackFile::open(path)?),
        ContainerKind::Onnx => Box::new(OnnxFile::open(path)?),
    })
}

/// Returns the size of a file in bytes.
pub(in crate::checkpoint) fn size_of_file(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path, "read"))?.len())
}
