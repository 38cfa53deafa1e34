//! Entities that respect word boundaries, which are those of the text (or of the given words), not of vocabulary pieces.
//!
//! Differences from transformers' pipeline:
//! * `first`, `average` and `max` combine the tokens of one word of the text. The pipeline combines everything between
//!   spaces, so that `Paris,` or `Anna/Bob` is one word.
//! * `simple` merges adjacent tokens as in the pipeline, then extends entities to complete words. If two entities meet in
//!   a word, the first one keeps it.
//! * BIOES and BILOU prefixes are understood.
//! * The text of an entity is a slice of the original text, without surrounding white space.

use std::ops::Range;

use super::aggregate::{Aggregation, Tagged, Token, mean, runs, word_label};
use super::tags::Scheme;
use crate::tasks::text::{Span, Text};

/// The words of a text as ordered offsets: without gaps for running text, separated by spaces for given words.
pub(crate) struct Words(Vec<Span>);

impl Words {
    /// Returns the words of running text and the characters between them (Unicode Standard Annex 29).
    pub(crate) fn of(text: &Text) -> Self {
        Self(text.words())
    }

    /// Creates words from given offsets.
    pub(crate) fn given(places: &[Span]) -> Self {
        Self(places.to_vec())
    }

    /// Returns the index of the word at a position, or of the next word for a position between words.
    fn at(&self, place: usize) -> usize {
        self.0.partition_point(|word| word.1 <= place).min(self.0.len().saturating_sub(1))
    }

    /// Returns the first and last word that a token overlaps.
    fn touched(&self, text: &Text, token: &Token) -> (usize, usize) {
        let (start, end) = text.trimmed(token.place);
        (self.at(start), self.at(end.saturating_sub(1).max(start)))
    }

    fn place(&self, word: usize) -> Option<Span> {
        self.0.get(word).copied()
    }
}

/// A range of tokens that share words, and the words that they cover.
struct Unit {
    tokens: Range<usize>,
    words: (usize, usize),
}

/// Groups tokens between word boundaries.
fn units(text: &Text, words: &Words, tokens: &[Token]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let (first, last) = words.touched(text, token);
        match units.last_mut() {
            Some(unit) if first <= unit.words.1 => {
                unit.tokens.end = i + 1;
                unit.words.1 = unit.words.1.max(last);
            }
            _ => units.push(Unit { tokens: i..i + 1, words: (first, last) }),
        }
    }
    units
}

/// Returns the entities of a text without ignored labels.
pub(crate) fn entities(
    text: &Text,
    words: &Words,
    tokens: &[Token],
    strategy: Aggregation,
    scheme: Scheme,
    labels: &dyn Fn(usize) -> String,
    ignored: &dyn Fn(&str) -> bool,
) -> Vec<Tagged> {
    if strategy == Aggregation::None {
        return single_tokens(text, tokens, labels, ignored);
    }
    let units = units(text, words, tokens);
    let entity = |first: &Unit, last: &Unit, label: &str, score: f32| {
        let group = scheme.group(label).to_owned();
        let start = words.place(first.words.0)?.0;
        let place = text.trimmed((start, words.place(last.words.1)?.1));
        let word = text.slice(place).to_owned();
        let kept = !word.is_empty() && !ignored(label) && !ignored(&group);
        kept.then_some(Tagged { label: group, score, word, place, index: first.words.0 })
    };
    let label_of = |tokens: &[Token]| word_label(tokens, strategy).map(|(id, score)| (labels(id), score));
    if strategy != Aggregation::Simple {
        let labelled: Vec<(String, f32)> =
            units.iter().filter_map(|unit| label_of(&tokens[unit.tokens.clone()])).collect();
        return runs(labelled.iter().map(|(label, _)| label.as_str()), scheme)
            .into_iter()
            .filter_map(|run| {
                let score = mean(labelled[run.clone()].iter().map(|(_, score)| *score));
                entity(&units[run.start], &units[run.end - 1], &labelled[run.start].0, score)
            })
            .collect();
    }
    let labelled: Vec<(String, f32)> =
        tokens.iter().filter_map(|token| label_of(std::slice::from_ref(token))).collect();
    let unit_of = |token: usize| units.partition_point(|unit| unit.tokens.end <= token);
    let mut found = Vec::new();
    let mut free = 0;
    for run in runs(labelled.iter().map(|(label, _)| label.as_str()), scheme) {
        let label = &labelled[run.start].0;
        let (first, last) = (unit_of(run.start).max(free), unit_of(run.end - 1));
        if ignored(label) || ignored(scheme.group(label)) || first > last {
            continue;
        }
        let score = mean(labelled[run].iter().map(|(_, score)| *score));
        found.extend(entity(&units[first], &units[last], label, score));
        free = last + 1;
    }
    found
}

