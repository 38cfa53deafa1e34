//! Results of fine-tuning runs: metrics, statistics over seeds, and the files of the best model.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use albert::eval::EvalReport;
use albert::io::OutputTarget;
use albert::training::finetune::Spread;
use albert::{Error, Result};

use super::plan::Plan;
use crate::cli::output::report::Reporter;

/// Result of a run with one seed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SeedResult {
    pub seed: u64,
    /// The step of the best evaluation, or the last step.
    pub step: u64,
    /// The metric that selects the best model; `None` without --dev.
    pub figure: Option<f64>,
    /// All metrics on --dev.
    pub dev: Map<String, Value>,
}

const RESULTS: &str = "results.json";

/// Reports the metrics of the best model, with warnings.
pub(super) fn tell_dev(report: &EvalReport, majority: Option<f64>, plan: &Plan, reporter: &Reporter) {
    let figures: Vec<String> =
        report.figures.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
    reporter.note(&format!("dev, {} examples: {}", report.examples, figures.join("  ")));
    for warning in &report.warnings {
        reporter.warn(&format!(
            "dev: {warning}; a lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
    let accuracy = report.figure("accuracy");
    if let (Some(accuracy), Some(majority), true) = (accuracy, majority, report.warnings.is_empty())
        && accuracy <= majority
        && !plan.less_is_better
    {
        reporter.warn(&format!(
            "dev: the accuracy does not exceed that of the most frequent label alone ({majority:.4}): nothing is learnt; a \
             lower --learning-rate, more --epochs or other --seeds may help"
        ));
    }
}

/// Reports statistics over seeds, and the seed that is kept.
pub(super) fn tell_spread(results: &[SeedResult], best: &SeedResult, plan: &Plan, reporter: &Reporter) {
    let figures: Vec<f64> = results.iter().filter_map(|result| result.figure).collect();
    match Spread::of(&figures) {
        Some(spread) => reporter.note(&format!(
            "{} over {} seeds: mean {:.4}, standard deviation {:.4}, from {:.4} to {:.4}; seed {} is kept",
            plan.metric, spread.count, spread.mean, spread.deviation, spread.least, spread.most, best.seed
        )),
        None => reporter.warn(&format!("without --dev the best seed is unknown; keeping seed {}", best.seed)),
    }
}

/// The content of `results.json`.
#[derive(Serialize, Deserialize)]
struct Results {
    metric: String,
    best_seed: u64,
    runs: Vec<SeedResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread: Option<Spread>,
}

/// Writes `results.json` into the directory of a run or of all runs.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write_results(folder: &Path, plan: &Plan, runs: &[SeedResult], best_seed: u64) -> Result<()> {
    let figures: Vec<f64> = runs.iter().filter_map(|result| result.figure).collect();
    let spread = Spread::of(&figures).filter(|_| runs.len() > 1);
    let results = Results { metric: plan.metric.clone(), best_seed, runs: runs.to_vec(), spread };
    let path = folder.join(RESULTS);
    let text = serde_json::to_string_pretty(&results)
        .map_err(|e| Error::bad_file(&path, format!("cannot be written: {e}")))?;
    let mut out = OutputTarget::open(Some(&path))?;
    out.write(text.as_bytes())?;
    out.write(b"\n")?;
    out.finish()?;
    Ok(())
}

/// The result of a completed run.
pub(super) fn read_result(folder: &Path) -> Option<SeedResult> {
    let text = std::fs::read(folder.join(RESULTS)).ok()?;
    let results: Results = serde_json::from_slice(&text).ok()?;
    results.runs.into_iter().next()
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
