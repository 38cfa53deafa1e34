//! From which difference of logits a model says that there is no answer: kept with the model, found with `albert eval` or
//! `albert finetune`.

use std::path::Path;

use serde_json::{Value, json};

use albert::io::OutputTarget;
use albert::model::AlbertConfig;
use albert::{Error, Result};

/// The key of transformers' configurations for what single tasks want.
const KEY: &str = "task_specific_params";
const TASK: &str = "question-answering";

/// The threshold that a model knows.
pub fn of(config: &AlbertConfig) -> Option<f64> {
    config.extra(KEY)?.get(TASK)?.get("null_threshold")?.as_f64()
}

/// Makes a configuration know it.
pub fn set(config: &mut AlbertConfig, threshold: f64) {
    config.set_extra(KEY, with(config.extra(KEY), threshold));
}

/// Writes it into a `config.json`, where everything else stays as it is.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] for what is not a JSON object.
pub fn save(path: &Path, threshold: f64) -> Result<()> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    let mut config: Value = serde_json::from_slice(&bytes)
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

fn with(tasks: Option<&Value>, threshold: f64) -> Value {
    let mut tasks = tasks.filter(|tasks| tasks.is_object()).cloned().unwrap_or_else(|| json!({}));
    tasks[TASK] = json!({"handle_impossible_answer": true, "null_threshold": threshold});
    tasks
}
