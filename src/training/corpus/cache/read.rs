//! Positioned file reads and conversion of bytes to integers.

use crate::error::{Error, Result};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// A file that any number of threads can read at any position.
#[derive(Debug)]
pub(super) struct PositionedFile {
    path: PathBuf,
    file: File,
}

impl PositionedFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(Error::io(&path, "read"))?;
        Ok(Self { path, file })
    }

    pub(super) fn size(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(Error::io(&self.path, "read"))?.len())
    }

    /// Fills `buffer` with the bytes at `position`.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], position: u64) -> Result<()> {
        read_exact_at(&self.file, buffer, position).map_err(Error::io(&self.path, "read"))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, position)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        // This moves the file's cursor, which nothing else uses.
        match std::os::windows::fs::FileExt::seek_read(file, buffer, position)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                buffer = &mut buffer[count..];
                position += count as u64;
            }
        }
    }
    Ok(())
}

/// 16-bit little-endian numbers.
pub(super) fn read_u16(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b).into()).collect()
}

/// 32-bit little-endian numbers.
pub(super) fn read_u32(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}

/// Four 64-bit little-endian numbers.
pub(super) fn read_u64(bytes: &[u8; 32]) -> [u64; 4] {
    let mut out = [0; 4];
    for (number, bytes) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *number = u64::from_le_bytes(*bytes);
    }
    out
}
