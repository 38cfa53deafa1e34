//! Exclusive access to a directory or a file.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::{Error, Result};

/// A lock on a directory. The system releases it however the process ends, and nothing remains in the directory.
#[derive(Debug)]
pub struct DirectoryLock {
    _directory: Option<File>,
}

impl DirectoryLock {
    /// Locks `directory`. Has no effect if the system or the file system does not support locks.
    ///
    /// # Errors
    /// If another process holds the lock.
    pub fn take(directory: &Path) -> Result<Self> {
        let Ok(handle) = File::open(directory) else {
            return Ok(Self { _directory: None });
        };
        match handle.try_lock() {
            Ok(()) => Ok(Self { _directory: Some(handle) }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::bad_file(directory, "is in use: another albert process is writing its run there"))
            }
            Err(TryLockError::Error(_)) => Ok(Self { _directory: None }),
        }
    }
}

/// Locks an open file until it is closed. Returns false if another process holds the lock, and true if the file system
/// does not support locks.
pub(super) fn lock_file(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_directory_is_taken_once_and_free_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let lock = DirectoryLock::take(directory.path()).expect("free");
        let error = DirectoryLock::take(directory.path()).expect_err("taken");
        assert!(error.to_string().contains("is in use"), "{error}");
        drop(lock);
        DirectoryLock::take(directory.path()).expect("free again");
        assert_eq!(std::fs::read_dir(directory.path()).expect("reads").count(), 0);
    }
}
