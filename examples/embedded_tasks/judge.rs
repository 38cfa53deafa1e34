//! `judge`: the tables of the model card.

use std::path::Path;

use burn::tensor::Device;

use albert::checkpoint::Checkpoint;
use albert::device::{self, DeviceChoice, FloatType};
use albert::eval::EvalReport;
use albert::model::Albert;
use albert::tasks::{Long, Runtime};
use albert::training::Parameters;
use albert::training::multitask::task_model;
use albert::{Error, Result};

use super::baselines::baselines;
use super::tasks::{ALL_HEADS, TASKS, all_outputs, outputs};

pub fn run(run: &Path, data: &Path, split: &str) -> Result<()> {
    let checkpoint = Checkpoint::local(run)?;
    let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
    let shared = shared_parameters(&checkpoint, &device)?;
    let mut out = String::from(
        "| task | data | figure | majority | bag of words | this model |\n|---|---|---|---:|---:|---:|\n",
    );
    for (task, own) in TASKS.iter().zip(outputs()) {
        let config = task.config(&checkpoint.config);
        for name in task.judged {
            if !data.join(format!("{name}.{split}.jsonl")).is_file() {
                continue;
            }
            let (model, _) = task_model(&shared, &config, task.head(), own.clone(), &device)?;
            let runtime = Runtime {
                model,
                config: config.clone(),
                tokenizer: checkpoint.tokenizer()?,
                device: device.clone(),
                max_length: config.max_position_embeddings,
                long: Long::Truncate,
                pad_multiple: 1,
            };
            let examples = task.read(data, name, split)?;
            let train = task.read(data, &train_of(data, name), "train")?;
            let (majority, bag) = baselines(&train, &examples);
            let report = task.judge(examples, runtime)?.run(4096)?;
            let (figure, value) = main_figure(&report);
            let shown = |value: Option<f64>| value.map_or("".to_owned(), |value| format!("{value:.1}"));
            out.push_str(&format!(
                "| {} | {name} ({} examples) | {figure} | {} | {} | **{value:.1}** |\n",
                task.name,
                report.examples,
                shown(majority),
                shown(bag),
            ));
        }
    }
    print(&out)
}

/// The data that a baseline learns from.
fn train_of(data: &Path, name: &str) -> String {
    let own = data.join(format!("{name}.train.jsonl")).is_file();
    if own { name.to_owned() } else { name.split('_').next().unwrap_or(name).to_owned() }
}

/// In per cent.
fn main_figure(report: &EvalReport) -> (&'static str, f64) {
    match (report.figure("exact_match"), report.figure("f1"), report.figure("accuracy")) {
        (Some(_), Some(f1), _) => ("F1 of words", f1),
        (None, Some(f1), None) => ("F1 of entities", 100.0 * f1),
        (.., accuracy) => ("accuracy", 100.0 * accuracy.unwrap_or(f64::NAN)),
    }
}

/// The weights of a run with all heads.
pub fn shared_parameters(checkpoint: &Checkpoint, device: &Device) -> Result<Parameters> {
    let model = Albert::with_classifier(&checkpoint.config, &ALL_HEADS, Some(all_outputs()), device);
    let mut parameters = Parameters::of(&model)?;
    let tensors = checkpoint.tensors()?;
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

fn print(text: &str) -> Result<()> {
    use std::io::Write;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|source| Error::Output { name: "<stdout>".to_owned(), source })
}
