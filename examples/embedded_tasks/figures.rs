//! What a model of one task comes to on labelled data.

use std::path::Path;

use burn::tensor::Device;

use albert::Result;
use albert::checkpoint::{Checkpoint, MlmBias, Tensors, load_model};
use albert::eval::EvalReport;
use albert::model::Albert;

use super::tasks::{Task, runtime};

/// One figure of one data set.
pub struct Figure {
    /// The data's name.
    pub data: &'static str,
    pub examples: u64,
    /// The name of the metric.
    pub name: &'static str,
    /// In per cent.
    pub value: f64,
}

/// The model of `task` in a file that contains several tasks.
pub fn model_in(tensors: Tensors, checkpoint: &Checkpoint, task: &Task, device: &Device) -> Result<Albert> {
    let tensors = tensors.with_task(Some(task.name))?;
    let config = task.config(&checkpoint.config);
    Ok(load_model(&tensors, &config, &[task.head()], MlmBias::default(), device)?.0)
}

/// Figures of `model` on all data that `task` is judged by and that has a file for `split`.
pub fn figures(
    task: &Task,
    model: &Albert,
    checkpoint: &Checkpoint,
    data: &Path,
    split: &str,
    device: &Device,
) -> Result<Vec<Figure>> {
    let config = task.config(&checkpoint.config);
    let mut figures = Vec::new();
    for name in task.judged {
        if !data.join(format!("{name}.{split}.jsonl")).is_file() {
            continue;
        }
        let runtime = runtime(model.clone(), &config, checkpoint, device)?;
        let report = task.judge(task.read(data, name, split)?, runtime)?.run(4096)?;
        let (figure, value) = main_figure(&report);
        figures.push(Figure { data: name, examples: report.examples, name: figure, value });
    }
    Ok(figures)
}

/// In per cent.
fn main_figure(report: &EvalReport) -> (&'static str, f64) {
    match (report.figure("exact_match"), report.figure("f1"), report.figure("accuracy")) {
        (Some(_), Some(f1), _) => ("F1 of words", f1),
        (None, Some(f1), None) => ("F1 of entities", 100.0 * f1),
        (.., accuracy) => ("accuracy", 100.0 * accuracy.unwrap_or(f64::NAN)),
    }
}

/// The mean of all.
pub fn mean(figures: &[Figure]) -> f64 {
    figures.iter().map(|figure| figure.value).sum::<f64>() / figures.len().max(1) as f64
}
