//! The metrics of one task on labelled data.

use std::path::Path;

use burn::tensor::Device;

use albert::Result;
use albert::checkpoint::{Checkpoint, MlmBias, Tensors, load_model};
use albert::eval::EvalReport;
use albert::model::Albert;

use super::tasks::{Task, pipeline};

/// The main metric on one data set.
pub(crate) struct Metric {
    /// The data's name.
    pub data: &'static str,
    pub examples: u64,
    /// The name of the metric.
    pub name: &'static str,
    /// In percent.
    pub value: f64,
}

/// The model of `task` in a file that contains several tasks.
pub(crate) fn model_in(
    tensors: Tensors,
    checkpoint: &Checkpoint,
    task: &Task,
    device: &Device,
) -> Result<Albert> {
    let tensors = tensors.with_task(Some(task.name))?;
    let config = task.config(&checkpoint.config);
    Ok(load_model(&tensors, &config, &[task.head()], MlmBias::default(), device)?.0)
}

/// The metrics of `model` on all data of `task` that has a file for `split`.
pub(crate) fn metrics(
    task: &Task,
    model: &Albert,
    checkpoint: &Checkpoint,
    data: &Path,
    split: &str,
    device: &Device,
) -> Result<Vec<Metric>> {
    let config = task.config(&checkpoint.config);
    let mut metrics = Vec::new();
    for name in task.data {
        if !data.join(format!("{name}.{split}.jsonl")).is_file() {
            continue;
        }
        let pipeline = pipeline(model.clone(), &config, checkpoint, device)?;
        let report = task.evaluation(task.read(data, name, split)?, pipeline)?.run(4096)?;
        let (metric, value) = main_metric(&report);
        metrics.push(Metric { data: name, examples: report.examples, name: metric, value });
    }
    Ok(metrics)
}

/// The name and value, in percent, of the metric that the table shows.
fn main_metric(report: &EvalReport) -> (&'static str, f64) {
    match (report.metric("exact_match"), report.metric("f1"), report.metric("accuracy")) {
        (Some(_), Some(f1), _) => ("F1 of words", f1),
        (None, Some(f1), None) => ("F1 of entities", 100.0 * f1),
        (.., accuracy) => ("accuracy", 100.0 * accuracy.unwrap_or(f64::NAN)),
    }
}
