//! Building a cache: one thread reads, all threads tokenize, and results are written in corpus order.

use super::write::CacheWriter;
use super::{SUMMARY, TokenCache};
use crate::error::{Error, Result, count};
use crate::io::{make_world_readable, resolve_directory};
use crate::tokenizer::Tokenizer;
use crate::training::corpus::{Corpus, CorpusReader, CorpusReport, Item, Sentences, split_sentences};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// Longer documents are split at this many tokens, which bounds the memory that an instance needs.
pub(super) const DOCUMENT_TOKENS: u64 = 1 << 15;
/// Longer sentences are split at this many tokens. A sentence too long for any instance would never be used.
pub(super) const SENTENCE_TOKENS: usize = 512;

/// Bytes of text per tokenization task.
const CHUNK: usize = 64 << 10;
/// Bytes of text per batch of tasks. Up to three batches are in memory.
const BATCH: usize = 4 << 20;
/// Interval of progress reports while waiting for input.
const TICK: Duration = Duration::from_millis(100);

type Chunk = Vec<Item>;

/// Messages of the reading thread: text, then the final report.
enum Message {
    Batch(Vec<Chunk>),
    End(Result<CorpusReport>),
}

/// Builds the cache next to `folder` and renames it when it is complete.
pub(super) fn build(
    folder: &Path,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    key: Option<String>,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<()> {
    let folder = &resolve_directory(folder)?;
    check_folder(folder)?;
    let parent = folder.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
    let temporary = temporary_sibling(folder, parent)?;
    let vocab_size = u32::try_from(tokenizer.id_bound())
        .map_err(|_| Error::Input("a vocabulary of more than 4 billion tokens".to_owned()))?;
    let mut writer = CacheWriter::new(temporary.path(), vocab_size, DOCUMENT_TOKENS)?;
    let report = tokenize(corpus, tokenizer, &mut writer, progress)?;
    if writer.token_count() == 0 {
        return Err(Error::Input(format!(
            "the corpus has no text: read {}, {} of them empty{}",
            count(report.files, "file"),
            report.empty_files,
            report.problems.first().map(|problem| format!("; {problem}")).unwrap_or_default()
        )));
    }
    writer.finish(key.clone(), report)?;
    move_into_place(temporary, folder, parent, key.as_deref())
}

/// Checks that `folder` is absent, empty, or a cache. Anything else must not be replaced.
fn check_folder(folder: &Path) -> Result<()> {
    match std::fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(Error::io(folder, "read")(e)),
        Ok(mut entries) => {
            if entries.next().is_none() || folder.join(SUMMARY).exists() {
                return Ok(());
            }
            let problem =
                "is to hold the token cache, and holds something else; name another directory or empty it";
            Err(Error::bad_file(folder, problem))
        }
    }
}

fn temporary_sibling(folder: &Path, parent: &Path) -> Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(".albert-")
        .suffix(".part")
        .tempdir_in(parent)
        .map_err(Error::io(folder, "create"))
}

/// Replaces an older cache with the finished one.
fn move_into_place(new: tempfile::TempDir, folder: &Path, parent: &Path, key: Option<&str>) -> Result<()> {
    if folder.exists() {
        if TokenCache::with_key(folder, key).is_some() {
            // Another process finished first.
            return Ok(());
        }
        let old = temporary_sibling(folder, parent)?;
        std::fs::rename(folder, old.path().join("cache")).map_err(Error::io(folder, "replace"))?;
    }
    make_world_readable(new.path())?;
    match std::fs::rename(new.path(), folder) {
        Ok(()) => {
            let _moved = new.keep();
            Ok(())
        }
        Err(_) if TokenCache::with_key(folder, key).is_some() => Ok(()),
        Err(e) => Err(Error::io(folder, "rename to")(e)),
    }
}

