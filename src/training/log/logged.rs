//! A run whose reports are logged.

use std::path::{Path, PathBuf};

use super::run_log::RunLog;
use crate::error::Result;
use crate::training::trainer::{Report, StopReason, TrainObserver};

/// Writes the logs of a run ([`RunLog`]) and forwards all events.
pub struct LoggedRun<'a, O: TrainObserver + ?Sized> {
    output: Option<PathBuf>,
    panels: Vec<(String, String)>,
    log: Option<RunLog>,
    observer: &'a mut O,
}

impl<'a, O: TrainObserver + ?Sized> LoggedRun<'a, O> {
    /// Logs to the directory `output`, or nowhere if it is `None`, for processes other than 0. `panels` are the titles
    /// and the names of the values to draw.
    pub fn new(output: Option<&Path>, panels: Vec<(String, String)>, observer: &'a mut O) -> Self {
        Self { output: output.map(Path::to_owned), panels, log: None, observer }
    }

    /// Turns a failed write into a warning: it must not end the run.
    fn logged(&mut self, write: impl FnOnce(&mut RunLog) -> Result<()>) {
        if let Some(Err(error)) = self.log.as_mut().map(write) {
            self.observer.warned(&format!("the logs lack a record: {error}"));
        }
    }
}

impl<O: TrainObserver + ?Sized> TrainObserver for LoggedRun<'_, O> {
    fn started(&mut self, step: u64) -> Result<()> {
        self.observer.started(step)?;
        let panels: Vec<(&str, &str)> =
            self.panels.iter().map(|(title, name)| (title.as_str(), name.as_str())).collect();
        self.log = self.output.as_deref().map(|output| RunLog::open(output, step, &panels)).transpose()?;
        Ok(())
    }

    fn stepped(&mut self, step: u64, total: u64) {
        self.observer.stepped(step, total);
    }

    fn trained(&mut self, report: &Report) {
        self.observer.trained(report);
        self.logged(|log| log.trained(report));
    }

    fn evaluated(&mut self, report: &Report) {
        self.observer.evaluated(report);
        self.logged(|log| log.evaluated(report));
    }

    fn saved(&mut self, path: &Path) {
        self.observer.saved(path);
    }

    fn noted(&mut self, message: &str) {
        self.observer.noted(message);
    }

    fn warned(&mut self, message: &str) {
        self.observer.warned(message);
    }

    fn ended(&mut self, ending: StopReason) {
        self.observer.ended(ending);
    }
}
