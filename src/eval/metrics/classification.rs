//! Single-label and multi-label classification: scikit-learn's metrics with `zero_division=0`.

use super::{Counts, LabelMetrics, macro_average, mean, part, weighted_average};

/// Metrics of single-label classification.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ClassificationMetrics {
    /// Fraction of correct labels (`accuracy_score`).
    pub accuracy: f64,
    /// Correlation of gold and predicted labels (`matthews_corrcoef`), for two or more labels.
    pub matthews: f64,
    /// Metrics of each label, by id (`precision_recall_fscore_support(average=None)`).
    pub classes: Vec<LabelMetrics>,
    /// Mean F1 of the labels that occur in the gold data or in the predictions (`f1_score(average="macro")`).
    pub macro_f1: f64,
    /// Mean F1 weighted by support (`f1_score(average="weighted")`).
    pub weighted_f1: f64,
    /// Counts of `[gold][predicted]` (`confusion_matrix`).
    pub confusion: Vec<Vec<u64>>,
}

/// Compares label ids, text by text.
///
/// Without texts, all metrics are 0. If one side is longer, its excess is ignored. An id that is not a label (`labels` or
/// more) is never correct and does not appear in `confusion`.
pub fn classification(gold: &[usize], predicted: &[usize], labels: usize) -> ClassificationMetrics {
    let mut counts = vec![Counts::default(); labels];
    let mut confusion = vec![vec![0; labels]; labels];
    let (mut texts, mut unknown_gold, mut unknown_predicted) = (0, 0, 0);
    for (&gold, &predicted) in gold.iter().zip(predicted) {
        texts += 1;
        match counts.get_mut(gold) {
            Some(c) => c.add(true, gold == predicted),
            None => unknown_gold += 1,
        }
        match counts.get_mut(predicted) {
            Some(c) if gold != predicted => c.add(false, true),
            Some(_) => {}
            None => unknown_predicted += 1,
        }
        if let Some(cell) = confusion.get_mut(gold).and_then(|row| row.get_mut(predicted)) {
            *cell += 1;
        }
    }
    let classes: Vec<LabelMetrics> = counts.iter().map(Counts::metrics).collect();
    let occurring = counts.iter().filter(|c| c.gold + c.predicted > 0);
    ClassificationMetrics {
        accuracy: part(Counts::sum(&counts).both, texts),
        matthews: matthews(&counts, texts, unknown_gold, unknown_predicted),
        macro_f1: mean(occurring.map(Counts::f1)),
        weighted_f1: weighted_average(&classes).f1,
        classes,
        confusion,
    }
}

/// scikit-learn's `matthews_corrcoef`: 0 if either side contains only one label.
///
/// Products of counts stay integers until the end, so that "no variance" is exactly 0. Ids that are not labels count as
/// one additional label of their side, which the other side never has.
fn matthews(counts: &[Counts], texts: u64, unknown_gold: u64, unknown_predicted: u64) -> f64 {
    let product = |a: u64, b: u64| i128::from(a) * i128::from(b);
    let square = product(texts, texts);
    let mut together = product(Counts::sum(counts).both, texts);
    let mut of_gold = square - product(unknown_gold, unknown_gold);
    let mut of_predicted = square - product(unknown_predicted, unknown_predicted);
    for c in counts {
        together -= product(c.gold, c.predicted);
        of_gold -= product(c.gold, c.gold);
        of_predicted -= product(c.predicted, c.predicted);
    }
    let variance = of_gold as f64 * of_predicted as f64;
    if variance == 0.0 { 0.0 } else { together as f64 / variance.sqrt() }
}

/// Metrics of multi-label classification.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct MultiLabelMetrics {
    /// Fraction of texts whose labels are all correct (`accuracy_score`).
    pub subset_accuracy: f64,
    /// F1 over all decisions (`f1_score(average="micro")`).
    pub micro_f1: f64,
    /// Mean F1 of all labels (`f1_score(average="macro")`).
    pub macro_f1: f64,
    /// Mean F1 of the texts (`f1_score(average="samples")`).
    pub samples_f1: f64,
    /// Mean F1 of the labels weighted by support (`f1_score(average="weighted")`).
    pub weighted_f1: f64,
    /// Metrics of each label, by id (`precision_recall_fscore_support(average=None)`).
    pub classes: Vec<LabelMetrics>,
}

/// Compares rows of decisions, one per label, text by text.
///
/// Without texts, all metrics are 0. If one side has more rows, its excess is ignored. A decision missing from a row
/// counts as "no". Decisions beyond `labels` are ignored.
pub fn multi_label(gold: &[Vec<bool>], predicted: &[Vec<bool>], labels: usize) -> MultiLabelMetrics {
    let mut counts = vec![Counts::default(); labels];
    let mut texts = Vec::with_capacity(gold.len().min(predicted.len()));
    for (gold, predicted) in gold.iter().zip(predicted) {
        let mut text = Counts::default();
        for (label, count) in counts.iter_mut().enumerate() {
            let decided = |row: &[bool]| row.get(label).copied().unwrap_or(false);
            let (gold, predicted) = (decided(gold), decided(predicted));
            count.add(gold, predicted);
            text.add(gold, predicted);
        }
        texts.push(text);
    }
    let classes: Vec<LabelMetrics> = counts.iter().map(Counts::metrics).collect();
    let all_right = texts.iter().filter(|t| t.both == t.gold && t.both == t.predicted).count();
    MultiLabelMetrics {
        subset_accuracy: part(all_right as u64, texts.len() as u64),
        micro_f1: Counts::sum(&counts).f1(),
        macro_f1: macro_average(&classes).f1,
        samples_f1: mean(texts.iter().map(Counts::f1)),
        weighted_f1: weighted_average(&classes).f1,
        classes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_texts_give_zeros() {
        let metrics = classification(&[], &[], 2);
        assert_eq!((metrics.accuracy, metrics.matthews, metrics.macro_f1), (0.0, 0.0, 0.0));
        assert_eq!((metrics.weighted_f1, metrics.classes.len()), (0.0, 2));
        let metrics = multi_label(&[], &[], 2);
        assert_eq!((metrics.subset_accuracy, metrics.micro_f1, metrics.samples_f1), (0.0, 0.0, 0.0));
    }

    #[test]
    fn unknown_ids_are_never_correct() {
        let metrics = classification(&[0, 1, 7, 7], &[0, usize::MAX, 1, 7], 2);
        assert_eq!(metrics.accuracy, 0.25);
        assert_eq!(metrics.confusion, [[1, 0], [0, 0]]);
        assert_eq!(metrics.classes[1], LabelMetrics { precision: 0.0, recall: 0.0, f1: 0.0, support: 1 });
        assert!((-1.0..=1.0).contains(&metrics.matthews));
    }

    #[test]
    fn missing_decisions_count_as_no() {
        let metrics = multi_label(&[vec![true], vec![]], &[vec![true, false, true], vec![false]], 2);
        assert_eq!((metrics.subset_accuracy, metrics.micro_f1), (1.0, 1.0));
    }
}
