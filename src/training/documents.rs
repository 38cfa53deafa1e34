//! The input of instances: documents of sentences of token ids.

use std::ops::Range;

use crate::error::Result;

/// Documents of sentences of token ids, readable in any order from any number of threads.
///
/// Lengths and tokens are read separately. Lengths alone determine which sentences form an instance, so a process
/// reads only the tokens of its own instances.
pub trait Documents: Sync {
    /// The number of documents.
    fn count(&self) -> u64;

    /// The number of tokens in each sentence of document `document`. No sentence is empty.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the underlying file cannot be read.
    fn sentence_lengths(&self, document: u64) -> Result<Vec<u32>>;

    /// The token ids of a range of sentences of a document, without special tokens.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the underlying file cannot be read.
    fn sentences(&self, document: u64, range: Range<usize>) -> Result<Vec<Vec<u32>>>;
}
