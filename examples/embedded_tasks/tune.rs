//! `tune`: each task alone, from the encoder of all.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use albert::Result;
use albert::batch::Padding;
use albert::checkpoint::{Architecture, Checkpoint, TokenizerFiles};
use albert::device::{self, DeviceChoice, FloatType};
use albert::model::Head;
use albert::ops::Numbers;
use albert::training::finetune::{DevEvaluation, FineTuneRun, FineTuning, Frozen, Order};
use albert::training::multitask::task_model;
use albert::training::{Decay, Optimizer, OptimizerKind, Schedule, TrainOptions};

use super::export::shared_parameters;
use super::progress::Progress;
use super::say;
use super::tasks::{Examples, Kind, TASKS, Task, outputs, runtime};

const RATE: f64 = 2e-4;
const DROPOUT: f64 = 0.1;
const SEED: u64 = 1;

/// Where `run` keeps the model of one task alone.
pub fn folder(run: &Path, task: &Task) -> std::path::PathBuf {
    run.join("tasks").join(task.name)
}

pub fn run(run: &Path, data: &Path, names: &[&str]) -> Result<()> {
    for (task, own) in TASKS.iter().zip(outputs()) {
        if names.is_empty() || names.contains(&task.name) {
            tune(run, data, task, own)?;
        }
    }
    Ok(())
}

fn tune(run: &Path, data: &Path, task: &Task, own: std::ops::Range<usize>) -> Result<()> {
    let checkpoint = Checkpoint::local(run)?;
    let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
    let shared = shared_parameters(&checkpoint, &device)?;
    let mut config = task.config(&checkpoint.config);
    config.hidden_dropout_prob = DROPOUT;
    config.classifier_dropout_prob = Some(DROPOUT);
    let (model, parameters) = task_model(&shared, &config, task.head(), own, &device)?;
    let runtime = || runtime(model.clone(), &config, &checkpoint, &device);
    let rows = task.rows(data, &mut runtime()?)?;
    let padding = Padding {
        id: config.pad_token_id.unwrap_or(0) as u32,
        multiple: 1,
        longest: config.max_position_embeddings,
    };
    let objective = FineTuning { loss: task.loss(), label_weights: Vec::new(), padding, outputs: None };
    let dev: Examples = task.read(data, task.judged[0], "dev")?;
    let mut evaluation = task.judge(dev, runtime()?)?;
    let metric = if matches!(task.kind, Kind::Tokens | Kind::Questions) { "f1" } else { "accuracy" };
    let mut judge =
        DevEvaluation { task: evaluation.as_mut(), metric, less_is_better: false, batch_tokens: 4096 };
    let (files, tokenizer) = (TokenizerFiles::of(&checkpoint), checkpoint.tokenizer()?);
    // Questions are long and many.
    let epochs = if task.kind == Kind::Questions { 2 } else { 4 };
    let steps_of_epoch = rows.len().div_ceil(task.batch_size) as u64;
    let mut optimizer = Optimizer::new(OptimizerKind::AdamW);
    optimizer.weight_decay = 0.01;
    let output = folder(run, task);
    let options = TrainOptions {
        output: output.clone(),
        batch_size: task.batch_size,
        optimizer,
        schedule: Schedule {
            peak: RATE,
            warmup_steps: steps_of_epoch / 5,
            total_steps: steps_of_epoch * epochs,
            decay: Decay::Linear,
        },
        clip_norm: Some(1.0),
        seed: SEED,
        log_every: steps_of_epoch,
        evaluate_every: Some(steps_of_epoch),
        save_every: None,
        save_minutes: Some(10.0),
        keep: 1,
        patience: None,
        scale_loss: false,
        identity: serde_json::json!({"rate": RATE, "epochs": epochs, "dropout": DROPOUT}),
    };
    std::fs::create_dir_all(&output).map_err(albert::Error::io(&output, "create"))?;
    let fine_tuning = FineTuneRun {
        checkpoint: &checkpoint,
        config: &config,
        head: task.head(),
        architecture: architecture(task.head()),
        tokenizer: (&files, &tokenizer),
        examples: &rows,
        objective: &objective,
        devices: std::slice::from_ref(&device),
        numbers: Numbers::Bf16,
        micro_batch: task.batch_size,
        gradient_checkpointing: false,
        order: Order::ByLength,
        frozen: Frozen::Nothing,
    };
    say(&format!("{}: {} examples, {} steps", task.name, rows.len(), options.schedule.total_steps));
    let panels = [("loss", "loss"), ("dev", metric)];
    let mut progress = Progress::new(&output, &panels);
    let never = AtomicBool::new(false);
    fine_tuning.run_from(
        (model.clone(), parameters),
        options,
        Some(&mut judge),
        false,
        &never,
        &mut progress,
    )?;
    Ok(())
}

fn architecture(head: Head) -> Architecture {
    match head {
        Head::TokenClassification => Architecture::TokenClassification,
        Head::QuestionAnswering => Architecture::QuestionAnswering,
        Head::MultipleChoice => Architecture::MultipleChoice,
        _ => Architecture::SequenceClassification,
    }
}
