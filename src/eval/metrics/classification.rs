//! Accuracy, precision, recall, F1 and Matthews correlation, as scikit-learn 1.7 (`sklearn.metrics`) with `zero_division=0`.

/// Figures of one label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LabelFigures {
    /// Right among those predicted.
    pub precision: f64,
    /// Found among those that are there.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// How many there are.
    pub support: u64,
}

impl LabelFigures {
    /// From how many are right, predicted, and there.
    pub(super) fn of(right: u64, predicted: u64, there: u64) -> Self {
        Self {
            precision: ratio(right as f64, predicted as f64),
            recall: ratio(right as f64, there as f64),
            f1: ratio(2.0 * right as f64, (predicted + there) as f64),
            support: there,
        }
    }
}

/// Figures of one label for each example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassificationFigures {
    /// `accuracy_score`.
    pub accuracy: f64,
    /// `matthews_corrcoef`, also of more than two labels.
    pub matthews: f64,
    /// `precision_recall_fscore_support` of each label.
    pub classes: Vec<LabelFigures>,
    /// `f1_score(average="macro")`: the mean over the labels that are there or predicted.
    pub macro_f1: f64,
    /// `f1_score(average="weighted")`.
    pub weighted_f1: f64,
    /// `confusion_matrix`: `[gold][predicted]`.
    pub confusion: Vec<Vec<u64>>,
}

/// Figures of `predicted` against `gold`, both ids below `labels`; ids beyond are left out of all but the accuracy.
pub fn classification(gold: &[usize], predicted: &[usize], labels: usize) -> ClassificationFigures {
    let mut confusion = vec![vec![0u64; labels]; labels];
    let mut right = 0u64;
    for (gold, predicted) in gold.iter().zip(predicted) {
        right += u64::from(gold == predicted);
        if let Some(cell) = confusion.get_mut(*gold).and_then(|row| row.get_mut(*predicted)) {
            *cell += 1;
        }
    }
    let there: Vec<u64> = confusion.iter().map(|row| row.iter().sum()).collect();
    let said: Vec<u64> = (0..labels).map(|label| confusion.iter().map(|row| row[label]).sum()).collect();
    let classes: Vec<LabelFigures> =
        (0..labels).map(|i| LabelFigures::of(confusion[i][i], said[i], there[i])).collect();
    let occurring: Vec<usize> = (0..labels).filter(|i| there[*i] + said[*i] > 0).collect();
    let all: u64 = there.iter().sum();
    let weighted: f64 = classes.iter().map(|class| class.f1 * class.support as f64).sum();
    ClassificationFigures {
        accuracy: ratio(right as f64, gold.len().min(predicted.len()) as f64),
        matthews: matthews(&confusion, &there, &said),
        macro_f1: ratio(occurring.iter().map(|i| classes[*i].f1).sum(), occurring.len() as f64),
        weighted_f1: ratio(weighted, all as f64),
        classes,
        confusion,
    }
}

/// Gorodkin's correlation of the confusion matrix; for two labels that of Matthews.
fn matthews(confusion: &[Vec<u64>], there: &[u64], said: &[u64]) -> f64 {
    let sum = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>();
    let right = sum(&mut (0..confusion.len()).map(|i| confusion[i][i] as f64));
    let all = sum(&mut there.iter().map(|n| *n as f64));
    let both = sum(&mut there.iter().zip(said).map(|(a, b)| *a as f64 * *b as f64));
    let squares = |counts: &[u64]| all * all - sum(&mut counts.iter().map(|n| *n as f64 * *n as f64));
    let below = squares(said) * squares(there);
    if below == 0.0 { 0.0 } else { (right * all - both) / below.sqrt() }
}

/// Figures of any number of labels for each example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabelFigures {
    /// `accuracy_score`: the share of examples with all labels right.
    pub subset_accuracy: f64,
    /// `f1_score(average="micro")`.
    pub micro_f1: f64,
    /// `f1_score(average="macro")`, over all labels.
    pub macro_f1: f64,
    /// `f1_score(average="samples")`.
    pub samples_f1: f64,
    /// Of each label.
    pub classes: Vec<LabelFigures>,
}

/// Figures of `predicted` against `gold`, for each example whether each of `labels` labels holds.
pub fn multi_label(gold: &[Vec<bool>], predicted: &[Vec<bool>], labels: usize) -> MultiLabelFigures {
    let holds = |flags: &[bool], label: usize| flags.get(label).copied().unwrap_or(false);
    let count = |of: &dyn Fn(&[bool], &[bool]) -> bool| {
        gold.iter().zip(predicted).filter(|(gold, predicted)| of(gold, predicted)).count() as u64
    };
    let mut sums = (0, 0, 0);
    let classes: Vec<LabelFigures> = (0..labels)
        .map(|label| {
            let both = count(&|gold, said| holds(gold, label) && holds(said, label));
            let said = count(&|_, said| holds(said, label));
            let there = count(&|gold, _| holds(gold, label));
            sums = (sums.0 + both, sums.1 + said, sums.2 + there);
            LabelFigures::of(both, said, there)
        })
        .collect();
    let sample = |(gold, said): (&Vec<bool>, &Vec<bool>)| {
        let both = (0..labels).filter(|label| holds(gold, *label) && holds(said, *label)).count();
        let all = (0..labels).map(|label| usize::from(holds(gold, label)) + usize::from(holds(said, label)));
        ratio(2.0 * both as f64, all.sum::<usize>() as f64)
    };
    let examples = gold.len().min(predicted.len()) as f64;
    MultiLabelFigures {
        subset_accuracy: ratio(
            count(&|gold, said| (0..labels).all(|label| holds(gold, label) == holds(said, label))) as f64,
            examples,
        ),
        micro_f1: LabelFigures::of(sums.0, sums.1, sums.2).f1,
        macro_f1: ratio(classes.iter().map(|class| class.f1).sum(), labels as f64),
        samples_f1: ratio(gold.iter().zip(predicted).map(sample).sum(), examples),
        classes,
    }
}

/// 0 where there is nothing to divide by.
pub(super) fn ratio(above: f64, below: f64) -> f64 {
    if below == 0.0 { 0.0 } else { above / below }
}
