//! Accuracy of multiple choice, also by group, as RACE reports middle and high schools apart.

use std::collections::BTreeMap;

/// Shares of right choices.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChoiceFigures {
    /// Of all.
    pub accuracy: f64,
    /// Of each group, in the order of their names.
    pub groups: Vec<(String, f64)>,
}

/// From the group, the right choice and the predicted one of each example. 0 for no examples.
pub fn choice_accuracy<'a>(marks: impl Iterator<Item = (Option<&'a str>, usize, usize)>) -> ChoiceFigures {
    let mut all = (0u64, 0u64);
    let mut groups: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (group, gold, predicted) in marks {
        let right = u64::from(gold == predicted);
        let count = |sums: &mut (u64, u64)| *sums = (sums.0 + right, sums.1 + 1);
        count(&mut all);
        if let Some(group) = group {
            count(groups.entry(group).or_default());
        }
    }
    let share = |(right, all): (u64, u64)| if all == 0 { 0.0 } else { right as f64 / all as f64 };
    ChoiceFigures {
        accuracy: share(all),
        groups: groups.into_iter().map(|(name, sums)| (name.to_owned(), share(sums))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_apart() {
        let marks = [(Some("middle"), 0, 0), (Some("high"), 1, 0), (Some("high"), 2, 2), (None, 1, 1)];
        let found = choice_accuracy(marks.into_iter());
        assert_eq!(found.accuracy, 0.75);
        assert_eq!(found.groups, [("high".to_owned(), 0.5), ("middle".to_owned(), 1.0)]);
        assert_eq!(choice_accuracy(std::iter::empty()), ChoiceFigures::default());
    }
}
