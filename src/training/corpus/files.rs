//! Finding the files of a corpus.

use crate::error::{Error, Result};
use std::collections::HashSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const READ: &str = ".txt or .jsonl (also .gz, .zst)";

/// One stream of a corpus.
#[derive(Clone, Debug)]
pub(super) enum Input {
    Stdin,
    File {
        path: PathBuf,
        /// Size in bytes and modification time; `None` for a pipe.
        stamp: Option<(u64, u128)>,
    },
}

impl Input {
    fn file(path: PathBuf, metadata: &Metadata) -> Self {
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let stamp = metadata.is_file().then(|| (metadata.len(), changed.map_or(0, |since| since.as_nanos())));
        Self::File { path, stamp }
    }

    /// The name used in messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "<stdin>".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File { stamp: Some((size, _)), .. } => Some(*size),
            Self::Stdin | Self::File { stamp: None, .. } => None,
        }
    }

    /// Path, size and modification time; `None` if the stream can be read only once.
    pub(super) fn identity(&self) -> Option<String> {
        let Self::File { path, stamp: Some((size, changed)) } = self else { return None };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Some(format!("{path:?} {size} {changed}"))
    }
}

/// The streams behind `paths`, and the number of files in folders that do not belong to the corpus.
pub(super) fn find(paths: &[PathBuf]) -> Result<(Vec<Input>, u64)> {
    let usage =
        |problem: &str| Error::InvalidOption { name: "corpus".to_owned(), problem: problem.to_owned() };
    if paths.is_empty() {
        return Err(usage("names no file or folder"));
    }
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(usage("standard input (-) can be read once only"));
    }
    let (mut inputs, mut skipped) = (Vec::new(), 0);
    for path in paths {
        if is_stdin(path) {
            inputs.push(Input::Stdin);
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(Error::io(path, "read"))?;
        if !metadata.is_dir() {
            inputs.push(Input::file(path.clone(), &metadata));
            continue;
        }
        let before = inputs.len();
        walk(path, &mut HashSet::new(), &mut inputs, &mut skipped)?;
        if inputs.len() == before {
            return Err(Error::bad_file(
                path,
                format!("no file in this folder ends in {READ}; name files with other extensions explicitly"),
            ));
        }
    }
    Ok((inputs, skipped))
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The files in and below a folder. `seen` breaks cycles of links.
fn walk(
    folder: &Path,
    seen: &mut HashSet<PathBuf>,
    inputs: &mut Vec<Input>,
    skipped: &mut u64,
) -> Result<()> {
    let real = std::fs::canonicalize(folder).map_err(Error::io(folder, "read"))?;
    if !seen.insert(real) {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        paths.push(entry.map_err(Error::io(folder, "read"))?.path());
    }
    paths.sort();
    for path in paths {
        // A dangling link is not part of the corpus.
        let Ok(metadata) = std::fs::metadata(&path) else {
            *skipped += 1;
            continue;
        };
        if metadata.is_dir() {
            walk(&path, seen, inputs, skipped)?;
        } else if metadata.is_file() && is_corpus_file(&path) {
            inputs.push(Input::file(path, &metadata));
        } else {
            *skipped += 1;
        }
    }
    Ok(())
}

/// Returns true if a file found in a folder is read. Hidden files are not.
fn is_corpus_file(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().to_lowercase()) else { return false };
    let stem = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    !name.starts_with('.') && (stem.ends_with(".txt") || stem.ends_with(".jsonl"))
}

/// Returns whether a file holds JSON lines according to its name, or `None` if the name does not tell.
pub(super) fn is_jsonl(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let stem = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    if stem.ends_with(".jsonl") || stem.ends_with(".ndjson") {
        Some(true)
    } else {
        stem.ends_with(".txt").then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings() {
        for name in ["a.txt", "a.TXT.gz", "a.jsonl.zst", "b.jsonl"] {
            assert!(is_corpus_file(Path::new(name)), "{name}");
        }
        for name in ["a.md", ".a.txt", "txt", "a.txt.bz2", "a.gz"] {
            assert!(!is_corpus_file(Path::new(name)), "{name}");
        }
        assert_eq!(is_jsonl(Path::new("x/a.jsonl.gz")), Some(true));
        assert_eq!(is_jsonl(Path::new("x/a.txt")), Some(false));
        assert_eq!(is_jsonl(Path::new("x/a.wet")), None);
    }
}
