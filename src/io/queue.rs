//! The end of the reading thread: records on their way to the task, and how much of the input they are.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use super::part::Part;
use crate::error::Result;

/// How much of an input has been read.
#[derive(Clone, Debug, Default)]
pub struct ReadProgress {
    /// Bytes of the input, or of its shard, if known.
    pub total: Option<u64>,
    read: Arc<AtomicU64>,
    skipped: Arc<AtomicU64>,
}

impl ReadProgress {
    /// Bytes read so far, which are a little ahead of the records.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes that had been read before the first record that is not skipped.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

/// A stream whose bytes are counted.
pub(super) struct Counted<R> {
    stream: R,
    progress: ReadProgress,
}

impl<R> Counted<R> {
    pub(super) fn new(stream: R, progress: ReadProgress) -> Self {
        Self { stream, progress }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.stream.read(buffer)?;
        self.progress.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Hands records over, without those that are not wanted.
pub(super) struct Queue<T> {
    sender: SyncSender<Result<T>>,
    shard: bool,
    skip: Cell<u64>,
    limit: Cell<Option<u64>>,
    progress: ReadProgress,
    /// True if the first line that is read is not the first of its file.
    pub(super) starts_within: bool,
}

/// No further record is wanted.
#[derive(Debug)]
pub(super) struct Full;

impl<T> Queue<T> {
    pub(super) fn new(sender: SyncSender<Result<T>>, part: Part, progress: ReadProgress) -> Self {
        let (skip, limit) = (Cell::new(part.skip), Cell::new(part.limit));
        Self { sender, shard: part.shard.is_some(), skip, limit, progress, starts_within: false }
    }

    pub(super) fn is_shard(&self) -> bool {
        self.shard
    }

    /// True if the next record is not wanted. It counts as skipped then.
    pub(super) fn skips(&self) -> bool {
        let Some(rest) = self.skip.get().checked_sub(1) else { return false };
        self.skip.set(rest);
        self.progress.skipped.store(self.progress.read(), Ordering::Relaxed);
        true
    }

    /// Takes back the last [`Self::skips`]: the input ended before a record.
    pub(super) fn did_not_skip(&self) {
        self.skip.set(self.skip.get() + 1);
    }

    /// True if no further record is wanted.
    pub(super) fn is_full(&self) -> bool {
        self.limit.get() == Some(0)
    }

    /// Sends the next record, unless it is to be skipped, or an error.
    ///
    /// # Errors
    /// If no further record is wanted.
    pub(super) fn send(&self, record: Result<T>) -> std::result::Result<(), Full> {
        if record.is_ok() {
            if self.skips() {
                return Ok(());
            }
            if self.is_full() {
                return Err(Full);
            }
            self.limit.set(self.limit.get().map(|limit| limit - 1));
        }
        self.sender.send(record).map_err(|_| Full)?;
        if self.is_full() { Err(Full) } else { Ok(()) }
    }
}
