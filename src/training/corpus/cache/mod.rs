//! The token ids of a corpus on disk. A corpus is tokenized once, and each instance reads only its own tokens.
//!
//! A cache is a directory:
//!
//! * `tokens.bin`: the ids of all sentences, concatenated; 16 bits each if the vocabulary allows it, otherwise 32.
//! * `sentences.bin`: the number of tokens of each sentence, 16 bits.
//! * `documents.bin`: first token and first sentence of each document, 64 bits each; the last entry is the end.
//! * `cache.json`: the identity of its inputs, the counts, and the SHA-256 of the two small files.
//!
//! All numbers are little-endian.

mod build;
mod read;
mod write;

use super::{Corpus, CorpusReport};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use crate::training::Documents;
use read::{PositionedFile, read_u16, read_u64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

const VERSION: u32 = 1;
const TOKENS: &str = "tokens.bin";
const SENTENCES: &str = "sentences.bin";
const DOCUMENTS: &str = "documents.bin";
const SUMMARY: &str = "cache.json";
/// Bytes per entry of `documents.bin`.
const ENTRY: u64 = 16;

/// Contents of `cache.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheSummary {
    version: u32,
    /// SHA-256 of the cache's inputs; `None` if one of them was a pipe.
    key: Option<String>,
    /// Number of documents with at least one sentence. Very long documents count as several.
    pub documents: u64,
    /// Number of sentences with at least one token.
    pub sentences: u64,
    /// Number of token ids.
    pub tokens: u64,
    /// Vocabulary size. Every id is smaller.
    pub vocab_size: u32,
    index_sha256: String,
    /// Counts and problems of the corpus.
    pub report: CorpusReport,
}

impl CacheSummary {
    /// A digest of the lengths of all sentences and documents, in their order.
    pub(in crate::training) fn digest(&self) -> &str {
        &self.index_sha256
    }

    fn id_bytes(&self) -> u64 {
        id_bytes(self.vocab_size)
    }
}

fn id_bytes(vocab_size: u32) -> u64 {
    if vocab_size <= 1 << 16 { 2 } else { 4 }
}

/// The documents of a tokenized corpus. Memory use does not depend on their number. Any number of threads and
/// processes may read at once.
#[derive(Debug)]
pub struct TokenCache {
    folder: PathBuf,
    tokens: PositionedFile,
    sentences: PositionedFile,
    documents: PositionedFile,
    summary: CacheSummary,
}

