//! The training loop: each step takes rows, computes gradients and updates the weights, with evaluations and
//! checkpoints in between.

mod observer;
mod options;
mod progress;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::io::DirectoryLock;
use crate::training::checkpoints::{Best, Checkpoints, ModelFiles, STATE_VERSION, TrainerState};
use crate::training::communicator::Communicator;
use crate::training::evaluation::Evaluation;
use crate::training::objective::Objective;
use crate::training::optimizer::{Moments, global_norm};
use crate::training::parameters::Parameters;
use crate::training::replicas::Replicas;
use crate::training::seeds::mix;
use crate::training::source::Source;

pub(in crate::training) use observer::StartOnly;
pub use observer::{Report, StopReason, TrainObserver};
pub use options::TrainOptions;
pub use progress::Progress;
use progress::{RunningTotals, update_best};

/// The parts of a training run.
pub struct Trainer<'a, O: Objective, S: Source<Example = O::Example>> {
    /// The loss function.
    pub objective: &'a O,
    /// The training rows.
    pub source: S,
    /// Held-out rows for the evaluation loss.
    pub held_out: &'a [O::Example],
    /// A task metric that chooses the best checkpoint. Without it, the last checkpoint is the best.
    pub evaluation: Option<&'a mut dyn Evaluation>,
    /// The weights.
    pub parameters: Parameters,
    /// The devices.
    pub replicas: Replicas,
    /// The other processes.
    pub communicator: &'a dyn Communicator,
    /// Options of the run.
    pub options: TrainOptions,
    /// Files that make each checkpoint a complete model.
    pub files: ModelFiles<'a>,
}

/// Loss scaling for f16 gradients: the scale is doubled after many good steps and halved after an overflow
/// (Micikevicius et al. 2018, section 3.2).
const FIRST_LOSS_SCALE: f64 = 65_536.0;
const GOOD_STEPS_TO_DOUBLE: u64 = 2_000;

