//! Writing the files of a cache sequentially while the corpus is read.

use super::{CacheSummary, DOCUMENTS, SENTENCES, SUMMARY, TOKENS, VERSION, hash_file, hex, id_bytes};
use crate::error::{Error, Result};
use crate::training::corpus::CorpusReport;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const BUFFER: usize = 1 << 18;

/// The three growing files of a cache.
pub(super) struct CacheWriter {
    folder: PathBuf,
    tokens: Output,
    sentences: Output,
    documents: Output,
    vocab_size: u32,
    /// Tokens after which a document is split.
    document_tokens: u64,
    counts: Counts,
    /// Tokens of the current document; `None` between documents.
    in_document: Option<u64>,
}

#[derive(Default)]
struct Counts {
    documents: u64,
    sentences: u64,
    tokens: u64,
}

impl CacheWriter {
    pub(super) fn new(folder: &Path, vocab_size: u32, document_tokens: u64) -> Result<Self> {
        let output = |name: &str| Output::create(folder.join(name));
        Ok(Self {
            folder: folder.to_owned(),
            tokens: output(TOKENS)?,
            sentences: output(SENTENCES)?,
            documents: output(DOCUMENTS)?,
            vocab_size,
            document_tokens,
            counts: Counts::default(),
            in_document: None,
        })
    }

    pub(super) fn token_count(&self) -> u64 {
        self.counts.tokens
    }

    /// Adds a sentence (not empty, at most 65,535 tokens) to the document.
    pub(super) fn sentence(&mut self, ids: &[u32]) -> Result<()> {
        let length = ids.len() as u64;
        if self.in_document.is_some_and(|tokens| tokens + length > self.document_tokens) {
            self.in_document = None;
        }
        let tokens = match self.in_document {
            Some(tokens) => tokens,
            None => {
                self.entry()?;
                self.counts.documents += 1;
                0
            }
        };
        self.in_document = Some(tokens + length);
        self.counts.sentences += 1;
        self.counts.tokens += length;
        self.sentences.write(&(ids.len() as u16).to_le_bytes())?;
        let narrow = id_bytes(self.vocab_size) == 2;
        for id in ids {
            let bytes = id.to_le_bytes();
            self.tokens.write(if narrow { &bytes[..2] } else { &bytes })?;
        }
        Ok(())
    }

    pub(super) fn end_document(&mut self) {
        self.in_document = None;
    }

    fn entry(&mut self) -> Result<()> {
        self.documents.write(&self.counts.tokens.to_le_bytes())?;
        self.documents.write(&self.counts.sentences.to_le_bytes())
    }

    /// Completes the index, writes `cache.json`, and syncs everything to disk.
    pub(super) fn finish(mut self, key: Option<String>, report: CorpusReport) -> Result<()> {
        self.entry()?;
        for output in [self.tokens, self.sentences, self.documents] {
            output.finish()?;
        }
        let mut hash = Sha256::new();
        for name in [SENTENCES, DOCUMENTS] {
            hash_file(&self.folder.join(name), &mut hash)?;
        }
        let summary = CacheSummary {
            version: VERSION,
            key,
            documents: self.counts.documents,
            sentences: self.counts.sentences,
            tokens: self.counts.tokens,
            vocab_size: self.vocab_size,
            index_sha256: hex(&hash.finalize()),
            report,
        };
        let mut output = Output::create(self.folder.join(SUMMARY))?;
        let text = serde_json::to_string_pretty(&summary)
            .map_err(|e| Error::bad_file(&self.folder, format!("{SUMMARY} cannot be written: {e}")))?;
        output.write(text.as_bytes())?;
        output.write(b"\n")?;
        output.finish()
    }
}

/// A buffered file with its name for error messages.
struct Output {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(Error::io(&path, "create"))?;
        Ok(Self { path, writer: BufWriter::with_capacity(BUFFER, file) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(Error::io(&self.path, "write"))
    }

    fn finish(self) -> Result<()> {
        let file = self.writer.into_inner().map_err(|e| Error::io(&self.path, "write")(e.into_error()))?;
        file.sync_all().map_err(Error::io(&self.path, "write"))
    }
}
