//! The sending end of the reading thread: passes records to the task, and tracks how much of the input has been read.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::part::Part;
use super::record::Record;
use super::record_channel::RecordSender;
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
    /// Returns the number of bytes read so far, which is slightly ahead of the records.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that had been read before the first record that is not skipped.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

/// A stream that counts its bytes.
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

/// Passes on the selected records.
pub(super) struct Queue {
    sender: RecordSender,
    shard: bool,
    skip: Cell<u64>,
    limit: Cell<Option<u64>>,
    progress: ReadProgress,
    /// True if the first line that is read is not the first line of the file.
    pub(super) starts_within: bool,
}

/// No more records are wanted.
#[derive(Debug)]
pub(super) struct Full;

impl Queue {
    pub(super) fn new(sender: RecordSender, part: Part, progress: ReadProgress) -> Self {
        let (skip, limit) = (Cell::new(part.skip), Cell::new(part.limit));
        Self { sender, shard: part.shard.is_some(), skip, limit, progress, starts_within: false }
    }

    pub(super) fn is_shard(&self) -> bool {
        self.shard
    }

    /// Returns true if the next record is to be skipped, and counts it as skipped.
    pub(super) fn skips(&self) -> bool {
        let Some(rest) = self.skip.get().checked_sub(1) else { return false };
        self.skip.set(rest);
        self.progress.skipped.store(self.progress.read(), Ordering::Relaxed);
        true
    }

    /// Undoes the last [`Self::skips`], because the input ended before a record.
    pub(super) fn undo_skip(&self) {
        self.skip.set(self.skip.get() + 1);
    }

    /// Returns true if no more records are wanted.
    pub(super) fn is_full(&self) -> bool {
        self.limit.get() == Some(0)
    }

    /// Sends an error, or the next record unless it is to be skipped.
    ///
    /// # Errors
    /// If no more records are wanted.
    pub(super) fn send(&self, record: Result<Record>) -> std::result::Result<(), Full> {
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
