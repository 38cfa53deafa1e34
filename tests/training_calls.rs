//! Training and evaluation as library calls give the results of the program, bit for bit.

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use albert::Result;
use albert::checkpoint::Checkpoint;
use albert::data::TextOptions;
use albert::device::{self, DeviceChoice, Precision};
use albert::eval::{EvalReport, EvalTask, Evaluate};
use albert::training::finetune::{
    ClassWeights, Dev, FineTune, FineTuneObserver, FineTuneOptions, FineTunePlan, FineTuneTask,
    SeedStatistics,
};
use albert::training::{
    Duration, OptimizerKind, Pretrain, PretrainObserver, PretrainOptions, PretrainPhase, PretrainPlan,
    Report, Size, Start, StopReason, TrainObserver,
};
use common::runs::{finish, weights};
use common::{albert, golden};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Concurrent runs in one process share burn's random numbers.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The events of a run.
#[derive(Default)]
struct Events(Vec<String>);

impl Events {
    fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|event| event.split(' ').next() == Some(name)).count()
    }
}

impl TrainObserver for Events {
    fn started(&mut self, step: u64) -> Result<()> {
        self.0.push(format!("started {step}"));
        Ok(())
    }

    fn trained(&mut self, report: &Report) {
        self.0.push(format!("trained {}", report.step));
    }

    fn ended(&mut self, ending: StopReason) {
        self.0.push(format!("ended {ending:?}"));
    }
}

impl FineTuneObserver for Events {
    fn planned(&mut self, plan: &FineTunePlan) {
        self.0.push(format!("planned {} {}", plan.examples, plan.schedule.total_steps));
    }

    fn dev_evaluated(&mut self, report: &EvalReport, _plan: &FineTunePlan) {
        self.0.push(format!("evaluated {}", report.examples));
    }

    fn seeds_compared(&mut self, spread: Option<&SeedStatistics>, seed: u64, _plan: &FineTunePlan) {
        self.0.push(format!("compared {} {seed}", spread.map_or(0, |spread| spread.count)));
    }
}

impl PretrainObserver for Events {
    fn progressed(&mut self, phase: PretrainPhase, _done: u64, _total: u64) {
        self.0.push(format!("{phase:?}"));
    }

    fn planned(&mut self, plan: &PretrainPlan) {
        self.0.push(format!("planned {}", plan.schedule.total_steps));
    }
}

fn labelled(folder: &Path, name: &str, count: usize) -> PathBuf {
    let colors = ["red", "green", "blue"];
    let line = |i: usize| {
        let color = colors[(i * 7 + i / 5) % 3];
        json!({"id": i, "text": format!("the car was {color} and old"), "label": color}).to_string() + "\n"
    };
    let path = folder.join(name);
    std::fs::write(&path, (0..count).map(line).collect::<String>()).expect("written");
    path
}

fn model() -> PathBuf {
    golden("tasks/models/two")
}

fn options(folder: &Path, output: &str) -> FineTuneOptions {
    let task = FineTuneTask::Classify {
        data: TextOptions::default(),
        goal: None,
        labels: Vec::new(),
        class_weights: ClassWeights::Balanced,
    };
    let mut options = FineTuneOptions::new(task, folder.join("train.jsonl"), folder.join(output));
    options.dev = Dev::File(folder.join("dev.jsonl"));
    options.duration = Some(Duration::Steps(6));
    options.batch_size = Some(8);
    options.learning_rate = Some(0.003);
    options.seeds = vec![3, 4];
    options.log_every = 2;
    options
}

#[test]
fn fine_tuning_is_a_call() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    labelled(path, "train.jsonl", 60);
    labelled(path, "dev.jsonl", 20);
    let checkpoint = Checkpoint::local(&model()).expect("a model");
    let mut events = Events::default();
    let results =
        FineTune::new(checkpoint.clone(), options(path, "call")).run(&mut events).expect("fine-tuned");
    assert_eq!(results.metric, "accuracy");
    assert_eq!(results.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(results.spread.map(|spread| spread.count), Some(2));
    assert_eq!(events.0[0], "planned 60 6");
    assert_eq!([events.count("started"), events.count("trained"), events.count("evaluated")], [2, 6, 2]);
    assert_eq!(events.0.last(), Some(&format!("compared 2 {}", results.best_seed)));

    let text = |name: &str| path.join(name).display().to_string();
    let arguments = ["finetune", "classify", "--steps", "6", "--batch-size", "8", "--learning-rate", "0.003"];
    let more = ["--seeds", "3,4", "--class-weights", "balanced", "--device", "flex", "--log-every", "2"];
    let files = [
        "--model".to_owned(),
        model().display().to_string(),
        "--train".to_owned(),
        text("train.jsonl"),
        "--dev".to_owned(),
        text("dev.jsonl"),
        "--output".to_owned(),
        text("program"),
    ];
    let all: Vec<String> =
        arguments.iter().chain(&more).map(|part| (*part).to_owned()).chain(files).collect();
    finish(&all);
    assert!(weights(path, "call") == weights(path, "program"), "the weights differ");
    let read = |output: &str| -> Value {
        let bytes = std::fs::read(path.join(output).join("results.json")).expect("results");
        serde_json::from_slice(&bytes).expect("JSON")
    };
    assert_eq!(read("call"), read("program"));
    let text = serde_json::to_string(&results).expect("JSON");
    assert_eq!(read("call"), serde_json::from_str::<Value>(&text).expect("JSON"));
    assert!(
        path.join("call/seeds/3/metrics.jsonl").is_file() && path.join("call/seeds/4/curves.svg").is_file()
    );

    // A call does not overwrite a run. Resuming a completed run returns its results.
    let again = FineTune::new(checkpoint.clone(), options(path, "call")).run(&mut ());
    let again = again.expect_err("refused").to_string();
    assert!(again.contains("contains a run"), "{again}");
    let resumed = FineTuneOptions { resume: true, ..options(path, "call") };
    let resumed = FineTune::new(checkpoint, resumed).run(&mut ()).expect("complete");
    assert_eq!(resumed.best_seed, results.best_seed);

    // The evaluation of the resulting model.
    let tuned = Checkpoint::local(&path.join("call")).expect("a model");
    let task = EvalTask::Classify { data: TextOptions::default(), goal: None };
    let cpu = device::open(DeviceChoice::Flex, Precision::F32).expect("a CPU");
    let report = Evaluate::new(task, path.join("dev.jsonl")).device(cpu).run(&tuned).expect("evaluated");
    let printed = albert()
        .args(["eval", "classify", "--format", "json", "--device", "flex", "--data"])
        .args([path.join("dev.jsonl"), "--model".into(), path.join("call")])
        .output()
        .expect("started");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("a report");
    assert_eq!(serde_json::from_str::<Value>(&report.json().to_string()).expect("JSON"), printed);
}

