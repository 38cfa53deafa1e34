//! Class weights for the loss.

use crate::data::LabelSet;
use crate::error::{Error, Result, listed};

/// Weights of the classes in the loss of single-label and of token classification.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// All classes have the same weight.
    #[default]
    Equal,
    /// Rare classes have larger weights, as in scikit-learn's `compute_class_weight`.
    Balanced,
    /// Weights of some labels; the others have weight 1.
    Named(Vec<(String, f32)>),
}

impl ClassWeights {
    /// Reads `balanced`, or `label=weight` for each label; an empty list is [`ClassWeights::Equal`].
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for anything else.
    pub fn parse(given: &[String]) -> Result<Self> {
        let pair = |pair: &String| {
            let (name, weight) = pair
                .rsplit_once('=')
                .ok_or_else(|| usage(format!("\"{pair}\" is neither balanced nor label=weight")))?;
            let weight: f32 = weight.parse().map_err(|_| usage(format!("\"{weight}\" is not a number")))?;
            Ok((name.to_owned(), weight))
        };
        match given {
            [] => Ok(Self::Equal),
            [word] if word == "balanced" => Ok(Self::Balanced),
            pairs => pairs.iter().map(pair).collect::<Result<_>>().map(Self::Named),
        }
    }

    /// The weights in the order of `labels`, which occur `counts` times; empty for equal weights.
    pub(in crate::training) fn of(&self, labels: &LabelSet, counts: &[u64]) -> Result<Vec<f32>> {
        let named = match self {
            Self::Equal => return Ok(Vec::new()),
            Self::Balanced => return Ok(balanced(counts)),
            Self::Named(named) => named,
        };
        let mut weights = vec![1.0; labels.len()];
        for (name, weight) in named {
            let id = labels.id(name).ok_or_else(|| {
                usage(format!("\"{name}\" is not one of the labels {}", listed(labels.names())))
            })?;
            if !weight.is_finite() || *weight < 0.0 {
                return Err(usage(format!("{weight} is not a weight; expected a number from 0")));
            }
            weights[id] = *weight;
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(usage("every label has weight 0, so there is nothing to learn".to_owned()));
        }
        Ok(weights)
    }

    /// Returns equal weights, or an error if weights were given, for tasks without class weights.
    pub(in crate::training) fn none_or_error(&self) -> Result<Vec<f32>> {
        match self {
            Self::Equal => Ok(Vec::new()),
            _ => Err(usage("class weights are only for single-label classification".to_owned())),
        }
    }
}

fn usage(problem: String) -> Error {
    Error::InvalidOption { name: "class_weights".to_owned(), problem }
}

/// Balanced class weights: the number of examples divided by the number of labels and by the number of the label's
/// examples (scikit-learn's `compute_class_weight`). A label without examples has weight 1.
fn balanced(counts: &[u64]) -> Vec<f32> {
    let all: u64 = counts.iter().sum();
    let weight = |count: &u64| match count {
        0 => 1.0,
        _ => (all as f64 / (counts.len() as f64 * *count as f64)) as f32,
    };
    counts.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_labels_weigh_more() {
        assert_eq!(balanced(&[30, 10, 0]), [40.0 / 90.0, 40.0 / 30.0, 1.0]);
        assert_eq!(balanced(&[]), [0f32; 0]);
    }

    #[test]
    fn weights_are_balanced_or_named() {
        let parse = |given: &[&str]| {
            ClassWeights::parse(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        let labels = LabelSet::given(vec!["a".to_owned(), "b=c".to_owned()]).expect("labels");
        let weights = |given: &[&str]| parse(given)?.of(&labels, &[30, 10]);
        assert_eq!(weights(&[]).expect("none"), [0f32; 0]);
        assert_eq!(weights(&["balanced"]).expect("balanced"), [40.0 / 60.0, 2.0]);
        assert_eq!(weights(&["b=c=2.5"]).expect("one"), [1.0, 2.5]);
        assert!(weights(&["a=0"]).is_ok() && weights(&["a=0", "b=c=0"]).is_err());
        for wrong in ["balance", "a=x", "c=1", "a=-1", "a=inf", "a=nan"] {
            let error = weights(&[wrong]).expect_err(wrong).to_string();
            assert!(error.contains("class_weights"), "{error}");
        }
    }
}
