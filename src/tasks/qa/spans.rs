//! Decodes answers from the logits of windows.
//!
//! Reference: transformers 4.57 `pipelines/question_answering.py` (`select_starts_ends`, `decode_spans`, `postprocess`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use crate::tasks::scores::softmax;
use crate::tasks::text::{Span, Text};

/// A window of a context with its logits.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    /// The columns of the context tokens in the row.
    pub context: Range<usize>,
    /// The column of `[CLS]`, if the row has one.
    pub cls: Option<usize>,
    /// `tokens x 2` logits: start and end of an answer at each token.
    pub logits: &'a [f32],
    /// Offsets of this window's tokens in the context.
    pub places: &'a [Span],
    /// Word indices of the same tokens.
    pub words: &'a [Option<u32>],
}

/// Decoding options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanOptions {
    /// Maximum number of answers.
    pub top_k: usize,
    /// Maximum length of an answer in tokens.
    pub max_answer_len: usize,
    /// True if answers are extended to complete words.
    pub align_to_words: bool,
    /// True if the reference's tokens include the preceding space, while the tokens here do not.
    pub spaces_left_out: bool,
}

/// A candidate answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Probability of the start times probability of the end; for merged answers, the sum.
    pub score: f32,
    /// Offsets in code points of the context.
    pub place: Span,
}

/// The combined result of the windows of a context.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decoded {
    /// Answers, best first. There may be fewer than requested.
    pub answers: Vec<Answer>,
    /// Probability of "no answer": the minimum over the windows. `None` without `[CLS]`.
    pub null_score: Option<f32>,
    /// Difference between the logits of "no answer" and the best answer's (SQuAD's `score_diff`).
    pub null_score_diff: Option<f32>,
}

