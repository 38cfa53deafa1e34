//! Index files of checkpoints in several files (`model.safetensors.index.json`,
//! `pytorch_model.bin.index.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::tensors::TensorInfo;
use crate::error::{Error, Result};

/// Far above any index of an ALBERT.
const MAX_INDEX_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Raw {
    weight_map: BTreeMap<String, String>,
}

/// A checked index.
pub struct Index {
    path: PathBuf,
    files: Vec<PathBuf>,
    /// Tensor name to shard name.
    map: BTreeMap<String, String>,
}

/// Reads an index and checks that its shards are files beside it.
///
/// # Errors
/// [`Error::BadFile`] naming the shard that is missing or lies elsewhere.
pub fn read_index(path: &Path) -> Result<Index> {
    let size = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
    if size > MAX_INDEX_BYTES {
        return Err(Error::bad_file(path, format!("is no index of shards: {size} bytes are too many")));
    }
    let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let raw: Raw = serde_json::from_slice(&text)
        .map_err(|e| Error::bad_file(path, format!("is no index of shards: {e}")))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let names: BTreeSet<&String> = raw.weight_map.values().collect();
    if names.is_empty() {
        return Err(Error::bad_file(path, "its weight_map names no shard"));
    }
    let mut files = Vec::new();
    for name in names {
        if !stays_inside(name) {
            return Err(Error::bad_file(path, format!("shard \"{name}\" is not a file of this directory")));
        }
        let file = directory.join(name);
        if !file.is_file() {
            return Err(Error::bad_file(
                path,
                format!("shard \"{name}\" is missing in {}", directory.display()),
            ));
        }
        files.push(file);
    }
    Ok(Index { path: path.to_owned(), files, map: raw.weight_map })
}

/// True for the name of a file in a directory or below it, which leads nowhere else.
pub(super) fn stays_inside(name: &str) -> bool {
    let plain = Path::new(name).components().all(|c| matches!(c, Component::Normal(_)));
    plain && !name.is_empty() && !name.contains('\\')
}

impl Index {
    /// The shards.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Checks that the shards hold every tensor that the index promises.
    ///
    /// # Errors
    /// [`Error::BadFile`] naming the first that is missing.
    pub fn check(&self, shards: &[&[TensorInfo]]) -> Result<()> {
        let held: BTreeSet<&str> =
            shards.iter().flat_map(|s| s.iter()).map(|info| info.name.as_str()).collect();
        // Wrappers may have been taken off the names in the shards.
        let found = |name: &str| held.contains(name) || held.iter().any(|h| name.ends_with(&format!(".{h}")));
        match self.map.iter().find(|(name, _)| !found(name)) {
            None => Ok(()),
            Some((name, shard)) => Err(Error::bad_file(
                &self.path,
                format!("promises tensor \"{name}\" in {shard}, which does not hold it"),
            )),
        }
    }
}
