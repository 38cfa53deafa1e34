//! Exact match and F1 of answers: SQuAD's `evaluate-v1.1.py`, and `evaluate-v2.0.py` as transformers 4.57 has it
//! (`data/metrics/squad_metrics.py`).

use std::collections::HashMap;

use unicode_normalization::char::is_combining_mark;

use super::no_answer::best_threshold;
use crate::tokenizer::is_space;

/// What became of a question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuestionOutcome {
    /// Its id.
    pub id: String,
    /// The right answers; none for a question without one.
    pub answers: Vec<String>,
    /// The best answer that is not empty, empty if there is no such.
    pub prediction: String,
    /// How likely there is no answer, on any scale; version 2.0 compares it with a threshold.
    pub no_answer: f64,
}

/// Figures of SQuAD 1.1, in per cent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SquadFigures {
    /// Answers that are right word for word.
    pub exact: f64,
    /// The mean of the answers' F1.
    pub f1: f64,
    /// Of each question, exact (0 or 1) and F1 (0 to 1).
    pub scores: Vec<(f64, f64)>,
}

/// Figures of SQuAD 2.0, in per cent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SquadV2Figures {
    /// Answers that are right word for word, no answer where there is none.
    pub exact: f64,
    /// The mean of the answers' F1.
    pub f1: f64,
    /// `HasAns_exact`, 0 without such questions.
    pub has_answer_exact: f64,
    /// `HasAns_f1`.
    pub has_answer_f1: f64,
    /// `NoAns_exact`, which `NoAns_f1` equals.
    pub no_answer_exact: f64,
    /// The highest figure of any threshold.
    pub best_exact: f64,
    /// That threshold.
    pub best_exact_threshold: f64,
    /// The highest figure of any threshold.
    pub best_f1: f64,
    /// That threshold.
    pub best_f1_threshold: f64,
    /// Of each question, exact (0 or 1) and F1 (0 to 1), under the threshold asked for.
    pub scores: Vec<(f64, f64)>,
}

/// By the rules of version 1.1. Zeros for no questions.
pub fn squad_v1(outcomes: &[QuestionOutcome]) -> SquadFigures {
    let scores: Vec<(f64, f64)> = outcomes
        .iter()
        .map(|o| best_of(&o.answers, &o.prediction, |gold, said| f1(&words(gold), &words(said))))
        .collect();
    SquadFigures {
        exact: percent(scores.iter().map(|s| s.0)),
        f1: percent(scores.iter().map(|s| s.1)),
        scores,
    }
}

/// By the rules of version 2.0: no answer is predicted where `no_answer` is above `threshold`.
pub fn squad_v2(outcomes: &[QuestionOutcome], threshold: f64) -> SquadV2Figures {
    let raw: Vec<(f64, f64)> = outcomes.iter().map(raw_scores).collect();
    let has_answer = |o: &QuestionOutcome| !o.answers.is_empty();
    let scores: Vec<(f64, f64)> = outcomes
        .iter()
        .zip(&raw)
        .map(|(o, raw)| {
            let silent = f64::from(u8::from(!has_answer(o)));
            if o.no_answer > threshold { (silent, silent) } else { *raw }
        })
        .collect();
    let of = |wanted: bool, side: fn(&(f64, f64)) -> f64| {
        percent(outcomes.iter().zip(&scores).filter(|(o, _)| has_answer(o) == wanted).map(|(_, s)| side(s)))
    };
    let (best_exact, best_exact_threshold) = best_threshold(outcomes, &raw, |s| s.0);
    let (best_f1, best_f1_threshold) = best_threshold(outcomes, &raw, |s| s.1);
    SquadV2Figures {
        exact: percent(scores.iter().map(|s| s.0)),
        f1: percent(scores.iter().map(|s| s.1)),
        has_answer_exact: of(true, |s| s.0),
        has_answer_f1: of(true, |s| s.1),
        no_answer_exact: of(false, |s| s.0),
        best_exact,
        best_exact_threshold,
        best_f1,
        best_f1_threshold,
        scores,
    }
}

/// `get_raw_scores`: answers that normalize to nothing do not count; without any, saying nothing is right.
fn raw_scores(outcome: &QuestionOutcome) -> (f64, f64) {
    let mut golds: Vec<String> =
        outcome.answers.iter().filter(|answer| !normalize_answer(answer).is_empty()).cloned().collect();
    if golds.is_empty() {
        golds.push(String::new());
    }
    best_of(&golds, &outcome.prediction, |gold, said| {
        let (gold, said) = (words(gold), words(said));
        if gold.is_empty() || said.is_empty() {
            return f64::from(u8::from(gold == said));
        }
        f1(&gold, &said)
    })
}

/// The best exact match and the best F1 over the right answers; zeros without any.
fn best_of(golds: &[String], said: &str, f1: impl Fn(&str, &str) -> f64) -> (f64, f64) {
    golds.iter().fold((0.0, 0.0), |best: (f64, f64), gold| {
        let exact = f64::from(u8::from(normalize_answer(gold) == normalize_answer(said)));
        (best.0.max(exact), best.1.max(f1(gold, said)))
    })
}

fn f1(gold: &[String], said: &[String]) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for word in gold {
        *left.entry(word).or_default() += 1;
    }
    let mut same = 0usize;
    for word in said {
        if let Some(count) = left.get_mut(word.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let (precision, recall) = (same as f64 / said.len() as f64, same as f64 / gold.len() as f64);
    (2.0 * precision * recall) / (precision + recall)
}

fn words(text: &str) -> Vec<String> {
    normalize_answer(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Lower case, no ASCII punctuation, no articles, single spaces.
pub fn normalize_answer(text: &str) -> String {
    let text: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    let flush = |word: &mut String, out: &mut String| {
        if matches!(word.as_str(), "a" | "an" | "the") {
            out.push(' ');
        } else {
            out.push_str(word);
        }
        word.clear();
    };
    for c in text.chars() {
        if is_word_character(c) {
            word.push(c);
        } else {
            flush(&mut word, &mut out);
            out.push(if is_space(c) { ' ' } else { c });
        }
    }
    flush(&mut word, &mut out);
    out.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Python's `\w`: letters, digits and other numbers.
fn is_word_character(c: char) -> bool {
    let circled = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    c.is_alphanumeric() && !is_combining_mark(c) && !circled
}

/// The mean in per cent; 0 for nothing.
fn percent(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { 100.0 * sum / count as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_normalized() {
        assert_eq!(normalize_answer("  The  U.S., an A-team\u{a0}of a  lot "), "us ateam of lot");
        assert_eq!(normalize_answer("thea an\u{301} the\u{2014}the"), "thea \u{301} \u{2014}");
        assert_eq!(normalize_answer("A"), "");
    }
}
