//! The tensors of a checkpoint in any container: listed when opened, read one by one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use super::adapter::lora::Merge;
use super::formats::hdf5::Hdf5File;
use super::formats::msgpack::MsgPackFile;
use super::formats::onnx::OnnxFile;
use super::formats::pytorch::PyTorchFile;
use super::formats::safetensors::SafetensorsFile;
use super::formats::shards;
use super::formats::sniff::{Kind, sniff};
use super::formats::tensorflow::TfBundle;
use super::layout::{to_bytes, to_f32};
use super::naming::names::Dialect;
use super::quantization::bitsandbytes::Recipe;
use super::quantization::{self, Quantization};
use super::task_tensors::Difference;
use crate::error::{Error, Result};

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
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
    /// True for floating-point types.
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

/// The container of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Hugging Face's safetensors.
    Safetensors,
    /// `torch.save` since 1.6: a zip archive.
    PyTorchZip,
    /// `torch.save` before 1.6: a stream of pickles, then the storages.
    PyTorchLegacy,
    /// `torch.save` before 0.1.10: a tar archive.
    PyTorchTar,
    /// A bare pickle.
    Pickle,
    /// A TensorFlow checkpoint: index and data files.
    TensorFlow,
    /// HDF5, as Keras writes it.
    Hdf5,
    /// msgpack, as Flax writes it.
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

/// A tensor's elements: as the file has them, or as computed from several of its tensors.
pub(super) enum Contents {
    Bytes(Vec<u8>, Dtype),
    Values(Vec<f32>),
}

/// Description of a stored tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name without wrappers such as `state_dict` and `module.`.
    pub name: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its element type in the file.
    pub dtype: Dtype,
}

/// A file and its tensors.
pub(super) enum Container {
    Safetensors(SafetensorsFile),
    PyTorch(PyTorchFile),
    TensorFlow(TfBundle),
    Hdf5(Box<Hdf5File>),
    MsgPack(MsgPackFile),
    Onnx(OnnxFile),
}

impl Container {
    fn open(path: &Path) -> Result<Self> {
        match sniff(path)? {
            Kind::Safetensors => Ok(Self::Safetensors(SafetensorsFile::open(path)?)),
            Kind::PyTorch => Ok(Self::PyTorch(
                PyTorchFile::open(path).map_err(|error| quantization::explained(error, path))?,
            )),
            Kind::TensorFlow => Ok(Self::TensorFlow(TfBundle::open(path)?)),
            Kind::Hdf5 => Ok(Self::Hdf5(Box::new(Hdf5File::open(path)?))),
            Kind::MsgPack => Ok(Self::MsgPack(MsgPackFile::open(path)?)),
            Kind::Onnx => Ok(Self::Onnx(OnnxFile::open(path)?)),
        }
    }

    fn infos(&self) -> &[TensorInfo] {
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
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        match self {
            Self::Safetensors(f) => f.read(name),
            Self::PyTorch(f) => f.read(name),
            Self::TensorFlow(f) => f.read(name),
            Self::Hdf5(f) => f.read(name),
            Self::MsgPack(f) => f.read(name),
            Self::Onnx(f) => f.read(name),
        }
    }

