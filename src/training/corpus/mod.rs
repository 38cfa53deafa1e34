//! A corpus: plain text or JSON lines in files, folders or a pipe, read as documents of lines.
//!
//! * Text: a sentence or a paragraph a line, a blank line between documents.
//! * JSON lines: a document a record, its text in one field; the lines of that text are lines, blank ones do not
//!   end the document.
//! * Either may be compressed with gzip or Zstandard.
//!
//! Everything is streamed: memory does not grow with the corpus, its files, or its lines. What is damaged is
//! counted, the first cases with their places, and the rest is read ([`CorpusReport`]).

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

/// How a corpus is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusOptions {
    /// The field of JSON records that holds the text.
    pub text_field: String,
    /// How lines become sentences.
    pub sentences: Sentences,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self { text_field: "text".to_owned(), sentences: Sentences::default() }
    }
}

/// The files of a corpus, found but not read.
#[derive(Clone, Debug)]
pub struct Corpus {
    inputs: Vec<Input>,
    skipped: u64,
    options: CorpusOptions,
}

impl Corpus {
    /// Finds the files: those named, whatever their endings; those in folders named and below, in the order of
    /// their names, if they end in `.txt` or `.jsonl` (also with `.gz` or `.zst`). `-` is standard input.
    ///
    /// # Errors
    /// If a path does not exist, a folder holds no such file, or `-` is there twice.
    pub fn open(paths: &[PathBuf], options: CorpusOptions) -> Result<Self> {
        let (inputs, skipped) = files::find(paths)?;
        Ok(Self { inputs, skipped, options })
    }

    /// The options it was opened with.
    pub fn options(&self) -> &CorpusOptions {
        &self.options
    }

    /// How many files (or pipes) it has.
    pub fn file_count(&self) -> usize {
        self.inputs.len()
    }

    /// The size of all files as stored, 0 if that of any is not known (a pipe).
    pub fn total_bytes(&self) -> u64 {
        self.inputs.iter().try_fold(0, |sum: u64, input| Some(sum + input.size()?)).unwrap_or(0)
    }

    /// Reads the corpus from the beginning. Pipes can be read once.
    pub fn reader(&self) -> CorpusReader {
        CorpusReader::new(self)
    }

    /// What makes this corpus this corpus: paths, sizes, times of change, options; `None` where a pipe is in it.
    fn identity(&self) -> Option<Vec<String>> {
        let files: Option<Vec<String>> = self.inputs.iter().map(Input::identity).collect();
        let mut identity = files?;
        identity.push(format!("{:?}", self.options));
        Some(identity)
    }
}
