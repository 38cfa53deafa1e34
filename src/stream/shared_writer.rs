//! A writer that any of several parts of the program can finish.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::io::{Entry, OrderedWriter, TableLayout};

/// A writer that an interrupt handler can take over. Only the owner that takes it out can finish it.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<Option<OrderedWriter>>>);

impl SharedWriter {
    /// Shares `writer`.
    pub fn new(writer: OrderedWriter) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    /// Takes the writer out. Returns `None` if it was already taken.
    pub fn take(&self) -> Option<OrderedWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn begin_table(&self, layout: TableLayout) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.begin_table(layout),
            None => Ok(()),
        }
    }

    pub(super) fn put(&self, index: u64, entry: Entry) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.put(index, entry),
            None => Ok(()),
        }
    }

    pub(super) fn flush(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(Ok(()), OrderedWriter::flush)
    }
}
