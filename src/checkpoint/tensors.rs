//! The tensors of a checkpoint in any container: listed when opened, read one by one.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::adapter::merge::Merge;
use super::formats::TensorReader;
use super::layout::{to_bytes, to_f32};
use super::naming::names::Dialect;
use super::quantization::Quantization;
use super::quantization::recipe::Recipe;
use super::tensor::{Contents, Dtype, Format, TensorInfo};
use crate::error::{Error, Result};

/// All tensors of one checkpoint, in one file or several.
pub struct Tensors {
    pub(super) path: PathBuf,
    pub(super) files: Vec<Box<dyn TensorReader>>,
    /// Sorted by name.
    pub(super) infos: Vec<TensorInfo>,
    /// The index of the file of each entry of `infos`.
    pub(super) holders: Vec<usize>,
    /// Original names of renamed tensors.
    pub(super) stored: HashMap<String, String>,
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
    pub(super) bytes: u64,
}

impl Tensors {
    pub(super) fn assemble(path: &Path, files: Vec<Box<dyn TensorReader>>, bytes: u64) -> Result<Self> {
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
        let quantization = files.iter().find_map(|file| file.quantization());
        Ok(Self {
            path: path.to_owned(),
            files,
            infos,
            holders,
            stored: HashMap::new(),
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
        self.files.first().map(|file| file.format())
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
        self.files.iter().map(|file| file.file_count()).sum()
    }

    /// Total size of all files in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn index_of(&self, name: &str) -> Option<usize> {
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
        let file = &self.files[self.holders[i]];
        match self.recipes.get(name) {
            Some(recipe) => Ok(Contents::Values(self.dequantized(name, &file.read(stored)?, recipe)?)),
            None => file.contents(stored, self.infos[i].dtype),
        }
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

    /// The values of a quantized matrix from the bytes that are stored.
    fn dequantized(&self, name: &str, stored: &[u8], recipe: &Recipe) -> Result<Vec<f32>> {
        recipe.dequantized(name, stored, &self.path, &|part| self.files[part.holder].read(&part.name))
    }
}
