//! Text classification and regression (transformers' text-classification pipeline), and sentence order.
//!
//! Reference: transformers 4.57 `pipelines/text_classification.py`; for sentence order the second head of
//! `AlbertForPreTraining` (ALBERT paper, section 3.1).

use serde::Serialize;

use super::input::{FieldNames, TextPair};
use super::pipeline::{OverflowStrategy, Pipeline};
use super::scores::{sigmoid, softmax, top_k};
use super::windows::windows;
use crate::error::{Error, Result};
use crate::io::RecordBody;
use crate::model::Head;
use crate::stream::Task;
use crate::tokenizer::Encoding;

/// Function that turns logits into scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Function {
    /// As in the pipeline: according to `problem_type`, otherwise sigmoid for one label and softmax for several.
    #[default]
    #[cfg_attr(
        feature = "cli",
        value(
            help = "By problem_type in config.json, otherwise sigmoid for one label and softmax for several"
        )
    )]
    Auto,
    /// Probabilities that add up to one.
    Softmax,
    /// An independent probability for each label.
    Sigmoid,
    /// Raw logits.
    None,
}

/// The head to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClassifyMode {
    /// The classifier of a fine-tuned model.
    #[default]
    Labels,
    /// The sentence-order head of a pretrained model, which predicts whether the second text follows the first.
    Order,
}

impl ClassifyMode {
    /// Returns the head to load.
    pub fn head(self) -> Head {
        match self {
            Self::Labels => Head::SequenceClassification,
            Self::Order => Head::SentenceOrder,
        }
    }
}

/// Options of the task.
#[derive(Clone, Debug, Default)]
pub struct ClassifyOptions {
    /// The head to use.
    pub mode: ClassifyMode,
    /// Function that turns logits into scores.
    pub function: Function,
    /// Number of labels to return, best first. `None` returns all.
    pub top_k: Option<usize>,
    /// Second text for records that have none.
    pub text_pair: Option<String>,
    /// Names of the JSON fields with the texts.
    pub fields: FieldNames,
}

/// A label and its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScore {
    /// From `id2label`, otherwise `LABEL_n`.
    pub label: String,
    /// A probability, or the model's output for regression.
    pub score: f32,
}

/// An encoded text or pair, in one row or in windows.
#[derive(Debug)]
pub struct ClassifyItem {
    pub(crate) text: TextPair,
    rows: Vec<Encoding>,
}

/// The task on a loaded model.
pub struct Classify<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: ClassifyOptions,
    pub(crate) function: Function,
}

impl<'a> Classify<'a> {
    /// Creates the task and resolves [`Function::Auto`] for this model.
    ///
    /// # Errors
    /// [`Error::Config`] for a `problem_type` unknown to transformers.
    pub fn new(pipeline: &'a Pipeline, options: ClassifyOptions) -> Result<Self> {
        let function = match (options.function, options.mode) {
            (Function::Auto, ClassifyMode::Order) => Function::Softmax,
            (Function::Auto, ClassifyMode::Labels) => automatic(pipeline)?,
            (chosen, _) => chosen,
        };
        Ok(Self { pipeline, options, function })
    }

    /// Encodes a text or a pair.
    ///
    /// # Errors
    /// If it is too long and must not be truncated, or if sentence order is requested for a single text.
    pub fn prepare(&self, text: TextPair) -> std::result::Result<ClassifyItem, String> {
        let text = text.or_pair(self.options.text_pair.as_ref());
        if self.options.mode == ClassifyMode::Order && text.text_pair.is_none() {
            return Err(format!(
                "sentence order needs two texts: option text_pair, or a field \"{}\" (option pair_field names another)",
                self.options.fields.text_pair
            ));
        }
        let pair = text.text_pair.as_deref();
        let rows = if self.pipeline.long == OverflowStrategy::Window && pair.is_none() {
            text_windows(self.pipeline, &text.text)?
        } else {
            vec![self.pipeline.encode(&text.text, pair)?]
        };
        Ok(ClassifyItem { text, rows })
    }

