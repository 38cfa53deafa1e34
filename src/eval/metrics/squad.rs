//! Extractive question answering: exact match and F1 of SQuAD 1.1 (`evaluate-v1.1.py`).

use std::collections::HashMap;

use unicode_normalization::char::is_combining_mark;

use super::part;

/// A question with its gold answers and the prediction.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct QuestionOutcome {
    /// The question's id.
    pub id: String,
    /// The gold answers; empty for an unanswerable question.
    pub answers: Vec<String>,
    /// The predicted answer; empty for "no answer".
    pub prediction: String,
    /// Score for "no answer". Only its order and the threshold matter.
    pub no_answer: f64,
}

/// Metrics of SQuAD 1.1, in percent.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct SquadMetrics {
    /// Exact matches with a gold answer.
    pub exact: f64,
    /// Mean word overlap (F1) with the best gold answer.
    pub f1: f64,
    /// Exact match (0 or 1) and F1 (0 to 1) of every question, in order.
    pub scores: Vec<(f64, f64)>,
}

/// Scores answers as in `evaluate-v1.1.py`. A question without gold answers, which the script does not support, scores 0.
/// Without questions, the metrics are 0.
pub fn squad_v1(outcomes: &[QuestionOutcome]) -> SquadMetrics {
    let scores: Vec<(f64, f64)> = outcomes.iter().map(score).collect();
    let (exact, f1) = percent(scores.iter().copied());
    SquadMetrics { exact, f1, scores }
}

/// Exact match and F1 of one question, each with its best gold answer.
fn score(outcome: &QuestionOutcome) -> (f64, f64) {
    let predicted = normalize_answer(&outcome.prediction);
    outcome.answers.iter().fold((0.0f64, 0.0f64), |(exact, f1), answer| {
        let gold = normalize_answer(answer);
        let same = if gold == predicted { 1.0 } else { 0.0 };
        // Unlike in SQuAD 2.0, two answers without words have an F1 of 0.
        (exact.max(same), f1.max(overlap(&gold, &predicted)))
    })
}

/// Mean exact match and F1, in percent.
pub(super) fn percent(scores: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let mut count = 0;
    let sums = scores.fold((0.0, 0.0), |sums: (f64, f64), (exact, f1)| {
        count += 1;
        (sums.0 + exact, sums.1 + f1)
    });
    let mean = |sum| super::quotient(100.0 * sum, f64::from(count));
    (mean(sums.0), mean(sums.1))
}

/// F1 over the words of two normalized answers; 0 if they share none.
pub(super) fn overlap(gold: &str, predicted: &str) -> f64 {
    let mut left: HashMap<&str, u64> = HashMap::new();
    let (mut golds, mut predictions, mut shared) = (0, 0, 0);
    for word in gold.split_terminator(' ') {
        golds += 1;
        *left.entry(word).or_default() += 1;
    }
    for word in predicted.split_terminator(' ') {
        predictions += 1;
        if let Some(count) = left.get_mut(word).filter(|c| **c > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    // Same order of operations as in the script: the choice of a threshold depends on the last bit.
    let (precision, recall) = (part(shared, predictions), part(shared, golds));
    2.0 * precision * recall / (precision + recall)
}

/// The script's `normalize_answer`: lower case, without ASCII punctuation and English articles, words separated by single
/// spaces.
pub(super) fn normalize_answer(text: &str) -> String {
    let mut text = text.to_lowercase();
    text.retain(|c| !c.is_ascii_punctuation());
    let mut bare = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let inside = is_word(first);
        let end = rest.find(|c| is_word(c) != inside).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        // `\b(a|an|the)\b` matches exactly if a complete run of word characters is an article.
        bare.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = after;
    }
    let mut words = String::with_capacity(bare.len());
    for word in bare.split(is_space).filter(|w| !w.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}

/// Python's `\w`: letters, numbers and "_", but not marks and circled letters, which are alphabetic in Rust.
fn is_word(c: char) -> bool {
    let circled = matches!(c, '\u{24B6}'..='\u{24E9}' | '\u{1F130}'..='\u{1F189}');
    c == '_' || c.is_alphanumeric() && !circled && !is_combining_mark(c)
}

/// Python's `str.isspace`: white space and the four ASCII separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1C}'..='\u{1F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_normalized_as_in_the_script() {
        assert_eq!(normalize_answer(" The  U.S.A.'s\u{1F}an\u{A0}apple! "), "usas apple");
        assert_eq!(normalize_answer("a-b the_c ana a\u{301}"), "ab thec ana \u{301}");
        assert_eq!(normalize_answer("the"), "");
    }

    #[test]
    fn overlap_counts_shared_occurrences() {
        assert_eq!(overlap("b b c", "b b b"), 2.0 / 3.0);
        assert_eq!(overlap("", ""), 0.0);
    }

    #[test]
    fn a_question_without_gold_answers_scores_nothing() {
        let metrics = squad_v1(&[QuestionOutcome::default()]);
        assert_eq!((metrics.exact, metrics.f1, metrics.scores), (0.0, 0.0, vec![(0.0, 0.0)]));
        assert_eq!(squad_v1(&[]), SquadMetrics::default());
    }
}
