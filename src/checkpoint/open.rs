//! Opens weight files and maps their tensors to the parameter names of the model.

use std::path::Path;

use super::formats::safetensors::SafetensorsFile;
use super::formats::{self, shards, size_of_file};
use super::quantization::detect::detect;
use super::tensor::TensorInfo;
use super::tensors::Tensors;
use crate::error::Result;

impl Tensors {
    /// Opens a weight file (its format is detected from its content) or an index of shards (`*.index.json`), and lists
    /// its tensors.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile) for a damaged file or an unsupported format;
    /// [`Error::Io`](crate::Error::Io).
    pub fn open(path: &Path) -> Result<Self> {
        if !path.to_string_lossy().ends_with(".index.json") {
            let container = formats::open(path)?;
            let bytes = container.bytes(path)?;
            return Self::assemble(path, vec![container], bytes)?.resolved();
        }
        let index = shards::read_index(path)?;
        let mut files = Vec::new();
        let mut bytes = 0;
        for shard in index.files() {
            bytes += size_of_file(shard)?;
            files.push(formats::open(shard)?);
        }
        let listed: Vec<&[TensorInfo]> = files.iter().map(|file| file.infos()).collect();
        index.check(&listed)?;
        Self::assemble(path, files, bytes)?.resolved()
    }

    /// Opens a file whose tensors are not parameters of a model, such as the state of an optimizer. Names and values stay
    /// as stored.
    ///
    /// # Errors
    /// Those of [`Self::open`], except for errors about names.
    pub fn open_as_stored(path: &Path) -> Result<Self> {
        let container = formats::open(path)?;
        let bytes = container.bytes(path)?;
        Ok(Self::assemble(path, vec![container], bytes)?.allowing_non_finite(true))
    }

    /// Opens a safetensors file in memory. `name` is used in messages.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile) with `name` as its path.
    pub fn from_safetensors_bytes(bytes: &'static [u8], name: &Path) -> Result<Self> {
        let file = SafetensorsFile::from_bytes(bytes, name)?;
        Self::assemble(name, vec![Box::new(file)], bytes.len() as u64)?.resolved()
    }

    /// Maps the tensors to the parameters of the model.
    fn resolved(self) -> Result<Self> {
        let unreadable = self.files.iter().flat_map(|file| file.unreadable().iter().cloned()).collect();
        let skipped: Vec<String> = self.files.iter().filter_map(|file| file.note()).collect();
        let mut tensors = self.with_bitsandbytes()?.with_row_scales()?;
        // Tensors of an adapter keep their prefix, which identifies those of the base model.
        let is_of_adapter =
            |info: &TensorInfo| info.name.contains(".lora_") || info.name.starts_with("base_model.");
        if !tensors.infos.iter().any(is_of_adapter) {
            tensors.resolve_names(unreadable)?;
        }
        tensors.notes.extend(skipped);
        if tensors.quantization.is_none() {
            tensors.quantization = detect(&tensors);
        }
        Ok(tensors)
    }
}
