//! Fetches models and tokenizers from the Hugging Face Hub.

use std::path::PathBuf;

use albert::{Error, Result};

use crate::cli::output::report::Reporter;

#[cfg(feature = "hub")]
pub(super) fn from_hub(model: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    use albert::hub::{self, HubId, HubSettings};

    if !hub::is_hub_id(model) {
        return Err(Error::Model {
            model: model.to_owned(),
            problem: "no such file or directory".to_owned(),
        });
    }
    let id = HubId::parse(model)?;
    let settings = HubSettings::from_env(offline)?;
    let mut progress = Download { reporter, bar: indicatif::ProgressBar::hidden() };
    hub::fetch(&id, &settings, &mut progress).map_err(|error| hub::neither_file_nor_hub_id(model, error))
}

#[cfg(not(feature = "hub"))]
pub(super) fn from_hub(model: &str, _offline: bool, _reporter: &Reporter) -> Result<PathBuf> {
    Err(Error::Model {
        model: model.to_owned(),
        problem: "no such file or directory (this albert was built without the hub feature)".to_owned(),
    })
}

#[cfg(feature = "hub")]
pub(super) fn tokenizer_from_hub(named: &str, offline: bool, reporter: &Reporter) -> Result<PathBuf> {
    use albert::hub::{self, HubId, HubSettings};

    if !hub::is_hub_id(named) {
        return Err(no_such_tokenizer(named, ""));
    }
    let settings = HubSettings::from_env(offline)?;
    let mut progress = Download { reporter, bar: indicatif::ProgressBar::hidden() };
    hub::fetch_files(&HubId::parse(named)?, &settings, &hub::TOKENIZER_FILES, &mut progress).map_err(
        |error| {
            let problem = match error {
                Error::Hub { url, problem, .. } => format!("{url}: {problem}"),
                Error::Model { problem, .. } => problem,
                other => return other,
            };
            no_such_tokenizer(named, &format!("; as a hub id: {problem}"))
        },
    )
}

#[cfg(not(feature = "hub"))]
pub(super) fn tokenizer_from_hub(named: &str, _offline: bool, _reporter: &Reporter) -> Result<PathBuf> {
    Err(no_such_tokenizer(named, " (this albert was built without the hub feature)"))
}

fn no_such_tokenizer(named: &str, why: &str) -> Error {
    Error::InvalidOption {
        name: "tokenizer".to_owned(),
        problem: format!("\"{named}\" is not a file or directory{why}"),
    }
}

/// Shows downloads on stderr.
#[cfg(feature = "hub")]
struct Download<'a> {
    reporter: &'a Reporter,
    bar: indicatif::ProgressBar,
}

#[cfg(feature = "hub")]
impl albert::hub::Progress for Download<'_> {
    fn start(&mut self, file: &str, total: Option<u64>, already: u64) {
        self.bar = self.reporter.download_bar(file, total, already);
        self.reporter.detail(|| format!("downloading {file}"));
    }

    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    fn note(&mut self, message: &str) {
        self.bar.suspend(|| self.reporter.note(message));
    }
}
