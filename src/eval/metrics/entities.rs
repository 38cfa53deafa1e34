//! Precision, recall and F1 of entities, as seqeval 1.2.2 (`metrics/sequence_labeling.py`, `metrics/v1.py`).

use std::collections::{BTreeMap, BTreeSet};

use super::classification::{LabelFigures, ratio};
use super::entity_schemes::EntityScheme;
use crate::error::{Error, Result};

/// Figures of entities: one is right if its type, its first and its last word are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntityFigures {
    /// Over all entities.
    pub micro: LabelFigures,
    /// The means over the types.
    pub macro_average: LabelFigures,
    /// The means over the types, by how many there are of each.
    pub weighted_average: LabelFigures,
    /// Of each type, in the order of their names.
    pub types: Vec<(String, LabelFigures)>,
    /// The share of words with the right tag.
    pub accuracy: f64,
}

/// By type, the sentence, the first word and an end of each entity.
type Entities = BTreeMap<String, BTreeSet<(usize, usize, usize)>>;

/// Figures of `predicted` tags against `gold`, sentence by sentence: with `scheme` in seqeval's strict mode, else in its
/// default mode, that of conlleval.
///
/// # Errors
/// [`Error::Input`] naming the sentence, counted from 1, whose numbers of tags differ, or that has a tag the scheme lacks.
pub fn entities(
    gold: &[Vec<String>],
    predicted: &[Vec<String>],
    scheme: Option<EntityScheme>,
) -> Result<EntityFigures> {
    if gold.len() != predicted.len() {
        return Err(Error::Input(format!("{} sentences and {} predictions", gold.len(), predicted.len())));
    }
    for (i, (gold, predicted)) in gold.iter().zip(predicted).enumerate() {
        if gold.len() != predicted.len() {
            let (words, tags) = (gold.len(), predicted.len());
            return Err(Error::Input(format!("sentence {} has {words} tags and {tags} predicted", i + 1)));
        }
    }
    let (there, said) = match scheme {
        None => (lenient(gold), lenient(predicted)),
        Some(scheme) => (strict(gold, scheme)?, strict(predicted, scheme)?),
    };
    let names: BTreeSet<&String> = there.keys().chain(said.keys()).collect();
    let empty = BTreeSet::new();
    let mut sums = (0, 0, 0);
    let types: Vec<(String, LabelFigures)> = names
        .into_iter()
        .map(|name| {
            let (there, said) = (there.get(name).unwrap_or(&empty), said.get(name).unwrap_or(&empty));
            let counts = (there.intersection(said).count() as u64, said.len() as u64, there.len() as u64);
            sums = (sums.0 + counts.0, sums.1 + counts.1, sums.2 + counts.2);
            (name.clone(), figures(counts))
        })
        .collect();
    let words = gold.iter().map(Vec::len).sum::<usize>() as f64;
    let right = gold.iter().zip(predicted).map(|(g, p)| g.iter().zip(p).filter(|(a, b)| a == b).count());
    Ok(EntityFigures {
        micro: figures(sums),
        macro_average: average(&types, |_| 1.0),
        weighted_average: average(&types, |figures| figures.support as f64),
        accuracy: ratio(right.sum::<usize>() as f64, words),
        types,
    })
}

/// seqeval has the F1 of precision and recall; scikit-learn that of the counts, which differs in the last digit.
fn figures((right, said, there): (u64, u64, u64)) -> LabelFigures {
    let figures = LabelFigures::of(right, said, there);
    let (p, r) = (figures.precision, figures.recall);
    LabelFigures { f1: ratio(2.0 * p * r, p + r), ..figures }
}

fn average(types: &[(String, LabelFigures)], weight: impl Fn(&LabelFigures) -> f64) -> LabelFigures {
    let all: f64 = types.iter().map(|(_, figures)| weight(figures)).sum();
    let mean = |of: fn(&LabelFigures) -> f64| {
        ratio(types.iter().map(|(_, figures)| of(figures) * weight(figures)).sum(), all)
    };
    LabelFigures {
        precision: mean(|f| f.precision),
        recall: mean(|f| f.recall),
        f1: mean(|f| f.f1),
        support: types.iter().map(|(_, figures)| figures.support).sum(),
    }
}

fn strict(sentences: &[Vec<String>], scheme: EntityScheme) -> Result<Entities> {
    let mut found = Entities::new();
    for (i, tags) in sentences.iter().enumerate() {
        let own = scheme.entities(tags).map_err(|e| Error::Input(format!("sentence {}: {e}", i + 1)))?;
        for (kind, start, end) in own {
            found.entry(kind).or_default().insert((i, start, end));
        }
    }
    Ok(found)
}

/// `get_entities`: all sentences in one sequence, an `O` after each.
fn lenient(sentences: &[Vec<String>]) -> Entities {
    let mut found = Entities::new();
    let outside = "O".to_owned();
    let (mut last, mut last_type) = ('O', String::new());
    let mut begin = 0;
    let all = sentences.iter().flat_map(|tags| tags.iter().chain([&outside])).chain([&outside]);
    for (i, tag) in all.enumerate() {
        let prefix = tag.chars().next().unwrap_or('O');
        let rest = tag.get(prefix.len_utf8()..).unwrap_or_default();
        let kind = match rest.split_once('-').map_or(rest, |(_, after)| after) {
            "" => "_",
            kind => kind,
        };
        let other = last_type != kind;
        if ends(last, prefix, other) {
            found.entry(last_type.clone()).or_default().insert((0, begin, i.saturating_sub(1)));
        }
        if starts(last, prefix, other) {
            begin = i;
        }
        last = prefix;
        kind.clone_into(&mut last_type);
    }
    found
}

fn ends(last: char, tag: char, other_type: bool) -> bool {
    matches!((last, tag), ('E' | 'S', _) | ('B' | 'I', 'B' | 'S' | 'O'))
        || (last != 'O' && last != '.' && other_type)
}

fn starts(last: char, tag: char, other_type: bool) -> bool {
    matches!((last, tag), (_, 'B' | 'S') | ('E' | 'S' | 'O', 'E' | 'I'))
        || (tag != 'O' && tag != '.' && other_type)
}
