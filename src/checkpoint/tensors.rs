//! The tensors of a checkpoint in any container. They are listed on opening and read one at a time.

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
    /// For each entry of `infos`, the index of the file that contains it.
    pub(super) holders: Vec<usize>,
    /// Names in the file of renamed tensors, by new name.
    pub(super) stored: HashMap<String, String>,
    /// Names in the file of tensors outside the model's prefix.
    pub(super) outside: Vec<String>,
    /// Changes made to names, one line each.
    pub(super) notes: Vec<String>,
    /// Names of unreadable tensors, each with the reason.
    pub(super) unreadable: BTreeMap<String, String>,
    /// True if the file contains albert_zh's word projection matrix.
    pub(super) projects_words: bool,
    /// True if tensors that are used may contain NaN and infinity.
    pub(super) allow_non_finite: bool,
    /// How quantized matrices are dequantized, by name.
    pub(super) recipes: HashMap<String, Recipe>,
    /// How the tensors are quantized, if they are.
    pub(super) quantization: Option<Quantization>,
    /// The adapter to merge.
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
            return Err(Error::bad_file(path, format!("the tensor \"{}\" occurs twice", pair[0].0.name)));
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

    /// Sets whether tensors may contain NaN and infinity.
    pub fn allowing_non_finite(mut self, allow: bool) -> Self {
        self.allow_non_finite = allow;
        self
    }

    /// Returns the path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all tensors, sorted by name.
    pub fn infos(&self) -> &[TensorInfo] {
        &self.infos
    }

    /// Returns the description of a tensor.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        self.index_of(name).map(|i| &self.infos[i])
    }

    /// Returns the container format of the first file.
    pub fn format(&self) -> Option<Format> {
        self.files.first().map(|file| file.format())
    }

    /// Returns the naming convention of the tensors.
    pub fn dialect(&self) -> Dialect {
        match self.format() {
            Some(Format::TensorFlow) => Dialect::Google,
            Some(Format::Hdf5) => Dialect::Keras,
            Some(Format::MsgPack) => Dialect::Flax,
            Some(Format::Onnx) => Dialect::Onnx,
            _ => Dialect::PyTorch,
        }
    }

    /// Returns the number of files.
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

    /// Reads the bytes of a tensor (little-endian, row-major, contiguous) and returns them with their type. Reads only
    /// that tensor.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file; [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<(Vec<u8>, Dtype)> {
        Ok(match self.contents(name)? {
            Contents::Bytes(bytes, dtype) => (bytes, dtype),
            Contents::Values(values) => (to_bytes(&values), Dtype::F32),
        })
    }

    /// Reads a tensor, as bytes or, if it had to be computed, as values.
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

    /// Reads a tensor as f32, row-major and contiguous, whatever its strides and float type in the file. Reads only that
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

    /// Converts the bytes of a tensor to f32.
    pub(super) fn floats(&self, name: &str, bytes: &[u8], dtype: Dtype) -> Result<Vec<f32>> {
        to_f32(bytes, dtype).ok_or_else(|| {
            Error::bad_file(
                &self.path,
                format!("tensor \"{name}\" has elements of type {dtype}; expected floats"),
            )
        })
    }

    /// Dequantizes a matrix from its stored bytes.
    fn dequantized(&self, name: &str, stored: &[u8], recipe: &Recipe) -> Result<Vec<f32>> {
        recipe.dequantized(name, stored, &self.path, &|part| self.files[part.holder].read(&part.name))
    }
}
