//! `learn`: one encoder for all tasks.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use albert::batch::Padding;
use albert::checkpoint::{Architecture, Checkpoint, TokenizerFiles};
use albert::device::{self, DeviceChoice, FloatType};
use albert::model::{Albert, Head};
use albert::ops::Numbers;
use albert::training::corpus::TokenCache;
use albert::training::finetune::{ExampleSource, FineTuning, Order};
use albert::training::instances::{InstanceOptions, InstanceStream, PieceTable, SpecialIds};
use albert::training::multitask::{MultiSource, MultiTask, TaskPart};
use albert::training::{
    Alone, Checkpoints, Decay, ModelFiles, Optimizer, OptimizerKind, Parameters, Pretraining,
    PretrainingSource, Replicas, Schedule, TrainOptions, Trainer, model_from,
};
use albert::{Error, Result};

use super::progress::Progress;
use super::say;
use super::tasks::{ALL_HEADS, Kind, TASKS, all_outputs, outputs, runtime};

/// Names of the sums of all losses, in the order of the tasks, then text.
const NAMES: [&str; 14] = [
    "sentiment_loss",
    "sentiment_accuracy",
    "entities_loss",
    "entities_accuracy",
    "answers_loss",
    "answers_accuracy",
    "choices_loss",
    "choices_accuracy",
    "entailment_loss",
    "entailment_accuracy",
    "mlm_loss",
    "mlm_accuracy",
    "sop_loss",
    "sop_accuracy",
];

const PANELS: [(&str, &str); 6] = [
    ("sentiment", "sentiment_loss"),
    ("entities", "entities_loss"),
    ("answers", "answers_loss"),
    ("choices", "choices_loss"),
    ("entailment", "entailment_loss"),
    ("masked LM", "mlm_loss"),
];

/// Every fourth batch or so is of text, and counts as much as a task's.
const TEXT_SHARE: f64 = 2.5;
const TEXT_LENGTH: usize = 128;
const TEXT_ROWS: usize = 32;
/// Sentence order is learnt from short rows.
const TEXT_SHORT: f64 = 0.5;

const RATE: f64 = 3e-4;
const SEED: u64 = 1;

pub fn run(encoder: &Path, tokens: &Path, data: &Path, run: &Path, steps: u64) -> Result<()> {
    let checkpoint = Checkpoint::local(encoder)?;
    let device = device::open(DeviceChoice::Flex, FloatType::F32)?.device;
    let config = &checkpoint.config;
    let heads = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];
    let (_, known, _) = model_from(&checkpoint, config, &heads, SEED, &device)?;
    let model = Albert::with_classifier(config, &ALL_HEADS, Some(all_outputs()), &device);
    let mut parameters = Parameters::of(&model)?;
    parameters.initialize(config.initializer_range, config.pad_token_id, SEED);
    for parameter in parameters.tensors_mut() {
        if let Some(own) = known.tensors().iter().find(|own| own.name == parameter.name) {
            parameter.values.clone_from(&own.values);
        }
    }
    let mut model = parameters.load_into(model, &device);
    // Faster on processors with bf16 instructions, and as accurate.
    model.set_numbers(Numbers::Bf16);

    let mut runtime = runtime(model.clone(), config, &checkpoint, &device)?;
    let padding = Padding {
        id: config.pad_token_id.unwrap_or(0) as u32,
        multiple: 1,
        longest: config.max_position_embeddings,
    };
    let mut all_rows = Vec::new();
    let mut parts = Vec::new();
    for (task, own) in TASKS.iter().zip(outputs()) {
        let rows = task.rows(data, &mut runtime)?;
        say(&format!("{}: {} examples", task.name, rows.len()));
        all_rows.push(rows);
        let outputs = (task.kind != Kind::Questions).then_some(own);
        let objective = FineTuning { loss: task.loss(), label_weights: Vec::new(), padding, outputs };
        parts.push(TaskPart { objective, weight: 1.0 });
    }
    let sources: Result<Vec<_>> = TASKS
        .iter()
        .zip(&all_rows)
        .enumerate()
        .map(|(i, (task, rows))| {
            let source = ExampleSource::new(rows, task.batch_size, Order::ByLength, SEED + i as u64)?;
            Ok((source, task.share))
        })
        .collect();
    let special = SpecialIds::of(&runtime.tokenizer)?;
    let text_options = InstanceOptions {
        max_seq_length: TEXT_LENGTH,
        short_seq_prob: TEXT_SHORT,
        eval_fraction: 0.01,
        ..InstanceOptions::default()
    };
    let cache = Arc::new(TokenCache::open(tokens)?);
    let stream = InstanceStream::new(cache, PieceTable::of(&runtime.tokenizer), special, text_options, SEED)?;
    let text = Pretraining {
        pad_id: special.pad,
        pad_multiple: 1,
        longest: config.max_position_embeddings,
        sentence_order: true,
        sentence_order_weight: 1.0,
    };
    let objective = MultiTask { tasks: parts, text: Some((text, 1.0)), names: &NAMES };
    let source =
        MultiSource::new(sources?, Some((PretrainingSource::new(stream), TEXT_ROWS, TEXT_SHARE)), SEED);

    std::fs::create_dir_all(run).map_err(Error::io(run, "create"))?;
    let files = TokenizerFiles::of(&checkpoint);
    let replicas = Replicas::new(&model, &parameters, &[device], 10, false);
    let mut optimizer = Optimizer::new(OptimizerKind::AdamW);
    optimizer.weight_decay = 0.01;
    let mut trainer = Trainer {
        objective: &objective,
        source,
        held_out: &[],
        evaluation: None,
        parameters,
        replicas,
        communicator: &Alone,
        options: TrainOptions {
            output: run.to_owned(),
            batch_size: 32,
            optimizer,
            schedule: Schedule {
                peak: RATE,
                warmup_steps: steps / 20,
                total_steps: steps,
                decay: Decay::Linear,
            },
            clip_norm: Some(1.0),
            seed: SEED,
            log_every: 200,
            evaluate_every: None,
            save_every: Some(1000),
            save_minutes: Some(10.0),
            keep: 2,
            patience: None,
            scale_loss: false,
            identity: serde_json::json!({"steps": steps}),
        },
        files: ModelFiles {
            config,
            architecture: Architecture::PreTraining,
            tokenizer: (&files, &runtime.tokenizer),
        },
    };
    let resume = !Checkpoints::new(run, 1).steps().is_empty();
    let mut progress = Progress::new(run, &PANELS);
    let from = trainer.begin(resume, &mut progress)?;
    trainer.run(from, &AtomicBool::new(false), &mut progress)?;
    Ok(())
}
