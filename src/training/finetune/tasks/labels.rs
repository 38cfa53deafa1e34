//! The labels of a run.

use std::collections::{BTreeMap, HashSet};

use crate::data::{LabelSet, Place, Target, TextExample};
use crate::error::{Error, Result, listed};
use crate::training::finetune::observer::FineTuneObserver;

/// Counts how often each label occurs.
#[derive(Default)]
pub(super) struct LabelCounts(BTreeMap<String, u64>);

impl LabelCounts {
    /// Counts the labels of an example.
    pub(super) fn add(&mut self, labels: &[String]) {
        for label in labels {
            match self.0.get_mut(label) {
                Some(count) => *count += 1,
                None => {
                    self.0.insert(label.clone(), 1);
                }
            }
        }
    }

    /// The labels that occur.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// The counts in the order of `labels`.
    pub(super) fn of(&self, labels: &LabelSet) -> Vec<u64> {
        labels.names().iter().map(|name| self.0.get(name).copied().unwrap_or_default()).collect()
    }
}

/// Determines the labels: those given by the caller, otherwise those of the data, in the model's order if it has the same
/// labels.
pub(super) fn label_set(given: &[String], found: LabelSet, of_model: &[String]) -> Result<LabelSet> {
    let set = |names: &[String], name: &str| {
        LabelSet::given(names.to_vec())
            .map_err(|problem| Error::InvalidOption { name: name.to_owned(), problem })
    };
    if !given.is_empty() {
        return set(given, "labels");
    }
    if found.len() < 2 {
        return Err(Error::InvalidOption {
            name: "train".to_owned(),
            problem: format!("has only one label ({}), so there is nothing to learn", listed(found.names())),
        });
    }
    let same = found.len() == of_model.len() && of_model.iter().all(|name| found.id(name).is_some());
    if same { set(of_model, "model") } else { Ok(found) }
}

/// Returns the id of an example's label.
///
/// # Errors
/// [`Error::Record`] for an unknown label.
pub(super) fn known(labels: &LabelSet, place: &Place, name: &str) -> Result<usize> {
    labels.require(place, name).map_err(|error| match error {
        Error::Record { source_name, line, problem } => {
            Error::Record { source_name, line, problem: format!("{problem} (option labels sets them)") }
        }
        other => other,
    })
}

/// Checks that the labels of an example are known.
///
/// # Errors
/// Same as [`known`].
pub(super) fn all_known(labels: &LabelSet, place: &Place, names: &[String]) -> Result<()> {
    names.iter().try_for_each(|name| known(labels, place, name).map(|_| ()))
}

/// The fraction of the most frequent label.
pub(super) fn majority(examples: &[TextExample], labels: &LabelSet) -> f64 {
    let mut counts = LabelCounts::default();
    examples.iter().for_each(|example| counts.add(example.target.labels()));
    let labelled = examples.iter().filter(|example| example.target != Target::None).count();
    counts.of(labels).into_iter().max().unwrap_or(0) as f64 / labelled.max(1) as f64
}

/// Reports labels that do not occur in dev.
pub(super) fn missing_in_dev<'a>(
    found: impl Iterator<Item = &'a String>,
    labels: &LabelSet,
    observer: &mut dyn FineTuneObserver,
) {
    let seen: HashSet<&String> = found.collect();
    let missing: Vec<&str> =
        labels.names().iter().filter(|name| !seen.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        observer.missing_in_dev(&missing);
    }
}
