//! What instances are made from: documents of sentences of token ids.

use std::ops::Range;

use crate::error::Result;

/// Documents of sentences of token ids, read in any order by any number of threads.
///
/// Lengths and tokens are read apart: which sentences make which instance follows from lengths alone, so that a
/// process reads the tokens of its own instances and no others.
pub trait Documents: Sync {
    /// How many documents there are.
    fn count(&self) -> u64;

    /// Number of tokens of each sentence of document `document`; no sentence is empty.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file behind it cannot be read.
    fn sentence_lengths(&self, document: u64) -> Result<Vec<u32>>;

    /// The token ids of a range of a document's sentences, without special tokens.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file behind it cannot be read.
    fn sentences(&self, document: u64, range: Range<usize>) -> Result<Vec<Vec<u32>>>;
}
