//! One model's place in the Hugging Face cache: `models--org--name/{blobs,refs,snapshots}`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{HubId, HubSettings};
use crate::error::{Error, Result};

/// The cache of one repository.
pub struct RepoCache {
    root: PathBuf,
    revision: String,
}

impl RepoCache {
    /// Where `id` is or will be. Nothing is created yet.
    pub fn new(id: &HubId, settings: &HubSettings) -> Result<Self> {
        let root = settings.cache.join(format!("models--{}", id.repo.replace('/', "--")));
        Ok(Self { root, revision: id.revision.clone() })
    }

    /// `models--org--name`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The snapshot that the revision stands for, if it is here.
    pub fn snapshot(&self) -> Option<PathBuf> {
        let commit = match fs::read_to_string(self.root.join("refs").join(&self.revision)) {
            Ok(commit) => commit.trim().to_owned(),
            Err(_) => self.revision.clone(),
        };
        let snapshot = self.root.join("snapshots").join(commit);
        snapshot.is_dir().then_some(snapshot)
    }

    /// The directory of a commit's files.
    pub fn snapshot_of(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The file that holds the content with this etag.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    /// A lock file for one blob, so that two programs do not write it at once.
    pub fn lock(&self, etag: &str) -> Result<fs::File> {
        let name = self.root.file_name().unwrap_or_default();
        let directory = self.root.with_file_name(".locks").join(name);
        create_directory(&directory)?;
        let path = directory.join(format!("{etag}.lock"));
        let file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io(&path, "create"))?;
        // Held until the file is closed, also when the process dies.
        file.lock().map_err(Error::io(&path, "lock"))?;
        Ok(file)
    }

    /// Makes a snapshot's file of a blob: a relative link, or a copy where links cannot be made.
    pub fn place(&self, commit: &str, file: &str, etag: &str) -> Result<()> {
        let target = self.snapshot_of(commit).join(file);
        if let Some(parent) = target.parent() {
            create_directory(parent)?;
        }
        if target.exists() {
            return Ok(());
        }
        let up = "../".repeat(file.matches('/').count() + 2);
        // A dangling link of an earlier try would be in the way.
        let _was_not_there = fs::remove_file(&target);
        if link(Path::new(&format!("{up}blobs/{etag}")), &target).is_err() && !target.exists() {
            fs::copy(self.blob(etag), &target).map_err(Error::io(&target, "create"))?;
        }
        Ok(())
    }

    /// Notes which commit the revision stands for.
    pub fn set_ref(&self, commit: &str) -> Result<()> {
        if self.revision == commit {
            return Ok(());
        }
        let path = self.root.join("refs").join(&self.revision);
        let directory = path.parent().unwrap_or(&self.root);
        create_directory(directory)?;
        let file = tempfile::NamedTempFile::new_in(directory).map_err(Error::io(&path, "create"))?;
        fs::write(file.path(), commit).map_err(Error::io(&path, "write"))?;
        file.persist(&path).map_err(|e| Error::io(&path, "rename to")(e.error))?;
        Ok(())
    }
}

/// Makes a directory and those above it.
pub fn create_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::io(path, "create"))
}

#[cfg(unix)]
fn link(original: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

#[cfg(not(unix))]
fn link(_original: &Path, _link: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}
