//! A loaded model with its tokenizer on a device: the only interface between tasks and tensors.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::batch::{Padding, model_input};
use crate::checkpoint::{PoolingMode, all_finite};
use crate::device::to_host;
use crate::error::{Error, Result, count};
use crate::model::{Activation, Albert, AlbertConfig, OutputOptions};
use crate::stream::Finite;
use crate::tokenizer::{Encoding, Tokenizer};

/// How to handle text that is longer than the model supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OverflowStrategy {
    /// Cut it and mark the record.
    #[default]
    #[cfg_attr(
        feature = "cli",
        value(help = "Cut the text, warn once, and mark JSON records with \"truncated\": true")
    )]
    Truncate,
    /// Treat it as an error of the record.
    #[cfg_attr(feature = "cli", value(help = "Treat it as an invalid record"))]
    Error,
    /// Read it in overlapping windows, in tasks that support this.
    #[cfg_attr(
        feature = "cli",
        value(
            help = "Read it in overlapping windows: ner and qa merge spans, classify averages scores, embed averages vectors"
        )
    )]
    Window,
}

/// Everything that a task needs to run.
pub struct Pipeline {
    /// The model with the heads that the task needs.
    pub model: Albert,
    /// Its configuration.
    pub config: AlbertConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its device.
    pub device: Device,
    /// Maximum sequence length in tokens, including special tokens.
    pub max_length: usize,
    /// How to handle longer text.
    pub long: OverflowStrategy,
    /// Lengths are padded to a multiple of this.
    pub pad_multiple: usize,
}

