//! Accuracy of multiple choice, overall and per group of questions.

use std::collections::BTreeMap;

use super::part;

/// Fraction of correct choices.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ChoiceFigures {
    /// Over all questions, including those without a group; 0 if there are no questions.
    pub accuracy: f64,
    /// For each group, in alphabetical order of the names.
    pub groups: Vec<(String, f64)>,
}

/// The accuracy of `(group, gold choice, predicted choice)` triples.
pub fn choice_accuracy<'a>(
    questions: impl Iterator<Item = (Option<&'a str>, usize, usize)>,
) -> ChoiceFigures {
    let mut all = (0, 0);
    let mut groups: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (group, gold, predicted) in questions {
        let right = u64::from(gold == predicted);
        for (rights, total) in std::iter::once(&mut all).chain(group.map(|g| groups.entry(g).or_default())) {
            *rights += right;
            *total += 1;
        }
    }
    ChoiceFigures {
        accuracy: part(all.0, all.1),
        groups: groups
            .into_iter()
            .map(|(name, (right, total))| (name.to_owned(), part(right, total)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_in_alphabetical_order() {
        let questions = [(Some("middle"), 0, 1), (None, 2, 2), (Some("high"), 3, 3), (Some("middle"), 1, 1)];
        let metrics = choice_accuracy(questions.into_iter());
        assert_eq!(metrics.accuracy, 0.75);
        assert_eq!(metrics.groups, [("high".to_owned(), 1.0), ("middle".to_owned(), 0.5)]);
    }

    #[test]
    fn no_questions_give_zero() {
        assert_eq!(choice_accuracy(std::iter::empty()), ChoiceFigures::default());
    }
}