/// Writes the ids of the whole corpus.
fn tokenize(
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    writer: &mut CacheWriter,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<CorpusReport> {
    let sentences = corpus.options().sentences;
    let total = corpus.total_bytes();
    let reader = corpus.reader();
    let stored = reader.bytes_read();
    let (sender, queue) = sync_channel(1);
    // Not a scoped thread: a thread that waits for a pipe must not delay a cancellation.
    std::thread::spawn(move || send_batches(reader, &sender));
    loop {
        if !progress(stored.load(Ordering::Relaxed), total) {
            return Err(Error::Input("interrupted; no token cache was written".to_owned()));
        }
        let Some(message) = wait(&queue)? else { continue };
        let batch = match message {
            Message::Batch(batch) => batch,
            Message::End(report) => return report,
        };
        let encoded: Vec<Result<Encoded>> =
            batch.par_iter().map(|chunk| encode(chunk, tokenizer, sentences)).collect();
        for chunk in encoded {
            chunk?.write(writer)?;
        }
    }
}

/// Waits for the next message. Returns `None` if none has arrived within [`TICK`].
fn wait(queue: &Receiver<Message>) -> Result<Option<Message>> {
    match queue.recv_timeout(TICK) {
        Ok(message) => Ok(Some(message)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(Error::Input(
            "reading the corpus stopped unexpectedly; please report this as a bug".to_owned(),
        )),
    }
}

fn send_batches(mut reader: CorpusReader, sender: &SyncSender<Message>) {
    loop {
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        let mut end = None;
        while batch_bytes < BATCH && end.is_none() {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while bytes < CHUNK {
                match reader.next_item() {
                    Ok(Some(item)) => {
                        bytes += if let Item::Line(line) = &item { line.len() } else { 0 };
                        chunk.push(item);
                    }
                    Ok(None) => {
                        end = Some(Ok(reader.report().clone()));
                        break;
                    }
                    Err(error) => {
                        end = Some(Err(error));
                        break;
                    }
                }
            }
            batch_bytes += bytes;
            batch.push(chunk);
        }
        if sender.send(Message::Batch(batch)).is_err() {
            return;
        }
        if let Some(end) = end {
            // The receiver may already be gone.
            let _gone = sender.send(Message::End(end));
            return;
        }
    }
}

/// The ids of a chunk.
#[derive(Default)]
struct Encoded {
    ids: Vec<u32>,
    /// End positions of the sentences in `ids`.
    ends: Vec<usize>,
    /// Sentence counts at which documents end.
    documents: Vec<usize>,
}

fn encode(chunk: &Chunk, tokenizer: &Tokenizer, sentences: Sentences) -> Result<Encoded> {
    let mut out = Encoded::default();
    for item in chunk {
        let Item::Line(line) = item else {
            out.documents.push(out.ends.len());
            continue;
        };
        match sentences {
            Sentences::Lines => out.sentence(line, tokenizer)?,
            Sentences::Split => {
                let mut result = Ok(());
                split_sentences(line, &mut |sentence| {
                    if result.is_ok() {
                        result = out.sentence(sentence, tokenizer);
                    }
                });
                result?;
            }
        }
    }
    Ok(out)
}

impl Encoded {
    fn sentence(&mut self, text: &str, tokenizer: &Tokenizer) -> Result<()> {
        let mut start = self.ids.len();
        tokenizer.encode_ids(text, &mut self.ids)?;
        while start < self.ids.len() {
            start = self.ids.len().min(start + SENTENCE_TOKENS);
            self.ends.push(start);
        }
        Ok(())
    }

    fn write(&self, writer: &mut CacheWriter) -> Result<()> {
        let mut start = 0;
        let mut documents = self.documents.iter().peekable();
        for (number, &end) in self.ends.iter().enumerate() {
            while documents.next_if(|document| **document <= number).is_some() {
                writer.end_document();
            }
            writer.sentence(&self.ids[start..end])?;
            start = end;
        }
        if documents.next().is_some() {
            writer.end_document();
        }
        Ok(())
    }
}