impl Pipeline {
    /// Encodes a text or a pair with at most `max_length` tokens.
    ///
    /// # Errors
    /// If the text is too long and [`OverflowStrategy::Error`] is set, or the tokenizer fails.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> std::result::Result<Encoding, String> {
        let encoding =
            self.tokenizer.encode_truncated(text, pair, self.max_length).map_err(|e| e.to_string())?;
        if encoding.truncated && self.long == OverflowStrategy::Error {
            let tokens = self.tokenizer.encode(text, pair).map_err(|e| e.to_string())?.ids.len();
            return Err(self.too_long(tokens));
        }
        self.check_ids(&encoding)?;
        Ok(encoding)
    }

    /// Returns the message of [`OverflowStrategy::Error`] for `tokens` tokens.
    pub(super) fn too_long(&self, tokens: usize) -> String {
        format!(
            "the text has {} and the model takes {} (option long=truncate cuts it)",
            count(tokens, "token"),
            self.max_length
        )
    }

    /// Returns the number of tokens of a text, or of both texts of a pair, that fit in addition to the special tokens.
    pub fn max_text_tokens(&self, pair: bool) -> usize {
        self.max_length.saturating_sub(self.tokenizer.num_special_tokens(pair))
    }

    /// Checks that the model has embeddings for all ids, since the tokenizer may belong to another model.
    pub(crate) fn check_ids(&self, encoding: &Encoding) -> std::result::Result<(), String> {
        if encoding.ids.is_empty() {
            return Err("nothing is left of the text, and the tokenizer has no special tokens".to_owned());
        }
        let vocabulary = self.config.vocab_size;
        if let Some(id) = encoding.ids.iter().find(|id| **id as usize >= vocabulary) {
            let added = self.tokenizer.tokens_beyond_model();
            if let Some((_, token)) = added.iter().find(|(added, _)| added == id) {
                return Err(format!(
                    "the added token {:?} has id {id}, but the model has embeddings for {vocabulary} tokens only: \
                     resize the embeddings of the model, or remove the token from the tokenizer's files",
                    token.content
                ));
            }
            return Err(format!(
                "the tokenizer gives id {id} and the model's vocabulary has {vocabulary} pieces: \
                 they do not belong together"
            ));
        }
        if encoding.type_ids.iter().any(|t| *t as usize >= self.config.type_vocab_size) {
            return Err(format!(
                "the model has {}; it takes no text pairs",
                count(self.config.type_vocab_size, "segment type")
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

    /// Computes masked-LM logits `[vocab_size]` at each of `positions` of each row, in order.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails; [`Error::Input`] if the model has no such head.
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
        let logits = self.model.masked_lm_logits(states, picked).ok_or_else(|| no_head("masked-LM"))?;
        let [_, vocabulary] = logits.dims();
        let values = to_host(logits)?;
        let mut vectors = values.chunks_exact(vocabulary.max(1)).map(<[f32]>::to_vec);
        Ok(positions.iter().map(|columns| vectors.by_ref().take(columns.len()).collect()).collect())
    }

    /// Computes classification logits `[num_labels]` of each row, or `[1]` for multiple choice.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails; [`Error::Input`] if the model has no such head.
    pub fn sequence_logits(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        let pooled = self.pooled(rows)?;
        let logits = self.model.sequence_logits(pooled).ok_or_else(|| no_head("classification"))?;
        self.read_rows(logits)
    }

    /// Computes sentence-order logits `[num_labels]` of each row.
    ///
    /// # Errors
    /// Same as [`Pipeline::sequence_logits`].
    pub fn sentence_order_logits(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        let pooled = self.pooled(rows)?;
        let logits = self.model.sentence_order_logits(pooled).ok_or_else(|| no_head("sentence-order"))?;
        self.read_rows(logits)
    }

    /// Computes token logits of each row: `tokens x num_labels` values, row-major.
    ///
    /// # Errors
    /// Same as [`Pipeline::sequence_logits`].
    pub fn token_logits(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        let states = self.states(rows);
        let logits = self.model.token_logits(states).ok_or_else(|| no_head("token-classification"))?;
        self.read_tokens(logits, rows)
    }

    /// Computes start and end logits of each row: `tokens x 2` values.
    ///
    /// # Errors
    /// Same as [`Pipeline::sequence_logits`].
    pub fn span_logits(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        let states = self.states(rows);
        let logits = self.model.span_logits(states).ok_or_else(|| no_head("question-answering"))?;
        self.read_tokens(logits, rows)
    }

    /// Computes the pooled vectors `[batch, H]`.
    fn pooled(&self, rows: &[&Encoding]) -> Result<Tensor<2>> {
        let input = model_input(rows.iter().copied(), self.padding(), &self.device);
        let out = self.model.albert.forward(input, OutputOptions::default());
        out.pooler_output.ok_or_else(|| no_head("pooler"))
    }

    /// Computes the hidden states `[batch, length, H]` after the last layer.
    fn states(&self, rows: &[&Encoding]) -> Tensor<3> {
        let input = model_input(rows.iter().copied(), self.padding(), &self.device);
        self.model.albert.encode(input, OutputOptions::default()).last_hidden_state
    }

    /// Reads one vector per row.
    fn read_rows(&self, tensor: Tensor<2>) -> Result<Vec<Vec<f32>>> {
        let [_, columns] = tensor.dims();
        Ok(to_host(tensor)?.chunks(columns.max(1)).map(<[f32]>::to_vec).collect())
    }

    /// Reads the vectors of each row's own tokens, without padding.
    fn read_tokens(&self, tensor: Tensor<3>, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        let [_, length, columns] = tensor.dims();
        let values = to_host(tensor)?;
        let row = |(i, row): (usize, &&Encoding)| {
            let from = i * length * columns;
            values[from..from + row.ids.len() * columns].to_vec()
        };
        Ok(rows.iter().enumerate().map(row).collect())
    }

    /// Computes one vector per row, or one per token if the only pooling is [`Pooling::Tokens`]. The vectors of several
    /// `poolings` are concatenated. Also returns the attention maps, if requested. The first `skipped` tokens of a row
    /// are excluded from means and maxima.
    ///
    /// # Errors
    /// Same as [`Pipeline::sequence_logits`]; [`Error::Input`] for a layer that the model lacks.
    pub fn embeddings(
        &self,
        rows: &[&Encoding],
        poolings: &[Pooling],
        skipped: usize,
        layer: Option<usize>,
        attentions: bool,
    ) -> Result<Vec<Embedded>> {
        let input = model_input(rows.iter().copied(), self.padding(), &self.device);
        let options = OutputOptions { hidden_states: layer.is_some(), attentions };
        let out = self.model.albert.encode(input, options);
        let states = match (layer, out.hidden_states) {
            (Some(layer), Some(mut all)) if layer < all.len() => all.swap_remove(layer),
            (Some(layer), _) => return Err(Error::Input(format!("the model has no hidden state {layer}"))),
            (None, _) => out.last_hidden_state,
        };
        let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
        for pooling in poolings {
            let pooled = self.pool(states.clone(), rows, *pooling, skipped)?;
            vectors.iter_mut().zip(pooled).for_each(|(vector, pooled)| vector.extend(pooled));
        }
        let mut embedded: Vec<Embedded> =
            vectors.into_iter().map(|values| Embedded { values, attentions: Vec::new() }).collect();
        for layer in out.attentions.into_iter().flatten() {
            let [_, heads, length, _] = layer.dims();
            let values = to_host(layer)?;
            for (i, (row, embedded)) in rows.iter().zip(&mut embedded).enumerate() {
                let own = row.ids.len();
                let map = |head: usize, query: usize| {
                    let from = ((i * heads + head) * length + query) * length;
                    values[from..from + own].to_vec()
                };
                let maps = (0..heads).map(|head| (0..own).map(|query| map(head, query)).collect()).collect();
                embedded.attentions.push(maps);
            }
        }
        Ok(embedded)
    }

    /// Computes one vector per row, or the vectors of its tokens.
    fn pool(
        &self,
        states: Tensor<3>,
        rows: &[&Encoding],
        pooling: Pooling,
        skipped: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let weighted =
            |weights: &dyn Fn(&mut [f32])| self.read_rows(self.weighted(states.clone(), rows, weights));
        match pooling {
            Pooling::Tokens => self.read_tokens(states, rows),
            Pooling::Cls => self.read_rows(first_token(states)),
            Pooling::Pooler => {
                let pooler = self.model.albert.pooler.as_ref().ok_or_else(|| no_head("pooler"))?;
                self.read_rows(pooler.forward(first_token(states)).tanh())
            }
            Pooling::Max => {
                let width = self.config.hidden_size.max(1);
                let tokens = self.read_tokens(states, rows)?;
                Ok(tokens.iter().map(|tokens| largest(tokens, width, skipped)).collect())
            }
            Pooling::Mean => weighted(&|own| {
                let count = own.len().saturating_sub(skipped).max(1);
                own.iter_mut().skip(skipped).for_each(|weight| *weight = 1.0 / count as f32);
            }),
            Pooling::MeanSqrtLen => weighted(&|own| {
                let count = own.len().saturating_sub(skipped).max(1);
                own.iter_mut().skip(skipped).for_each(|weight| *weight = 1.0 / (count as f32).sqrt());
            }),
            Pooling::WeightedMean => weighted(&|own| {
                let total: usize = (skipped..own.len()).map(|place| place + 1).sum();
                let weights = own.iter_mut().enumerate().skip(skipped);
                weights.for_each(|(place, weight)| *weight = (place + 1) as f32 / total as f32);
            }),
            Pooling::LastToken => weighted(&|own| {
                if let Some(last) = own.iter_mut().skip(skipped).last() {
                    *last = 1.0;
                }
            }),
        }
    }

    /// Applies an activation to every value.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn activate(&self, values: Vec<f32>, activation: Activation) -> Result<Vec<f32>> {
        if activation == Activation::Linear {
            return Ok(values);
        }
        let count = values.len();
        let tensor = Tensor::<1>::from_data(TensorData::new(values, [count]), &self.device);
        to_host(activation.forward(tensor))
    }

    /// Computes the weighted sum of each row's own tokens, including special tokens. `fill` sets the weights of a row.
    fn weighted(&self, states: Tensor<3>, rows: &[&Encoding], fill: &dyn Fn(&mut [f32])) -> Tensor<2> {
        let [batch, length, _] = states.dims();
        let mut weights = vec![0f32; batch * length];
        for (weights, row) in weights.chunks_mut(length.max(1)).zip(rows) {
            fill(&mut weights[..row.ids.len()]);
        }
        let weights = Tensor::<2>::from_data(TensorData::new(weights, [batch, length]), &self.device);
        // States at padding positions are meaningless but finite.
        (states * weights.unsqueeze_dim::<3>(2)).sum_dim(1).squeeze_dim::<2>(1)
    }
}

/// How token vectors are pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Pooling {
    /// The vector of the first token, `[CLS]`.
    #[cfg_attr(feature = "cli", value(help = "Vector of the first token, [CLS]"))]
    Cls,
    /// The mean over all tokens, including special tokens.
    #[default]
    Mean,
    /// The maximum of each component over all tokens, including special tokens.
    Max,
    /// The sum over all tokens, including special tokens, divided by the square root of their number.
    #[cfg_attr(feature = "cli", value(alias = "mean_sqrt_len_tokens"))]
    MeanSqrtLen,
    /// The mean over all tokens, including special tokens, with weights 1, 2, 3, ... by position.
    #[cfg_attr(feature = "cli", value(alias = "weightedmean"))]
    WeightedMean,
    /// The vector of the last token, `[SEP]`.
    #[cfg_attr(feature = "cli", value(alias = "lasttoken", help = "The vector of the last token, [SEP]"))]
    LastToken,
    /// The pooler's output: a dense layer and tanh on the first token.
    Pooler,
    /// One vector per token, including special tokens.
    Tokens,
}

