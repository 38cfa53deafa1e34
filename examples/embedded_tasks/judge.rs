//! `judge`: the tables of the model card.

use std::path::Path;

use albert::checkpoint::Checkpoint;
use albert::device::{self, DeviceChoice, FloatType};
use albert::{Error, Result};

use super::baselines::baselines;
use super::figures::{figures, model_in};
use super::tasks::TASKS;

pub fn run(assets: &Path, data: &Path, split: &str) -> Result<()> {
    let checkpoint = Checkpoint::local(assets)?;
    let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
    let mut out = String::from(
        "| task | data | figure | majority | bag of words | this model |\n|---|---|---|---:|---:|---:|\n",
    );
    for task in &TASKS {
        let model = model_in(checkpoint.tensors()?, &checkpoint, task, &device)?;
        for figure in figures(task, &model, &checkpoint, data, split, &device)? {
            let name = figure.data;
            let examples = task.read(data, name, split)?;
            let train = task.read(data, &train_of(data, name), "train")?;
            let (majority, bag) = baselines(&train, &examples);
            let shown = |value: Option<f64>| value.map_or("".to_owned(), |value| format!("{value:.1}"));
            out.push_str(&format!(
                "| {} | {name} ({} examples) | {} | {} | {} | **{:.1}** |\n",
                task.name,
                figure.examples,
                figure.name,
                shown(majority),
                shown(bag),
                figure.value,
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

/// On standard output.
pub fn print(text: &str) -> Result<()> {
    use std::io::Write;
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|source| Error::Output { name: "<stdout>".to_owned(), source })
}
