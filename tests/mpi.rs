//! Data-parallel training over MPI, in a build with the feature `mpi`. The curve is the same for any number of
//! processes, and runs survive the death of a process.
#![cfg(feature = "mpi")]

mod common;

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::golden;
use common::runs::{metrics, wait_for_step};
use serde_json::Value;
use tempfile::TempDir;

fn corpus(path: &Path) {
    let words = ["the", "river", "runs", "through", "a", "green", "valley", "and", "people", "walk"];
    let mut text = String::new();
    let mut state = 11usize;
    for line in 0..600 {
        for _ in 0..9 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[(state >> 33) % words.len()]);
            text.push(' ');
        }
        text.push_str(if line % 15 == 14 { ".\n\n" } else { ".\n" });
    }
    std::fs::write(path, text).expect("written");
}

/// A command that runs `albert` in `processes` processes.
fn together(processes: usize, arguments: &[String]) -> Command {
    let mut command = Command::new("mpirun");
    command
        // Processes that share a core yield it while they wait.
        .env("OMPI_MCA_mpi_yield_when_idle", "1")
        .args(["--allow-run-as-root", "--oversubscribe", "-n", &processes.to_string()])
        .arg(assert_cmd::cargo::cargo_bin("albert"))
        .args(arguments);
    command
}

/// The arguments of a run on the corpus in `folder`, without its number of steps.
fn pretraining(folder: &Path, output: &str) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let tokenizer = golden("fill_mask/json_2020/tokenizer.json").display().to_string();
    let own =
        ["pretrain", "--batch-size", "8", "--max-seq-length", "32", "--device", "flex", "--log-every", "1"];
    let more = ["--eval-every", "10", "--eval-fraction", "0.1", "--threads", "1", "--optimizer", "adamw"];
    let rate = ["--learning-rate", "1e-3", "--config", &path("config.json"), "--corpus", &path("corpus.txt")];
    let files = ["--tokenizer", &tokenizer, "--output", &path(output)];
    own.iter().chain(&more).chain(&rate).chain(&files).map(|text| (*text).to_owned()).collect()
}

/// The arguments of a run on the examples in `folder`, without its number of steps.
fn finetuning(folder: &Path, output: &str) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let model = golden("tasks/models/two").display().to_string();
    let own = ["finetune", "classify", "--model", &model, "--device", "flex", "--log-every", "1"];
    let more = ["--eval-every", "10", "--threads", "1", "--batch-size", "8", "--learning-rate", "1e-3"];
    // Each process has its own random numbers for dropout.
    let dropout = ["--hidden-dropout", "0", "--attention-dropout", "0", "--classifier-dropout", "0"];
    let files = ["--train", &path("train.jsonl"), "--dev", &path("dev.jsonl"), "--output", &path(output)];
    own.iter().chain(&more).chain(&dropout).chain(&files).map(|text| (*text).to_owned()).collect()
}

/// A folder with a corpus, a configuration without dropout, and labelled examples.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a directory");
    corpus(&folder.path().join("corpus.txt"));
    let config = r#"{"model_type": "albert", "embedding_size": 64, "hidden_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 2, "intermediate_size": 256, "classifier_dropout_prob": 0.0}"#;
    std::fs::write(folder.path().join("config.json"), config).expect("written");
    let colours = ["red", "green", "blue"];
    for (name, count) in [("train.jsonl", 150), ("dev.jsonl", 30)] {
        let record = |i: usize| {
            let colour = colours[(i * 7 + i / 5) % 3];
            format!(
                "{{\"text\": \"number {i} is {colour}{}\", \"label\": \"{colour}\"}}\n",
                " and old".repeat(i % 4)
            )
        };
        std::fs::write(folder.path().join(name), (0..count).map(record).collect::<String>())
            .expect("written");
    }
    folder
}

