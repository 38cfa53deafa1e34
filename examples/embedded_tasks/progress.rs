//! How a run goes, on standard error and in its directory.

use std::path::Path;

use albert::Result;
use albert::training::log::RunLog;
use albert::training::{Report, TrainObserver};

use super::say;

/// Tells how it goes, and logs it.
pub struct Progress<'a> {
    run: &'a Path,
    panels: &'a [(&'a str, &'a str)],
    log: Option<RunLog>,
}

impl<'a> Progress<'a> {
    /// Logs into the directory `run`; `panels` are the titles and the figures of its curves.
    pub fn new(run: &'a Path, panels: &'a [(&'a str, &'a str)]) -> Self {
        Self { run, panels, log: None }
    }

    fn say(title: &str, report: &Report) {
        let values: Vec<String> =
            report.values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        say(&format!(
            "{title} {}  {}  {:.0} tokens/s",
            report.step,
            values.join("  "),
            report.tokens_per_second
        ));
    }
}

impl TrainObserver for Progress<'_> {
    fn started(&mut self, step: u64) -> Result<()> {
        self.log = Some(RunLog::open(self.run, step, self.panels)?);
        Ok(())
    }

    fn stepped(&mut self, _step: u64, _total: u64) {}

    fn trained(&mut self, report: &Report) {
        Self::say("step", report);
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.trained(report)) {
            say(&error.to_string());
        }
    }

    fn evaluated(&mut self, report: &Report) {
        Self::say("dev", report);
        if let Some(Err(error)) = self.log.as_mut().map(|log| log.evaluated(report)) {
            say(&error.to_string());
        }
    }

    fn saved(&mut self, _path: &Path) {}

    fn noted(&mut self, message: &str) {
        say(message);
    }

    fn warned(&mut self, message: &str) {
        say(message);
    }
}
