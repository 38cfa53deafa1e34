//! Models by name: the Hugging Face cache, and downloads into it.
//!
//! The cache has the layout of `huggingface_hub` (blobs named by etag, snapshots of links, refs), so
//! that what either program fetched the other finds. A complete snapshot is used without asking the
//! network, also for a branch: name a commit, or set [`HubSettings::refresh`], where that matters. A
//! download goes on where an earlier one broke off, and is checked against the hash that the hub names.
//!
//! ```no_run
//! use albert::hub::{HubId, HubSettings, Quiet, fetch};
//!
//! let id = HubId::parse("albert/albert-base-v2")?;
//! let settings = HubSettings::from_env(false)?;
//! let directory = fetch(&id, &settings, &mut Quiet)?;
//! assert!(directory.join("config.json").is_file());
//! # Ok::<(), albert::Error>(())
//! ```

mod address;
mod cache;
mod client;
mod download;
mod id;
mod partial;
mod refusals;
mod repository;
mod settings;
mod verify;
mod wanted;

use std::path::PathBuf;

pub use id::{HubId, is_hub_id};
pub use settings::HubSettings;
pub use wanted::{ALBERT_FILES, TOKENIZER_FILES, Wanted};

use crate::error::{Error, Result};
use cache::RepoCache;

/// Who wants to see a download.
pub trait Progress {
    /// A file begins: its size if known, and how much of it is here already. The same file may begin
    /// again after [`Self::finish`], where a server cannot go on from the middle.
    fn start(&mut self, file: &str, total: Option<u64>, already: u64);
    /// So many more bytes are here.
    fn advance(&mut self, bytes: u64);
    /// The file is complete, or given up.
    fn finish(&mut self);
    /// Something worth saying, such as another try.
    fn note(&mut self, message: &str);
}

/// A [`Progress`] that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn start(&mut self, _file: &str, _total: Option<u64>, _already: u64) {}
    fn advance(&mut self, _bytes: u64) {}
    fn finish(&mut self) {}
    fn note(&mut self, _message: &str) {}
}

/// The directory with an ALBERT model's configuration, weights and tokenizer ([`ALBERT_FILES`]): from
/// the cache if it is complete there, else downloaded.
///
/// # Errors
/// As [`fetch_files`].
pub fn fetch(id: &HubId, settings: &HubSettings, progress: &mut dyn Progress) -> Result<PathBuf> {
    fetch_files(id, settings, &ALBERT_FILES, progress)
}

/// The directory with the wanted files of a repository: from the cache if it is complete there, else
/// downloaded.
///
/// Files come in the order of `wanted`: with the weights last, a model of which a part is missing never
/// looks complete. What the cache has of the same commit is not fetched again.
///
/// # Errors
/// [`Error::Model`] when it is not in the cache and the network is off, naming what is missing where;
/// [`Error::Hub`] for what the hub refuses or delivers badly; [`Error::Io`] for what the cache's disk
/// refuses; [`Error::BadFile`] for an index of shards that cannot be read.
pub fn fetch_files(
    id: &HubId,
    settings: &HubSettings,
    wanted: &[Wanted<'_>],
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let cache = RepoCache::new(id, settings);
    let (complete, missing) = match cache.snapshot() {
        Some(snapshot) => match wanted::missing_in(&snapshot, wanted) {
            None => (Some(snapshot), String::new()),
            Some(missing) => (None, format!("{} has no {missing}", snapshot.display())),
        },
        None => (None, format!("{} has no snapshot of {}", cache.root().display(), id.revision())),
    };
    if let Some(snapshot) = complete {
        if !settings.refresh || settings.offline || id.is_commit() {
            return Ok(snapshot);
        }
        return match download::run(id, settings, &cache, wanted, progress) {
            Err(error @ Error::Hub { .. }) => {
                progress.note(&format!("{error}; going on with what is in the cache"));
                Ok(snapshot)
            }
            answer => answer,
        };
    }
    if settings.offline {
        return Err(Error::Model {
            model: id.name(),
            problem: format!(
                "not in the cache and the network is off (--offline or HF_HUB_OFFLINE): {missing}; run \
                 once with the network, or name a directory that holds the files"
            ),
        });
    }
    download::run(id, settings, &cache, wanted, progress)
}
