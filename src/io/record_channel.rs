//! The channel between the reading thread and the task, bounded by the size of the records in it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::record::Record;
use crate::error::Result;

/// Maximum total size in bytes of the records in the channel. A larger record is sent once the channel is empty.
const CAPACITY: usize = 1 << 20;

/// The sending end.
pub(super) struct RecordSender {
    records: Sender<Result<Record>>,
    content: Arc<Content>,
}

/// The receiving end.
pub(super) struct RecordReceiver {
    records: Receiver<Result<Record>>,
    content: Arc<Content>,
}

/// The receiving end is gone.
#[derive(Debug)]
pub(super) struct Closed;

/// The records in the channel.
#[derive(Default)]
struct Content {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    bytes: usize,
    sender_waits: bool,
    closed: bool,
}

/// Creates a channel.
pub(super) fn record_channel() -> (RecordSender, RecordReceiver) {
    let (sender, receiver) = channel();
    let content = Arc::new(Content::default());
    let sender = RecordSender { records: sender, content: content.clone() };
    (sender, RecordReceiver { records: receiver, content })
}

impl RecordSender {
    /// Sends a record. Waits while the channel is full.
    ///
    /// # Errors
    /// If the receiving end is gone.
    pub(super) fn send(&self, record: Result<Record>) -> std::result::Result<(), Closed> {
        let size = size(&record);
        {
            let mut state = self.content.lock();
            while !state.closed && state.bytes > 0 && state.bytes + size > CAPACITY {
                state.sender_waits = true;
                state = self.content.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.closed {
                return Err(Closed);
            }
            state.bytes += size;
        }
        self.records.send(record).map_err(|_| Closed)
    }
}

impl RecordReceiver {
    /// Waits for the next record; `None` at the end.
    pub(super) fn wait(&self) -> Option<Result<Record>> {
        self.taken(self.records.recv().ok())
    }

    /// Returns the next record, if it has already arrived.
    pub(super) fn ready(&self) -> Option<Result<Record>> {
        self.taken(self.records.try_recv().ok())
    }

    fn taken(&self, record: Option<Result<Record>>) -> Option<Result<Record>> {
        let size = size(record.as_ref()?);
        let mut state = self.content.lock();
        state.bytes -= size;
        // Waking up the sender for each record would take longer than reading it.
        let wakes = state.sender_waits && state.bytes <= CAPACITY / 2;
        if wakes {
            state.sender_waits = false;
        }
        drop(state);
        if wakes {
            self.content.changed.notify_one();
        }
        record
    }
}

impl Drop for RecordReceiver {
    fn drop(&mut self) {
        self.content.lock().closed = true;
        self.content.changed.notify_one();
    }
}

impl Content {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the approximate size of a record in memory.
fn size(record: &Result<Record>) -> usize {
    size_of::<Record>() + record.as_ref().map_or(0, Record::size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::RecordBody;

    fn record(length: usize) -> Result<Record> {
        let body = Ok(RecordBody::Text("x".repeat(length)));
        Ok(Record { source: "a".into(), line: 1, body })
    }

    #[test]
    fn the_sender_waits_for_space() {
        let (sender, receiver) = record_channel();
        let thread = std::thread::spawn(move || {
            let mut sent = 0;
            // Larger than the channel, then many that fit into it together.
            for length in [CAPACITY + 1, 10].into_iter().chain([CAPACITY / 100; 300]) {
                if sender.send(record(length)).is_err() {
                    break;
                }
                sent += 1;
            }
            sent
        });
        for _ in 0..202 {
            let record = receiver.wait().expect("a record");
            let in_channel = receiver.content.lock().bytes;
            assert!(in_channel <= CAPACITY + 1 + size(&record), "{in_channel}");
        }
        drop(receiver);
        let sent = thread.join().expect("ends");
        assert!((202..=301).contains(&sent), "the sender stops once nobody receives: {sent}");
    }

    #[test]
    fn records_arrive_in_order_and_end() {
        let (sender, receiver) = record_channel();
        assert!(receiver.ready().is_none());
        sender.send(record(1)).expect("open");
        sender.send(Err(crate::Error::Input("a problem".to_owned()))).expect("open");
        drop(sender);
        assert!(receiver.ready().is_some_and(|first| first.is_ok()));
        assert!(receiver.wait().is_some_and(|second| second.is_err()));
        assert!(receiver.wait().is_none() && receiver.content.lock().bytes == 0);
    }
}
