//! Results of fine-tuning runs, and the files of the best model.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::seed_statistics::SeedStatistics;
use crate::error::{Error, Result};
use crate::io::OutputTarget;

/// Result of a run with one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The step of the best evaluation, or the last step.
    pub step: u64,
    /// The metric that selects the best model; `None` without dev.
    #[serde(rename = "figure")]
    pub metric: Option<f64>,
    /// All metrics on dev.
    pub dev: Map<String, Value>,
}

/// The content of `results.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FineTuneResults {
    /// The metric that selects the best model.
    pub metric: String,
    /// The seed of the model that is kept.
    pub best_seed: u64,
    /// The runs in the order of their seeds.
    pub runs: Vec<SeedResult>,
    /// Statistics of the metric over several seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SeedStatistics>,
}

const FILE: &str = "results.json";

impl FineTuneResults {
    /// The results of one run.
    pub(super) fn single(metric: &str, result: &SeedResult) -> Self {
        Self { metric: metric.to_owned(), best_seed: result.seed, runs: vec![result.clone()], spread: None }
    }

    /// Writes `results.json` into the directory of a run or of all runs.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::bad_file(&path, format!("cannot be written: {e}")))?;
        let mut out = OutputTarget::open(Some(&path))?;
        out.write(text.as_bytes())?;
        out.write(b"\n")?;
        out.finish()?;
        Ok(())
    }

    /// Reads the result of a completed run from its directory.
    pub(super) fn of_run(folder: &Path) -> Option<SeedResult> {
        let text = std::fs::read(folder.join(FILE)).ok()?;
        let results: Self = serde_json::from_slice(&text).ok()?;
        results.runs.into_iter().next()
    }
}

/// Copies the files of a model, the weights last.
///
/// # Errors
/// If a file cannot be read or written.
pub(super) fn copy_model(from: &Path, to: &Path) -> Result<()> {
    let entries = std::fs::read_dir(from).map_err(Error::io(from, "read"))?;
    let mut names: Vec<_> = entries.flatten().filter(|e| e.path().is_file()).map(|e| e.file_name()).collect();
    names.retain(|name| MODEL_FILES.iter().any(|file| name == file));
    names.sort_by_key(|name| name == "model.safetensors");
    for name in names {
        let target = to.join(&name);
        let bytes = std::fs::read(from.join(&name)).map_err(Error::io(from.join(&name), "read"))?;
        let mut out = OutputTarget::open(Some(&target))?;
        out.write(&bytes)?;
        out.finish()?;
    }
    Ok(())
}

/// The files of a model.
const MODEL_FILES: [&str; 8] = [
    "config.json",
    "model.safetensors",
    "spiece.model",
    "vocab.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];
