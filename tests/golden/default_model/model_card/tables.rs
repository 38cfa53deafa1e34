//! The table of tasks, next to two baselines.

use std::path::Path;

use albert::Result;
use albert::checkpoint::Checkpoint;
use albert::device::{self, DeviceChoice, Precision};

use super::baselines::baselines;
use super::metrics::{metrics, model_in};
use super::tasks::TASKS;

/// One row per task and data set.
pub(crate) fn tasks(assets: &Path, data: &Path, split: &str) -> Result<String> {
    let checkpoint = Checkpoint::local(assets)?;
    let device = device::open(DeviceChoice::Flex, Precision::F32)?.device;
    let mut out = String::from(
        "| task | data | metric | majority | bag of words | this model |\n|---|---|---|---:|---:|---:|\n",
    );
    for task in &TASKS {
        let model = model_in(checkpoint.tensors()?, &checkpoint, task, &device)?;
        for metric in metrics(task, &model, &checkpoint, data, split, &device)? {
            let name = metric.data;
            let examples = task.read(data, name, split)?;
            let train = task.read(data, &train_of(data, name), "train")?;
            let (majority, bag) = baselines(&train, &examples);
            let shown = |value: Option<f64>| value.map_or("".to_owned(), |value| format!("{value:.1}"));
            out.push_str(&format!(
                "| {} | {name} ({} examples) | {} | {} | {} | **{:.1}** |\n",
                task.name,
                metric.examples,
                metric.name,
                shown(majority),
                shown(bag),
                metric.value,
            ));
        }
    }
    Ok(out)
}

/// The data set that a baseline learns from.
fn train_of(data: &Path, name: &str) -> String {
    let own = data.join(format!("{name}.train.jsonl")).is_file();
    if own { name.to_owned() } else { name.split('_').next().unwrap_or(name).to_owned() }
}
