//! The built-in model and its tasks.

use std::path::Path;

use serde::Deserialize;

use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::model::AlbertConfig;

/// Its `config.json`.
const CONFIG: &[u8] = include_bytes!("../../assets/config.json");

/// Its weights in half precision. The names of task tensors begin with `tasks.`.
const WEIGHTS: &[u8] = include_bytes!("../../assets/model.safetensors");

/// Its tasks, with their labels.
const TASKS: &[u8] = include_bytes!("../../assets/tasks.json");

/// Its SentencePiece model.
pub(super) use crate::tokenizer::EMBEDDED as TOKENIZER;

/// Tasks of the built-in model in addition to masked LM and sentence order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmbeddedTask {
    /// Sentiment of a text: positive or negative.
    Sentiment,
    /// Named entities: persons, places, organizations.
    Entities,
    /// Extractive question answering.
    Answers,
    /// Multiple choice.
    Choices,
    /// Textual entailment.
    Entailment,
}

impl EmbeddedTask {
    /// Returns its name in `assets/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sentiment => "sentiment",
            Self::Entities => "entities",
            Self::Answers => "answers",
            Self::Choices => "choices",
            Self::Entailment => "entailment",
        }
    }
}

/// An entry of `tasks.json`.
#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    labels: Vec<String>,
}

/// Returns the configuration with the labels of `task`, and whether the model supports that task.
pub(super) fn config(task: Option<EmbeddedTask>) -> Result<(AlbertConfig, bool)> {
    let mut config = AlbertConfig::from_slice(CONFIG, Path::new("config.json"))?;
    let Some(task) = task else { return Ok((config, true)) };
    let entries: Vec<Entry> = serde_json::from_slice(TASKS)
        .map_err(|e| Error::bad_file("tasks.json", format!("cannot be read: {e}")))?;
    let Some(entry) = entries.into_iter().find(|entry| entry.name == task.name()) else {
        return Ok((config, false));
    };
    if !entry.labels.is_empty() {
        config.set_labels(entry.labels);
    }
    Ok((config, true))
}

/// Returns the tensors, with those of `task` under the model's names.
pub(super) fn tensors(task: Option<EmbeddedTask>) -> Result<Tensors> {
    let all = Tensors::from_safetensors_bytes(WEIGHTS, Path::new("embedded model"))?;
    all.with_task(task.map(EmbeddedTask::name))
}
