//! Exit codes: 0 for success, 1 if some input failed, 2 for wrong usage or setup, 130 if interrupted and resumable.

use std::process::ExitCode;

use albert::{Error, Result};

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Success.
    Done,
    /// Some input could not be processed, or the work was aborted.
    SomeFailed,
    /// The command could not start: wrong option, model, device or file.
    Setup,
    /// A signal interrupted a run that can be resumed.
    Interrupted,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Done => 0,
            ExitStatus::SomeFailed => 1,
            ExitStatus::Setup => 2,
            ExitStatus::Interrupted => 130,
        })
    }
}

/// An error with its exit status.
#[derive(Debug)]
pub(super) struct Failure {
    /// The error to print.
    pub error: Error,
    /// The exit status.
    pub status: ExitStatus,
}

impl Failure {
    /// Creates the failure for an error while processing input. Weights that do not fit count as a setup error, whenever
    /// they are read.
    pub(super) fn while_running(error: Error) -> Self {
        let setup = matches!(error, Error::Weights { .. });
        Self { error, status: if setup { ExitStatus::Setup } else { ExitStatus::SomeFailed } }
    }
}

/// Errors before the first record are setup errors by default.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, status: ExitStatus::Setup }
    }
}

/// Marks errors that occur while processing input.
pub(super) trait WhileRunning<T> {
    /// Converts an error with [`Failure::while_running`].
    fn while_running(self) -> std::result::Result<T, Failure>;
}

impl<T> WhileRunning<T> for Result<T> {
    fn while_running(self) -> std::result::Result<T, Failure> {
        self.map_err(Failure::while_running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_of_an_error_decides() {
        let error = || Error::Input("x".to_owned());
        assert_eq!(Failure::from(error()).status, ExitStatus::Setup);
        let running: std::result::Result<(), Failure> = Err(error()).while_running();
        assert_eq!(running.map_err(|f| f.status), Err(ExitStatus::SomeFailed));
        let weights = Error::Weights { path: "model.safetensors".into(), problem: "x".to_owned() };
        let running: std::result::Result<(), Failure> = Err(weights).while_running();
        assert_eq!(running.map_err(|f| f.status), Err(ExitStatus::Setup));
    }
}
