//! Zero-shot classification with a model trained on entailment.
//!
//! Reference: transformers 4.57 `pipelines/zero_shot_classification.py`.

use super::classify::LabelScore;
use super::input::required;
use super::pipeline::{OverflowStrategy, Pipeline};
use super::scores::{softmax, top_k};
use crate::error::{Error, Result, count, listed};
use crate::io::RecordBody;
use crate::model::AlbertConfig;
use crate::stream::Task;
use crate::tokenizer::Encoding;

/// Options of the task.
#[derive(Clone, Debug)]
pub struct ZeroShotOptions {
    /// Labels for records that have none.
    pub labels: Vec<String>,
    /// A sentence with `{}` in place of the label.
    pub hypothesis: String,
    /// True if labels are scored independently instead of against each other.
    pub multi_label: bool,
    /// The entailment label, by name or id, if it cannot be recognized by its name.
    pub entailment_label: Option<String>,
    /// Name of the field with the text.
    pub text_field: String,
    /// Name of the field with the labels.
    pub labels_field: String,
}

impl Default for ZeroShotOptions {
    fn default() -> Self {
        Self {
            labels: Vec::new(),
            hypothesis: "This example is {}.".to_owned(),
            multi_label: false,
            entailment_label: None,
            text_field: "text".to_owned(),
            labels_field: "labels".to_owned(),
        }
    }
}

/// A text encoded with each hypothesis.
#[derive(Debug)]
pub struct ZeroShotItem {
    pub(crate) text: String,
    labels: Vec<String>,
    rows: Vec<Encoding>,
}

/// The task on a loaded model.
pub struct ZeroShot<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: ZeroShotOptions,
    entailment: usize,
    contradiction: usize,
}

impl<'a> ZeroShot<'a> {
    /// Creates the task and finds the model's entailment label.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] if the entailment label cannot be determined, or the hypothesis contains no `{}`.
    pub fn new(pipeline: &'a Pipeline, options: ZeroShotOptions) -> Result<Self> {
        if !options.hypothesis.contains("{}") {
            return Err(Error::InvalidOption {
                name: "hypothesis".to_owned(),
                problem: format!(
                    "\"{}\" has no {{}}, the place of the label; for example \"This text is about {{}}.\"",
                    options.hypothesis
                ),
            });
        }
        let entailment = entailment(&pipeline.config, options.entailment_label.as_deref())?;
        let contradiction = contradiction(&pipeline.config, entailment);
        Ok(Self { pipeline, options, entailment, contradiction })
    }

    /// Encodes a text with the hypothesis of each label. If they are too long, only the text is truncated.
    ///
    /// # Errors
    /// If `labels` is empty, or a hypothesis alone is too long.
    pub fn prepare(&self, text: String, labels: Vec<String>) -> std::result::Result<ZeroShotItem, String> {
        if labels.is_empty() {
            return Err("no labels: option labels=a,b,c, or a list in the record".to_owned());
        }
        let tokenizer = &self.pipeline.tokenizer;
        let premise = tokenizer.encode_without_special_tokens(&text).map_err(|e| e.to_string())?;
        let mut rows = Vec::with_capacity(labels.len());
        for label in &labels {
            let hypothesis = self.options.hypothesis.replace("{}", label);
            let hypothesis =
                tokenizer.encode_without_special_tokens(&hypothesis).map_err(|e| e.to_string())?;
            if self.is_left_whole(premise.ids.len(), hypothesis.ids.len()) {
                let row = tokenizer.with_special(&premise, Some(&hypothesis));
                self.pipeline.check_ids(&row)?;
                rows.push(row);
                continue;
            }
            let Some(room) = self.pipeline.max_text_tokens(true).checked_sub(hypothesis.ids.len()) else {
                return Err(format!(
                    "the hypothesis for label \"{label}\" alone has {}; the model takes {}",
                    count(hypothesis.ids.len(), "token"),
                    self.pipeline.max_length
                ));
            };
            let kept = premise.ids.len().min(room);
            if kept < premise.ids.len() && self.pipeline.long == OverflowStrategy::Error {
                let tokens = premise.ids.len() + hypothesis.ids.len() + tokenizer.num_special_tokens(true);
                return Err(self.pipeline.too_long(tokens));
            }
            let kept_part = tokenizer.truncation_side().kept(premise.ids.len(), kept);
            let mut row = tokenizer.with_special(&premise.slice(kept_part), Some(&hypothesis));
            row.truncated = kept < premise.ids.len();
            self.pipeline.check_ids(&row)?;
            rows.push(row);
        }
        Ok(ZeroShotItem { text, labels, rows })
    }

