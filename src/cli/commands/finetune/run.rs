//! The runs of `albert finetune`: one per seed, of which the best is kept.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use albert::Result;
use albert::checkpoint::TokenizerFiles;
use albert::device;
use albert::io::create_directory;
use albert::training::finetune::{DevEvaluation, FineTuneRun, FineTuning};
use albert::training::{Checkpoints, Ending, Evaluation};

use super::plan::Plan;
use super::results::{SeedResult, copy_model, read_result, tell_dev, tell_spread, write_results};
use super::setup::{Prepared, Setup};
use crate::cli::exit::{ExitStatus, Failure, WhileRunning};
use crate::cli::interrupt;
use crate::cli::output::progress::TrainingProgress;
use albert::tasks::null_threshold;

/// Runs all seeds and keeps the best.
///
/// # Errors
/// Errors of the runs.
pub(super) fn run(setup: &Setup, mut prepared: Prepared) -> std::result::Result<ExitStatus, Failure> {
    let (common, reporter) = (setup.common, setup.reporter);
    let stop = interrupt::stop_flag()?;
    let plan = Plan::new(setup, &prepared)?;
    announce(setup, &prepared, &plan);
    let seeds = &common.seeds.0;
    let folder = |seed: u64| match seeds.len() {
        1 => common.output.clone(),
        _ => common.output.join("seeds").join(seed.to_string()),
    };
    let mut results: Vec<SeedResult> = Vec::new();
    for seed in seeds.iter().copied() {
        let folder = folder(seed);
        if let Some(done) = common.resume.then(|| read_result(&folder)).flatten() {
            reporter.note(&format!("the run with seed {seed} is already complete"));
            results.push(done);
            continue;
        }
        if seeds.len() > 1 {
            reporter.note(&format!("seed {seed}"));
        }
        match run_seed(setup, &mut prepared, &plan, seed, &folder, &stop).while_running()? {
            Some(result) => results.push(result),
            None => {
                reporter.note("interrupted after saving a checkpoint; use --resume to continue");
                return Ok(ExitStatus::Interrupted);
            }
        }
    }
    if let ([first, _, ..], true) = (results.as_slice(), setup.leads()) {
        let better = |a: &SeedResult, b: &SeedResult| plan.is_better(a.figure, b.figure);
        let best = results.iter().fold(first, |best, other| if better(other, best) { other } else { best });
        tell_spread(&results, best, &plan, reporter);
        copy_model(&folder(best.seed), &common.output).while_running()?;
        write_results(&common.output, &plan, &results, best.seed).while_running()?;
    }
    reporter.note(&format!("wrote the model to {}", common.output.display()));
    Ok(ExitStatus::Done)
}

