//! Vectors for texts and tokens: `AlbertModel`'s hidden states, pooled.
//!
//! Reference: transformers 4.57 `pipelines/feature_extraction.py` (which gives all token vectors).

use serde::Serialize;
use serde_json::value::RawValue;

use super::classify::text_windows;
use super::input::{FieldNames, TextPair};
use super::runtime::{Embedded, Long, Pooling, Runtime};
use crate::error::{Error, Result};
use crate::io::RecordBody;
use crate::model::Head;
use crate::stream::{More, Task};
use crate::tokenizer::Encoding;

/// What to compute.
#[derive(Clone, Debug, Default)]
pub struct EmbedOptions {
    /// What becomes of the token vectors.
    pub pooling: Pooling,
    /// Which hidden state: 0 is the mapped embeddings, n the output of layer n; the last for `None`.
    pub layer: Option<usize>,
    /// Vectors of length one.
    pub normalize: bool,
    /// Attention maps too.
    pub attentions: bool,
    /// The second text of records that have none.
    pub text_pair: Option<String>,
    /// Which JSON fields hold the texts.
    pub fields: FieldNames,
}

impl EmbedOptions {
    /// The heads to load.
    pub fn heads(&self) -> &'static [Head] {
        if self.pooling == Pooling::Pooler { &[Head::Pooler] } else { &[] }
    }
}

/// An encoded text or pair, in one row or in windows.
#[derive(Debug)]
pub struct EmbedItem {
    text: TextPair,
    rows: Vec<Encoding>,
}

/// One vector, or one per token.
#[derive(Clone, Debug, Serialize)]
pub struct Embedding {
    /// The tokens, where each has its vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Vec<String>>,
    /// The vector, or the vectors.
    embedding: Vectors,
    #[serde(skip)]
    attentions: Vec<Vec<Vec<Vec<f32>>>>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Vectors {
    One(Vec<f32>),
    Many(Vec<Vec<f32>>),
}

impl Embedding {
    /// All values, row by row.
    pub fn values(&self) -> impl Iterator<Item = f32> {
        let rows = match &self.embedding {
            Vectors::One(row) => std::slice::from_ref(row),
            Vectors::Many(rows) => rows,
        };
        rows.iter().flatten().copied()
    }
}

/// The task, over a loaded model.
pub struct Embed<'a> {
    runtime: &'a Runtime,
    options: EmbedOptions,
}

impl<'a> Embed<'a> {
    /// Over `runtime`.
    ///
    /// # Errors
    /// [`Error::Usage`] for a layer that the model does not have, and for attention maps of windows.
    pub fn new(runtime: &'a Runtime, options: EmbedOptions) -> Result<Self> {
        let last = runtime.config.num_hidden_layers;
        if let Some(layer) = options.layer.filter(|layer| *layer > last) {
            return Err(Error::Usage {
                flag: "--layer".to_owned(),
                problem: format!("{layer} is more than the model's {last} layers (0 is the embeddings)"),
            });
        }
        if options.attentions && runtime.long == Long::Window {
            return Err(Error::Usage {
                flag: "--attentions".to_owned(),
                problem: "there are no attention maps across windows; use --long truncate".to_owned(),
            });
        }
        Ok(Self { runtime, options })
    }

    /// Encodes a text or a pair.
    ///
    /// # Errors
    /// When it is too long and may not be cut.
    pub fn prepare(&self, mut text: TextPair) -> std::result::Result<EmbedItem, String> {
        if text.text_pair.is_none() {
            text.text_pair.clone_from(&self.options.text_pair);
        }
        let pair = text.text_pair.as_deref();
        let rows = if self.runtime.long == Long::Window && pair.is_none() {
            text_windows(self.runtime, &text.text)?
        } else {
            vec![self.runtime.encode(&text.text, pair)?]
        };
        Ok(EmbedItem { text, rows })
    }
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
    type Output = Embedded;
    type Prediction = Embedding;

    fn encode(&self, body: &RecordBody) -> std::result::Result<EmbedItem, String> {
        self.prepare(TextPair::from_record(body, &self.options.fields)?)
    }

    fn rows<'a>(&self, item: &'a EmbedItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Embedded>> {
        self.runtime.embeddings(rows, self.options.pooling, self.options.layer, self.options.attentions)
    }

    /// Of several windows: the mean of their vectors, each counted by its tokens; token vectors one
    /// window after the other.
    fn decode(&self, item: &EmbedItem, outputs: Vec<Embedded>) -> Result<Embedding> {
        let width = self.runtime.config.hidden_size;
        let attentions = match outputs.as_slice() {
            [one] => one.attentions.clone(),
            _ => Vec::new(),
        };
        if self.options.pooling == Pooling::Tokens {
            let tokens = item.rows.iter().flat_map(|row| self.runtime.tokenizer.tokens(row)).collect();
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
        let mut vector = vec![0f32; width];
        for (row, output) in item.rows.iter().zip(&outputs) {
            let share = row.ids.len() as f32 / total.max(1) as f32;
            vector.iter_mut().zip(&output.values).for_each(|(sum, v)| *sum += v * share);
        }
        if self.options.normalize {
            normalize(&mut vector);
        }
        Ok(Embedding { tokens: None, embedding: Vectors::One(vector), attentions })
    }

    fn json(&self, _item: &EmbedItem, prediction: &Embedding) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&[prediction])
    }

    fn more(&self, item: &EmbedItem, prediction: &Embedding) -> serde_json::Result<More> {
        if !self.options.attentions {
            return Ok(More::new());
        }
        let tokens: Vec<String> =
            item.rows.iter().flat_map(|row| self.runtime.tokenizer.tokens(row)).collect();
        Ok(vec![
            ("tokens", serde_json::value::to_raw_value(&tokens)?),
            ("attentions", serde_json::value::to_raw_value(&prediction.attentions)?),
        ])
    }

    fn text(&self, item: &EmbedItem, prediction: &Embedding, _color: bool) -> String {
        use std::fmt::Write;
        let mut out = item.text.text.clone();
        if let Some(pair) = &item.text.text_pair {
            out.push_str(" | ");
            out.push_str(pair);
        }
        out.push('\n');
        let mut line = |name: &str, vector: &[f32]| {
            let first: Vec<String> = vector.iter().take(6).map(|v| format!("{v:>8.4}")).collect();
            let dots = if vector.len() > 6 { " ..." } else { "" };
            let _infallible = writeln!(out, "  {name}{}{dots}  ({} values)", first.join(" "), vector.len());
        };
        match &prediction.embedding {
            Vectors::One(vector) => line("", vector),
            Vectors::Many(vectors) => {
                for (token, vector) in prediction.tokens.iter().flatten().zip(vectors) {
                    line(&format!("{token:<14}"), vector);
                }
            }
        }
        out
    }

    /// The rows of an array file.
    fn own(&self, _item: &EmbedItem, prediction: &Embedding) -> Vec<u8> {
        prediction.values().flat_map(f32::to_le_bytes).collect()
    }

    /// A row of NaN keeps the rows of an array in step with the records.
    fn own_failure(&self) -> Vec<u8> {
        if self.options.pooling == Pooling::Tokens {
            return Vec::new();
        }
        std::iter::repeat_n(f32::NAN.to_le_bytes(), self.runtime.config.hidden_size).flatten().collect()
    }
}
