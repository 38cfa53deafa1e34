//! The figures that `albert eval` reports.
//!
//! Every figure is computed in `f64` and means what the usual reference means by it: scikit-learn for
//! classes, SciPy for correlations, the official SQuAD scripts for answers and seqeval for entities.
//! Where a reference divides by zero, warns or gives NaN, the figure here is 0 (or `None`, for
//! correlations).

mod choice;
mod classification;
mod correlation;
mod entities;
mod entity_schemes;
mod no_answer;
mod squad;

pub use choice::{ChoiceFigures, choice_accuracy};
pub use classification::{ClassificationFigures, MultiLabelFigures, classification, multi_label};
pub use correlation::{RegressionFigures, regression};
pub use entities::{EntityFigures, entities};
pub use entity_schemes::EntityScheme;
pub use no_answer::{SquadNoAnswerFigures, squad_v2};
pub use squad::{QuestionOutcome, SquadFigures, squad_v1};

/// Precision, recall and F1 of one label or one entity type, or their average over several.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct LabelFigures {
    /// Of what was predicted, the part that is right; 0 where nothing was predicted.
    pub precision: f64,
    /// Of what is in the gold data, the part that was found; 0 where the gold data has none.
    pub recall: f64,
    /// The harmonic mean of the two; 0 where both are.
    pub f1: f64,
    /// How often the gold data has it.
    pub support: u64,
}

/// What the figures of one label are made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    /// In the gold data and predicted.
    both: u64,
    /// In the gold data.
    gold: u64,
    /// Predicted.
    predicted: u64,
}

impl Counts {
    /// Counts one decision.
    fn add(&mut self, gold: bool, predicted: bool) {
        self.both += u64::from(gold && predicted);
        self.gold += u64::from(gold);
        self.predicted += u64::from(predicted);
    }

    /// The counts of several labels together.
    fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Self {
        counts.into_iter().fold(Self::default(), |sum, c| Self {
            both: sum.both + c.both,
            gold: sum.gold + c.gold,
            predicted: sum.predicted + c.predicted,
        })
    }

    /// The figures that follow.
    fn figures(&self) -> LabelFigures {
        LabelFigures {
            precision: part(self.both, self.predicted),
            recall: part(self.both, self.gold),
            f1: self.f1(),
            support: self.gold,
        }
    }

    /// F1 alone, from the counts: one division, and no detour over precision and recall.
    fn f1(&self) -> f64 {
        part(2 * self.both, self.gold + self.predicted)
    }
}

/// `count / of`, 0 for nothing.
fn part(count: u64, of: u64) -> f64 {
    quotient(count as f64, of as f64)
}

/// `value / by`, 0 where `by` is 0.
fn quotient(value: f64, by: f64) -> f64 {
    if by == 0.0 { 0.0 } else { value / by }
}

/// The mean, 0 for no values.
fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0u64), |(sum, count), v| (sum + v, count + 1));
    quotient(sum, count as f64)
}

/// Every label counts the same.
fn macro_average(labels: &[LabelFigures]) -> LabelFigures {
    LabelFigures {
        precision: mean(labels.iter().map(|l| l.precision)),
        recall: mean(labels.iter().map(|l| l.recall)),
        f1: mean(labels.iter().map(|l| l.f1)),
        support: labels.iter().map(|l| l.support).sum(),
    }
}

/// Every label counts as often as the gold data has it.
fn weighted_average(labels: &[LabelFigures]) -> LabelFigures {
    let support: u64 = labels.iter().map(|l| l.support).sum();
    let average = |of: fn(&LabelFigures) -> f64| {
        quotient(labels.iter().map(|l| of(l) * l.support as f64).sum(), support as f64)
    };
    LabelFigures {
        precision: average(|l| l.precision),
        recall: average(|l| l.recall),
        f1: average(|l| l.f1),
        support,
    }
}
