//! `FILE.partial`: the name of an output until it is complete. The run that writes it locks the file, so that a second
//! run is rejected, while the remains of a killed run are found again. `FILE.partial.json` describes the run.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::destination::parent;
use super::lock::lock_file;
use super::temporary::builder;
use crate::error::{Error, Result};

/// Maximum number of attempts to lock a file that other runs keep renaming.
const ATTEMPTS: usize = 100;

/// The first bytes of every description.
const DESCRIPTION: &[u8] = b"{\"albert\":";

/// A locked partial file.
#[derive(Debug)]
pub(super) struct Partial {
    path: PathBuf,
    file: File,
    /// Number of bytes left by an earlier run.
    left: u64,
    started: bool,
}

impl Partial {
    /// Opens and locks the partial file of `place`. Returns `None` if that name cannot be used.
    ///
    /// # Errors
    /// [`Error::BadFile`] if another run is writing it; [`Error::Io`].
    pub(super) fn claim(place: &Path) -> Result<Option<Self>> {
        let path = with_suffix(place, ".partial");
        for _ in 0..ATTEMPTS {
            if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
                return Ok(None);
            }
            let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
            let Ok(file) = opened else { return Ok(None) };
            if !lock_file(&file) {
                return Err(Error::bad_file(
                    path,
                    "is in use: another albert process is writing this output",
                ));
            }
            // Another run may have completed and renamed the file before it was locked.
            let metadata = file.metadata().map_err(Error::io(&path, "read"))?;
            if path.symlink_metadata().is_ok_and(|named| same_file(&named, &metadata)) {
                let left = metadata.len();
                return Ok(Some(Self { path, file, left, started: false }));
            }
        }
        Err(Error::bad_file(path, "keeps changing: other runs are writing this output"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Returns the number of bytes left by an earlier run.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Returns true once the content of an earlier run has been replaced or is being continued.
    pub(super) fn started(&self) -> bool {
        self.started
    }

    /// Returns the description of the earlier run.
    pub(super) fn description(&self) -> Option<Vec<u8>> {
        std::fs::read(self.description_path()).ok().filter(|bytes| bytes.starts_with(DESCRIPTION))
    }

    /// Prepares the file for writing: after the first `keep` bytes, or from the beginning.
    ///
    /// # Errors
    /// Errors from the operating system.
    pub(super) fn start(&mut self, keep: u64) -> std::io::Result<()> {
        if keep > 0 {
            self.file.set_len(keep)?;
            self.file.seek(SeekFrom::Start(keep))?;
        } else if self.left > 0 {
            // Create a new file, since the old one may have other hard links and an outdated mode.
            let temporary = builder().tempfile_in(parent(&self.path))?;
            lock_file(temporary.as_file());
            self.file = temporary.persist(&self.path).map_err(|e| e.error)?;
        }
        self.started = true;
        Ok(())
    }

    /// Writes the description of this run, or removes that of an earlier one. If the description cannot be written, a new
    /// file is abandoned.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn describe(&mut self, description: Option<&[u8]>) -> Result<()> {
        self.remove_description();
        let Some(description) = description else { return Ok(()) };
        let path = self.description_path();
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(description));
        written.map_err(|source| {
            self.remove_description();
            (self.left, self.started) = (0, false);
            Error::io(path, "create")(source)
        })
    }

    /// Removes the description, even if it is incomplete. Any other file with this name stays.
    pub(super) fn remove_description(&self) {
        remove_description(&self.description_path());
    }

    fn description_path(&self) -> PathBuf {
        with_suffix(&self.path, ".json")
    }
}

/// Removes the description of a partial file that no longer exists because the output is complete: a run was killed
/// between renaming the file and removing the description.
pub(super) fn remove_orphaned_description(place: &Path) {
    let partial = with_suffix(place, ".partial");
    if !partial.exists() {
        remove_description(&with_suffix(&partial, ".json"));
    }
}

fn remove_description(path: &Path) {
    if std::fs::read(path).is_ok_and(|old| old.starts_with(DESCRIPTION) || DESCRIPTION.starts_with(&old)) {
        // Without a description, the next run starts over.
        let _left = std::fs::remove_file(path);
    }
}

/// Removes the empty file of a claim that was not used.
impl Drop for Partial {
    fn drop(&mut self) {
        if !self.started && self.left == 0 {
            let _left = std::fs::remove_file(&self.path);
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
fn same_file(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(_a: &Metadata, _b: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_exclusive_and_leaves_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("out");
        let claim = Partial::claim(&place).expect("free").expect("a file");
        let error = Partial::claim(&place).expect_err("taken");
        assert!(error.to_string().contains("out.partial is in use"), "{error}");
        drop(claim);
        assert_eq!(std::fs::read_dir(directory.path()).expect("reads").count(), 0);
    }

    #[test]
    fn what_an_earlier_run_left_stays_until_the_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("out");
        let partial = directory.path().join("out.partial");
        std::fs::write(&partial, "one\ntw").expect("writes");
        drop(Partial::claim(&place).expect("free"));
        assert_eq!(std::fs::read_to_string(&partial).expect("reads"), "one\ntw");
        let mut claim = Partial::claim(&place).expect("free").expect("a file");
        assert_eq!(claim.left(), 6);
        claim.start(4).expect("starts");
        claim.file().write_all(b"2\n").expect("writes");
        assert_eq!(std::fs::read_to_string(&partial).expect("reads"), "one\n2\n");
        drop(claim);
        let mut claim = Partial::claim(&place).expect("free").expect("a file");
        claim.start(0).expect("starts");
        assert_eq!(std::fs::read_to_string(&partial).expect("reads"), "");
        assert!(Partial::claim(&place).is_err(), "the new file is locked, too");
    }

    #[test]
    #[cfg(unix)]
    fn other_kinds_of_files_are_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("out");
        std::os::unix::fs::symlink("elsewhere", directory.path().join("out.partial")).expect("links");
        assert!(Partial::claim(&place).expect("no error").is_none());
        assert!(!directory.path().join("elsewhere").exists());
    }

    #[test]
    fn only_a_description_is_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut claim = Partial::claim(&directory.path().join("out")).expect("free").expect("a file");
        let path = directory.path().join("out.partial.json");
        std::fs::write(&path, "{\"mine\":1}").expect("writes");
        assert!(claim.describe(Some(b"{\"albert\":1}")).is_err());
        claim.remove_description();
        assert!(path.exists());
        std::fs::remove_file(&path).expect("removes");
        claim.describe(Some(b"{\"albert\":1}")).expect("writes");
        assert_eq!(claim.description().as_deref(), Some(&b"{\"albert\":1}"[..]));
        claim.describe(None).expect("removes");
        assert!(!path.exists());
        // A run that was killed while writing.
        for torn in ["", "{\"alb"] {
            std::fs::write(&path, torn).expect("writes");
            claim.describe(Some(b"{\"albert\":2}")).expect("replaces");
            assert_eq!(claim.description().as_deref(), Some(&b"{\"albert\":2}"[..]));
        }
    }
}
