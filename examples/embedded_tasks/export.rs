//! `export`: the files of `assets/`. `compare`: what one encoder, small differences and whole models come to.

use std::path::Path;

use burn::tensor::Device;

use albert::checkpoint::{Checkpoint, SavedTensor, Tensors, save_half};
use albert::device::{self, DeviceChoice, FloatType};
use albert::model::{Albert, Head};
use albert::training::Parameters;
use albert::training::multitask::task_model;
use albert::{Error, Result};
use serde_json::json;

use super::differences::{Differences, is_head, whole};
use super::figures::{Figure, figures, mean, model_in};
use super::judge::print;
use super::say;
use super::tasks::{ALL_HEADS, TASKS, Task, all_outputs, outputs};
use super::tune::folder;

/// The files of `assets/`. A task has a difference where `tune` was run for it, and dev is better with it.
pub fn run(run: &Path, data: &Path, assets: &Path) -> Result<()> {
    let all = Models::open(run)?;
    let mut tensors = all.encoder();
    let mut tasks = Vec::new();
    for task in &TASKS {
        let mut own = all.on_one_encoder(task)?;
        if let Some(alone) = all.alone(task)? {
            let other = all.with(task, Differences::new(&all.shared, &alone)?.within(task.difference));
            let [before, after] = [&own, &other].map(|tensors| all.judge(task, tensors, data));
            let (before, after) = (mean(&before?), mean(&after?));
            say(&format!("{}: {before:.2} on one encoder, {after:.2} with a difference", task.name));
            if after > before {
                own = other;
            }
        }
        tensors.extend(own.into_iter().filter(|tensor| tensor.name.starts_with("tasks.")));
        tasks.push(json!({"name": task.name, "head": head_name(task.head()), "labels": task.labels}));
    }
    save_half(&assets.join("model.safetensors"), &tensors)?;
    let path = assets.join("tasks.json");
    let text = serde_json::to_string_pretty(&tasks)
        .map_err(|e| Error::bad_file(&path, format!("cannot be written: {e}")))?;
    std::fs::write(&path, text + "\n").map_err(Error::io(&path, "write"))
}

/// A table of dev figures: the encoder of all, with differences of several sizes, and each task's own model.
pub fn compare(run: &Path, data: &Path) -> Result<()> {
    const SIZES: [usize; 5] = [50_000, 150_000, 350_000, 700_000, 1_400_000];
    let all = Models::open(run)?;
    let mut out = String::from("| task | data | one encoder |");
    SIZES.iter().for_each(|bytes| out.push_str(&format!(" {} kB |", bytes / 1000)));
    out.push_str(" whole |\n|---|---|---:|");
    SIZES.iter().for_each(|_| out.push_str("---:|"));
    out.push_str("---:|\n");
    for task in &TASKS {
        let mut columns = vec![all.judge(task, &all.on_one_encoder(task)?, data)?];
        if let Some(own) = all.alone(task)? {
            let differences = Differences::new(&all.shared, &own)?;
            for bytes in SIZES {
                columns.push(all.judge(task, &all.with(task, differences.within(bytes)), data)?);
            }
            let model = own.load_into(
                Albert::new(&task.config(&all.checkpoint.config), &[task.head()], &all.device),
                &all.device,
            );
            columns.push(figures(task, &model, &all.checkpoint, data, "dev", &all.device)?);
        }
        for (i, first) in columns[0].iter().enumerate() {
            let values: Vec<String> =
                columns.iter().filter_map(|column| Some(format!("{:.1}", column.get(i)?.value))).collect();
            out.push_str(&format!("| {} | {} | {} |\n", task.name, first.data, values.join(" | ")));
        }
    }
    print(&out)
}

/// The models of a run: the shared one, and one for each task.
struct Models<'a> {
    run: &'a Path,
    checkpoint: Checkpoint,
    device: Device,
    shared: Parameters,
}

impl<'a> Models<'a> {
    fn open(run: &'a Path) -> Result<Self> {
        let checkpoint = Checkpoint::local(run)?;
        let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
        let shared = shared_parameters(&checkpoint, &device)?;
        Ok(Self { run, checkpoint, device, shared })
    }

    /// The tensors shared by all tasks, and the pretraining heads.
    fn encoder(&self) -> Vec<SavedTensor<'_>> {
        self.shared.saved().into_iter().filter(|tensor| !is_head(&tensor.name)).collect()
    }

    /// The encoder, and the head that `task` has on it.
    fn on_one_encoder(&self, task: &Task) -> Result<Vec<SavedTensor<'_>>> {
        let own = TASKS.iter().zip(outputs()).find(|(other, _)| other.name == task.name);
        let outputs = own.map(|(_, outputs)| outputs).unwrap_or_default();
        let config = task.config(&self.checkpoint.config);
        let (_, parameters) = task_model(&self.shared, &config, task.head(), outputs, &self.device)?;
        let head = parameters.tensors().iter().filter(|tensor| is_head(&tensor.name)).map(whole);
        Ok(self.with(task, head.collect()))
    }

    /// The encoder, and what is `task`'s own.
    fn with(&self, task: &Task, own: Vec<SavedTensor<'static>>) -> Vec<SavedTensor<'_>> {
        let mut tensors = self.encoder();
        tensors.extend(own.into_iter().map(|tensor| {
            let name = format!("tasks.{}.{}", task.name, tensor.name);
            SavedTensor { name, ..tensor }
        }));
        tensors
    }

    /// The task's own model, if there is one.
    fn alone(&self, task: &Task) -> Result<Option<Parameters>> {
        let folder = folder(self.run, task);
        if !folder.join("model.safetensors").is_file() {
            return Ok(None);
        }
        let model = Albert::new(&task.config(&self.checkpoint.config), &[task.head()], &self.device);
        filled(Parameters::of(&model)?, &Checkpoint::local(&folder)?.tensors()?).map(Some)
    }

    /// On dev, as a file in half precision is read.
    fn judge(&self, task: &Task, tensors: &[SavedTensor], data: &Path) -> Result<Vec<Figure>> {
        let path = self.run.join("compared.safetensors");
        save_half(&path, tensors)?;
        let model = model_in(Tensors::open(&path)?, &self.checkpoint, task, &self.device)?;
        std::fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        figures(task, &model, &self.checkpoint, data, "dev", &self.device)
    }
}

/// The weights of a run with all heads.
pub fn shared_parameters(checkpoint: &Checkpoint, device: &Device) -> Result<Parameters> {
    let model = Albert::with_classifier(&checkpoint.config, &ALL_HEADS, Some(all_outputs()), device);
    filled(Parameters::of(&model)?, &checkpoint.tensors()?)
}

/// With the values of a file.
fn filled(mut parameters: Parameters, tensors: &Tensors) -> Result<Parameters> {
    for parameter in parameters.tensors_mut() {
        let values = tensors.read_f32(&parameter.name)?;
        if values.len() != parameter.values.len() {
            return Err(Error::Weights {
                path: tensors.path().to_owned(),
                problem: format!("tensor {} has {} values", parameter.name, values.len()),
            });
        }
        parameter.values = parameter.from_stored(values);
    }
    Ok(parameters)
}

fn head_name(head: Head) -> &'static str {
    match head {
        Head::TokenClassification => "token-classification",
        Head::QuestionAnswering => "question-answering",
        Head::MultipleChoice => "multiple-choice",
        _ => "sequence-classification",
    }
}