/// Runs one seed. Returns `None` if interrupted.
fn run_seed(
    setup: &Setup,
    prepared: &mut Prepared,
    plan: &Plan,
    seed: u64,
    folder: &Path,
    stop: &AtomicBool,
) -> Result<Option<SeedResult>> {
    let (common, reporter) = (setup.common, setup.reporter);
    create_directory(folder)?;
    let tokenizer = setup.checkpoint.tokenizer()?;
    let files = TokenizerFiles::of(&setup.checkpoint);
    let devices: Vec<Device> = setup.devices.iter().map(|open| open.device.clone()).collect();
    let objective = FineTuning {
        loss: prepared.loss,
        label_weights: prepared.label_weights.clone(),
        padding: plan.padding,
    };
    let run = FineTuneRun {
        checkpoint: &setup.checkpoint,
        config: &prepared.config,
        head: prepared.head,
        architecture: prepared.architecture,
        tokenizer: (&files, &tokenizer),
        examples: &prepared.examples,
        objective: &objective,
        devices: &devices,
        numbers: device::common_numbers(&setup.devices),
        micro_batch: plan.micro_batch,
        gradient_checkpointing: common.gradient_checkpointing,
        order: common.order,
        frozen: common.freeze,
        communicator: setup.world,
    };
    let resume = common.resume && !Checkpoints::new(folder, 1).steps().is_empty();
    let panels = [("loss", "loss"), ("accuracy", "accuracy"), (plan.metric.as_str(), plan.metric.as_str())];
    let panels = if plan.metric == "accuracy" { &panels[..2] } else { &panels[..] };
    let mut progress = TrainingProgress::new(reporter, folder, panels);
    let options = plan.options(common, folder, seed, &prepared.config, &prepared.examples);
    let mut judge = prepared.evaluation.as_deref_mut().map(|task| DevEvaluation {
        task,
        metric: &plan.metric,
        less_is_better: plan.less_is_better,
        batch_tokens: plan.batch_tokens,
    });
    let evaluation = judge.as_mut().map(|judge| judge as &mut dyn Evaluation);
    let tuned = run.run(options, evaluation, resume, stop, &mut progress)?;
    drop(progress);
    if tuned.ending == Ending::Interrupted {
        return Ok(None);
    }
    let report = match (judge, &tuned.model) {
        (Some(mut judge), Some(model)) if setup.leads() => Some(judge.report(model)?),
        _ => None,
    };
    if let Some(report) = &report {
        tell_dev(report, prepared.majority, plan, reporter);
        // Settings that the model needs to give the same answers later.
        if let Some(threshold) = report.figure("best_f1_threshold") {
            let mut config = prepared.config.clone();
            null_threshold::set(&mut config, threshold);
            run.publish(folder, &config, &tuned.parameters)?;
            reporter.note(&format!(
                "no answer is said where its logits are more than {threshold:.4} above those of the best answer; the \
                 threshold is kept in config.json"
            ));
        }
    }
    let result = SeedResult {
        seed,
        step: tuned.best.as_ref().map_or(plan.schedule.total_steps, |best| best.step),
        figure: report.as_ref().and_then(|report| report.figure(&plan.metric)),
        dev: report.map(|report| report.figures_json()).unwrap_or_default(),
    };
    if setup.leads() {
        write_results(folder, plan, std::slice::from_ref(&result), seed)?;
    }
    Ok(Some(result))
}

/// Describes the run before the first step.
fn announce(setup: &Setup, prepared: &Prepared, plan: &Plan) {
    let (config, reporter) = (&prepared.config, setup.reporter);
    reporter.note(&format!(
        "model: {}, hidden {}, layers {}; dropout: hidden {}, attention {}, classifier {}",
        setup.checkpoint.name,
        config.hidden_size,
        config.num_hidden_layers,
        config.hidden_dropout_prob,
        config.attention_probs_dropout_prob,
        config.classifier_dropout_prob.unwrap_or(config.hidden_dropout_prob),
    ));
    if !config.labels.is_empty() {
        reporter.note(&format!("{} labels: {}", config.labels.len(), shortened(&config.labels)));
    }
    let rows = prepared.examples.row_lengths();
    reporter.note(&format!(
        "{} examples, {} rows of {} tokens (median; 95 % have at most {}, the longest {})",
        prepared.examples.len(),
        rows.rows,
        rows.percentile(50),
        rows.percentile(95),
        rows.percentile(100),
    ));
    if rows.truncated > 0 {
        reporter.warn(&format!(
            "cut {} rows to {} tokens (--max-length)",
            rows.truncated,
            rows.percentile(100)
        ));
    }
    reporter.note(&format!(
        "{} steps of {} examples, {:.1} passes; {:?}, rate {:.1e}, {} steps of warm-up; {} at a time on {}",
        plan.schedule.total_steps,
        plan.batch_size,
        plan.passes,
        plan.optimizer.kind,
        plan.schedule.peak,
        plan.schedule.warmup_steps,
        plan.micro_batch.min(plan.batch_size),
        setup.devices.iter().map(|open| open.name.as_str()).collect::<Vec<_>>().join(" and on "),
    ));
    if prepared.evaluation.is_none() {
        reporter.warn("without --dev or --dev-fraction the model is not evaluated; keeping the last step");
    }
}

fn shortened(labels: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text = labels.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if labels.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
