//! The progress of a run: its state, and the sums for the next report.

use std::time::Instant;

use crate::training::checkpoints::{Best, TrainerState};
use crate::training::optimizer::Moments;

/// Progress of a run.
pub struct Progress {
    pub(super) state: TrainerState,
    pub(super) moments: Moments,
    pub(super) good_steps: u64,
    pub(super) since_report: RunningTotals,
    pub(super) last_save: Instant,
}

/// Sums since the last report.
pub(super) struct RunningTotals {
    pub(super) sums: Vec<f64>,
    pub(super) counts: Vec<f64>,
    pub(super) norms: f64,
    pub(super) steps: u64,
    pub(super) tokens: u64,
    pub(super) seconds: f64,
}

impl RunningTotals {
    pub(super) fn new(names: usize) -> Self {
        Self {
            sums: vec![0.0; names],
            counts: vec![0.0; names],
            norms: 0.0,
            steps: 0,
            tokens: 0,
            seconds: 0.0,
        }
    }
}

/// Updates the best score and returns true if the new one is better. NaN is never better.
pub(super) fn update_best(state: &mut TrainerState, score: f64) -> bool {
    match &mut state.best {
        Some(best) if score.is_nan() || score <= best.score => {
            best.evaluations_since += 1;
            false
        }
        None if score.is_nan() => false,
        best => {
            *best = Some(Best { step: state.step, score, evaluations_since: 0 });
            true
        }
    }
}
