//! The labels of a run and their weights in the loss.

use std::collections::{BTreeMap, HashSet};

use albert::data::{LabelSet, Target, TargetKind, TextExample};
use albert::training::finetune::balanced;
use albert::{Error, Result};

use crate::cli::output::report::Reporter;

/// How often each label occurs.
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

/// The labels: given on the command line, else collected from the data, in the model's order if it has the same labels.
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
            problem: format!(
                "has only one label ({}), so there is nothing to learn",
                found.names().join(", ")
            ),
        });
    }
    let same = found.len() == of_model.len() && of_model.iter().all(|name| found.id(name).is_some());
    if same { set(of_model, "model") } else { Ok(found) }
}

/// `--class-weights`.
pub(super) fn weights(given: &[String], labels: &LabelSet, counts: &[u64]) -> Result<Vec<f32>> {
    let usage = |problem: String| Error::InvalidOption { name: "class_weights".to_owned(), problem };
    match given {
        [] => Ok(Vec::new()),
        [word] if word == "balanced" => Ok(balanced(counts)),
        pairs => {
            let mut weights = vec![1.0; labels.len()];
            for pair in pairs {
                let (name, weight) = pair
                    .rsplit_once('=')
                    .ok_or_else(|| usage(format!("\"{pair}\" is neither balanced nor label=weight")))?;
                let id = labels.id(name).ok_or_else(|| {
                    usage(format!("\"{name}\" is none of the labels {}", labels.names().join(", ")))
                })?;
                let weight: f32 =
                    weight.parse().map_err(|_| usage(format!("\"{weight}\" is not a number")))?;
                if !weight.is_finite() || weight < 0.0 {
                    return Err(usage(format!("{weight} is not a weight; expected a number from 0")));
                }
                weights[id] = weight;
            }
            Ok(weights)
        }
    }
}

/// The error for `--class-weights` with another kind of target.
pub(super) fn no_weights() -> Error {
    Error::InvalidOption {
        name: "class_weights".to_owned(),
        problem: "class weights are only for single-label classification".to_owned(),
    }
}

/// The fraction of the most frequent label.
pub(super) fn majority(examples: &[TextExample], labels: &LabelSet) -> f64 {
    let mut counts = LabelCounts::default();
    examples.iter().for_each(|example| counts.add(example.target.labels()));
    let labelled = examples.iter().filter(|example| example.target != Target::None).count();
    counts.of(labels).into_iter().max().unwrap_or(0) as f64 / labelled.max(1) as f64
}

/// Warns about labels that do not occur in dev.
pub(super) fn warn_of_missing<'a>(
    found: impl Iterator<Item = &'a String>,
    labels: &LabelSet,
    goal: TargetKind,
    reporter: &Reporter,
) {
    let seen: HashSet<&String> = found.collect();
    let missing: Vec<&str> =
        labels.names().iter().filter(|name| !seen.contains(name)).map(String::as_str).collect();
    if !missing.is_empty() && goal != TargetKind::Number {
        reporter.warn(&format!("dev has no example of {}, so it is not evaluated", missing.join(", ")));
    }
}
