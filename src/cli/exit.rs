//! Exit codes: 0 done, 1 some input failed, 2 usage or set-up, 130 interrupted and ready to go on.

use std::process::ExitCode;

use albert::{Error, Result};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Everything was done.
    Done,
    /// Some input could not be processed, or the work broke off.
    SomeFailed,
    /// The command could not begin: a flag, a model, a device, a file.
    Setup,
    /// A signal ended a run that can be resumed.
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

/// An error with the exit status it leads to.
#[derive(Debug)]
pub struct Failure {
    /// To be printed.
    pub error: Error,
    /// To be returned.
    pub status: ExitStatus,
}

/// An error before the first record is a matter of set-up, unless said otherwise.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, status: ExitStatus::Setup }
    }
}

/// Marks errors of the work itself.
pub trait WhileRunning<T> {
    /// An error here means that some input failed. Weights that do not fit are a matter of set-up wherever they are read.
    fn while_running(self) -> std::result::Result<T, Failure>;
}

impl<T> WhileRunning<T> for Result<T> {
    fn while_running(self) -> std::result::Result<T, Failure> {
        self.map_err(|error| {
            let setup = matches!(error, Error::Weights { .. });
            Failure { error, status: if setup { ExitStatus::Setup } else { ExitStatus::SomeFailed } }
        })
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
