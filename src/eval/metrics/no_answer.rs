//! Questions that may have no answer: SQuAD 2.0 (`evaluate-v2.0.py`, and `squad_evaluate` in transformers'
//! `squad_metrics.py`).

use std::cmp::Ordering;

use super::quotient;
use super::squad::{QuestionOutcome, normalize_answer, overlap, percent};

/// Metrics of SQuAD 2.0, in percent.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct SquadNoAnswerFigures {
    /// Exact matches with a gold answer, after applying the threshold.
    pub exact: f64,
    /// Mean word overlap (F1) with the best gold answer, after applying the threshold.
    pub f1: f64,
    /// Number of questions with an answer.
    pub has_answer_total: u64,
    /// `exact` over the questions with an answer; 0 if there are none.
    pub has_answer_exact: f64,
    /// `f1` over the questions with an answer; 0 if there are none.
    pub has_answer_f1: f64,
    /// Number of questions without an answer.
    pub no_answer_total: u64,
    /// `exact` over the questions without an answer, which equals their `f1`; 0 if there are none.
    pub no_answer_exact: f64,
    /// Highest `exact` over all thresholds.
    pub best_exact: f64,
    /// Lowest threshold that gives `best_exact`; 0 if never answering gives it.
    pub best_exact_threshold: f64,
    /// Highest `f1` over all thresholds.
    pub best_f1: f64,
    /// Lowest threshold that gives `best_f1`; 0 if never answering gives it.
    pub best_f1_threshold: f64,
    /// Exact match (0 or 1) and F1 (0 to 1) of every question, in order, after applying the threshold.
    pub scores: Vec<(f64, f64)>,
}

/// Scores answers as in `evaluate-v2.0.py`: a question counts as unanswered if `no_answer` exceeds the threshold. Without
/// questions, the metrics are 0.
///
/// The search for the best thresholds starts with answering nothing and then adds the questions in ascending order of
/// `no_answer` (stable for ties). As in the scripts, the start is reported as threshold 0, and a best threshold may lie
/// between questions with equal `no_answer`.
pub fn squad_v2(outcomes: &[QuestionOutcome], threshold: f64) -> SquadNoAnswerFigures {
    let raw: Vec<(f64, f64)> = outcomes.iter().map(score).collect();
    let unanswered = |o: &QuestionOutcome| if o.answers.is_empty() { (1.0, 1.0) } else { (0.0, 0.0) };
    let scores: Vec<(f64, f64)> = outcomes
        .iter()
        .zip(&raw)
        .map(|(o, score)| if o.no_answer > threshold { unanswered(o) } else { *score })
        .collect();
    let of = |no_answer: bool| {
        let questions = outcomes.iter().zip(&scores);
        questions.filter(move |(o, _)| o.answers.is_empty() == no_answer).map(|(_, score)| *score)
    };

    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    order.sort_by(|a, b| ascending_nan_last(outcomes[*a].no_answer, outcomes[*b].no_answer));
    let best = |score: fn(&(f64, f64)) -> f64| {
        best_threshold(order.iter().map(|i| (&outcomes[*i], score(&raw[*i]))), of(true).count())
    };
    let (best_exact, best_exact_threshold) = best(|s| s.0);
    let (best_f1, best_f1_threshold) = best(|s| s.1);

    let (exact, f1) = percent(scores.iter().copied());
    let (has_answer_exact, has_answer_f1) = percent(of(false));
    let (no_answer_exact, _) = percent(of(true));
    SquadNoAnswerFigures {
        exact,
        f1,
        has_answer_total: of(false).count() as u64,
        has_answer_exact,
        has_answer_f1,
        no_answer_total: of(true).count() as u64,
        no_answer_exact,
        best_exact,
        best_exact_threshold,
        best_f1,
        best_f1_threshold,
        scores,
    }
}

/// Exact match and F1 of one question before any threshold (`get_raw_scores`). Gold answers without words are ignored. If
/// no gold answer remains, "no answer" is correct.
fn score(outcome: &QuestionOutcome) -> (f64, f64) {
    let predicted = normalize_answer(&outcome.prediction);
    let mut golds: Vec<String> = outcome.answers.iter().map(|a| normalize_answer(a)).collect();
    golds.retain(|g| !g.is_empty());
    if golds.is_empty() {
        golds.push(String::new());
    }
    golds.iter().fold((0.0f64, 0.0f64), |(exact, f1), gold| {
        if *gold == predicted { (1.0, 1.0) } else { (exact, f1.max(overlap(gold, &predicted))) }
    })
}

/// The best total in percent and its threshold (`find_best_thresh`), given the questions in ascending order of
/// `no_answer` with their raw scores.
fn best_threshold<'a>(
    questions: impl ExactSizeIterator<Item = (&'a QuestionOutcome, f64)>,
    without_answer: usize,
) -> (f64, f64) {
    let count = questions.len();
    let mut current = without_answer as f64;
    let mut best = (current, 0.0);
    for (outcome, score) in questions {
        current += match (outcome.answers.is_empty(), outcome.prediction.is_empty()) {
            (false, _) => score,
            (true, false) => -1.0,
            (true, true) => 0.0,
        };
        if current > best.0 {
            best = (current, outcome.no_answer);
        }
    }
    (quotient(100.0 * best.0, count as f64), best.1)
}

/// Ascending order, with NaN last.
fn ascending_nan_last(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(answers: &[&str], prediction: &str, no_answer: f64) -> QuestionOutcome {
        let answers = answers.iter().map(|a| (*a).to_owned()).collect();
        QuestionOutcome { id: String::new(), answers, prediction: prediction.to_owned(), no_answer }
    }

    #[test]
    fn above_the_threshold_a_question_is_unanswered() {
        let outcomes = [outcome(&["blue"], "blue", 0.5), outcome(&[], "red", 0.6)];
        let metrics = squad_v2(&outcomes, 0.5);
        assert_eq!((metrics.exact, metrics.has_answer_f1, metrics.no_answer_exact), (100.0, 100.0, 100.0));
        let metrics = squad_v2(&outcomes, 0.4);
        assert_eq!((metrics.exact, metrics.has_answer_f1, metrics.no_answer_exact), (50.0, 0.0, 100.0));
        assert_eq!((metrics.best_exact, metrics.best_exact_threshold), (100.0, 0.5));
        assert_eq!(metrics.scores, [(0.0, 0.0), (1.0, 1.0)]);
    }

    #[test]
    fn no_questions_give_zeros() {
        assert_eq!(squad_v2(&[], 0.0), SquadNoAnswerFigures::default());
    }

    #[test]
    fn nan_sorts_last() {
        let outcomes =
            [outcome(&["x"], "x", f64::NAN), outcome(&["x"], "x", 1.0), outcome(&["x"], "", f64::NAN)];
        let metrics = squad_v2(&outcomes, 0.0);
        assert_eq!(metrics.exact, 100.0 / 3.0);
        assert!(metrics.best_exact_threshold.is_nan());
    }
}