fn single_tokens(
    text: &Text,
    tokens: &[Token],
    labels: &dyn Fn(usize) -> String,
    ignored: &dyn Fn(&str) -> bool,
) -> Vec<Tagged> {
    tokens
        .iter()
        .filter_map(|token| {
            let (id, score) = word_label(std::slice::from_ref(token), Aggregation::None)?;
            let label = labels(id);
            let place = text.trimmed(token.place);
            let word = text.slice(place).to_owned();
            (!ignored(&label)).then_some(Tagged { label, score, word, place, index: token.index })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [&str; 5] = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"];

    /// Labels tokens, each with its offsets and a certain label, and returns the entities.
    fn tagged(text: &str, tokens: &[(usize, usize, usize)], strategy: Aggregation) -> Vec<(String, String)> {
        let text = Text::new(text.to_owned());
        let tokens: Vec<Token> = tokens
            .iter()
            .map(|(start, end, label)| {
                let mut scores = vec![0.0; LABELS.len()];
                scores[*label] = 1.0;
                Token { word: String::new(), scores, place: (*start, *end), index: 0, is_subword: false }
            })
            .collect();
        let labels = |id: usize| LABELS[id].to_owned();
        let words = Words::of(&text);
        entities(&text, &words, &tokens, strategy, Scheme::Bio, &labels, &|label| label == "O")
            .into_iter()
            .map(|e| {
                assert_eq!(e.word, text.slice(e.place));
                (e.label, e.word)
            })
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn no_entity_is_cut_inside_a_word() {
        let text = "Microsoft hired Anna, in Berlin.";
        let tokens = [
            (0, 5, 3),
            (5, 9, 0),
            (9, 15, 0),
            (15, 18, 1),
            (18, 20, 2),
            (20, 21, 0),
            (21, 24, 0),
            (24, 28, 0),
            (28, 31, 4),
            (31, 32, 0),
        ];
        let expected = pairs(&[("LOC", "Microsoft"), ("PER", "Anna"), ("LOC", "Berlin")]);
        assert_eq!(tagged(text, &tokens, Aggregation::Simple), expected);
        assert_eq!(tagged(text, &tokens, Aggregation::First), expected[..2]);
        assert_eq!(tagged(text, &tokens, Aggregation::Max), expected[..2]);
    }

    #[test]
    fn of_two_entities_in_one_word_the_first_keeps_it() {
        let tokens = [(0, 5, 3), (5, 9, 1), (9, 14, 2)];
        let expected = pairs(&[("LOC", "Microsoft"), ("PER", "Corp")]);
        assert_eq!(tagged("Microsoft Corp.", &tokens, Aggregation::Simple), expected);
    }

    #[test]
    fn a_token_over_several_words_holds_them_together() {
        let tokens = [(0, 1, 1), (1, 3, 0), (3, 4, 2)];
        assert_eq!(tagged("U.-S", &tokens, Aggregation::First), pairs(&[("PER", "U"), ("PER", "S")]));
        let tokens = [(0, 4, 1), (4, 5, 0)];
        assert_eq!(tagged("U. Sx", &tokens, Aggregation::First), pairs(&[("PER", "U. Sx")]));
    }

    #[test]
    fn accents_that_no_token_has_stay_with_their_word() {
        // "Zoé" with a combining accent, which the tokenizer drops.
        let found = tagged("Zoe\u{301} lives", &[(0, 3, 1), (4, 10, 0)], Aggregation::Simple);
        assert_eq!(found, pairs(&[("PER", "Zoe\u{301}")]));
        let family = "👩\u{200d}👩\u{200d}👧";
        let found = tagged(&format!("{family} x"), &[(0, 1, 1), (6, 7, 0)], Aggregation::First);
        assert_eq!(found, pairs(&[("PER", family)]));
    }

    #[test]
    fn single_tokens_have_no_space_around_them() {
        assert_eq!(tagged("a bc", &[(0, 1, 0), (1, 4, 1)], Aggregation::None), pairs(&[("B-PER", "bc")]));
    }
}
