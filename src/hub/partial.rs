//! A partially downloaded file.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::verify::verify;
use crate::error::{Error, Result};

/// A partial file next to its destination.
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    have: u64,
}

impl Partial {
    /// Opens the partial file of an earlier run, or creates one.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)
            .map_err(Error::io(&path, "create"))?;
        let have = file.metadata().map_err(Error::io(&path, "read"))?.len();
        Ok(Self { path, file, have })
    }

    /// Returns the current length in bytes.
    pub(crate) fn have(&self) -> u64 {
        self.have
    }

    /// Truncates the file.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).map_err(Error::io(&self.path, "shorten"))?;
        self.have = 0;
        Ok(())
    }

    /// Appends data.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io(&self.path, "write"))?;
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Verifies the content. The inner error describes a mismatch.
    pub(crate) fn check(&mut self, etag: &str, size: Option<u64>) -> Result<std::result::Result<(), String>> {
        verify(&mut self.file, etag, size).map_err(Error::io(&self.path, "read"))
    }

    /// Moves the file to its destination.
    pub(crate) fn finish(self, place: &Path) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path, "write"))?;
        fs::rename(&self.path, place).map_err(Error::io(place, "rename to"))
    }

    /// Deletes the file.
    pub(crate) fn delete(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(Error::io(&self.path, "delete"))
    }
}
