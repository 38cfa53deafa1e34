//! Shows the progress of a training run on stderr.

use std::path::Path;

use indicatif::ProgressBar;

use albert::error::{count, listed};
use albert::eval::EvalReport;
use albert::tasks::Longest;
use albert::tokenizer::TruncationSide;
use albert::training::finetune::{FineTuneObserver, FineTunePlan, SeedStatistics};
use albert::training::{PretrainPhase, Report, StopReason, TrainObserver};
use albert::{Error, Result};

use super::report::Reporter;
use super::stream_progress::{Pace, per, rounded};
use super::training_plan;
use crate::cli::exit::Failure;

/// A progress bar, or plain lines.
pub(crate) struct TrainingProgress<'a> {
    pub(super) reporter: &'a Reporter,
    pub(super) bar: ProgressBar,
    /// The phase of the preparation that the bar shows.
    pub(super) phase: Option<PretrainPhase>,
    pace: Pace,
    /// The last step before this run started.
    first: u64,
    started: bool,
}

/// A line of `--progress json`.
#[derive(serde::Serialize)]
struct TrainingLine {
    step: u64,
    steps: u64,
    seconds: f64,
    seconds_left: Option<f64>,
}

impl<'a> TrainingProgress<'a> {
    pub(crate) fn new(reporter: &'a Reporter) -> Self {
        let bar = ProgressBar::hidden();
        Self { reporter, bar, phase: None, pace: Pace::new(), first: 0, started: false }
    }

    /// Returns the failure of a run: a setup error if no step has started.
    pub(crate) fn failure(&self, error: Error) -> Failure {
        if self.started { Failure::while_running(error) } else { error.into() }
    }

    /// Reports the directory of the model.
    pub(super) fn report_output(&self, output: &Path) {
        self.reporter.note(&format!("wrote the model to {}", output.display()));
    }

    fn show(&self, kind: &str, report: &Report) {
        let mut parts = vec![format!("step {}", report.step)];
        parts.extend(report.values.iter().map(|(name, value)| format!("{name} {value:.4}")));
        if let Some(rate) = report.learning_rate {
            parts.push(format!("rate {rate:.2e}"));
        }
        if report.tokens_per_second > 0.0 {
            parts.push(format!("{:.0} tokens/s", report.tokens_per_second));
        }
        let line = parts.join("  ");
        if self.bar.is_hidden() || kind != "train" {
            self.bar.suspend(|| self.reporter.note(&format!("{kind}  {line}")));
        }
        if kind == "train" {
            self.bar.set_message(line);
        }
    }
}

impl TrainObserver for TrainingProgress<'_> {
    fn started(&mut self, step: u64) -> Result<()> {
        if step > 0 {
            self.reporter.note(&format!("resuming after step {step}"));
        }
        (self.pace, self.first) = (Pace::new(), step);
        (self.bar, self.started) = (self.reporter.training_bar(), true);
        Ok(())
    }

    fn stepped(&mut self, step: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(step);
        if self.reporter.wants_json() && (self.pace.is_due() || step == total) {
            let seconds = self.pace.seconds();
            let left = per(total.saturating_sub(step), step.saturating_sub(self.first), seconds);
            self.reporter.progress_line(&TrainingLine {
                step,
                steps: total,
                seconds: rounded(seconds),
                seconds_left: left.map(rounded),
            });
        }
    }

    fn trained(&mut self, report: &Report) {
        self.show("train", report);
    }

    fn evaluated(&mut self, report: &Report) {
        self.show("held out", report);
    }

    fn saved(&mut self, path: &Path) {
        self.bar.suspend(|| self.reporter.detail(|| format!("saved {}", path.display())));
    }

    fn noted(&mut self, message: &str) {
        self.bar.suspend(|| self.reporter.note(message));
    }

    fn warned(&mut self, message: &str) {
        self.bar.suspend(|| self.reporter.warn(message));
    }

    fn ended(&mut self, ending: StopReason) {
        self.bar.finish_and_clear();
        if ending == StopReason::Interrupted {
            self.reporter.note("interrupted after saving a checkpoint; use --resume to continue");
        }
    }
}

impl FineTuneObserver for TrainingProgress<'_> {
    fn held_out(&mut self, dev: usize, all: usize) {
        self.reporter.note(&format!("holding out {dev} of {}", count(all, "example")));
    }

    fn limited(&mut self, longest: Longest, side: TruncationSide) {
        self.reporter.lengths(longest, side);
    }

    fn missing_in_dev(&mut self, labels: &[&str]) {
        let they_are = if labels.len() == 1 { "it is" } else { "they are" };
        self.warned(&format!("dev has no example of {}, so {they_are} not evaluated", listed(labels)));
    }

    fn planned(&mut self, plan: &FineTunePlan) {
        training_plan::announce(plan, self.reporter);
    }

    fn seed_started(&mut self, seed: u64, count: usize) {
        if count > 1 {
            self.reporter.note(&format!("seed {seed}"));
        }
    }

    fn seed_is_complete(&mut self, seed: u64) {
        self.reporter.note(&format!("the run with seed {seed} is already complete"));
    }

    fn dev_evaluated(&mut self, report: &EvalReport, plan: &FineTunePlan) {
        training_plan::report_dev_metrics(report, plan, self.reporter);
    }

    fn threshold_stored(&mut self, threshold: f64) {
        self.reporter.note(&format!(
            "predicting \"no answer\" where its score exceeds the best answer's by more than {threshold:.4}; the threshold is \
             kept in config.json"
        ));
    }

    fn seeds_compared(&mut self, spread: Option<&SeedStatistics>, seed: u64, plan: &FineTunePlan) {
        match spread {
            Some(spread) => self.reporter.note(&format!(
                "{} over {}: mean {:.4}, standard deviation {:.4}, from {:.4} to {:.4}; seed {seed} is kept",
                plan.metric,
                count(spread.count, "seed"),
                spread.mean,
                spread.deviation,
                spread.least,
                spread.most
            )),
            None => self.warned(&format!("without --dev the best seed is unknown; keeping seed {seed}")),
        }
    }

    fn wrote_model(&mut self, output: &Path) {
        self.report_output(output);
    }
}

impl Drop for TrainingProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
