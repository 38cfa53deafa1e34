//! Output in several files with the same number of records each: `FILE-00001`, `FILE-00002` and so on.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::complete::{Complete, HeaderRow};
use super::destination::parent;
use super::output::{Format, OutputTarget};
use super::partial::remove_orphaned_description;
use crate::error::{Error, Result};

/// The names of numbered files, and the number of records in each file except the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    path: PathBuf,
    records: u64,
}

/// The files that an earlier run completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinishedFiles {
    /// Number of files.
    pub files: u64,
    /// Total number of records.
    pub records: u64,
    /// Number of failed records, as far as they can be counted.
    pub failed: u64,
    /// The records of the last file.
    pub last: Complete,
}

impl Numbered {
    /// Creates names based on `path`, for files with `records` records each.
    pub fn new(path: &Path, records: u64) -> Self {
        Self { path: path.to_owned(), records: records.max(1) }
    }

    /// Returns the number of records in each file except the last.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Returns the name of a file, counted from 1: `labels-00001.csv` for `labels.csv`.
    pub fn file(&self, number: u64) -> PathBuf {
        let extension = self.path.extension().unwrap_or_default();
        let mut name = self.path.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{number:05}"));
        if !extension.is_empty() {
            name.push(".");
            name.push(extension);
        }
        self.path.with_file_name(name)
    }

    /// Returns the files that exist, up to the first gap.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read.
    pub fn finished(&self, format: Format) -> Result<FinishedFiles> {
        let mut finished = FinishedFiles::default();
        loop {
            let path = self.file(finished.files + 1);
            if !path.exists() {
                finished.records = finished.files * self.records;
                return Ok(finished);
            }
            finished.last = Complete::of_file(&path, format, HeaderRow::Present)?;
            finished.failed += finished.last.failed;
            finished.files += 1;
        }
    }

    /// Returns the existing file with the lowest number from `first`.
    ///
    /// # Errors
    /// [`Error::Io`] if the directory cannot be read.
    pub fn existing(&self, first: u64) -> Result<Option<PathBuf>> {
        let directory = parent(&self.path);
        let entries = std::fs::read_dir(directory).map_err(Error::io(directory, "read"))?;
        let stem = self.path.file_stem().unwrap_or_default().as_encoded_bytes();
        let number = |name: &OsStr| -> Option<u64> {
            let rest = name.as_encoded_bytes().strip_prefix(stem)?.strip_prefix(b"-")?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
            (self.file(number).file_name() == Some(name)).then_some(number)
        };
        let numbers = entries.flatten().filter_map(|entry| number(&entry.file_name()));
        Ok(numbers.filter(|number| *number >= first).min().map(|number| self.file(number)))
    }

    /// Removes what a killed run left behind of a finished file.
    pub fn clean_up(&self, number: u64) {
        remove_orphaned_description(&self.file(number));
    }

    /// Opens a file that must not exist yet.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it exists; errors from [`OutputTarget::open_records`].
    pub(super) fn open(&self, number: u64) -> Result<OutputTarget> {
        let path = self.file(number);
        if path.exists() {
            return Err(Error::bad_file(path, "exists already; move it away"));
        }
        OutputTarget::open_records(Some(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_the_extension() {
        let name = |path: &str, number| Numbered::new(Path::new(path), 5).file(number);
        assert_eq!(name("a.b/labels.csv", 1), Path::new("a.b/labels-00001.csv"));
        assert_eq!(name("labels", 123_456), Path::new("labels-123456"));
        assert_eq!(name("x.tar.npy", 7), Path::new("x.tar-00007.npy"));
    }

    #[test]
    fn files_count_up_to_the_first_gap() {
        let directory = tempfile::tempdir().expect("a directory");
        let numbered = Numbered::new(&directory.path().join("out.jsonl"), 2);
        assert_eq!(numbered.finished(Format::Jsonl).expect("reads"), FinishedFiles::default());
        for number in [1, 2, 4] {
            std::fs::write(numbered.file(number), "{\"error\":\"x\"}\n{}\n").expect("writes");
        }
        let finished = numbered.finished(Format::Jsonl).expect("reads");
        assert_eq!((finished.files, finished.records, finished.failed), (2, 4, 2));
        assert_eq!(numbered.existing(3).expect("reads"), Some(numbered.file(4)));
        assert_eq!(numbered.existing(5).expect("reads"), None);
        for other in ["out-1.jsonl", "out-00005.csv", "out-00005.jsonl.partial", "out-x.jsonl", "o"] {
            std::fs::write(directory.path().join(other), "").expect("writes");
        }
        assert_eq!(numbered.existing(5).expect("reads"), None);
        assert!(numbered.open(4).is_err());
        assert!(numbered.open(3).is_ok());
    }
}
