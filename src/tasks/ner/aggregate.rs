//! Aggregates token scores into entities as in transformers, including its heuristic for word boundaries.
//!
//! Reference: transformers 4.57 `pipelines/token_classification.py` (`gather_pre_entities`, `aggregate`,
//! `group_entities`, `aggregate_overlapping_entities`).

use super::tags::Scheme;
use crate::tasks::scores::argmax;
use crate::tasks::text::Span;

/// How tokens are combined into entities (transformers' `AggregationStrategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Aggregation {
    /// One prediction per token.
    None,
    /// Merge adjacent tokens of the same type.
    #[default]
    Simple,
    /// Label each word by its first token, then merge words.
    First,
    /// Label each word by the mean of its tokens' scores, then merge words.
    Average,
    /// Label each word by its highest-scoring token, then merge words.
    Max,
}

/// A token of the text with its scores.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// The vocabulary piece, or the text of an unknown token.
    pub word: String,
    /// Probabilities of the labels.
    pub scores: Vec<f32>,
    /// Offsets in code points of the text.
    pub place: Span,
    /// Its column in its row.
    pub index: usize,
    /// True if it continues the word of the previous token.
    pub is_subword: bool,
}

/// A token, a word or an entity with its label.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tagged {
    /// A label, or the type of an entity.
    pub label: String,
    /// The probability of the label; the mean for an entity.
    pub score: f32,
    /// Its text.
    pub word: String,
    /// Offsets in code points of the text.
    pub place: Span,
    /// The column of a token; the index of the first part for words and entities.
    pub index: usize,
}

/// Joins tokens to a text: `convert_tokens_to_string`.
pub(crate) type Join<'a> = dyn Fn(&[String]) -> crate::Result<String> + 'a;

/// Computes the label of a word from its tokens: its id and score. Returns `None` without tokens.
pub(crate) fn word_label(tokens: &[Token], strategy: Aggregation) -> Option<(usize, f32)> {
    let best = |scores: &[f32]| argmax(scores).map(|id| (id, scores[id]));
    match strategy {
        Aggregation::None | Aggregation::Simple | Aggregation::First => best(&tokens.first()?.scores),
        Aggregation::Max => {
            let mut surest: Option<(usize, f32)> = None;
            for candidate in tokens.iter().filter_map(|token| best(&token.scores)) {
                if surest.is_none_or(|(_, score)| candidate.1 > score) {
                    surest = Some(candidate);
                }
            }
            surest
        }
        Aggregation::Average => {
            let mut mean = vec![0f32; tokens.first()?.scores.len()];
            for token in tokens {
                mean.iter_mut().zip(&token.scores).for_each(|(sum, score)| *sum += score);
            }
            mean.iter_mut().for_each(|sum| *sum /= tokens.len() as f32);
            best(&mean)
        }
    }
}

/// Returns ranges of labels that continue each other.
pub(crate) fn runs<'a>(labels: impl Iterator<Item = &'a str>, scheme: Scheme) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let mut before: Option<&str> = None;
    for (i, label) in labels.enumerate() {
        match (runs.last_mut(), before) {
            (Some(run), Some(before)) if scheme.continues(before, label) => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
        before = Some(label);
    }
    runs
}

/// Returns the mean of scores.
pub(crate) fn mean(scores: impl Iterator<Item = f32>) -> f32 {
    let (mut sum, mut count) = (0f64, 0);
    for score in scores {
        sum += f64::from(score);
        count += 1;
    }
    (sum / f64::from(count.max(1))) as f32
}

/// Returns the pipeline's entities of one row of tokens, including those with ignored labels.
///
/// # Errors
/// Errors from `join`.
pub(crate) fn aggregate(
    tokens: &[Token],
    strategy: Aggregation,
    labels: &dyn Fn(usize) -> String,
    join: &Join,
) -> crate::Result<Vec<Tagged>> {
    let mut parts = Vec::new();
    if matches!(strategy, Aggregation::None | Aggregation::Simple) {
        for token in tokens {
            if let Some((id, score)) = word_label(std::slice::from_ref(token), strategy) {
                let (word, place, index) = (token.word.clone(), token.place, token.index);
                parts.push(Tagged { label: labels(id), score, word, place, index });
            }
        }
    } else {
        for word in tokens.chunk_by(|_, next| next.is_subword) {
            let Some((id, score)) = word_label(word, strategy) else { continue };
            let texts: Vec<String> = word.iter().map(|token| token.word.clone()).collect();
            let place = (word[0].place.0, word[word.len() - 1].place.1);
            parts.push(Tagged { label: labels(id), score, word: join(&texts)?, place, index: word[0].index });
        }
    }
    if strategy == Aggregation::None {
        return Ok(parts);
    }
    let mut groups = Vec::new();
    for run in runs(parts.iter().map(|part| part.label.as_str()), Scheme::Bio) {
        let parts = &parts[run];
        let texts: Vec<String> = parts.iter().map(|part| part.word.clone()).collect();
        groups.push(Tagged {
            label: Scheme::Bio.group(&parts[0].label).to_owned(),
            score: mean(parts.iter().map(|part| part.score)),
            word: join(&texts)?,
            place: (parts[0].place.0, parts[parts.len() - 1].place.1),
            index: parts[0].index,
        });
    }
    Ok(groups)
}

/// Selects among overlapping entities of several windows like the pipeline: the longest, then the highest-scoring.
pub(crate) fn without_overlaps(mut entities: Vec<Tagged>) -> Vec<Tagged> {
    entities.sort_by_key(|entity| entity.place.0);
    let mut kept: Vec<Tagged> = Vec::new();
    for entity in entities {
        match kept.last_mut() {
            Some(last) if entity.place.0 < last.place.1 => {
                let length = |e: &Tagged| e.place.1 as i64 - e.place.0 as i64;
                let longer = length(&entity) > length(last);
                if longer || length(&entity) == length(last) && entity.score > last.score {
                    *last = entity;
                }
            }
            _ => kept.push(entity),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(word: &str, place: Span, scores: &[f32], is_subword: bool) -> Token {
        Token { word: word.to_owned(), scores: scores.to_vec(), place, index: 0, is_subword }
    }

    #[test]
    fn strategies_label_a_word() {
        let word = [
            token("micro", (0, 5), &[0.1, 0.5, 0.4], false),
            token("soft", (5, 9), &[0.1, 0.2, 0.7], true),
            token("s", (9, 10), &[0.9, 0.0, 0.1], true),
        ];
        assert_eq!(word_label(&word, Aggregation::First), Some((1, 0.5)));
        assert_eq!(word_label(&word, Aggregation::Max), Some((0, 0.9)));
        assert_eq!(word_label(&word[..2], Aggregation::Average).map(|l| l.0), Some(2));
        assert_eq!(word_label(&[], Aggregation::Average), None);
    }

    #[test]
    fn of_overlapping_entities_the_longest_stays() {
        let entity = |start, end, score| Tagged {
            label: "PER".to_owned(),
            score,
            word: String::new(),
            place: (start, end),
            index: 0,
        };
        let all = vec![entity(8, 9, 0.1), entity(0, 4, 0.9), entity(2, 7, 0.2), entity(2, 7, 0.3)];
        assert_eq!(without_overlaps(all), [entity(2, 7, 0.3), entity(8, 9, 0.1)]);
    }
}
