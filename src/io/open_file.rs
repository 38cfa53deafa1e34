//! Opening input files.

use std::path::Path;

use crate::error::{Error, Result};

/// Opens a file of records.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] for a directory.
pub(super) fn open_file(path: &Path) -> Result<std::fs::File> {
    let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(Error::bad_file(path, "is a directory; option input takes a file"));
    }
    Ok(file)
}
