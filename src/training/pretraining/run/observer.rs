//! Reports of pretraining to its caller.

use std::path::Path;

use super::plan::PretrainPlan;
use crate::training::TrainObserver;
use crate::training::corpus::CacheSummary;
use crate::training::distillation::Distillation;
use crate::training::trainer::StartOnly;

/// A long-running phase of the preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PretrainPhase {
    /// Reading the corpus for a tokenizer; progress is in bytes.
    Reading,
    /// Fitting the pieces of a tokenizer; progress is in steps.
    Fitting,
    /// Encoding the corpus; progress is in bytes.
    Tokenizing,
}

/// Receives the events of [`Pretrain`](super::Pretrain). Only process 0 reports events. `()` ignores them.
pub trait PretrainObserver: TrainObserver {
    /// A tokenizer is trained on the corpus, because the options do not name one.
    fn tokenizer_training_started(&mut self) {}

    /// Progress of a phase: `done` of `total`.
    fn progressed(&mut self, _phase: PretrainPhase, _done: u64, _total: u64) {}

    /// The current phases have ended.
    fn phases_ended(&mut self) {}

    /// The corpus is encoded.
    fn corpus_read(&mut self, _summary: &CacheSummary) {}

    /// The teacher is loaded. `student` is the hidden size of the student model.
    fn teacher_loaded(&mut self, _teacher: &Distillation, _student: usize) {}

    /// Everything is prepared.
    fn planned(&mut self, _plan: &PretrainPlan) {}

    /// The model is in this directory.
    fn wrote_model(&mut self, _output: &Path) {}
}

impl PretrainObserver for () {}

impl<O: PretrainObserver + ?Sized> PretrainObserver for StartOnly<'_, O> {}
