//! A loaded model with its tokenizer on a device: the one place where tasks meet tensors.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use crate::batch::{Padding, model_input};
use crate::error::{Error, Result};
use crate::model::{Albert, AlbertConfig, OutputOptions};
use crate::tokenizer::{Encoding, Tokenizer};

/// What happens to text longer than the model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Long {
    /// It is cut, and the record says so.
    #[default]
    Truncate,
    /// It is an error of that record.
    Error,
}

/// Everything that a task needs to run.
pub struct Runtime {
    /// The model with the heads that the task asked for.
    pub model: Albert,
    /// Its configuration.
    pub config: AlbertConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Where it runs.
    pub device: Device,
    /// Longest sequence in tokens, special tokens included.
    pub max_length: usize,
    /// What to do with longer text.
    pub long: Long,
    /// Lengths are padded to a multiple of this.
    pub pad_multiple: usize,
}

impl Runtime {
    /// Encodes one text or a pair, within `max_length`.
    ///
    /// # Errors
    /// When the text is too long and [`Long::Error`] is set, or the tokenizer fails.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> std::result::Result<Encoding, String> {
        let encoding = self.tokenizer.encode_max(text, pair, self.max_length).map_err(|e| e.to_string())?;
        if encoding.truncated && self.long == Long::Error {
            let tokens = self.tokenizer.encode(text, pair).map_err(|e| e.to_string())?.ids.len();
            return Err(format!(
                "the text has {tokens} tokens and the model takes {} (--long truncate cuts it)",
                self.max_length
            ));
        }
        self.check_ids(&encoding)?;
        Ok(encoding)
    }

    /// A tokenizer of another model gives ids that this model has no vectors for.
    fn check_ids(&self, encoding: &Encoding) -> std::result::Result<(), String> {
        let vocabulary = self.config.vocab_size;
        if let Some(id) = encoding.ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(format!(
                "the tokenizer gives id {id} and the model's vocabulary has {vocabulary} pieces: \
                 they do not belong together"
            ));
        }
        if encoding.type_ids.iter().any(|t| *t as usize >= self.config.type_vocab_size) {
            return Err(format!(
                "the model has {} segment types; it takes no text pairs",
                self.config.type_vocab_size
            ));
        }
        Ok(())
    }

    fn padding(&self) -> Padding {
        Padding {
            id: self.config.pad_token_id.or(self.tokenizer.pad_id().map(|id| id as usize)).unwrap_or(0)
                as u32,
            multiple: self.pad_multiple,
            longest: self.config.max_position_embeddings,
        }
    }

    /// Masked-LM logits at `positions` of each row: one vector `[vocab_size]` per position, in order.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails; [`Error::Input`] when the model has no such head.
    pub fn masked_lm_logits(
        &self,
        rows: &[&Encoding],
        positions: &[Vec<usize>],
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let input = model_input(rows.iter().copied(), self.padding(), &self.device);
        let [_, length] = input.input_ids.dims();
        let flat: Vec<i64> = positions
            .iter()
            .enumerate()
            .flat_map(|(row, columns)| columns.iter().map(move |column| (row * length + column) as i64))
            .collect();
        let count = flat.len();
        let states = self.model.albert.encode(input, OutputOptions::default()).last_hidden_state;
        let picked = Tensor::<1, Int>::from_data(TensorData::new(flat, [count]), &self.device);
        let logits = self
            .model
            .masked_lm_logits(states, picked)
            .ok_or_else(|| Error::Input("the model was loaded without its masked-LM head".to_owned()))?;
        let [_, vocabulary] = logits.dims();
        let values = self.read(logits)?;
        let mut vectors = values.chunks_exact(vocabulary.max(1)).map(<[f32]>::to_vec);
        Ok(positions.iter().map(|columns| vectors.by_ref().take(columns.len()).collect()).collect())
    }

    /// A tensor's values as f32.
    fn read<const D: usize>(&self, tensor: Tensor<D>) -> Result<Vec<f32>> {
        let failed = |problem: String| Error::Device { device: format!("{:?}", self.device), problem };
        let data = tensor.try_into_data_dtype(DType::F32).map_err(|e| failed(e.to_string()))?;
        data.try_into_vec::<f32>().map_err(|e| failed(format!("{e:?}")))
    }
}