    /// Returns true if a row is longer than the tokenizer's own limit but is not truncated, because nothing would be left
    /// of the text. The pipeline then lets the model process as much as it can.
    fn is_left_whole(&self, premise: usize, hypothesis: usize) -> bool {
        let pipeline = self.pipeline;
        let total = premise + hypothesis + pipeline.tokenizer.num_special_tokens(true);
        pipeline.long != OverflowStrategy::Error
            && pipeline.tokenizer.model_max_length() == Some(pipeline.max_length)
            && total <= pipeline.config.max_position_embeddings
            && total > pipeline.max_length
            && premise <= total - pipeline.max_length
    }
}

/// Returns the named label, otherwise the one whose name starts with "entail", as in the pipeline.
fn entailment(config: &AlbertConfig, named: Option<&str>) -> Result<usize> {
    let all: Vec<String> = (0..config.num_labels).map(|id| config.label(id)).collect();
    if config.num_labels < 2 {
        return Err(Error::Input(
            "the model has one output: zero-shot needs a classifier of entailment, with two labels or more"
                .to_owned(),
        ));
    }
    let found = match named {
        Some(name) => all
            .iter()
            .position(|label| label.eq_ignore_ascii_case(name))
            .or_else(|| name.parse().ok().filter(|id| *id < all.len())),
        None => all.iter().position(|label| label.to_lowercase().starts_with("entail")),
    };
    found.ok_or_else(|| Error::InvalidOption {
        name: "entailment_label".to_owned(),
        problem: match named {
            Some(name) => format!("the model has no label \"{name}\"; it has {}", listed(all)),
            None => format!(
                "no label of the model begins with \"entail\": name the one that means it; the model has {}",
                listed(all)
            ),
        },
    })
}

/// Returns the label whose name starts with "contra". Otherwise, as in the pipeline, returns the first one, or the last
/// one if the first is entailment.
fn contradiction(config: &AlbertConfig, entailment: usize) -> usize {
    let named = (0..config.num_labels).find(|id| config.label(*id).to_lowercase().starts_with("contra"));
    let by_rule = if entailment == 0 { config.num_labels.saturating_sub(1) } else { 0 };
    named.filter(|id| *id != entailment).unwrap_or(by_rule)
}

impl Task for ZeroShot<'_> {
    type Item = ZeroShotItem;
    type Row = Encoding;
    /// Logits of one hypothesis.
    type Output = Vec<f32>;
    type Prediction = Vec<LabelScore>;

    fn encode(&self, body: &RecordBody) -> std::result::Result<ZeroShotItem, String> {
        let (text, labels) = match body {
            RecordBody::Text(text) => (text.clone(), None),
            RecordBody::Object(fields) => (
                required(fields, &self.options.text_field, "text_field")?,
                fields.strings(&self.options.labels_field)?,
            ),
        };
        self.prepare(text, labels.unwrap_or_else(|| self.options.labels.clone()))
    }

    fn rows_per_record(&self) -> usize {
        self.options.labels.len().max(1)
    }

    fn rows<'a>(&self, item: &'a ZeroShotItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Vec<f32>>> {
        self.pipeline.sequence_logits(rows)
    }

    fn decode(&self, item: &ZeroShotItem, outputs: Vec<Vec<f32>>) -> Result<Vec<LabelScore>> {
        let logit = |row: &Vec<f32>, id: usize| row.get(id).copied().unwrap_or(f32::NEG_INFINITY);
        let scores: Vec<f32> = if self.options.multi_label || item.labels.len() == 1 {
            outputs
                .iter()
                .map(|row| {
                    let mut two = [logit(row, self.contradiction), logit(row, self.entailment)];
                    softmax(&mut two);
                    two[1]
                })
                .collect()
        } else {
            let mut scores: Vec<f32> = outputs.iter().map(|row| logit(row, self.entailment)).collect();
            softmax(&mut scores);
            scores
        };
        let best = top_k(&scores, scores.len());
        Ok(best.into_iter().map(|i| LabelScore { label: item.labels[i].clone(), score: scores[i] }).collect())
    }
}
