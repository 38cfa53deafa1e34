//! Results of an evaluation, for all tasks.

use serde::Serialize;
use serde_json::{Map, Value};

use super::metrics::LabelMetrics;

/// Metrics of one label or entity type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The label.
    pub label: String,
    /// Precision.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of gold items.
    pub support: u64,
}

impl ClassMetrics {
    /// The metrics of `label`.
    pub(super) fn new(label: &str, metrics: &LabelMetrics) -> Self {
        let LabelMetrics { precision, recall, f1, support } = *metrics;
        Self { label: label.to_owned(), precision, recall, f1, support }
    }
}

/// Confusion matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The labels.
    pub labels: Vec<String>,
    /// `[gold][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// An example with its prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredExample {
    /// File and line.
    pub place: String,
    /// Example and prediction, for output.
    pub fields: Map<String, Value>,
    /// True if the prediction is correct; `None` for regression.
    pub correct: Option<bool>,
}

/// Results of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvalReport {
    /// Number of examples evaluated.
    pub examples: u64,
    /// Number of examples skipped because they have no label.
    pub unlabelled: u64,
    /// Metrics by name, the most important first.
    pub metrics: Vec<(&'static str, f64)>,
    /// Metrics of groups of examples, by the group's name.
    pub groups: Vec<(String, Vec<(&'static str, f64)>)>,
    /// Metrics per label; empty if there are no labels.
    pub classes: Vec<ClassMetrics>,
    /// The confusion matrix, if each example has one label.
    pub confusion: Option<Confusion>,
    /// Every example, in the data's order.
    pub scored: Vec<ScoredExample>,
    /// Warnings about suspicious results.
    pub warnings: Vec<String>,
}

impl EvalReport {
    /// The metric with this name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// The metrics by name.
    pub fn metrics_json(&self) -> Map<String, Value> {
        self.metrics.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    /// The report as JSON: `examples`, the metrics, then groups, classes and confusion if present.
    pub fn json(&self) -> Value {
        let metrics = |metrics: &[(&'static str, f64)]| -> Map<String, Value> {
            metrics.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        let mut out = Map::new();
        out.insert("examples".to_owned(), self.examples.into());
        if self.unlabelled > 0 {
            out.insert("unlabelled".to_owned(), self.unlabelled.into());
        }
        out.extend(metrics(&self.metrics));
        if !self.groups.is_empty() {
            let groups: Map<String, Value> =
                self.groups.iter().map(|(name, own)| (name.clone(), metrics(own).into())).collect();
            out.insert("groups".to_owned(), groups.into());
        }
        if !self.classes.is_empty() {
            out.insert("classes".to_owned(), serde_json::to_value(&self.classes).unwrap_or_default());
        }
        if let Some(confusion) = &self.confusion {
            out.insert("confusion".to_owned(), serde_json::to_value(confusion).unwrap_or_default());
        }
        if !self.warnings.is_empty() {
            out.insert("warnings".to_owned(), self.warnings.clone().into());
        }
        Value::Object(out)
    }
}
/// Returns the id of an example, which is JSON text or, from RACE and SWAG, plain text.
pub(super) fn id_value(id: &str) -> Value {
    serde_json::from_str(id).unwrap_or_else(|_| id.into())
}
