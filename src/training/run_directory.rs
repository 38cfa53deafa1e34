//! The output directory of a training run.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::{check_creatable, create_directory, resolve_directory};
use crate::training::checkpoints::Checkpoints;

/// Files that a run writes into its directory, apart from the weights.
const WRITTEN: [&str; 8] = [
    "config.json",
    "curves.svg",
    "metrics.jsonl",
    "results.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
];

/// Checks that a run starts in a new directory, or resumes in its own, and that the directory can be created. Does not
/// create it, so that a run that fails before training leaves nothing behind.
///
/// # Errors
/// [`Error::BadFile`] for a file, for a directory with a run or with files that it would replace unless `resume` is set, and for
/// a directory with a model and no run; [`Error::Io`].
pub(super) fn check(output: &Path, resume: bool) -> Result<()> {
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
    // A finished fine-tuning run has results, and says that it is complete.
    let holds_results = holds_run || output.join("results.json").exists();
    if output.join("model.safetensors").exists() && !(resume && holds_results) {
        let problem = match resume {
            false => "contains a model: use option output to name another directory",
            true => {
                "contains a model and no checkpoint to continue from: use option output to name another directory"
            }
        };
        return Err(Error::bad_file(output, problem));
    }
    if let Some(file) = WRITTEN.iter().find(|name| !resume && output.join(name).exists()) {
        return Err(Error::bad_file(
            output,
            format!(
                "contains {file}, which the run would replace: use option output to name another directory, or option resume to \
                 continue a run"
            ),
        ));
    }
    check_creatable(output)
}

/// The output directory of a run. If it is new and still empty in the end, it is removed, with its new parents.
pub(super) struct RunDirectory {
    /// The directories that are new: the output directory and its parents, in this order.
    new: Vec<PathBuf>,
}

impl RunDirectory {
    /// Creates the directory and its parents unless they exist.
    ///
    /// # Errors
    /// [`Error::BadFile`] if the path leads to something else; [`Error::Io`].
    pub(super) fn create(output: &Path) -> Result<Self> {
        let place = resolve_directory(output)?;
        let missing =
            place.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
        let new = missing.map(Path::to_owned).collect();
        create_directory(&place)?;
        Ok(Self { new })
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        // A directory with files is not removed.
        let _ = self.new.iter().try_for_each(std::fs::remove_dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directories_are_removed_if_they_stay_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        check(&at("a/b"), false).expect("can be created");
        assert!(!at("a").exists());
        drop(RunDirectory::create(&at("a/b")).expect("creates"));
        assert!(!at("a").exists());

        std::fs::create_dir(at("old")).expect("creates");
        drop(RunDirectory::create(&at("old")).expect("exists"));
        assert!(at("old").exists());

        let run = RunDirectory::create(&at("old/run/1")).expect("creates");
        std::fs::write(at("old/run/log"), "x").expect("writes");
        drop(run);
        assert!(at("old/run").exists() && !at("old/run/1").exists());

        std::fs::create_dir(at("model")).expect("creates");
        std::fs::write(at("model/model.safetensors"), "x").expect("writes");
        for resume in [false, true] {
            assert!(check(&at("model"), resume).is_err(), "a model without a run is never replaced");
        }

        std::fs::create_dir(at("own")).expect("creates");
        std::fs::write(at("own/notes.txt"), "x").expect("writes");
        assert!(check(&at("own"), false).is_ok());
        std::fs::write(at("own/results.json"), "x").expect("writes");
        assert!(check(&at("own"), false).is_err_and(|error| error.to_string().contains("results.json")));

        std::fs::write(at("file"), "x").expect("writes");
        for wrong in ["file", "file/run"] {
            assert!(check(&at(wrong), false).is_err(), "{wrong}");
        }
    }
}
