//! Entities in tagged sentences: the metrics of seqeval 1.2.2 (`classification_report`, `accuracy_score`).

use std::collections::{BTreeMap, HashSet};

use super::entity_schemes::{EntityScheme, Span, lenient, strict};
use super::{Counts, LabelMetrics, macro_average, part, weighted_average};
use crate::error::{Error, Result, count};

/// Metrics over entities. An entity is correct if its type and both ends match.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct EntityMetrics {
    /// Over all entities ("micro avg").
    pub micro: LabelMetrics,
    /// Unweighted mean over the types ("macro avg").
    pub macro_average: LabelMetrics,
    /// Mean over the types, weighted by support ("weighted avg").
    pub weighted_average: LabelMetrics,
    /// Fraction of tokens with the correct tag.
    pub accuracy: f64,
    /// Metrics of each type that occurs in the gold data or in the predictions, sorted by name.
    pub types: Vec<(String, LabelMetrics)>,
}

/// Compares the tags of sentences. Without a scheme, this is seqeval's default mode, which accepts any tags. With a scheme,
/// it is `mode="strict"`. Without entities or tokens, the metrics are 0.
///
/// # Errors
/// [`Error::Input`] if the numbers of sentences or tokens differ, for an empty tag, and for a tag outside the scheme.
pub fn entities(
    gold: &[Vec<String>],
    predicted: &[Vec<String>],
    scheme: Option<EntityScheme>,
) -> Result<EntityMetrics> {
    same_lengths(gold, predicted)?;
    let gold_spans = spans(gold, scheme).map_err(|e| on_side("gold", e))?;
    let predicted_spans = spans(predicted, scheme).map_err(|e| on_side("predicted", e))?;
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for span in &gold_spans {
        counts.entry(span.kind).or_default().add(true, predicted_spans.contains(span));
    }
    for span in predicted_spans.difference(&gold_spans) {
        counts.entry(span.kind).or_default().add(false, true);
    }

    let tokens = || gold.iter().flatten().zip(predicted.iter().flatten());
    let metrics: Vec<LabelMetrics> = counts.values().map(Counts::metrics).collect();
    Ok(EntityMetrics {
        micro: Counts::sum(counts.values()).metrics(),
        macro_average: macro_average(&metrics),
        weighted_average: weighted_average(&metrics),
        accuracy: part(tokens().filter(|(g, p)| g == p).count() as u64, tokens().count() as u64),
        types: counts.keys().map(|kind| (*kind).to_owned()).zip(metrics).collect(),
    })
}

/// Checks that both sides have the same number of tags in every sentence.
fn same_lengths(gold: &[Vec<String>], predicted: &[Vec<String>]) -> Result<()> {
    let differing = gold.iter().zip(predicted).position(|(g, p)| g.len() != p.len());
    let problem = if let Some(i) = differing {
        let (golds, predictions) = (gold[i].len(), predicted[i].len());
        format!("sentence {}: {}, but {predictions} predicted", i + 1, count(golds, "gold tag"))
    } else if gold.len() != predicted.len() {
        let missing = gold.len().min(predicted.len()) + 1;
        let (golds, predictions) = (gold.len(), predicted.len());
        format!("sentence {missing}: only on one side ({golds} gold sentences, {predictions} predicted)")
    } else {
        return Ok(());
    };
    Err(Error::Input(problem))
}

/// The entities of one side.
fn spans(sentences: &[Vec<String>], scheme: Option<EntityScheme>) -> Result<HashSet<Span<'_>>> {
    let Some(scheme) = scheme else {
        return Ok(lenient(sentences)?.into_iter().collect());
    };
    let mut all = HashSet::new();
    for (number, tags) in sentences.iter().enumerate() {
        all.extend(strict(number, tags, scheme)?);
    }
    Ok(all)
}

/// Adds the side whose tags caused the error.
fn on_side(side: &str, error: Error) -> Error {
    Error::Input(format!("{side} tags: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(lines: &[&str]) -> Vec<Vec<String>> {
        lines.iter().map(|l| l.split_whitespace().map(str::to_owned).collect()).collect()
    }

    #[test]
    fn both_ends_and_the_type_must_be_right() {
        let gold = sentences(&["B-PER I-PER O B-LOC", "B-LOC"]);
        let predicted = sentences(&["B-PER I-PER O B-PER", "B-LOC"]);
        let metrics = entities(&gold, &predicted, None).unwrap();
        let names: Vec<&str> = metrics.types.iter().map(|t| t.0.as_str()).collect();
        assert_eq!(names, ["LOC", "PER"]);
        assert_eq!((metrics.micro.precision, metrics.micro.support), (2.0 / 3.0, 3));
        assert_eq!(metrics.accuracy, 0.8);
    }

    #[test]
    fn empty_input_gives_zeros() {
        assert_eq!(entities(&[], &[], None).unwrap(), EntityMetrics::default());
        let nothing = entities(&[vec![]], &[vec![]], Some(EntityScheme::Iobes)).unwrap();
        assert_eq!(nothing, EntityMetrics::default());
    }

    #[test]
    fn an_error_names_the_sentence() {
        let gold = sentences(&["O", "O O"]);
        for (predicted, scheme) in
            [(&["O", "O"][..], None), (&["O"], None), (&["O", "O S-X"], Some(EntityScheme::Iob2))]
        {
            let error = entities(&gold, &sentences(predicted), scheme).unwrap_err().to_string();
            assert!(error.contains("sentence 2"), "{error}");
        }
    }
}
