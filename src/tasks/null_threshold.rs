//! The threshold for "no answer". `albert eval` and `albert finetune` store it with the model.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::checkpoint::{Checkpoint, Origin};
use crate::error::{Error, Result};
use crate::io::OutputTarget;
use crate::io::from_json_file;
use crate::model::AlbertConfig;

/// The key of task-specific parameters in transformers' configurations.
const KEY: &str = "task_specific_params";
const TASK: &str = "question-answering";

/// Returns the threshold stored in a configuration.
pub fn of(config: &AlbertConfig) -> Option<f64> {
    config.extra(KEY)?.get(TASK)?.get("null_threshold")?.as_f64()
}

/// Stores a threshold in a configuration.
pub fn set(config: &mut AlbertConfig, threshold: f64) {
    config.set_extra(KEY, with(config.extra(KEY), threshold));
}

/// Returns the configuration file of a local model, which may be changed.
///
/// # Errors
/// [`Error::InvalidOption`] for a model without one; errors from [`check`].
pub fn config_of(checkpoint: &Checkpoint) -> Result<PathBuf> {
    match &checkpoint.origin {
        Origin::Directory { directory, .. }
            if checkpoint.adapter.is_none() && directory.join("config.json").is_file() =>
        {
            let path = directory.join("config.json");
            check(&path)?;
            Ok(path)
        }
        _ => Err(Error::InvalidOption {
            name: "save_threshold".to_owned(),
            problem: "the model has no directory with a config.json".to_owned(),
        }),
    }
}

/// Checks that a `config.json` may be changed.
///
/// # Errors
/// [`Error::BadFile`] for a file in the hub's cache.
pub fn check(path: &Path) -> Result<()> {
    if !is_shared(path) {
        return Ok(());
    }
    let problem = "is a file of the hub's cache, which other models may share; copy the model to a directory of its own";
    Err(Error::bad_file(path, problem))
}

/// Writes a threshold into a `config.json` without changing anything else.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if the file is not a JSON object or is in the hub's cache.
pub fn save(path: &Path, threshold: f64) -> Result<()> {
    check(path)?;
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let mut config: Value = from_json_file(&bytes)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Error::bad_file(path, "is not a JSON object"))?;
    config[KEY] = with(config.get(KEY), threshold);
    let text = serde_json::to_string_pretty(&config)
        .map_err(|e| Error::bad_file(path, format!("cannot be written: {e}")))?;
    let mut out = OutputTarget::open(Some(path))?;
    out.write(text.as_bytes())?;
    out.write(b"\n")?;
    out.finish()?;
    Ok(())
}

/// Returns true if a file is a link to a blob in the hub's cache, whose name is the checksum of its content.
fn is_shared(path: &Path) -> bool {
    let folder = path.canonicalize().ok().and_then(|path| Some(path.parent()?.file_name()?.to_owned()));
    path.is_symlink() && folder.is_some_and(|name| name == "blobs")
}

fn with(tasks: Option<&Value>, threshold: f64) -> Value {
    let mut tasks = tasks.filter(|tasks| tasks.is_object()).cloned().unwrap_or_else(|| json!({}));
    tasks[TASK] = json!({"handle_impossible_answer": true, "null_threshold": threshold});
    tasks
}
