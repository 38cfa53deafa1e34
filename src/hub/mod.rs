//! Models from the Hugging Face hub: the cache, and downloads into it.
//!
//! The cache has the layout of `huggingface_hub` (blobs named by etag, snapshots of links, refs), so both programs share
//! their downloads. A complete snapshot is used without network access, even for a branch: name a commit or set
//! [`HubSettings::refresh`] if that matters. Interrupted downloads are resumed, and files are verified against the hub's
//! hash.
//!
//! ```no_run
//! use albert::hub::{HubId, HubSettings, NoProgress, fetch};
//!
//! let id = HubId::parse("albert/albert-base-v2")?;
//! let settings = HubSettings::from_env(false)?;
//! let directory = fetch(&id, &settings, &mut NoProgress)?;
//! assert!(directory.join("config.json").is_file());
//! # Ok::<(), albert::Error>(())
//! ```

mod cache;
mod client;
mod download;
mod http_errors;
mod id;
mod partial;
mod repository;
mod required_files;
mod settings;
mod url;
mod verify;

use std::path::PathBuf;

pub use id::{HubId, is_hub_id, neither_file_nor_hub_id};
pub use required_files::{ADAPTER_FILES, ALBERT_FILES, RequiredFile, TOKENIZER_FILES};
pub use settings::HubSettings;

use crate::error::{Error, Result};
use cache::RepoCache;

/// Receives the progress of a download.
pub trait Progress {
    /// Called when a download starts. `total` is the size of the file, if known, and `already` the number of bytes
    /// already present. The same file may start again after [`Self::finish`] if the server cannot resume.
    fn start(&mut self, file: &str, total: Option<u64>, already: u64);
    /// Called when more bytes have been received.
    fn advance(&mut self, bytes: u64);
    /// Called when the file is complete or was abandoned.
    fn finish(&mut self);
    /// Receives a message for the user, such as a retry.
    fn note(&mut self, message: &str);
}

/// A [`Progress`] that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&mut self, _file: &str, _total: Option<u64>, _already: u64) {}
    fn advance(&mut self, _bytes: u64) {}
    fn finish(&mut self) {}
    fn note(&mut self, _message: &str) {}
}

/// Returns the directory with the configuration, weights and tokenizer of an ALBERT model ([`ALBERT_FILES`]), from the
/// cache if it is complete there, otherwise after downloading it. For a repository with an adapter and no model, returns
/// the directory with the adapter ([`ADAPTER_FILES`]).
///
/// # Errors
/// Same as [`fetch_files`].
pub fn fetch(id: &HubId, settings: &HubSettings, progress: &mut dyn Progress) -> Result<PathBuf> {
    let snapshot = RepoCache::new(id, settings).snapshot();
    let has = |required_files: &[RequiredFile<'_>]| {
        snapshot
            .as_ref()
            .is_some_and(|snapshot| required_files::missing_in(snapshot, required_files).is_none())
    };
    let required_files: &[RequiredFile<'_>] =
        if !has(&ALBERT_FILES) && has(&ADAPTER_FILES) { &ADAPTER_FILES } else { &ALBERT_FILES };
    fetch_files(id, settings, required_files, progress)
}

/// Returns the directory with the wanted files of a repository, from the cache if it is complete there, otherwise after
/// downloading them.
///
/// Files are downloaded in the order of `required_files`. With the weights last, an incomplete model never looks
/// complete. Files of the same commit that are already cached are not downloaded again.
///
/// # Errors
/// [`Error::Model`] if the model is not in the cache and the network must not be used; [`Error::Hub`] if the hub refuses
/// a request or sends bad data; [`Error::Io`] if the cache cannot be read or written; [`Error::BadFile`] for an
/// unreadable index of shards.
pub fn fetch_files(
    id: &HubId,
    settings: &HubSettings,
    required_files: &[RequiredFile<'_>],
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let cache = RepoCache::new(id, settings);
    let (complete, missing) = match cache.snapshot() {
        Some(snapshot) => match required_files::missing_in(&snapshot, required_files) {
            None => (Some(snapshot), String::new()),
            Some(missing) => (None, format!("{} has no {missing}", snapshot.display())),
        },
        None => (None, format!("{} has no snapshot of {}", cache.root().display(), id.revision())),
    };
    if let Some(snapshot) = complete {
        if !settings.refresh || settings.offline || id.is_commit() {
            return Ok(snapshot);
        }
        return match download::run(id, settings, &cache, required_files, progress) {
            Err(error @ Error::Hub { .. }) => {
                progress.note(&format!("{error}; continuing with the cached files"));
                Ok(snapshot)
            }
            answer => answer,
        };
    }
    if settings.offline {
        return Err(Error::Model {
            model: id.name(),
            problem: format!(
                "not in the cache and the network is off (option offline or HF_HUB_OFFLINE): {missing}; run \
                 once with the network, or name a directory that holds the files"
            ),
        });
    }
    download::run(id, settings, &cache, required_files, progress)
}
