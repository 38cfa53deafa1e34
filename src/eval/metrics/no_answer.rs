//! The threshold from which on no answer is best: SQuAD's `find_best_thresh`.

use super::squad::QuestionOutcome;

/// The highest figure in per cent, of the scores that `side` picks of `raw`, and the threshold that gives it: the questions
/// are answered in the order of their `no_answer`, and each counts as answered from its own value on.
pub fn best_threshold(
    outcomes: &[QuestionOutcome],
    raw: &[(f64, f64)],
    side: fn(&(f64, f64)) -> f64,
) -> (f64, f64) {
    if outcomes.is_empty() {
        return (0.0, 0.0);
    }
    let mut order: Vec<usize> = (0..outcomes.len()).collect();
    // -0.0 and 0.0 are equal, and what is equal stays in order.
    order.sort_by(|a, b| {
        let (a, b) = (outcomes[*a].no_answer, outcomes[*b].no_answer);
        a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b))
    });
    let mut score = outcomes.iter().filter(|o| o.answers.is_empty()).count() as f64;
    let mut best = (score, 0.0);
    for i in order {
        let outcome = &outcomes[i];
        score += match (outcome.answers.is_empty(), outcome.prediction.is_empty()) {
            (false, _) => side(&raw[i]),
            (true, false) => -1.0,
            (true, true) => 0.0,
        };
        if score > best.0 {
            best = (score, outcome.no_answer);
        }
    }
    (100.0 * best.0 / outcomes.len() as f64, best.1)
}
