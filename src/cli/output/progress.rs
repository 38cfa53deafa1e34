//! Progress of a training run on stderr, and its logs.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use albert::Result;
use albert::training::log::RunLog;
use albert::training::{Report, TrainObserver};

use super::report::Reporter;
use super::stream_progress::{Pace, per, rounded};
use super::wording;

/// A progress bar, or lines without one, and the logs of the run.
pub(crate) struct TrainingProgress<'a> {
    reporter: &'a Reporter,
    bar: ProgressBar,
    output: PathBuf,
    panels: &'a [(&'a str, &'a str)],
    log: Option<RunLog>,
    pace: Pace,
    /// The step that the run began after.
    first: u64,
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
    /// `panels` are the titles and the names of the values to draw.
    pub(crate) fn new(reporter: &'a Reporter, output: &Path, panels: &'a [(&'a str, &'a str)]) -> Self {
        Self {
            reporter,
            bar: reporter.training_bar(),
            output: output.to_owned(),
            panels,
            log: None,
            pace: Pace::new(),
            first: 0,
        }
    }

    /// Warns about a log that cannot be written, which must not end the run.
    fn logged(&mut self, write: impl FnOnce(&mut RunLog) -> Result<()>) {
        if let Some(Err(error)) = self.log.as_mut().map(write) {
            self.warned(&format!("the logs lack a record: {}", wording::message(&error)));
        }
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
        self.log = Some(RunLog::open(&self.output, step, self.panels)?);
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
        self.logged(|log| log.trained(report));
    }

    fn evaluated(&mut self, report: &Report) {
        self.show("held out", report);
        self.logged(|log| log.evaluated(report));
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
}

impl Drop for TrainingProgress<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