    /// Returns the scores of a text in label order, averaged over windows.
    pub fn label_scores(&self, outputs: Vec<Vec<f32>>) -> Vec<f32> {
        let windows = outputs.len().max(1) as f32;
        let mut mean: Vec<f32> = Vec::new();
        for logits in outputs {
            let scores = self.scores(logits);
            mean.resize(scores.len(), 0.0);
            mean.iter_mut().zip(scores).for_each(|(sum, score)| *sum += score / windows);
        }
        mean
    }

    /// Returns scores in label order.
    fn scores(&self, mut logits: Vec<f32>) -> Vec<f32> {
        match self.function {
            Function::Softmax => softmax(&mut logits),
            Function::Sigmoid => sigmoid(&mut logits),
            Function::None | Function::Auto => {}
        }
        logits
    }

    fn label(&self, id: usize) -> String {
        match (self.options.mode, id) {
            (ClassifyMode::Order, 0) => "in_order".to_owned(),
            (ClassifyMode::Order, 1) => "swapped".to_owned(),
            _ => self.pipeline.config.label(id),
        }
    }
}

/// Applies the pipeline's rule for [`Function::Auto`].
fn automatic(pipeline: &Pipeline) -> Result<Function> {
    let one_label = pipeline.config.num_labels == 1;
    match pipeline.config.extra("problem_type").and_then(serde_json::Value::as_str) {
        Some("regression") => Ok(Function::None),
        Some("multi_label_classification") => Ok(Function::Sigmoid),
        Some("single_label_classification") | None => {
            Ok(if one_label { Function::Sigmoid } else { Function::Softmax })
        }
        Some(other) => Err(Error::Config {
            path: "config.json".into(),
            key: "problem_type".to_owned(),
            problem: format!(
                "is \"{other}\"; transformers knows regression, single_label_classification and \
                 multi_label_classification (option function goes without it)"
            ),
        }),
    }
}

/// Splits a long text into rows that overlap by a quarter.
pub(super) fn text_windows(pipeline: &Pipeline, text: &str) -> std::result::Result<Vec<Encoding>, String> {
    let tokens = pipeline.tokenizer.encode_without_special_tokens(text).map_err(|e| e.to_string())?;
    let room = pipeline.max_text_tokens(false);
    windows(tokens.ids.len(), room, room / 4, pipeline.tokenizer.truncation_side())
        .into_iter()
        .map(|range| {
            let row = pipeline.tokenizer.with_special(&tokens.slice(range), None);
            pipeline.check_ids(&row).map(|()| row)
        })
        .collect()
}

impl Task for Classify<'_> {
    type Item = ClassifyItem;
    type Row = Encoding;
    /// Logits of one row.
    type Output = Vec<f32>;
    type Prediction = Vec<LabelScore>;

    fn encode(&self, body: &RecordBody) -> std::result::Result<ClassifyItem, String> {
        self.prepare(TextPair::from_record(body, &self.options.fields)?)
    }

    fn rows<'a>(&self, item: &'a ClassifyItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        match self.options.mode {
            ClassifyMode::Labels => self.pipeline.sequence_logits(rows),
            ClassifyMode::Order => self.pipeline.sentence_order_logits(rows),
        }
    }

    /// Averages the scores of several windows.
    fn decode(&self, _item: &ClassifyItem, outputs: Vec<Vec<f32>>) -> Result<Vec<LabelScore>> {
        let mean = self.label_scores(outputs);
        let count = self.options.top_k.unwrap_or(mean.len());
        // Sentence order has a single label with this probability.
        let best = match self.options.mode {
            ClassifyMode::Order if count == 1 => vec![0],
            _ => top_k(&mean, count),
        };
        Ok(best.into_iter().map(|id| LabelScore { label: self.label(id), score: mean[id] }).collect())
    }
}
