//! A write buffer for a file that knows where records end, so that a failed write loses no complete record.

use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};

/// Number of bytes that are buffered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes waiting to be written to the end of a file.
#[derive(Debug, Default)]
pub(super) struct RecordBuffer {
    waiting: Vec<u8>,
    /// Number of bytes written so far.
    written: u64,
    /// Offsets of the ends of records after `complete`, in increasing order.
    ends: Vec<u64>,
    /// Offset of the end of the last complete record in the file.
    complete: u64,
}

impl RecordBuffer {
    /// Creates a buffer for a file that contains `length` bytes of complete records.
    pub(super) fn after(length: u64) -> Self {
        Self { written: length, complete: length, ..Self::default() }
    }

    /// Buffers bytes, and writes the buffer if it is full.
    pub(super) fn write(&mut self, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() < BUFFER_BYTES { Ok(()) } else { self.flush(file) }
    }

    /// Marks the end of a record.
    pub(super) fn end_record(&mut self) {
        self.ends.push(self.written + self.waiting.len() as u64);
    }

    /// Writes all buffered bytes. After an error, the buffer is empty.
    pub(super) fn flush(&mut self, file: &mut File) -> std::io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = &waiting[..];
        let mut result = Ok(());
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => {
                    result = Err(ErrorKind::WriteZero.into());
                    break;
                }
                Ok(length) => {
                    self.written += length as u64;
                    rest = &rest[length..];
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        let whole = self.ends.partition_point(|end| *end <= self.written);
        if let Some(last) = whole.checked_sub(1) {
            self.complete = self.ends[last];
        }
        match result {
            Ok(()) => drop(self.ends.drain(..whole)),
            Err(_) => self.ends.clear(),
        }
        result
    }

    /// Truncates the file after the last complete record. Returns the remaining length.
    pub(super) fn cut(&mut self, file: &mut File) -> std::io::Result<u64> {
        self.waiting.clear();
        self.ends.clear();
        if self.written != self.complete {
            file.set_len(self.complete)?;
            file.seek(SeekFrom::Start(self.complete))?;
            self.written = self.complete;
        }
        Ok(self.complete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_file_is_cut_after_its_last_complete_record() {
        let mut file = tempfile::tempfile().expect("a file");
        let mut buffer = RecordBuffer::default();
        for text in ["one\n", "two\n"] {
            buffer.write(&mut file, text.as_bytes()).expect("writes");
            buffer.end_record();
        }
        buffer.write(&mut file, b"fo").expect("writes");
        buffer.flush(&mut file).expect("writes");
        assert_eq!(buffer.cut(&mut file).expect("cuts"), 8);
        buffer.write(&mut file, b"]").expect("writes");
        buffer.flush(&mut file).expect("writes");
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("reads");
        assert_eq!(text, "one\ntwo\n]");
    }

    #[test]
    fn records_that_reached_the_file_are_known_after_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        std::fs::write(&path, "").expect("writes");
        // Writing to a file that is only open for reading always fails.
        let mut file = File::open(&path).expect("opens");
        let mut buffer = RecordBuffer::after(100);
        buffer.write(&mut file, b"lost\n").expect("waits");
        buffer.end_record();
        assert!(buffer.flush(&mut file).is_err());
        assert_eq!(buffer.cut(&mut file).expect("nothing to cut"), 100);
    }
}
