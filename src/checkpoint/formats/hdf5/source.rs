//! A file with a read budget for the HDF5 library. The trees of a damaged file may visit the same nodes again and again,
//! and every visit costs time and memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hdf5_pure::{FormatError, Source};

/// Cost of a read in addition to its bytes.
const VISIT: u64 = 64;

/// Remaining budget in bytes.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(super) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Deducts the cost of a read. Returns false if the budget is exhausted.
    fn take(&self, bytes: u64) -> bool {
        let less = |left: u64| left.checked_sub(bytes.saturating_add(VISIT));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

/// A file with a read budget.
pub(super) struct BudgetedFile {
    file: Mutex<File>,
    length: u64,
    budget: Budget,
}

impl BudgetedFile {
    pub(super) fn open(path: &Path, budget: Budget) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file: Mutex::new(file), length, budget })
    }
}

impl Source for BudgetedFile {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        if !self.budget.take(buffer.len() as u64) {
            return Err(FormatError::Source(
                "its structure leads to the same places over and over".to_owned(),
            ));
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer));
        read.map_err(|e| FormatError::Source(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_with_the_budget() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), [7; 100]).expect("writes");
        let budget = Budget::default();
        let source = BudgetedFile::open(file.path(), budget.clone()).expect("opens");
        budget.set(2 * (10 + VISIT));
        let mut buffer = [0; 10];
        for _ in 0..2 {
            assert!(source.read_at(90, &mut buffer).is_ok());
        }
        assert_eq!(buffer, [7; 10]);
        assert!(source.read_at(0, &mut buffer).is_err());
        budget.set(1000);
        assert!(source.read_at(91, &mut buffer).is_err(), "beyond the end");
    }
}