/// Decodes the windows of a context.
///
/// As in the reference, candidates in one or several windows are merged if the text from their first to their last token
/// is the same, ignoring case. Their scores are added up, and the first of them determines the position. A token may
/// include the preceding space, so that an answer at the beginning of the context is not merged with the same words
/// further on.
pub(crate) fn decode(text: &Text, windows: &[Window<'_>], options: SpanOptions) -> Decoded {
    let mut answers: Vec<Answer> = Vec::new();
    // Maps the text of an answer to its index.
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut null_score: Option<f32> = None;
    let mut null_logit: Option<f32> = None;
    let mut best_logit: Option<f32> = None;
    // Extension to words makes some candidates equal.
    let wanted = if options.align_to_words {
        options.top_k.saturating_mul(2).saturating_add(10)
    } else {
        options.top_k
    };
    for window in windows {
        let (starts, ends) = (window.probabilities(0), window.probabilities(1));
        if let Some(null) = window.null(&starts, &ends) {
            null_score = Some(null_score.map_or(null.0, |s| s.min(null.0)));
            null_logit = Some(null_logit.map_or(null.1, |s| s.min(null.1)));
        }
        if let Some(logit) = window.best_logit(options.max_answer_len) {
            best_logit = Some(best_logit.map_or(logit, |s| s.max(logit)));
        }
        for (start, end, score) in candidates(&starts[1..], &ends[1..], options.max_answer_len, wanted) {
            let place = window.place(start, end, options.align_to_words);
            let covered = if options.spaces_left_out { text.with_space_before(place) } else { place };
            let (first, last) = text.trimmed(place);
            let place = (first, text.character_end(last));
            if place.0 >= place.1 {
                continue;
            }
            match known.entry(text.slice(covered).to_lowercase()) {
                Entry::Occupied(entry) => answers[*entry.get()].score += score,
                Entry::Vacant(entry) => {
                    entry.insert(answers.len());
                    answers.push(Answer { score, place });
                }
            }
        }
    }
    answers.sort_by(|a, b| b.score.total_cmp(&a.score));
    answers.truncate(options.top_k);
    let null_score_diff = null_logit.map(|null| null - best_logit.unwrap_or(f32::NEG_INFINITY));
    Decoded { answers, null_score, null_score_diff }
}

impl Window<'_> {
    fn logit(&self, column: usize, which: usize) -> f32 {
        self.logits.get(2 * column + which).copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// Returns probabilities over `[CLS]`, which comes first, and the context tokens.
    fn probabilities(&self, which: usize) -> Vec<f32> {
        let cls = self.cls.map_or(f32::NEG_INFINITY, |column| self.logit(column, which));
        let mut values: Vec<f32> = std::iter::once(cls)
            .chain(self.context.clone().map(|column| self.logit(column, which)))
            .collect();
        softmax(&mut values);
        values
    }

    /// Returns the probability and logit of "no answer".
    fn null(&self, starts: &[f32], ends: &[f32]) -> Option<(f32, f32)> {
        let column = self.cls?;
        Some((starts[0] * ends[0], self.logit(column, 0) + self.logit(column, 1)))
    }

    /// Returns the highest sum of logits of any span.
    fn best_logit(&self, max_answer_len: usize) -> Option<f32> {
        let ends = |start: usize| start..self.context.end.min(start.saturating_add(max_answer_len));
        self.context
            .clone()
            .flat_map(|start| ends(start).map(move |end| self.logit(start, 0) + self.logit(end, 1)))
            .max_by(f32::total_cmp)
    }

    /// Returns the offsets of the tokens from `start` to `end` (indices within the window's context).
    fn place(&self, start: usize, end: usize, align: bool) -> Span {
        if !align {
            return (self.places[start].0, self.places[end].1);
        }
        let first = self.words.iter().position(|word| *word == self.words[start]).unwrap_or(start);
        let last = self.words.iter().rposition(|word| *word == self.words[end]).unwrap_or(end);
        (self.places[first].0, self.places[last].1)
    }
}

/// Returns the best spans (start, end, score), without those of zero probability.
fn candidates(starts: &[f32], ends: &[f32], longest: usize, wanted: usize) -> Vec<(usize, usize, f32)> {
    let mut spans: Vec<(usize, usize, f32)> = Vec::new();
    // Candidates with lower scores are not among the best.
    let mut lowest = 0f32;
    let better = |a: &(usize, usize, f32), b: &(usize, usize, f32)| {
        b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1)))
    };
    let keep = wanted.max(1);
    for (start, begin) in starts.iter().enumerate() {
        if *begin <= lowest {
            continue;
        }
        for (end, finish) in ends.iter().enumerate().skip(start).take(longest) {
            let score = begin * finish;
            if score > lowest {
                spans.push((start, end, score));
            }
        }
        if spans.len() >= keep.saturating_mul(2).max(1024) {
            spans.sort_unstable_by(better);
            spans.truncate(keep);
            if spans.len() == keep {
                lowest = spans.last().map_or(0.0, |span| span.2);
            }
        }
    }
    spans.sort_unstable_by(better);
    spans.truncate(keep);
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SpanOptions =
        SpanOptions { top_k: 3, max_answer_len: 15, align_to_words: true, spaces_left_out: false };

    /// Returns all spans, by brute force.
    fn all(starts: &[f32], ends: &[f32], longest: usize) -> Vec<(usize, usize, f32)> {
        let mut out = Vec::new();
        for (i, s) in starts.iter().enumerate() {
            for (j, e) in ends.iter().enumerate() {
                if j >= i && j - i < longest && s * e > 0.0 {
                    out.push((i, j, s * e));
                }
            }
        }
        out.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        out
    }

    #[test]
    fn the_best_spans_are_found() {
        let value = |i: usize| (((i * 7919) % 1009) as f32 / 1009.0).powi(4);
        let starts: Vec<f32> = (0..300).map(value).collect();
        let ends: Vec<f32> = (0..300).map(|i| value(i + 5)).collect();
        for (longest, wanted) in [(15, 12), (15, 1), (1, 5), (usize::MAX, 40), (300, 200_000)] {
            let mut expected = all(&starts, &ends, longest);
            expected.truncate(wanted);
            assert_eq!(candidates(&starts, &ends, longest, wanted), expected, "{longest} {wanted}");
        }
        assert_eq!(candidates(&[], &[], 15, 12), []);
    }

    fn text() -> Text {
        Text::new("In Zoe\u{301} we trust".to_owned())
    }

    /// Tokens "in", "zo", "e", "we", "trust" after a `[CLS]` and a `[SEP]`.
    fn window<'a>(logits: &'a [f32], places: &'a [Span], words: &'a [Option<u32>]) -> Window<'a> {
        Window { context: 2..7, cls: Some(0), logits, places, words }
    }

    #[test]
    fn answers_are_whole_words_of_the_text() {
        let mut logits = [-5.0f32; 16];
        logits[2 * 4] = 3.0;
        logits[2 * 4 + 1] = 3.0;
        let places = [(0, 2), (2, 5), (5, 6), (7, 10), (10, 16)];
        let words = [Some(0), Some(1), Some(1), Some(2), Some(3)];
        let decoded = decode(&text(), &[window(&logits, &places, &words)], OPTIONS);
        assert_eq!(text().slice(decoded.answers[0].place), "Zoe\u{301}");
        assert!(decoded.answers[0].score > 0.99);
        assert!(decoded.null_score_diff.is_some_and(|d| (d + 16.0).abs() < 1e-5));
        let tokens = SpanOptions { align_to_words: false, ..OPTIONS };
        let decoded = decode(&text(), &[window(&logits, &places, &words)], tokens);
        assert_eq!(text().slice(decoded.answers[0].place), "e\u{301}");
    }

    #[test]
    fn equal_answers_of_two_windows_are_one() {
        let mut logits = [-5.0f32; 16];
        logits[2 * 2] = 3.0;
        logits[2 * 2 + 1] = 3.0;
        let places = [(0, 2), (2, 5), (5, 6), (7, 10), (10, 16)];
        let words = [Some(0), Some(1), Some(1), Some(2), Some(3)];
        let one = decode(&text(), &[window(&logits, &places, &words)], OPTIONS);
        let two = [window(&logits, &places, &words), window(&logits, &places, &words)];
        let two = decode(&text(), &two, OPTIONS);
        assert_eq!(two.answers[0].place, one.answers[0].place);
        assert!((two.answers[0].score - 2.0 * one.answers[0].score).abs() < 1e-6);
        assert_eq!(two.null_score, one.null_score);
    }

    #[test]
    fn answers_merge_with_the_space_before_them() {
        // "May, may may": the second and the third word start with a space.
        let text = Text::new("May, may may".to_owned());
        let mut logits = [-9.0f32; 8];
        for word in 0..3 {
            logits[2 * (word + 1)] = 3.0;
            logits[2 * (word + 1) + 1] = 3.0;
        }
        let words = [Some(0), Some(1), Some(2)];
        let found = |places: &[Span], spaces_left_out| {
            let window = Window { context: 1..4, cls: Some(0), logits: &logits, places, words: &words };
            let options = SpanOptions { max_answer_len: 1, spaces_left_out, ..OPTIONS };
            let decoded = decode(&text, &[window], options);
            decoded.answers.iter().map(|a| (a.place, (a.score * 9.0).round())).collect::<Vec<_>>()
        };
        let merged = vec![((5, 8), 2.0), ((0, 3), 1.0)];
        assert_eq!(found(&[(0, 3), (4, 8), (8, 12)], false), merged);
        assert_eq!(found(&[(0, 3), (5, 8), (9, 12)], true), merged);
        assert_eq!(found(&[(0, 3), (5, 8), (9, 12)], false), [((0, 3), 3.0)]);
    }

    #[test]
    fn a_context_without_tokens_has_no_answer() {
        let window = Window { context: 2..2, cls: Some(0), logits: &[0.0; 6], places: &[], words: &[] };
        let decoded = decode(&Text::default(), &[window], OPTIONS);
        assert_eq!(decoded.answers, []);
        assert_eq!(decoded.null_score, Some(1.0));
    }
}
