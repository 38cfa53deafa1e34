//! Embeddings of texts and tokens: pooled hidden states of `AlbertModel`.
//!
//! Reference: transformers 4.57 `pipelines/feature_extraction.py` (which returns all token vectors); for the steps before
//! and after the encoder, sentence-transformers 5.1 `models/Pooling.py`, `models/Dense.py`, `models/Transformer.py`.

mod options;

use serde::Serialize;

use super::classify::text_windows;
use super::input::TextPair;
use super::pipeline::{Embedded, OverflowStrategy, Pipeline, Pooling};
use crate::checkpoint::SentenceLayer;
use crate::error::{Error, Result};
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::Encoding;

pub use options::{EmbedOptions, TextRules};

/// An encoded text or pair, in one row or in windows.
#[derive(Debug)]
pub struct EmbedItem {
    pub(crate) text: TextPair,
    pub(crate) rows: Vec<Encoding>,
}

/// One vector, or one per token.
#[derive(Clone, Debug, Serialize)]
pub struct Embedding {
    /// The tokens, if each of them has its own vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Vec<String>>,
    /// The vector, or the vectors.
    pub(crate) embedding: Vectors,
    #[serde(skip)]
    pub(crate) attentions: Vec<Vec<Vec<Vec<f32>>>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Vectors {
    One(Vec<f32>),
    Many(Vec<Vec<f32>>),
}

impl Embedding {
    /// Returns all values in row-major order.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        let rows = match &self.embedding {
            Vectors::One(row) => std::slice::from_ref(row),
            Vectors::Many(rows) => rows,
        };
        rows.iter().flatten().copied()
    }
}

/// The task on a loaded model.
pub struct Embed<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) options: EmbedOptions,
    /// Length of the vectors.
    pub(crate) width: usize,
    /// Number of tokens at the beginning of each row that are not pooled.
    skipped: usize,
}

impl<'a> Embed<'a> {
    /// Creates the task on `pipeline`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a layer that the model lacks, for incompatible modules, and for attention maps of
    /// windows.
    pub fn new(pipeline: &'a Pipeline, mut options: EmbedOptions) -> Result<Self> {
        if options.poolings.is_empty() {
            options.poolings.push(Pooling::default());
        }
        let last = pipeline.config.num_hidden_layers;
        if let Some(layer) = options.layer.filter(|layer| *layer > last) {
            return Err(Error::InvalidOption {
                name: "layer".to_owned(),
                problem: format!("{layer} is more than the model's {last} layers (0 is the embeddings)"),
            });
        }
        if options.attentions && pipeline.long == OverflowStrategy::Window {
            return Err(Error::InvalidOption {
                name: "attentions".to_owned(),
                problem: "gives no attention maps across windows; use option long=truncate".to_owned(),
            });
        }
        let width = options.width(pipeline.config.hidden_size)?;
        let skipped = prompt_length(pipeline, &options.texts)?;
        Ok(Self { pipeline, options, width, skipped })
    }

    /// Encodes a text or a pair.
    ///
    /// # Errors
    /// If it is too long and must not be truncated.
    pub fn prepare(&self, mut text: TextPair) -> std::result::Result<EmbedItem, String> {
        if text.text_pair.is_none() {
            text.text_pair.clone_from(&self.options.text_pair);
        }
        let rules = &self.options.texts;
        let first = rules.apply(&text.text, true);
        let second = text.text_pair.as_deref().map(|second| rules.apply(second, false));
        let rows = if self.pipeline.long == OverflowStrategy::Window && second.is_none() {
            text_windows(self.pipeline, &first)?
        } else {
            vec![self.pipeline.encode(&first, second.as_deref())?]
        };
        Ok(EmbedItem { text, rows })
    }

