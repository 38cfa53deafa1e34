//! Metrics for labelled data.
//!
//! Every metric is computed in `f64` and equals that of the usual reference: scikit-learn for classes, SciPy for
//! correlations, the official SQuAD scripts for answers and seqeval for entities. If a reference divides by zero, warns
//! or returns NaN, the metric here is 0 (`None` for correlations).

mod choice;
mod classification;
mod correlation;
mod entities;
mod entity_schemes;
mod no_answer;
mod squad;

pub use choice::{ChoiceFigures, choice_accuracy};
pub use classification::{ClassificationMetrics, MultiLabelMetrics, classification, multi_label};
pub use correlation::{RegressionFigures, regression};
pub use entities::{EntityMetrics, entities};
pub use entity_schemes::EntityScheme;
pub use no_answer::{SquadNoAnswerFigures, squad_v2};
pub use squad::{QuestionOutcome, SquadMetrics, squad_v1};

/// Precision, recall and F1 of a label or entity type, or an average over several.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct LabelMetrics {
    /// Fraction of predictions that are correct; 0 without predictions.
    pub precision: f64,
    /// Fraction of gold items that were found; 0 without gold items.
    pub recall: f64,
    /// Harmonic mean of precision and recall; 0 if both are 0.
    pub f1: f64,
    /// Number of gold items.
    pub support: u64,
}

/// Counts behind the metrics of one label.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    /// Items in the gold data that were predicted.
    both: u64,
    /// Items in the gold data.
    gold: u64,
    /// Predicted items.
    predicted: u64,
}

impl Counts {
    /// Adds one decision.
    fn add(&mut self, gold: bool, predicted: bool) {
        self.both += u64::from(gold && predicted);
        self.gold += u64::from(gold);
        self.predicted += u64::from(predicted);
    }

    /// The sum of the counts of several labels.
    fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Self {
        counts.into_iter().fold(Self::default(), |sum, c| Self {
            both: sum.both + c.both,
            gold: sum.gold + c.gold,
            predicted: sum.predicted + c.predicted,
        })
    }

    /// The resulting metrics.
    fn metrics(&self) -> LabelMetrics {
        LabelMetrics {
            precision: part(self.both, self.predicted),
            recall: part(self.both, self.gold),
            f1: self.f1(),
            support: self.gold,
        }
    }

    /// F1 computed from the counts with a single division.
    fn f1(&self) -> f64 {
        part(2 * self.both, self.gold + self.predicted)
    }
}

/// `count / of`, or 0 if `of` is 0.
fn part(count: u64, of: u64) -> f64 {
    quotient(count as f64, of as f64)
}

/// `value / by`, or 0 if `by` is 0.
fn quotient(value: f64, by: f64) -> f64 {
    if by == 0.0 { 0.0 } else { value / by }
}

/// The mean, or 0 without values.
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0u64), |(sum, count), v| (sum + v, count + 1));
    quotient(sum, count as f64)
}

/// The unweighted mean over labels.
fn macro_average(labels: &[LabelMetrics]) -> LabelMetrics {
    LabelMetrics {
        precision: mean(labels.iter().map(|l| l.precision)),
        recall: mean(labels.iter().map(|l| l.recall)),
        f1: mean(labels.iter().map(|l| l.f1)),
        support: labels.iter().map(|l| l.support).sum(),
    }
}

/// The mean over labels, weighted by support.
fn weighted_average(labels: &[LabelMetrics]) -> LabelMetrics {
    let support: u64 = labels.iter().map(|l| l.support).sum();
    let average = |of: fn(&LabelMetrics) -> f64| {
        quotient(labels.iter().map(|l| of(l) * l.support as f64).sum(), support as f64)
    };
    LabelMetrics {
        precision: average(|l| l.precision),
        recall: average(|l| l.recall),
        f1: average(|l| l.f1),
        support,
    }
}
