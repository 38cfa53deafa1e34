//! Bytes that need not stay in memory: a temporary file that is read at any offset.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::SpooledTempFile;

use crate::error::{Error, Result};

/// Maximum number of bytes that stay in memory.
const IN_MEMORY: usize = 64 << 20;

/// Bytes that are written to the file at a time.
const BLOCK: usize = 1 << 20;

/// Bytes that are appended and read at any offset. The first 64 MiB stay in memory. If there are more, all of them are in
/// a temporary file without a name, which the system removes however the process ends.
pub(crate) struct Scratch {
    directory: PathBuf,
    file: Mutex<SpooledTempFile>,
    /// Length of `file`.
    written: u64,
    /// The last bytes, which are not yet in `file`.
    tail: Vec<u8>,
}

impl Scratch {
    /// Creates an empty scratch. A file is created in `directory` on demand.
    pub(crate) fn new(directory: &Path) -> Self {
        Self::with_limit(directory, IN_MEMORY)
    }

    /// Creates an empty scratch that always stays in memory.
    pub(crate) fn in_memory() -> Self {
        Self::with_limit(Path::new(""), usize::MAX)
    }

    fn with_limit(directory: &Path, limit: usize) -> Self {
        Self {
            directory: directory.to_owned(),
            file: Mutex::new(tempfile::spooled_tempfile_in(limit, directory)),
            written: 0,
            tail: Vec::new(),
        }
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.tail.len() as u64
    }

    /// Returns the directory in which the file is created.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`Error::Io`], for example if the disk is full.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() >= BLOCK {
            let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
            let at = SeekFrom::Start(self.written);
            file.seek(at).and_then(|_| file.write_all(&self.tail)).map_err(self.failed("write"))?;
            self.written += self.tail.len() as u64;
            self.tail.clear();
        }
        Ok(())
    }

    /// Fills `bytes` from `offset`. These bytes must exist.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let in_file = self.written.saturating_sub(offset).min(bytes.len() as u64) as usize;
        let (stored, rest) = bytes.split_at_mut(in_file);
        if !stored.is_empty() {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let at = SeekFrom::Start(offset);
            file.seek(at).and_then(|_| file.read_exact(stored)).map_err(self.failed("read"))?;
        }
        let start = offset.saturating_sub(self.written) as usize;
        match self.tail.get(start..start + rest.len()) {
            Some(tail) => rest.copy_from_slice(tail),
            None => return Err(self.failed("read")(std::io::ErrorKind::UnexpectedEof.into())),
        }
        Ok(())
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(std::io::Error) -> Error + use<> {
        let path = self.directory.join("(temporary file)");
        move |source| Error::Io { path, action, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_at_any_offset_from_memory_and_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        for limit in [0, 3 * BLOCK, IN_MEMORY] {
            let mut scratch = Scratch::with_limit(folder.path(), limit);
            let all: Vec<u8> = (0..5 * BLOCK as u32 / 2).flat_map(|i| (i as u16).to_le_bytes()).collect();
            for piece in all.chunks(70_001) {
                scratch.append(piece).expect("appends");
            }
            assert_eq!(scratch.len(), all.len() as u64);
            let near_end = scratch.written as usize - 5;
            for (start, length) in
                [(0, 10), (BLOCK - 3, 7), (near_end, 10), (all.len() - 1, 1), (all.len(), 0)]
            {
                let mut found = vec![0; length];
                scratch.read(start as u64, &mut found).expect("reads");
                assert_eq!(found, all[start..start + length]);
            }
            assert!(scratch.read(all.len() as u64 - 1, &mut [0; 2]).is_err());
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("lists").count(), 0);
    }

    #[test]
    fn an_unwritable_directory_is_an_error_only_beyond_memory() {
        let mut scratch = Scratch::with_limit(Path::new("/nonexistent/folder"), BLOCK);
        scratch.append(&[0; 10]).expect("stays in memory");
        let error = scratch.append(&vec![0; 2 * BLOCK]).expect_err("no such directory");
        assert!(error.to_string().contains("cannot write"), "{error}");
    }
}
