//! Multiple choice: `AlbertForMultipleChoice`.
//!
//! Reference: transformers 4.57 `modeling_albert.py` (the head). Pairs are as in SWAG (prompt, choice) and, with a
//! context, as in google-research/albert `race_utils.py` (context, prompt + " " + choice).

use serde::Serialize;

use super::input::{missing, required};
use super::pipeline::Pipeline;
use super::scores::{softmax, top_k};
use crate::data::Choices;
use crate::error::{Result, count};
use crate::io::RecordBody;
use crate::stream::Task;
use crate::tokenizer::Encoding;

/// Options of the task.
#[derive(Clone, Debug)]
pub struct ChooseOptions {
    /// Choices for records that have none.
    pub choices: Vec<String>,
    /// Context for records that have none.
    pub context: Option<String>,
    /// Name of the field with the prompt.
    pub prompt_field: String,
    /// Name of the field with the choices.
    pub choices_field: String,
    /// Name of the field with the context.
    pub context_field: String,
}

impl Default for ChooseOptions {
    fn default() -> Self {
        Self {
            choices: Vec::new(),
            context: None,
            prompt_field: "prompt".to_owned(),
            choices_field: "choices".to_owned(),
            context_field: "context".to_owned(),
        }
    }
}

/// A question with its encoded choices.
#[derive(Debug)]
pub struct ChooseItem {
    pub(crate) prompt: String,
    choices: Vec<String>,
    rows: Vec<Encoding>,
}

/// A choice and its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChoiceScore {
    /// The text of the choice.
    pub choice: String,
    /// Its index among the choices, from 0.
    pub index: usize,
    /// Probability among the choices of this record.
    pub score: f32,
}

/// The task on a loaded model.
pub struct Choose<'a> {
    pipeline: &'a Pipeline,
    pub(crate) options: ChooseOptions,
}

impl<'a> Choose<'a> {
    /// Creates the task on `pipeline`.
    pub fn new(pipeline: &'a Pipeline, options: ChooseOptions) -> Self {
        Self { pipeline, options }
    }

    /// Encodes a prompt with each choice.
    ///
    /// # Errors
    /// If there are fewer than two choices, or if a row is too long and must not be truncated.
    pub fn prepare(
        &self,
        prompt: String,
        choices: Vec<String>,
        context: Option<&str>,
    ) -> std::result::Result<ChooseItem, String> {
        if choices.len() < 2 {
            return Err(format!("{}; at least two are needed", count(choices.len(), "choice")));
        }
        let rows: std::result::Result<Vec<Encoding>, String> = choices
            .iter()
            .map(|choice| match context {
                None => self.pipeline.encode(&prompt, Some(choice)),
                Some(context) => self.pipeline.encode(context, Some(&format!("{prompt} {choice}"))),
            })
            .collect();
        Ok(ChooseItem { prompt, choices, rows: rows? })
    }
}

impl Task for Choose<'_> {
    type Item = ChooseItem;
    type Row = Encoding;
    /// The logit of one choice.
    type Output = f32;
    type Prediction = Vec<ChoiceScore>;

    fn encode(&self, body: &RecordBody) -> std::result::Result<ChooseItem, String> {
        let options = &self.options;
        let (prompt, choices, context) = match body {
            RecordBody::Text(text) => (text.clone(), None, None),
            RecordBody::Object(fields) => (
                required(fields, &options.prompt_field, "prompt_field")?,
                Choices::of_field(fields, &options.choices_field)?.map(|choices| choices.texts),
                fields.optional_string(&options.context_field)?,
            ),
        };
        let choices = match (choices, body) {
            (Some(choices), _) => choices,
            (None, RecordBody::Object(fields)) if options.choices.is_empty() => {
                return Err(missing(fields, &options.choices_field, "a list of strings", "choices_field"));
            }
            (None, RecordBody::Text(_)) if options.choices.is_empty() => {
                return Err(
                    "no choices: use option choice twice or more, or JSON records with a list".to_owned()
                );
            }
            (None, _) => options.choices.clone(),
        };
        self.prepare(prompt, choices, context.as_deref().or(options.context.as_deref()))
    }

    fn rows_per_record(&self) -> usize {
        self.options.choices.len().max(1)
    }

    fn rows<'a>(&self, item: &'a ChooseItem) -> &'a [Encoding] {
        &item.rows
    }

    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<f32>> {
        let logits = self.pipeline.sequence_logits(rows)?;
        Ok(logits.into_iter().map(|row| row.first().copied().unwrap_or_default()).collect())
    }

    fn decode(&self, item: &ChooseItem, mut outputs: Vec<f32>) -> Result<Vec<ChoiceScore>> {
        softmax(&mut outputs);
        let best = top_k(&outputs, outputs.len());
        Ok(best
            .into_iter()
            .map(|index| ChoiceScore { choice: item.choices[index].clone(), index, score: outputs[index] })
            .collect())
    }
}