impl<O: Objective, S: Source<Example = O::Example>> Trainer<'_, O, S> {
    /// Runs from the position of [`Trainer::begin`] until all steps are done or `stop` is set. Then writes the best model
    /// into the output directory and leaves its weights in `parameters`. Also returns the best evaluation, if any.
    ///
    /// # Errors
    /// [`Error::Training`] if the loss becomes NaN or infinite; errors of data, devices and files. Existing checkpoints are
    /// kept.
    pub fn run(
        &mut self,
        mut progress: Progress,
        stop: &AtomicBool,
        observer: &mut dyn TrainObserver,
    ) -> Result<(StopReason, Option<Best>)> {
        let checkpoints = self.checkpoints();
        let total = self.options.schedule.total_steps;
        // Two runs in one directory would delete each other's checkpoints.
        let _lock =
            if self.is_main_process() { Some(DirectoryLock::take(&self.options.output)?) } else { None };
        observer.started(progress.state.step)?;
        while progress.state.step < total {
            let due = self
                .options
                .save_minutes
                .is_some_and(|minutes| progress.last_save.elapsed().as_secs_f64() >= minutes * 60.0);
            let stopping = self.communicator.any(stop.load(Ordering::Relaxed))?;
            if self.communicator.any(due)? || stopping {
                self.save(&mut progress, &checkpoints, observer, stopping)?;
            }
            if stopping {
                if self.is_main_process() {
                    observer.ended(StopReason::Interrupted);
                }
                return Ok((StopReason::Interrupted, progress.state.best));
            }
            self.step(&mut progress)?;
            let step = progress.state.step;
            if self.is_main_process() {
                observer.stepped(step, total);
            }
            let every = |n: Option<u64>| n.is_some_and(|n| n > 0 && step.is_multiple_of(n));
            if every(Some(self.options.log_every)) || step == total {
                self.report(&mut progress, observer);
            }
            let mut improved = false;
            if every(self.options.evaluate_every) || step == total {
                improved = self.evaluate(&mut progress.state, observer)?;
                self.replicas.clean_up();
            }
            let enough = self.communicator.any(self.patience_exhausted(&progress.state))?;
            if improved || every(self.options.save_every) || step == total || enough {
                self.save(&mut progress, &checkpoints, observer, step == total || enough)?;
            }
            if enough && step < total {
                if self.is_main_process() {
                    observer.noted(&format!(
                        "stopped after step {step}: no improvement since the best evaluation"
                    ));
                }
                break;
            }
        }
        if self.is_main_process() {
            self.write_final_model(&progress.state, &checkpoints)?;
            observer.ended(StopReason::Finished);
        }
        Ok((StopReason::Finished, progress.state.best))
    }

    /// Returns true if the last `patience` evaluations brought no improvement.
    fn patience_exhausted(&self, state: &TrainerState) -> bool {
        let best = state.best.as_ref();
        self.options.patience.zip(best).is_some_and(|(patience, best)| best.evaluations_since >= patience)
    }

    fn is_main_process(&self) -> bool {
        self.communicator.is_main_process()
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(&self.options.output, self.options.keep)
    }

    /// Starts from the initial weights or, with `resume`, from the newest checkpoint if there is one.
    ///
    /// # Errors
    /// If no checkpoint is usable, or it was made with different options.
    pub fn begin(&mut self, resume: bool, observer: &mut dyn TrainObserver) -> Result<Progress> {
        let checkpoints = self.checkpoints();
        let names = self.objective.names().len();
        let (state, moments) = if resume && !checkpoints.steps().is_empty() {
            let (state, moments, problems) = checkpoints.restore(&mut self.parameters)?;
            if self.is_main_process() {
                for problem in problems {
                    observer.warned(&format!("a checkpoint cannot be used: {problem}"));
                }
            }
            checkpoints.check_identity(&state, &self.options.identity)?;
            self.source.seek(&state.position)?;
            self.replicas.update(&self.parameters);
            (state, moments)
        } else {
            let state = TrainerState {
                version: STATE_VERSION,
                step: 0,
                optimizer_steps: 0,
                tokens: 0,
                seconds: 0.0,
                loss_scale: self.options.scale_loss.then_some(FIRST_LOSS_SCALE),
                position: self.source.position(),
                options: self.options.identity.to_json(),
                best: None,
            };
            (state, Moments::new(&self.parameters))
        };
        let since_report = RunningTotals::new(names);
        Ok(Progress { state, moments, good_steps: 0, since_report, last_save: Instant::now() })
    }

    /// Performs one step in all processes.
    fn step(&mut self, progress: &mut Progress) -> Result<()> {
        let start = Instant::now();
        let state = &mut progress.state;
        let plans = self.source.next_batch(self.options.batch_size)?;
        let (rank, size) = (self.communicator.rank(), self.communicator.size());
        let share = plans.len() * rank / size..plans.len() * (rank + 1) / size;
        let examples = self.source.materialize(&plans[share])?;

        let mut counts = self.objective.counts(&examples);
        counts.push(examples.iter().map(|example| self.objective.tokens(example)).sum::<usize>() as f64);
        self.communicator.sum_f64(&mut counts)?;
        let tokens = counts.pop().unwrap_or(0.0) as u64;

        // Dividing the totals by the scale multiplies the loss by it.
        let scale = state.loss_scale.unwrap_or(1.0);
        let totals: Vec<f64> = counts.iter().map(|count| count / scale).collect();
        let seed = mix(self.options.seed, &[state.step, rank as u64]);
        let mut passed =
            self.replicas.gradients(self.objective, &examples, &totals, &self.parameters, seed)?;
        for gradient in &mut passed.gradients {
            self.communicator.sum_f32(gradient)?;
        }
        self.communicator.sum_f64(&mut passed.sums)?;

        let norm = global_norm(&passed.gradients) / scale;
        let finite = norm.is_finite() && passed.sums.iter().all(|sum| sum.is_finite());
        if finite {
            let clip = self.options.clip_norm.map_or(1.0, |most| most / norm.max(most));
            let rate = self.options.schedule.rate(state.step);
            self.options.optimizer.step(
                &mut self.parameters,
                &passed.gradients,
                (clip / scale) as f32,
                &mut progress.moments,
                rate,
            );
            self.replicas.update(&self.parameters);
            progress.good_steps += 1;
        }
        match (&mut state.loss_scale, finite) {
            (None, false) => return Err(self.not_a_number(state.step, norm, &passed.sums)),
            (Some(scale), false) if *scale > 1.0 => {
                *scale /= 2.0;
                progress.good_steps = 0;
            }
            (Some(_), false) => return Err(self.not_a_number(state.step, norm, &passed.sums)),
            (Some(scale), true) if progress.good_steps >= GOOD_STEPS_TO_DOUBLE => {
                *scale *= 2.0;
                progress.good_steps = 0;
            }
            _ => {}
        }
        state.step += 1;
        state.optimizer_steps = progress.moments.steps;
        state.tokens += tokens;
        let seconds = start.elapsed().as_secs_f64();
        state.seconds += seconds;
        progress.since_report.seconds += seconds;
        state.position = self.source.position();
        if finite {
            let since = &mut progress.since_report;
            since.sums.iter_mut().zip(&passed.sums).for_each(|(sum, value)| *sum += value);
            since.counts.iter_mut().zip(&counts).for_each(|(sum, value)| *sum += value);
            since.norms += norm;
            since.steps += 1;
            since.tokens += tokens;
        }
        Ok(())
    }

    fn not_a_number(&self, step: u64, norm: f64, sums: &[f64]) -> Error {
        let named: Vec<String> = self
            .objective
            .names()
            .iter()
            .zip(sums)
            .filter(|(_, sum)| !sum.is_finite())
            .map(|(name, sum)| format!("{name} {sum}"))
            .collect();
        let what = if named.is_empty() { format!("the gradients' norm is {norm}") } else { named.join(", ") };
        Error::Training {
            step: step + 1,
            problem: format!(
                "the run diverged ({what}); earlier checkpoints are kept. A lower option learning_rate, a longer \
                 option warmup_steps or option clip_norm=1 may help"
            ),
        }
    }

    fn means(&self, sums: &[f64], counts: &[f64]) -> Vec<(&'static str, f64)> {
        let mean = |((name, sum), count): ((&&'static str, &f64), &f64)| {
            (*name, if *count > 0.0 { sum / count } else { f64::NAN })
        };
        self.objective.names().iter().zip(sums).zip(counts).map(mean).collect()
    }

    fn report(&self, progress: &mut Progress, observer: &mut dyn TrainObserver) {
        let names = self.objective.names().len();
        let since = std::mem::replace(&mut progress.since_report, RunningTotals::new(names));
        if !self.is_main_process() {
            return;
        }
        let state = &progress.state;
        observer.trained(&Report {
            step: state.step,
            epoch: self.source.epoch(),
            values: self.means(&since.sums, &since.counts),
            learning_rate: Some(self.options.schedule.rate(state.step.saturating_sub(1))),
            gradient_norm: Some(since.norms / since.steps.max(1) as f64),
            tokens: state.tokens,
            tokens_per_second: since.tokens as f64 / since.seconds,
            seconds: state.seconds,
        });
    }

    /// Evaluates the current weights on the held-out rows (shared among all processes) and with the task metric (in process
    /// 0). Returns true if they are the best so far.
    fn evaluate(&mut self, state: &mut TrainerState, observer: &mut dyn TrainObserver) -> Result<bool> {
        let start = Instant::now();
        let mut values = Vec::new();
        let mut tokens = 0;
        if !self.held_out.is_empty() {
            let (rank, size) = (self.communicator.rank(), self.communicator.size());
            let rows = self.held_out.len();
            let own = &self.held_out[rows * rank / size..rows * (rank + 1) / size];
            let counts = self.objective.counts(self.held_out);
            let mut sums = self.replicas.evaluate(self.objective, own, &counts)?;
            self.communicator.sum_f64(&mut sums)?;
            values = self.means(&sums, &counts);
            tokens = self.held_out.iter().map(|example| self.objective.tokens(example)).sum();
        }
        if !self.is_main_process() {
            return Ok(false);
        }
        let mut improved = false;
        if let Some((evaluation, model)) = self.evaluation.as_mut().zip(self.replicas.valid()) {
            let metrics = evaluation.evaluate(&model)?;
            values.extend(metrics.values);
            improved = update_best(state, metrics.score);
        }
        if values.is_empty() {
            return Ok(false);
        }
        observer.evaluated(&Report {
            step: state.step,
            epoch: self.source.epoch(),
            values,
            learning_rate: None,
            gradient_norm: None,
            tokens: state.tokens,
            tokens_per_second: tokens as f64 / start.elapsed().as_secs_f64(),
            seconds: state.seconds,
        });
        Ok(improved)
    }

    /// Writes a checkpoint. A failure ends the run only at the last checkpoint, because space may become available until
    /// then.
    fn save(
        &self,
        progress: &mut Progress,
        checkpoints: &Checkpoints,
        observer: &mut dyn TrainObserver,
        last: bool,
    ) -> Result<()> {
        progress.last_save = Instant::now();
        if !self.is_main_process() {
            return Ok(());
        }
        match checkpoints.save(&progress.state, &self.parameters, &progress.moments, &self.files) {
            Ok(path) => observer.saved(&path),
            Err(error) if last => return Err(error),
            Err(error) => observer.warned(&format!("no checkpoint was written; the run continues: {error}")),
        }
        Ok(())
    }

    /// Writes the best model, or the last one without evaluations, into the output directory.
    fn write_final_model(&mut self, state: &TrainerState, checkpoints: &Checkpoints) -> Result<()> {
        if let Some(best) = state.best.as_ref().filter(|best| best.step != state.step) {
            checkpoints.read(best.step, &mut self.parameters)?;
            self.replicas.update(&self.parameters);
        }
        self.files.write_final_model(&self.options.output, &self.parameters)
    }
}
