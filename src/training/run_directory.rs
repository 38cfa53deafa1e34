//! The output directory of a training run.

use std::path::Path;

use crate::error::{Error, Result};
use crate::io::create_directory;
use crate::training::checkpoints::Checkpoints;

/// Checks that a run starts in a new directory, or resumes in its own, and creates the directory.
///
/// # Errors
/// [`Error::BadFile`] for a file, and for a directory with a run or a model unless `resume` is set; [`Error::Io`].
pub(super) fn claim(output: &Path, resume: bool) -> Result<()> {
    if output.is_file() {
        return Err(Error::bad_file(output, "is a file; option output takes a directory"));
    }
    let holds_run = !Checkpoints::new(output, 1).steps().is_empty() || output.join("seeds").exists();
    if holds_run && !resume {
        return Err(Error::bad_file(
            output,
            "contains a run: use option resume to continue it, or option output to name another directory",
        ));
    }
    if output.join("model.safetensors").exists() && !resume {
        return Err(Error::bad_file(output, "contains a model: use option output to name another directory"));
    }
    create_directory(output)
}
