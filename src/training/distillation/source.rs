//! Rows of text and sentences of the same documents.

use serde_json::Value;

use super::objective::DistillExample;
use super::sentences::SentenceReader;
use crate::error::Result;
use crate::training::PretrainingSource;
use crate::training::instances::InstancePlan;
use crate::training::source::Source;

/// The number of sentences whose similarities are compared. A group is computed on one device, so that the loss does not
/// depend on the number of devices.
pub const GROUP: usize = 32;

/// The plan of a row, or of a group of sentences.
pub enum DistillPlan {
    /// A row of text.
    Text(InstancePlan),
    /// One sentence of each of these rows.
    Sentences(Vec<InstancePlan>),
}

/// The rows of a corpus and, if the teacher gives sentence vectors, one sentence of each row.
pub struct DistillSource {
    text: PretrainingSource,
    sentences: Option<SentenceReader>,
}

impl DistillSource {
    /// Continues from the current position of `text`.
    pub fn new(text: PretrainingSource, sentences: Option<SentenceReader>) -> Self {
        Self { text, sentences }
    }

    /// Adds the sentences to some rows of text.
    pub fn with_sentences(&self, rows: Vec<InstancePlan>) -> Vec<DistillPlan> {
        let mut plans = Vec::with_capacity(rows.len() + rows.len().div_ceil(GROUP));
        for group in rows.chunks(GROUP) {
            plans.extend(group.iter().cloned().map(DistillPlan::Text));
            if self.sentences.is_some() {
                plans.push(DistillPlan::Sentences(group.to_vec()));
            }
        }
        plans
    }
}

impl Source for DistillSource {
    type Plan = DistillPlan;
    type Example = DistillExample;

    /// Plans `rows` rows of text and, if the teacher gives sentence vectors, one sentence per row.
    fn next_batch(&mut self, rows: usize) -> Result<Vec<DistillPlan>> {
        let rows = self.text.next_batch(rows)?;
        Ok(self.with_sentences(rows))
    }

    fn materialize(&self, plans: &[DistillPlan]) -> Result<Vec<DistillExample>> {
        let text = plans.iter().filter_map(|plan| match plan {
            DistillPlan::Text(plan) => Some(plan.clone()),
            DistillPlan::Sentences(_) => None,
        });
        let mut rows = self.text.materialize(&text.collect::<Vec<_>>())?.into_iter();
        let mut examples = Vec::with_capacity(plans.len());
        for plan in plans {
            match (plan, &self.sentences) {
                (DistillPlan::Text(_), _) => examples.extend(rows.next().map(DistillExample::Text)),
                (DistillPlan::Sentences(plans), Some(sentences)) => {
                    let group = sentences.read(plans)?;
                    examples.extend((!group.is_empty()).then_some(DistillExample::Sentences(group)));
                }
                (DistillPlan::Sentences(_), None) => {}
            }
        }
        Ok(examples)
    }

    fn epoch(&self) -> f64 {
        self.text.epoch()
    }

    fn position(&self) -> Value {
        self.text.position()
    }

    fn seek(&mut self, position: &Value) -> Result<()> {
        self.text.seek(position)
    }
}