    /// Applies the layers after pooling.
    fn finish(&self, mut vector: Vec<f32>) -> Result<Vec<f32>> {
        for layer in &self.options.layers {
            vector = match layer {
                SentenceLayer::Normalize => {
                    normalize(&mut vector);
                    vector
                }
                SentenceLayer::Dense { weight, bias, inputs, activation, .. } => {
                    let rows = weight.chunks(*inputs).enumerate();
                    let product = rows.map(|(i, row)| {
                        let sum: f32 = row.iter().zip(&vector).map(|(w, v)| w * v).sum();
                        sum + bias.get(i).copied().unwrap_or(0.0)
                    });
                    self.pipeline.activate(product.collect(), *activation)?
                }
                SentenceLayer::LayerNorm { weight, bias } => standardized(&vector, weight, bias),
            };
        }
        vector.truncate(self.width);
        if self.options.normalize {
            normalize(&mut vector);
        }
        Ok(vector)
    }
}

/// Returns the number of prompt tokens at the beginning of each row if these are not pooled. `[CLS]` is one of them.
fn prompt_length(pipeline: &Pipeline, rules: &TextRules) -> Result<usize> {
    if !rules.exclude_prompt || rules.prompt.is_empty() {
        return Ok(0);
    }
    if pipeline.long == OverflowStrategy::Window {
        return Err(Error::InvalidOption {
            name: "long".to_owned(),
            problem: "window does not go with a prompt that is excluded from pooling; use truncate"
                .to_owned(),
        });
    }
    let prompt = TextRules { prompt: String::new(), ..rules.clone() }.apply(&rules.prompt, true);
    let encoding = pipeline.tokenizer.encode_truncated(&prompt, None, pipeline.max_length)?;
    let after = encoding.special_tokens_mask.last().is_some_and(|special| *special);
    Ok(encoding.ids.len() - usize::from(after))
}

/// Applies layer normalization with PyTorch's epsilon.
fn standardized(vector: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let count = vector.len().max(1) as f64;
    let mean = vector.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let variance = vector.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
    let scale = 1.0 / (variance + 1e-5).sqrt();
    let scaled = vector.iter().map(|v| ((f64::from(*v) - mean) * scale) as f32);
    scaled.zip(weight.iter().zip(bias)).map(|(v, (w, b))| v * w + b).collect()
}

/// Divides by the Euclidean length.
fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    }
}

impl Task for Embed<'_> {
    type Item = EmbedItem;
    type Row = Encoding;
    type Output = Embedded;
    type Prediction = Embedding;

    fn encode(&self, body: &RecordBody) -> std::result::Result<EmbedItem, String> {
        self.prepare(TextPair::from_record(body, &self.options.fields)?)
    }

    fn rows<'a>(&self, item: &'a EmbedItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Embedded>> {
        let options = &self.options;
        self.pipeline.embeddings(rows, &options.poolings, self.skipped, options.layer, options.attentions)
    }

    /// Combines several windows: pooled vectors are averaged, weighted by their number of tokens; token vectors are
    /// concatenated.
    fn decode(&self, item: &EmbedItem, outputs: Vec<Embedded>) -> Result<Embedding> {
        let width = self.pipeline.config.hidden_size;
        let attentions = match outputs.as_slice() {
            [one] => one.attentions.clone(),
            _ => Vec::new(),
        };
        if self.options.is_per_token() {
            let tokens = item.rows.iter().flat_map(|row| self.pipeline.tokenizer.tokens(row)).collect();
            let mut vectors: Vec<Vec<f32>> = outputs
                .iter()
                .flat_map(|output| output.values.chunks(width.max(1)).map(<[f32]>::to_vec))
                .collect();
            if self.options.normalize {
                vectors.iter_mut().for_each(|vector| normalize(vector));
            }
            return Ok(Embedding { tokens: Some(tokens), embedding: Vectors::Many(vectors), attentions });
        }
        let total: usize = item.rows.iter().map(|row| row.ids.len()).sum();
        let mut vector = vec![0f32; outputs.first().map_or(width, |output| output.values.len())];
        for (row, output) in item.rows.iter().zip(&outputs) {
            let share = row.ids.len() as f32 / total.max(1) as f32;
            vector.iter_mut().zip(&output.values).for_each(|(sum, v)| *sum += v * share);
        }
        let vector = self.finish(vector)?;
        Ok(Embedding { tokens: None, embedding: Vectors::One(vector), attentions })
    }
}
