//! Reports of fine-tuning to its caller.

use std::path::Path;

use super::plan::FineTunePlan;
use super::seed_statistics::SeedStatistics;
use crate::eval::EvalReport;
use crate::tasks::Longest;
use crate::tokenizer::TruncationSide;
use crate::training::TrainObserver;
use crate::training::trainer::StartOnly;

/// Receives the events of [`FineTune`](super::FineTune). Only process 0 reports events. `()` ignores them.
pub trait FineTuneObserver: TrainObserver {
    /// The data was read: `all` training examples, of which `dev` are held out.
    fn held_out(&mut self, _dev: usize, _all: usize) {}

    /// Rows have at most this length, and longer texts are truncated on this side.
    fn limited(&mut self, _longest: Longest, _side: TruncationSide) {}

    /// These labels do not occur in dev and therefore are not evaluated.
    fn missing_in_dev(&mut self, _labels: &[&str]) {}

    /// Everything is prepared.
    fn planned(&mut self, _plan: &FineTunePlan) {}

    /// The run with `seed` starts. There are `count` runs.
    fn seed_started(&mut self, _seed: u64, _count: usize) {}

    /// The run with `seed` had already been completed.
    fn seed_is_complete(&mut self, _seed: u64) {}

    /// The model of the run with the current seed was evaluated on dev.
    fn dev_evaluated(&mut self, _report: &EvalReport, _plan: &FineTunePlan) {}

    /// This threshold for "no answer" is stored with the model.
    fn threshold_stored(&mut self, _threshold: f64) {}

    /// The model of `seed` is kept. `spread` has the statistics of the selecting metric; `None` without dev.
    fn seeds_compared(&mut self, _spread: Option<&SeedStatistics>, _seed: u64, _plan: &FineTunePlan) {}

    /// The model is in this directory.
    fn wrote_model(&mut self, _output: &Path) {}
}

impl FineTuneObserver for () {}

impl<O: FineTuneObserver + ?Sized> FineTuneObserver for StartOnly<'_, O> {}
