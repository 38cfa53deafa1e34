//! Descriptions of stored tensors: element type, shape and container.

use std::fmt;

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    /// Returns true for floating-point types.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::BF16)
    }

    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// The container format of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Hugging Face's safetensors.
    Safetensors,
    /// `torch.save` since 1.6: a zip archive.
    PyTorchZip,
    /// `torch.save` before 1.6: a sequence of pickles, followed by the storages.
    PyTorchLegacy,
    /// `torch.save` before 0.1.10: a tar archive.
    PyTorchTar,
    /// A bare pickle.
    Pickle,
    /// A TensorFlow checkpoint: index and data files.
    TensorFlow,
    /// HDF5, as written by Keras.
    Hdf5,
    /// msgpack, as written by Flax.
    MsgPack,
    /// The weights of an ONNX model.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors",
            Self::PyTorchZip => "PyTorch (zip)",
            Self::PyTorchLegacy => "PyTorch (before 1.6)",
            Self::PyTorchTar => "PyTorch (tar)",
            Self::Pickle => "pickle",
            Self::TensorFlow => "TensorFlow checkpoint",
            Self::Hdf5 => "TensorFlow 2 (HDF5)",
            Self::MsgPack => "Flax (msgpack)",
            Self::Onnx => "ONNX",
        })
    }
}

/// The elements of a tensor: as stored in the file, or as computed from several of its tensors.
pub(super) enum Contents {
    Bytes(Vec<u8>, Dtype),
    Values(Vec<f32>),
}

/// Description of a stored tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, without wrapper prefixes such as `state_dict` and `module.`.
    pub name: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its element type in the file.
    pub dtype: Dtype,
}

/// Returns true if a tensor of this shape is plausible in a file of `file` bytes. In some containers, a tensor can be
/// larger than its stored data: through compression, zero strides, or missing data. Weights hardly compress.
pub(in crate::checkpoint) fn is_plausible(shape: &[usize], dtype: Dtype, file: u64) -> bool {
    const RATIO: u64 = 4;
    const SMALL: u64 = 1 << 20;
    let bytes = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n));
    bytes.is_some_and(|bytes| bytes as u64 <= file.saturating_mul(RATIO).saturating_add(SMALL))
}