    fn format(&self) -> Format {
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
    fn unreadable(&self) -> &[(String, String)] {
        match self {
            Self::PyTorch(f) => f.unreadable(),
            _ => &[],
        }
    }

    /// A remark on what the file holds next to tensors.
    fn note(&self) -> Option<String> {
        match self {
            Self::PyTorch(f) => f.note().map(str::to_owned),
            _ => None,
        }
    }

    /// The size of the file at `path`.
    fn bytes(&self, path: &Path) -> Result<u64> {
        match self {
            Self::TensorFlow(f) => Ok(f.bytes()),
            _ => size_of_file(path),
        }
    }
}

/// All tensors of one checkpoint, in one file or several.
pub struct Tensors {
    pub(super) path: PathBuf,
    pub(super) files: Vec<Container>,
    /// Sorted by name.
    pub(super) infos: Vec<TensorInfo>,
    /// The index of the file of each entry of `infos`.
    pub(super) holders: Vec<usize>,
    /// Original names of renamed tensors.
    pub(super) stored: HashMap<String, String>,
    /// Low-rank deltas by the names of their matrices.
    pub(super) differences: HashMap<String, Difference>,
    /// Names in the file of tensors outside the model's wrapper.
    pub(super) outside: Vec<String>,
    /// Changes to names, one line each.
    pub(super) notes: Vec<String>,
    /// Tensors that cannot be read, by name, each with the reason.
    pub(super) unreadable: BTreeMap<String, String>,
    /// The file has albert_zh's matrix that projects words.
    pub(super) projects_words: bool,
    /// NaN and infinity in tensors that are used are allowed.
    pub(super) allow_non_finite: bool,
    /// How quantized matrices are read, by their names.
    pub(super) recipes: HashMap<String, Recipe>,
    /// How the tensors are quantized.
    pub(super) quantization: Option<Quantization>,
    /// The changes of an adapter.
    pub(super) merge: Option<Merge>,
    bytes: u64,
}

impl Tensors {
    /// Opens a weight file (its format is detected from its content) or an index of shards (`*.index.json`), and lists its
    /// tensors.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file or an unsupported format; [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        if !path.to_string_lossy().ends_with(".index.json") {
            let container = Container::open(path)?;
            let bytes = container.bytes(path)?;
            return Self::assemble(path, vec![container], bytes)?.resolved();
        }
        let index = shards::read_index(path)?;
        let mut files = Vec::new();
        let mut bytes = 0;
        for shard in index.files() {
            bytes += size_of_file(shard)?;
            files.push(Container::open(shard)?);
        }
        let listed: Vec<&[TensorInfo]> = files.iter().map(Container::infos).collect();
        index.check(&listed)?;
        Self::assemble(path, files, bytes)?.resolved()
    }

    /// Opens a file whose tensors are not those of a model, such as the state of an optimizer: names and values are as
    /// stored.
    ///
    /// # Errors
    /// Those of [`Self::open`], except for names.
    pub fn open_as_stored(path: &Path) -> Result<Self> {
        let container = Container::open(path)?;
        let bytes = container.bytes(path)?;
        Ok(Self::assemble(path, vec![container], bytes)?.allowing_non_finite(true))
    }

    /// The tensors of a safetensors file in memory.
    ///
    /// # Errors
    /// [`Error::BadFile`] for `name`.
    pub fn from_safetensors_bytes(bytes: &'static [u8], name: &Path) -> Result<Self> {
        let file = SafetensorsFile::from_bytes(bytes, name)?;
        Self::assemble(name, vec![Container::Safetensors(file)], bytes.len() as u64)?.resolved()
    }

    fn assemble(path: &Path, files: Vec<Container>, bytes: u64) -> Result<Self> {
        let mut listed: Vec<(TensorInfo, usize)> = files
            .iter()
            .enumerate()
            .flat_map(|(i, file)| file.infos().iter().cloned().map(move |info| (info, i)))
            .collect();
        listed.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        if let Some(pair) = listed.windows(2).find(|w| w[0].0.name == w[1].0.name) {
            return Err(Error::bad_file(path, format!("the tensor \"{}\" is there twice", pair[0].0.name)));
        }
        let (infos, holders) = listed.into_iter().unzip();
        let quantization = files.iter().find_map(|file| match file {
            Container::Onnx(file) => file.quantization().cloned(),
            _ => None,
        });
        Ok(Self {
            path: path.to_owned(),
            files,
            infos,
            holders,
            stored: HashMap::new(),
            differences: HashMap::new(),
            outside: Vec::new(),
            notes: Vec::new(),
            unreadable: BTreeMap::new(),
            projects_words: false,
            allow_non_finite: false,
            recipes: HashMap::new(),
            quantization,
            merge: None,
            bytes,
        })
    }

    /// Finds the parameters of the model among the tensors.
    fn resolved(self) -> Result<Self> {
        let unreadable = self.files.iter().flat_map(|file| file.unreadable().iter().cloned()).collect();
        let skipped: Vec<String> = self.files.iter().filter_map(Container::note).collect();
        let mut tensors = self.with_bitsandbytes()?.with_row_scales()?;
        // The names of an adapter keep their wrapper: it tells what belongs to the base model.
        let is_of_adapter =
            |info: &TensorInfo| info.name.contains(".lora_") || info.name.starts_with("base_model.");
        if !tensors.infos.iter().any(is_of_adapter) {
            tensors.resolve_names(unreadable)?;
        }
        tensors.notes.extend(skipped);
        if tensors.quantization.is_none() {
            tensors.quantization = quantization::detect(&tensors);
        }
        Ok(tensors)
    }

    /// Accepts tensors with NaN or infinity.
    pub fn allowing_non_finite(mut self, allow: bool) -> Self {
        self.allow_non_finite = allow;
        self
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All tensors, sorted by name.
    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    /// The description of a tensor.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.index_of(name).map(|i| &self.infos[i])
    }

    /// The container of the first file.
    pub fn format(&self) -> Option<Format> {
        self.files.first().map(Container::format)
    }

    /// The naming convention of the tensors.
    pub fn dialect(&self) -> Dialect {
        match self.format() {
            Some(Format::TensorFlow) => Dialect::Google,
            Some(Format::Hdf5) => Dialect::Keras,
            Some(Format::MsgPack) => Dialect::Flax,
            Some(Format::Onnx) => Dialect::Onnx,
            _ => Dialect::PyTorch,
        }
    }

    /// Number of files.
    pub fn file_count(&self) -> usize {
        let files = |container: &Container| match container {
            Container::TensorFlow(bundle) => bundle.file_count(),
            _ => 1,
        };
        self.files.iter().map(files).sum()
    }

    /// Total size of all files in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.bytes
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        self.infos.binary_search_by(|info| info.name.as_str().cmp(name)).ok()
    }

    /// The bytes of a tensor (little-endian, row-major, contiguous) and their type. Reads only that tensor.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file; [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<(Vec<u8>, Dtype)> {
        Ok(match self.contents(name)? {
            Contents::Bytes(bytes, dtype) => (bytes, dtype),
            Contents::Values(values) => (to_bytes(&values), Dtype::F32),
        })
    }

    /// A tensor as bytes, or as values if it had to be computed.
    pub(super) fn contents(&self, name: &str) -> Result<Contents> {
        let Some(i) = self.index_of(name) else {
            return Err(Error::bad_file(&self.path, format!("has no tensor \"{name}\"")));
        };
        let stored = self.stored.get(name).map_or(name, String::as_str);
        let bytes = self.files[self.holders[i]].read(stored)?;
        let difference = self.differences.get(name);
        let mut values = match (self.recipes.get(name), difference) {
            (Some(recipe), _) => self.dequantized(name, &bytes, recipe)?,
            (None, Some(difference)) => self.floats(name, &bytes, difference.shared)?,
            (None, None) => return Ok(Contents::Bytes(bytes, self.infos[i].dtype)),
        };
        if let Some(difference) = difference {
            self.change(&mut values, difference)?;
        }
        Ok(Contents::Values(values))
    }

    /// The values of a tensor as f32, row-major and contiguous, whatever strides and float type the file has. Reads only that
    /// tensor.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file or an integer tensor.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        match self.contents(name)? {
            Contents::Bytes(bytes, dtype) => self.floats(name, &bytes, dtype),
            Contents::Values(values) => Ok(values),
        }
    }

    /// The bytes of a tensor as f32.
    pub(super) fn floats(&self, name: &str, bytes: &[u8], dtype: Dtype) -> Result<Vec<f32>> {
        to_f32(bytes, dtype).ok_or_else(|| {
            Error::bad_file(
                &self.path,
                format!("tensor \"{name}\" has elements of type {dtype}; expected floats"),
            )
        })
    }
}

/// Returns true if a tensor of this shape is plausible in a file of `bytes` bytes, for containers in which a tensor can be
/// larger than its stored data: through compression, zero strides, or missing data. Weights hardly compress.
pub(super) fn is_plausible(shape: &[usize], dtype: Dtype, file: u64) -> bool {
    const RATIO: u64 = 4;
    const SMALL: u64 = 1 << 20;
    let bytes = shape.iter().try_fold(dtype.size(), |product, n| product.checked_mul(*n));
    bytes.is_some_and(|bytes| bytes as u64 <= file.saturating_mul(RATIO).saturating_add(SMALL))
}

fn size_of_file(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).map_err(Error::io(path, "read"))?.len())
}
