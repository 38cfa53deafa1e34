//! `export`: the files of `assets/`.

use std::path::Path;

use albert::checkpoint::{Checkpoint, SavedTensor, save_half};
use albert::device::{self, DeviceChoice, FloatType};
use albert::model::Head;
use albert::training::Parameters;
use albert::training::multitask::task_model;
use albert::{Error, Result};
use serde_json::json;

use super::judge::shared_parameters;
use super::tasks::{TASKS, outputs};

pub fn run(run: &Path, _data: &Path, assets: &Path) -> Result<()> {
    let checkpoint = Checkpoint::local(run)?;
    let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
    let shared = shared_parameters(&checkpoint, &device)?;
    let mut tensors: Vec<SavedTensor> = saved(&shared, |name| {
        let own = name.starts_with("classifier.") || name.starts_with("qa_outputs.");
        (!own).then(|| name.to_owned())
    });
    let mut tasks = Vec::new();
    let mut heads: Vec<(String, Parameters)> = Vec::new();
    for (task, own) in TASKS.iter().zip(outputs()) {
        let config = task.config(&checkpoint.config);
        let (_, parameters) = task_model(&shared, &config, task.head(), own, &device)?;
        heads.push((task.name.to_owned(), parameters));
        tasks.push(json!({"name": task.name, "head": head_name(task.head()), "labels": task.labels}));
    }
    for (name, parameters) in &heads {
        tensors.extend(saved(parameters, |own| {
            let head = own.starts_with("classifier.") || own.starts_with("qa_outputs.");
            head.then(|| format!("tasks.{name}.{own}"))
        }));
    }
    save_half(&assets.join("model.safetensors"), &tensors)?;
    let path = assets.join("tasks.json");
    let text = serde_json::to_string_pretty(&tasks)
        .map_err(|e| Error::bad_file(&path, format!("cannot be written: {e}")))?;
    std::fs::write(&path, text + "\n").map_err(Error::io(&path, "write"))
}

fn saved(parameters: &Parameters, name: impl Fn(&str) -> Option<String>) -> Vec<SavedTensor<'_>> {
    let named = parameters.saved().into_iter().filter_map(|tensor| Some((name(&tensor.name)?, tensor)));
    named.map(|(name, tensor)| SavedTensor { name, ..tensor }).collect()
}

fn head_name(head: Head) -> &'static str {
    match head {
        Head::TokenClassification => "token-classification",
        Head::QuestionAnswering => "question-answering",
        Head::MultipleChoice => "multiple-choice",
        _ => "sequence-classification",
    }
}
