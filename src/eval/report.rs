//! What an evaluation finds, whatever the task.

use serde::Serialize;
use serde_json::{Map, Value};

use super::metrics::LabelFigures;

/// Figures of one label or entity type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// The label.
    pub label: String,
    /// Right among those predicted.
    pub precision: f64,
    /// Found among those that are there.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How many there are.
    pub support: u64,
}

impl ClassFigures {
    /// The figures of `label`.
    pub(super) fn new(label: &str, figures: &LabelFigures) -> Self {
        let LabelFigures { precision, recall, f1, support } = *figures;
        Self { label: label.to_owned(), precision, recall, f1, support }
    }
}

/// How often each label was taken for each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The labels.
    pub labels: Vec<String>,
    /// `[gold][predicted]`.
    pub counts: Vec<Vec<u64>>,
}

/// One example with what the model made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// File and line.
    pub place: String,
    /// The example and the prediction, for reading.
    pub fields: Map<String, Value>,
    /// Whether the prediction is right; a number never is.
    pub correct: bool,
}

/// The outcome of an evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvalReport {
    /// Examples judged.
    pub examples: u64,
    /// Examples without a label, left out.
    pub unlabelled: u64,
    /// By name, the most telling first.
    pub figures: Vec<(&'static str, f64)>,
    /// Figures of parts of the data, by the part's name.
    pub groups: Vec<(String, Vec<(&'static str, f64)>)>,
    /// Per label; empty where there are none.
    pub classes: Vec<ClassFigures>,
    /// Where each example has one label.
    pub confusion: Option<Confusion>,
    /// Every example, in the data's order.
    pub judged: Vec<Judged>,
    /// What the figures do not say by themselves.
    pub warnings: Vec<String>,
}

impl EvalReport {
    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }

    /// The figures by name.
    pub fn figures_json(&self) -> Map<String, Value> {
        self.figures.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    /// The report as JSON: `examples`, the figures, then what there is of groups, classes and confusion.
    pub fn json(&self) -> Value {
        let figures = |figures: &[(&'static str, f64)]| -> Map<String, Value> {
            figures.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
        };
        let mut out = Map::new();
        out.insert("examples".to_owned(), self.examples.into());
        if self.unlabelled > 0 {
            out.insert("unlabelled".to_owned(), self.unlabelled.into());
        }
        out.extend(figures(&self.figures));
        if !self.groups.is_empty() {
            let groups: Map<String, Value> =
                self.groups.iter().map(|(name, own)| (name.clone(), figures(own).into())).collect();
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
