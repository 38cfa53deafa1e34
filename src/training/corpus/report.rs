//! What was read of a corpus, and what was wrong with it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How many problems a report keeps with their places.
const KEPT: usize = 10;

/// Something in a corpus that was repaired or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file's name, or `<stdin>`.
    pub source: String,
    /// From 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong, and what was done about it.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.source, self.problem),
            line => write!(f, "{}:{line}: {}", self.source, self.problem),
        }
    }
}

/// Counts of a corpus that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorpusReport {
    /// Files read, pipes included.
    pub files: u64,
    /// Files in folders that are no corpus files by their names.
    pub skipped_files: u64,
    /// Files without any text.
    pub empty_files: u64,
    /// Files that end in the middle or are damaged inside (what came before was read), or are UTF-16 (nothing was).
    pub damaged_files: u64,
    /// Documents as the files separate them.
    pub documents: u64,
    /// Lines with text.
    pub lines: u64,
    /// Bytes of text, decompressed.
    pub bytes: u64,
    /// Lines that are not UTF-8; U+FFFD stands for what is not.
    pub bad_utf8: u64,
    /// Lines with NUL characters, which became spaces.
    pub nul_lines: u64,
    /// Lines that were too long and came in parts.
    pub long_lines: u64,
    /// Records that are no JSON objects or have no text in the field; left out.
    pub bad_records: u64,
    /// The first problems.
    pub problems: Vec<Problem>,
}

impl CorpusReport {
    /// True if anything was repaired or left out.
    pub fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// How many problems there are, those without a place here too.
    pub fn problem_count(&self) -> u64 {
        self.damaged_files + self.bad_utf8 + self.nul_lines + self.long_lines + self.bad_records
    }

    pub(super) fn add(&mut self, source: &str, line: u64, problem: impl Into<String>) {
        if self.problems.len() < KEPT {
            self.problems.push(Problem { source: source.to_owned(), line, problem: problem.into() });
        }
    }
}
