//! Reads index files of sharded checkpoints (`model.safetensors.index.json`, `pytorch_model.bin.index.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checkpoint::tensor::TensorInfo;
use crate::error::{Error, Result};
use crate::io::{from_json_file, is_path_inside};

/// Maximum size of an index, far above that of any ALBERT.
const MAX_INDEX_BYTES: u64 = 64 << 20;

#[derive(Deserialize)]
struct Raw {
    weight_map: BTreeMap<String, String>,
}

/// A validated index.
pub(crate) struct Index {
    path: PathBuf,
    files: Vec<PathBuf>,
    /// Maps tensor names to shard names.
    map: BTreeMap<String, String>,
}

/// Reads an index and checks that its shards exist next to it.
///
/// # Errors
/// [`Error::BadFile`] that names a shard that is missing or outside the directory.
pub(crate) fn read_index(path: &Path) -> Result<Index> {
    let size = std::fs::metadata(path).map_err(Error::io(path, "read"))?.len();
    if size > MAX_INDEX_BYTES {
        return Err(Error::bad_file(path, format!("is not an index of shards: {size} bytes are too many")));
    }
    let text = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let raw: Raw = from_json_file(&text)
        .map_err(|e| Error::bad_file(path, format!("is not an index of shards: {e}")))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let names: BTreeSet<&String> = raw.weight_map.values().collect();
    if names.is_empty() {
        return Err(Error::bad_file(path, "its weight_map names no shard"));
    }
    let mut files = Vec::new();
    for name in names {
        if !is_path_inside(name) {
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

impl Index {
    /// Returns the paths of the shards.
    pub(crate) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Checks that the shards contain every tensor listed in the index.
    ///
    /// # Errors
    /// [`Error::BadFile`] that names the first missing tensor.
    pub(crate) fn check(&self, shards: &[&[TensorInfo]]) -> Result<()> {
        let held: BTreeSet<&str> =
            shards.iter().flat_map(|s| s.iter()).map(|info| info.name.as_str()).collect();
        // Prefixes may have been removed from the names in the shards.
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