impl From<PoolingMode> for Pooling {
    fn from(mode: PoolingMode) -> Self {
        match mode {
            PoolingMode::Cls => Self::Cls,
            PoolingMode::Max => Self::Max,
            PoolingMode::Mean => Self::Mean,
            PoolingMode::MeanSqrtLen => Self::MeanSqrtLen,
            PoolingMode::WeightedMean => Self::WeightedMean,
            PoolingMode::LastToken => Self::LastToken,
        }
    }
}

/// The output of the encoder for one row.
#[derive(Clone, Debug, Default)]
pub struct Embedded {
    /// `[H]`, or `[tokens, H]`.
    pub values: Vec<f32>,
    /// Attention to each token, by layer, head and query token. Empty unless requested.
    pub attentions: Vec<Vec<Vec<Vec<f32>>>>,
}

impl Finite for Embedded {
    fn is_finite(&self) -> bool {
        let maps = self.attentions.iter().flatten().flatten();
        all_finite(&self.values) && maps.into_iter().all(|values| all_finite(values))
    }
}

/// Returns the maximum of each component over the tokens starting at `skipped`.
fn largest(tokens: &[f32], width: usize, skipped: usize) -> Vec<f32> {
    // sentence-transformers substitutes this value for excluded tokens.
    let mut largest = vec![-1e9f32; width];
    for token in tokens.chunks(width).skip(skipped) {
        largest.iter_mut().zip(token).for_each(|(largest, value)| *largest = largest.max(*value));
    }
    largest
}

fn first_token(states: Tensor<3>) -> Tensor<2> {
    states.narrow(1, 0, 1).squeeze_dim::<2>(1)
}

fn no_head(which: &str) -> Error {
    Error::Input(format!("the model was loaded without its {which} head"))
}