impl TokenCache {
    /// Opens the cache in `folder` if it is complete and matches the current corpus and tokenizer. Otherwise builds it
    /// on rayon's threads and moves it into place when it is complete. The bytes do not depend on the number of
    /// threads. A corpus that contains a pipe is always read again.
    ///
    /// `progress` receives the bytes read and the total (0 if unknown) several times per second. Returning false cancels
    /// the work.
    ///
    /// # Errors
    /// If a file cannot be read, the cache cannot be written, the corpus contains no text, `folder` is something other
    /// than a cache, or the work was cancelled. In these cases nothing is left behind, and an older cache is kept.
    pub fn open_or_build(
        folder: &Path,
        corpus: &Corpus,
        tokenizer: &Tokenizer,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Self> {
        let key = key(corpus, tokenizer)?;
        if let Some(found) = Self::with_key(folder, key.as_deref()) {
            return Ok(found);
        }
        build::build(folder, corpus, tokenizer, key, progress)?;
        Self::open(folder)
    }

    /// Opens a cache without checking its inputs.
    ///
    /// # Errors
    /// If the cache is missing or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let damaged = |problem: String| {
            Error::bad_file(
                folder,
                format!("the token cache is damaged ({problem}); delete it to build it again"),
            )
        };
        let path = folder.join(SUMMARY);
        let text = std::fs::read(&path).map_err(Error::io(path, "read"))?;
        let summary: CacheSummary =
            serde_json::from_slice(&text).map_err(|e| damaged(format!("{SUMMARY}: {e}")))?;
        if summary.version != VERSION {
            return Err(damaged(format!("it is of version {}, expected {VERSION}", summary.version)));
        }
        let file = |name: &str, count: u64, width: u64| {
            let file = PositionedFile::open(folder.join(name))?;
            let expected = count.checked_mul(width);
            match file.size()? {
                size if Some(size) == expected => Ok(file),
                size => Err(damaged(format!("{name} has {size} bytes, expected {count} times {width}"))),
            }
        };
        let tokens = file(TOKENS, summary.tokens, summary.id_bytes())?;
        let sentences = file(SENTENCES, summary.sentences, 2)?;
        let documents = file(DOCUMENTS, summary.documents.saturating_add(1), ENTRY)?;
        let mut hash = Sha256::new();
        for name in [SENTENCES, DOCUMENTS] {
            hash_file(&folder.join(name), &mut hash)?;
        }
        if hex(&hash.finalize()) != summary.index_sha256 {
            return Err(damaged(format!("the checksum of {SENTENCES} and {DOCUMENTS} does not agree")));
        }
        Ok(Self { folder: folder.to_owned(), tokens, sentences, documents, summary })
    }

    /// The cache in `folder`, if it is complete and has this key.
    fn with_key(folder: &Path, key: Option<&str>) -> Option<Self> {
        let key = key?;
        let cache = Self::open(folder).ok()?;
        (cache.summary.key.as_deref() == Some(key)).then_some(cache)
    }

    /// Counts and inputs of the cache.
    pub fn summary(&self) -> &CacheSummary {
        &self.summary
    }

    /// First token and first sentence of a document and of the next one.
    fn entry(&self, document: u64) -> Result<[u64; 4]> {
        let mut bytes = [0; 32];
        self.documents.read_exact_at(&mut bytes, document.saturating_mul(ENTRY))?;
        let [token, sentence, next_token, next_sentence] = read_u64(&bytes);
        let ordered = token <= next_token && sentence <= next_sentence;
        if !ordered || next_token > self.summary.tokens || next_sentence > self.summary.sentences {
            return Err(self.changed());
        }
        Ok([token, sentence, next_token, next_sentence])
    }

    fn lengths(&self, from: u64, to: u64) -> Result<Vec<u32>> {
        let mut bytes = vec![0; (to - from) as usize * 2];
        self.sentences.read_exact_at(&mut bytes, from * 2)?;
        Ok(read_u16(&bytes))
    }

    /// The error for files that changed after the cache was opened, or ids that were damaged on disk.
    fn changed(&self) -> Error {
        Error::bad_file(
            &self.folder,
            "the token cache is damaged or was changed while in use; delete it to build it again",
        )
    }
}

impl Documents for TokenCache {
    fn count(&self) -> u64 {
        self.summary.documents
    }

    fn sentence_lengths(&self, document: u64) -> Result<Vec<u32>> {
        let [_, from, _, to] = self.entry(document)?;
        self.lengths(from, to)
    }

    fn sentences(&self, document: u64, range: Range<usize>) -> Result<Vec<Vec<u32>>> {
        let [token, from, next_token, to] = self.entry(document)?;
        let lengths = self.lengths(from, to)?;
        let Some(wanted) = lengths.get(range.clone()) else {
            let problem = format!("document {document} has {} sentences, not {range:?}", lengths.len());
            return Err(Error::Input(problem));
        };
        let sum = |lengths: &[u32]| lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
        let start = token + sum(&lengths[..range.start]);
        let count = sum(wanted);
        if start + count > next_token {
            return Err(self.changed());
        }
        let width = self.summary.id_bytes();
        let mut bytes = vec![0; (count * width) as usize];
        self.tokens.read_exact_at(&mut bytes, start * width)?;
        let ids = if width == 2 { read_u16(&bytes) } else { read::read_u32(&bytes) };
        if ids.iter().any(|id| *id >= self.summary.vocab_size) {
            return Err(self.changed());
        }
        let mut rest = ids.as_slice();
        let mut take = |length: &u32| {
            let (sentence, after) = rest.split_at(*length as usize);
            rest = after;
            sentence.to_vec()
        };
        Ok(wanted.iter().map(&mut take).collect())
    }
}

/// SHA-256 of everything that the ids depend on; `None` if that is not known before reading.
fn key(corpus: &Corpus, tokenizer: &Tokenizer) -> Result<Option<String>> {
    let Some(identity) = corpus.identity() else { return Ok(None) };
    let mut hash = Sha256::new();
    for part in identity.iter().map(String::as_str).chain([
        format!("{VERSION} {} {}", build::DOCUMENT_TOKENS, build::SENTENCE_TOKENS).as_str(),
        tokenizer.kind().to_string().as_str(),
        tokenizer.identity()?.as_str(),
    ]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(Some(hex(&hash.finalize())))
}

fn hash_file(path: &Path, hash: &mut Sha256) -> Result<()> {
    let mut file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io(path, "read"))? {
            0 => return Ok(()),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
