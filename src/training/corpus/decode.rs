//! The decompressed bytes of a corpus stream. Counts the bytes as stored.

use super::files::Input;
use crate::error::{Error, Result};
use crate::io::decompressed;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BUFFER: usize = 1 << 17;

/// The decompressed bytes of a corpus file.
pub(super) type Bytes = BufReader<Box<dyn Read + Send>>;

/// Opens a stream. Compression is detected from the first bytes. `read` counts the bytes as stored.
pub(super) fn open(input: &Input, read: Arc<AtomicU64>) -> Result<Bytes> {
    let stream: Box<dyn Read + Send> = match input {
        Input::Stdin => Box::new(io::stdin()),
        Input::File { path, .. } => Box::new(File::open(path).map_err(Error::io(path, "read"))?),
    };
    let stored = BufReader::with_capacity(BUFFER, Counted { stream, read });
    let bytes = decompressed(stored).map_err(Error::io(input.name(), "read"))?;
    Ok(BufReader::with_capacity(BUFFER, bytes))
}

/// Returns true if a stream whose name does not tell its format holds JSON lines, that is, begins with a brace.
pub(super) fn looks_like_jsonl(start: &[u8]) -> bool {
    let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    start.trim_ascii_start().starts_with(b"{")
}

/// Returns true if an error comes from damaged data rather than from the file system.
pub(super) fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}

struct Counted {
    stream: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