#[test]
fn options_that_cannot_be_are_refused() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    labelled(path, "train.jsonl", 9);
    labelled(path, "dev.jsonl", 9);
    type Change = fn(&mut FineTuneOptions);
    let changes: [(&str, Change); 9] = [
        ("seeds", |options| options.seeds.clear()),
        ("seeds", |options| options.seeds = vec![1, 1]),
        ("batch_size", |options| options.batch_size = Some(0)),
        ("steps", |options| options.duration = Some(Duration::Steps(0))),
        ("epochs", |options| options.duration = Some(Duration::Epochs(f64::NAN))),
        ("precision", |options| options.precision = Precision::Int8),
        ("dev_fraction", |options| options.dev = Dev::Fraction(1.0)),
        ("recipe", |options| options.recipe = Some("squad1".to_owned())),
        ("metric", |options| options.metric = Some("beauty".to_owned())),
    ];
    for (name, change) in changes {
        let mut options = options(path, "out");
        change(&mut options);
        let checkpoint = Checkpoint::local(&model()).expect("a model");
        let refused = FineTune::new(checkpoint, options).run(&mut ()).expect_err(name).to_string();
        assert!(refused.contains(name), "{name}: {refused}");
    }
}

#[test]
fn pretraining_is_a_call() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    let words = ["river", "valley", "bread", "morning", "people", "thoughts", "work"];
    let sentence = |i: usize| format!("the {} and the {} of {i}.\n", words[i % 7], words[(i * 3 + 1) % 7]);
    let text = (0..300).map(|i| sentence(i) + if i % 10 == 9 { "\n" } else { "" }).collect::<String>();
    std::fs::write(path.join("corpus.txt"), text).expect("written");
    let options = |output: &str| {
        let corpus = vec![path.join("corpus.txt")];
        let mut options = PretrainOptions::new(Start::Size(Size::Tiny), corpus, path.join(output));
        options.tokenizer = Some(golden("fill_mask/json_2020/tokenizer.json"));
        options.duration = Duration::Steps(4);
        options.batch_size = 4;
        options.max_seq_length = Some(32);
        options.eval_fraction = 0.1;
        options.optimizer = OptimizerKind::Lamb;
        options.log_every = 1;
        options
    };
    let mut events = Events::default();
    Pretrain::new(options("call")).run(&mut events).expect("pretrained");
    assert_eq!(events.count("trained"), 4);
    assert!(events.count("Tokenizing") > 0 && events.count("Reading") == 0, "{:?}", events.0);
    assert_eq!(events.0.last().map(String::as_str), Some("ended Finished"));

    let arguments =
        ["pretrain", "--size", "tiny", "--steps", "4", "--batch-size", "4", "--optimizer", "lamb"];
    let more = ["--max-seq-length", "32", "--eval-fraction", "0.1", "--log-every", "1", "--device", "flex"];
    let files = [
        "--corpus".to_owned(),
        path.join("corpus.txt").display().to_string(),
        "--tokenizer".to_owned(),
        golden("fill_mask/json_2020/tokenizer.json").display().to_string(),
        "--output".to_owned(),
        path.join("program").display().to_string(),
    ];
    let all: Vec<String> =
        arguments.iter().chain(&more).map(|part| (*part).to_owned()).chain(files).collect();
    finish(&all);
    assert!(weights(path, "call") == weights(path, "program"), "the weights differ");
    let again = Pretrain::new(options("call")).run(&mut ()).expect_err("refused").to_string();
    assert!(again.contains("contains a run"), "{again}");
}
