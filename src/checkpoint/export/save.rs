//! Saves a trained model as a directory that transformers can load.

use std::borrow::Cow;
use std::path::Path;

use super::json::{config_json, write_json};
use super::planned::Planned;
use super::safetensors::SafetensorsWriter;
use super::tokenizer_files::TokenizerFiles;
use crate::checkpoint::architecture::Architecture;
use crate::checkpoint::layout::transposed;
use crate::checkpoint::tensor::Dtype;
use crate::error::Result;
use crate::model::AlbertConfig;
use crate::tokenizer::Tokenizer;

/// A tensor to save.
#[derive(Clone, Debug)]
pub struct SavedTensor<'a> {
    /// Its name in the file.
    pub name: String,
    /// Its shape in memory.
    pub shape: Vec<usize>,
    /// True for a matrix that is transposed when it is saved.
    pub transposed: bool,
    /// Its values in memory, row-major.
    pub values: Cow<'a, [f32]>,
}

/// Writes a safetensors file in f32.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn save_tensors(path: &Path, tensors: &[SavedTensor]) -> Result<()> {
    save_as(path, tensors, Dtype::F32)
}

/// Writes a safetensors file in half precision.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn save_half(path: &Path, tensors: &[SavedTensor]) -> Result<()> {
    save_as(path, tensors, Dtype::F16)
}

fn save_as(path: &Path, tensors: &[SavedTensor], dtype: Dtype) -> Result<()> {
    let planned: Vec<Planned> = tensors
        .iter()
        .map(|tensor| {
            let mut shape = tensor.shape.clone();
            if tensor.transposed {
                shape.reverse();
            }
            Planned { name: tensor.name.clone(), canonical: tensor.name.clone(), shape, dtype }
        })
        .collect();
    let mut bytes = tensors.iter().map(|tensor| {
        let bytes = |values: &[f32]| -> Vec<u8> {
            match dtype {
                Dtype::F16 => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
                _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            }
        };
        Ok(match (tensor.transposed, tensor.shape.as_slice()) {
            (true, [rows, columns]) => bytes(&transposed(&tensor.values, *rows, *columns)),
            _ => bytes(&tensor.values),
        })
    });
    SafetensorsWriter::write(path, &planned, &mut bytes)
}

/// Writes `config.json`, `model.safetensors` and the tokenizer's files into `folder`.
///
/// # Errors
/// [`crate::Error::Io`]; errors from the tokenizer.
pub fn save_model(
    folder: &Path,
    tensors: &[SavedTensor],
    config: &AlbertConfig,
    architecture: Architecture,
    tokenizer: (&TokenizerFiles, &Tokenizer),
) -> Result<()> {
    save_tensors(&folder.join("model.safetensors"), tensors)?;
    write_json(&folder.join("config.json"), &config_json(config, architecture, Dtype::F32))?;
    tokenizer.0.write(folder, tokenizer.1, config.max_position_embeddings)
}
