//! A corpus: plain text or JSON lines in files, folders or a pipe, read as documents of lines.
//!
//! * Text: one sentence or paragraph per line, a blank line between documents.
//! * JSON lines: one document per record, with its text in one field. Blank lines in that text do not end the
//!   document.
//! * Either may be compressed with gzip or Zstandard.
//!
//! Everything is streamed: memory does not grow with the corpus, its files, or its lines. Damaged input is skipped or
//! repaired and counted, and the first problems are recorded with their locations ([`CorpusReport`]).

mod cache;
mod decode;
mod files;
mod lines;
mod reader;
mod report;
mod sentences;

pub use cache::{CacheSummary, TokenCache};
pub use reader::{CorpusReader, Item};
pub use report::{CorpusReport, Problem};
pub use sentences::{Sentences, split_sentences};

use crate::error::Result;
use files::Input;
use std::path::PathBuf;

/// Options for reading a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusOptions {
    /// The field of JSON records that holds the text.
    pub text_field: String,
    /// How lines are split into sentences.
    pub sentences: Sentences,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self { text_field: "text".to_owned(), sentences: Sentences::default() }
    }
}

/// The files of a corpus, found but not yet read.
#[derive(Clone, Debug)]
pub struct Corpus {
    inputs: Vec<Input>,
    skipped: u64,
    options: CorpusOptions,
}

impl Corpus {
    /// Finds the files: files named directly, whatever their extension; files in and below named folders, in the order of
    /// their names, if they end in `.txt` or `.jsonl` (optionally followed by `.gz` or `.zst`). `-` is standard input.
    ///
    /// # Errors
    /// If a path does not exist, a folder contains no such file, or `-` is given twice.
    pub fn open(paths: &[PathBuf], options: CorpusOptions) -> Result<Self> {
        let (inputs, skipped) = files::find(paths)?;
        Ok(Self { inputs, skipped, options })
    }

    /// The options that the corpus was opened with.
    pub fn options(&self) -> &CorpusOptions {
        &self.options
    }

    /// The number of files and pipes.
    pub fn file_count(&self) -> usize {
        self.inputs.len()
    }

    /// The total size of the stored files in bytes, or 0 if any size is unknown (a pipe).
    pub fn total_bytes(&self) -> u64 {
        self.inputs.iter().try_fold(0, |sum: u64, input| Some(sum + input.size()?)).unwrap_or(0)
    }

    /// Reads the corpus from the beginning. Pipes can be read only once.
    pub fn reader(&self) -> CorpusReader {
        CorpusReader::new(self)
    }

    /// Returns true if every file can be read more than once, unlike pipes and standard input.
    pub fn is_rereadable(&self) -> bool {
        self.inputs.iter().all(|input| input.identity().is_some())
    }

    /// The identity of the corpus: paths, sizes, modification times and options; `None` if it contains a pipe.
    fn identity(&self) -> Option<Vec<String>> {
        let files: Option<Vec<String>> = self.inputs.iter().map(Input::identity).collect();
        let mut identity = files?;
        identity.push(format!("{:?}", self.options));
        Some(identity)
    }
}
