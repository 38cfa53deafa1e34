//! Counts of a corpus that was read, and its problems.

use crate::error::stated;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of problems that a report keeps with their locations.
const MAX_PROBLEMS: usize = 10;

/// A problem in a corpus that was repaired or skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name, or `<stdin>`.
    pub source: String,
    /// Line number from 1; 0 for the file as a whole.
    pub line: u64,
    /// Description of the problem and of how it was handled.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&stated(&self.source, &self.problem)),
            line => write!(f, "{}:{line}: {}", self.source, self.problem),
        }
    }
}

/// Counts of a corpus that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusReport {
    /// Files read, pipes included.
    pub files: u64,
    /// Files in folders whose names do not mark them as corpus files.
    pub skipped_files: u64,
    /// Files without any text.
    pub empty_files: u64,
    /// Files that are truncated or damaged (read up to that point), or in UTF-16 (not read).
    pub damaged_files: u64,
    /// Documents, as separated in the files.
    pub documents: u64,
    /// Lines with text.
    pub lines: u64,
    /// Bytes of decompressed text.
    pub bytes: u64,
    /// Lines with invalid UTF-8, which was replaced by U+FFFD.
    pub bad_utf8: u64,
    /// Lines with NUL characters, which were replaced by spaces.
    pub nul_lines: u64,
    /// Lines that were too long and were split.
    pub long_lines: u64,
    /// Records that are not JSON objects or lack text in the field; skipped.
    pub bad_records: u64,
    /// The first problems, with their locations.
    pub problems: Vec<Problem>,
}

impl CorpusReport {
    /// Returns true if anything was repaired or skipped.
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The total number of problems, including those that were not recorded.
    pub fn problem_count(&self) -> u64 {
        self.damaged_files + self.bad_utf8 + self.nul_lines + self.long_lines + self.bad_records
    }

    pub(super) fn add(&mut self, source: &str, line: u64, problem: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { source: source.to_owned(), line, problem: problem.into() });
        }
    }
}