/// Serializes the tests if `mpirun` exists, because several processes share few cores.
#[allow(clippy::print_stderr, reason = "says what is skipped")]
fn alone() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    if Command::new("mpirun").arg("--version").output().is_err() {
        eprintln!("skipped: no mpirun");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

const STEPS: [&str; 2] = ["--steps", "30"];

fn with(arguments: Vec<String>, more: &[&str]) -> Vec<String> {
    arguments.into_iter().chain(more.iter().map(|text| (*text).to_owned())).collect()
}

/// Runs to the end and returns the metrics.
fn train(folder: &Path, processes: usize, output: &str, arguments: &[String]) -> Vec<Value> {
    let done = together(processes, arguments).output().expect("mpirun");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    metrics(folder, output)
}

/// Checks that both curves have the same values at each step.
fn same(alone: &[Value], together: &[Value], what: &str) {
    let key = |record: &Value| (record["kind"].clone(), record["step"].clone());
    for a in alone {
        // A step that is repeated after a failure occurs twice.
        let b = together.iter().rev().find(|b| key(b) == key(a));
        let b = b.unwrap_or_else(|| panic!("{what}: no record {:?}", key(a)));
        assert_eq!(a["tokens"], b["tokens"], "{what}: every token counts once");
        for name in ["loss", "mlm_loss", "sop_loss", "gradient_norm", "accuracy"] {
            let (Some(a), Some(b)) = (a[name].as_f64(), b[name].as_f64()) else { continue };
            assert!((a - b).abs() <= 2e-3 * a.abs(), "{what}: {name} {a} and {b}");
        }
    }
}

#[test]
fn one_two_and_four_processes_give_one_curve() {
    let Some(_turn) = alone() else { return };
    let folder = folder();
    for (command, arguments) in [("pretrain", pretraining as fn(&Path, &str) -> _), ("finetune", finetuning)]
    {
        let run = |processes: usize| {
            let output = format!("{command}-{processes}");
            let arguments = with(arguments(folder.path(), &output), &STEPS);
            train(folder.path(), processes, &output, &arguments)
        };
        let alone = run(1);
        assert!(alone.len() >= 33, "{}", alone.len());
        for processes in [2, 4] {
            let together = run(processes);
            assert_eq!(alone.len(), together.len());
            same(&alone, &together, &format!("{command} in {processes} processes"));
        }
    }
    let results = std::fs::read(folder.path().join("finetune-4/results.json")).expect("results");
    let results: Value = serde_json::from_slice(&results).expect("JSON");
    assert!(results["runs"][0]["figure"].as_f64().is_some(), "{results}");
}

/// Kills one of the processes that write to `output`, as a machine failure would.
#[cfg(target_os = "linux")]
fn kill_last_process(output: &Path) {
    let is_last = |process: &Path| {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        let holds =
            |text: &[u8], part: &str| text.split(|byte| *byte == 0).any(|word| word == part.as_bytes());
        holds(&read("environ"), "OMPI_COMM_WORLD_RANK=1")
            && holds(&read("cmdline"), &output.display().to_string())
    };
    let processes = std::fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.path());
    let last = processes.into_iter().find(|process| is_last(process)).expect("a process of rank 1");
    let id = last.file_name().and_then(|name| name.to_str()).expect("a number");
    assert!(Command::new("kill").args(["-9", id]).status().expect("kill").success());
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_of_which_a_process_dies_is_continued_by_any_number() {
    let Some(_turn) = alone() else { return };
    let folder = folder();
    let path = folder.path();
    // A checkpoint after every few steps.
    let often = ["--steps", "40", "--save-minutes", "0.002"];
    for (command, arguments) in [("pretrain", pretraining as fn(&Path, &str) -> _), ("finetune", finetuning)]
    {
        let whole = format!("{command}-whole");
        let alone = train(path, 1, &whole, &with(arguments(path, &whole), &often));
        for (before, after) in [(2, 1), (2, 4)] {
            let output = format!("{command}-{before}-{after}");
            let arguments = with(arguments(path, &output), &often);
            let mut child = together(before, &arguments)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("mpirun");
            wait_for_step(path, &output, 12, &mut child);
            kill_last_process(&path.join(&output));
            assert!(!child.wait().expect("ends").success(), "the failure is seen");
            let continued = train(path, after, &output, &with(arguments, &["--resume"]));
            same(&alone, &continued, &format!("{command} in {before}, then {after} processes"));
        }
    }
}

#[test]
fn an_error_in_all_processes_ends_them() {
    let Some(_turn) = alone() else { return };
    let folder = folder();
    let mut arguments = with(finetuning(folder.path(), "run"), &STEPS);
    let train = arguments.iter().position(|text| text == "--train").expect("an option") + 1;
    arguments[train] = folder.path().join("absent.jsonl").display().to_string();
    let ended = together(2, &arguments).output().expect("mpirun");
    assert!(!ended.status.success());
    assert!(String::from_utf8_lossy(&ended.stderr).contains("absent.jsonl"));
}
