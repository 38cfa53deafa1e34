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
    let tensors = with_decoder_bias(tensors);
    save_tensors(&folder.join("model.safetensors"), &tensors)?;
    write_json(&folder.join("config.json"), &config_json(config, architecture, Dtype::F32))?;
    tokenizer.0.write(folder, tokenizer.1, config.max_position_embeddings)
}

/// Adds the masked-LM bias under its other name if the decoder has weights of its own: transformers 5.x ties the two biases
/// only together with the weights, and would initialize this one at random.
fn with_decoder_bias<'a, 'b>(tensors: &'a [SavedTensor<'b>]) -> Cow<'a, [SavedTensor<'b>]> {
    const BIAS: &str = "predictions.decoder.bias";
    let find = |name: &str| tensors.iter().find(|tensor| tensor.name == name);
    match (find("predictions.decoder.weight"), find("predictions.bias"), find(BIAS)) {
        (Some(_), Some(bias), None) => {
            let copy = SavedTensor { name: BIAS.to_owned(), ..bias.clone() };
            Cow::Owned(tensors.iter().cloned().chain([copy]).collect())
        }
        _ => Cow::Borrowed(tensors),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untied_decoder_has_its_bias_under_both_names() {
        let tensor = |name: &str| SavedTensor {
            name: name.to_owned(),
            shape: vec![1],
            transposed: false,
            values: Cow::Owned(vec![0.5]),
        };
        let names = |names: &[&str]| {
            let tensors: Vec<_> = names.iter().map(|name| tensor(name)).collect();
            let all = with_decoder_bias(&tensors);
            all.iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>()
        };
        let (weight, bias, other) =
            ("predictions.decoder.weight", "predictions.bias", "predictions.decoder.bias");
        assert_eq!(names(&[weight, bias]), [weight, bias, other]);
        assert_eq!(names(&[weight, bias, other]), [weight, bias, other]);
        assert_eq!(names(&[bias]), [bias]);
    }
}
