//! The directory of one model in the Hugging Face cache: `models--org--name/{blobs,refs,snapshots}`.
//!
//! Reference: huggingface_hub `file_download.py`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::required_files::is_safe_component;
use super::{HubId, HubSettings, Progress};
use crate::error::{Error, Result};

/// The cache directory of one repository.
pub(crate) struct RepoCache {
    root: PathBuf,
    revision: String,
}

impl RepoCache {
    /// Returns the location of `id` without creating anything.
    pub(crate) fn new(id: &HubId, settings: &HubSettings) -> Self {
        let root = settings.cache_dir.join(format!("models--{}", id.repo.replace('/', "--")));
        Self { root, revision: id.revision().to_owned() }
    }

    /// Returns the directory `models--org--name`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the cached snapshot of the revision, if there is one.
    pub(crate) fn snapshot(&self) -> Option<PathBuf> {
        let commit = match fs::read_to_string(self.ref_path()) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => self.revision.clone(),
        };
        let snapshot = self.snapshot_of(&commit);
        (is_safe_component(&commit) && snapshot.is_dir()).then_some(snapshot)
    }

    /// Returns the snapshot directory of a commit.
    pub(crate) fn snapshot_of(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// Returns the blob with this etag.
    pub(crate) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    fn ref_path(&self) -> PathBuf {
        self.root.join("refs").join(&self.revision)
    }

    /// Locks the blob until the file is closed or this process dies. Returns `None` if the file system does not support locks.
    pub(crate) fn lock(&self, etag: &str, name: &str, progress: &mut dyn Progress) -> Result<Option<File>> {
        let directory = self.root.with_file_name(".locks").join(self.root.file_name().unwrap_or_default());
        create_directory(&directory)?;
        let path = directory.join(format!("{etag}.lock"));
        loop {
            let file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(false)
                .open(&path)
                .map_err(Error::io(&path, "create"))?;
            let locked = match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    progress.note(&format!("waiting for another program that downloads {name}"));
                    file.lock()
                }
                Err(TryLockError::Error(error)) => Err(error),
                Ok(()) => Ok(()),
            };
            match locked {
                // The previous holder may have deleted the file, and another program may have created it again.
                Ok(()) if is_deleted(&file) => {}
                Ok(()) => return Ok(Some(file)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// Adds a blob to a snapshot: as a relative link, or as a copy if links are not supported.
    pub(crate) fn place(&self, commit: &str, file: &str, etag: &str) -> Result<()> {
        let target = self.snapshot_of(commit).join(file);
        let directory = target.parent().unwrap_or(&self.root);
        create_directory(directory)?;
        if target.is_file() {
            return Ok(());
        }
        if target.is_symlink() {
            // A dangling link. Another program may be replacing it, so its absence is not an error.
            let _gone = fs::remove_file(&target);
        }
        let up = "../".repeat(file.matches('/').count() + 2);
        let blob = self.blob(etag);
        if link(Path::new(&format!("{up}blobs/{etag}")), &target).is_ok()
            || target.is_file()
            || fs::hard_link(&blob, &target).is_ok()
        {
            return Ok(());
        }
        let copy = temporary_in(directory)?;
        fs::copy(&blob, copy.path()).map_err(Error::io(&target, "create"))?;
        copy.persist(&target).map_err(|e| Error::io(&target, "create")(e.error))?;
        Ok(())
    }

    /// Records the commit of the revision.
    pub(crate) fn set_ref(&self, commit: &str) -> Result<()> {
        let path = self.ref_path();
        if self.revision == commit || fs::read_to_string(&path).is_ok_and(|known| known == commit) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(&self.root);
        create_directory(directory)?;
        let file = temporary_in(directory)?;
        fs::write(file.path(), commit).map_err(Error::io(&path, "write"))?;
        file.persist(&path).map_err(|e| Error::io(&path, "rename to")(e.error))?;
        Ok(())
    }
}

/// Creates a directory and its parents.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io(path, "create"))
}

/// Creates a temporary file with the permissions of the other files in the cache.
fn temporary_in(directory: &Path) -> Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(".tmp").tempfile_in(directory).map_err(Error::io(directory, "create a file in"))
}

#[cfg(unix)]
fn link(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(not(unix))]
fn link(_original: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn is_deleted(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|m| m.nlink() == 0)
}

#[cfg(not(unix))]
fn is_deleted(_file: &File) -> bool {
    false
}
