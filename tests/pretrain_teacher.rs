//! `albert pretrain --teacher`: the loss, resuming, and mismatched teachers.

mod common;

use std::path::Path;

use common::runs::{finish, metrics, weights};
use common::{albert, golden};
use serde_json::Value;
use tempfile::TempDir;

/// Writes a corpus of 30 documents.
fn corpus(folder: &Path) {
    let words = ["the", "river", "runs", "through", "a", "green", "valley", "and", "people", "walk", "along"];
    let mut text = String::new();
    let mut state = 5usize;
    for line in 0..300 {
        for _ in 0..4 + line % 7 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[(state >> 33) % words.len()]);
            text.push(' ');
        }
        text.push_str(if line % 10 == 9 { ".\n\n" } else { ".\n" });
    }
    std::fs::write(folder.join("corpus.txt"), text).expect("written");
}

fn arguments(folder: &Path, output: &str, steps: u32, more: &[&str]) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut all: Vec<String> = [
        "pretrain",
        "--corpus",
        &path("corpus.txt"),
        "--output",
        &path(output),
        "--cache",
        &path("cache"),
        "--steps",
        &steps.to_string(),
    ]
    .map(str::to_owned)
    .to_vec();
    let fixed = "--batch-size 6 --max-seq-length 32 --eval-fraction 0.1 --log-every 1 --save-every 1 --device flex \
                 --micro-batch 4";
    all.extend(fixed.split_whitespace().map(str::to_owned));
    all.extend(more.iter().map(|part| (*part).to_owned()));
    all
}

/// Options of a model that is not initialized from another.
fn new_model() -> Vec<String> {
    let tokenizer = golden("fill_mask/json_2020/tokenizer.json").display().to_string();
    ["--size", "tiny", "--tokenizer", &tokenizer].map(str::to_owned).to_vec()
}

/// Trains a teacher for two steps and returns its path.
fn teacher(folder: &Path) -> String {
    corpus(folder);
    finish(&[arguments(folder, "teacher", 2, &["--seed", "7"]), new_model()].concat());
    folder.join("teacher").display().to_string()
}

fn losses(records: &[Value], kind: &str) -> Vec<f64> {
    let of_kind = records.iter().filter(|record| record["kind"] == kind);
    of_kind.map(|record| record["distill_loss"].as_f64().expect("a number")).collect()
}

/// Checks that a command is refused as a usage error, with a message that contains these parts.
fn fails(arguments: &[String], wanted: &[&str]) {
    let output = albert().args(arguments).output().expect("started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in wanted {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_student_that_equals_its_teacher_has_no_loss() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    let teacher = teacher(path);
    for signal in ["vectors", "logits"] {
        let more = ["--init-from", &teacher, "--teacher", &teacher, "--distill", signal];
        let told =
            finish(&[arguments(path, signal, 1, &more), vec!["--learning-rate=1e-30".into()]].concat());
        assert!(told.contains(&format!("{signal} with weight")), "{told}");
        let records = metrics(path, signal);
        for kind in ["train", "eval"] {
            let losses = losses(&records, kind);
            // For vectors, the text is decoded, and its tokens may differ slightly.
            let limit = if signal == "vectors" { 5e-4 } else { 1e-5 };
            assert!(losses.len() == 1 && losses[0].abs() < limit, "{signal}, {kind}: {losses:?}");
        }
        // A different student differs from its teacher.
        let other = format!("{signal}-other");
        finish(&[arguments(path, &other, 1, &more[2..]), new_model()].concat());
        let losses = losses(&metrics(path, &other), "train");
        assert!(losses[0] > 1e-3, "{signal}: {losses:?}");
    }
}

#[test]
fn a_run_with_a_teacher_is_resumed_with_the_same_teacher() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    let teacher = teacher(path);
    let run = |output: &str, more: &[&str]| {
        let own = [&["--teacher", &teacher, "--schedule", "constant", "--warmup-steps", "0"], more].concat();
        [arguments(path, output, 3, &own), new_model()].concat()
    };
    let told = finish(&run("whole", &[]));
    assert!(told.contains("teacher: ") && told.contains("distill_loss"), "{told}");
    let curves = std::fs::read_to_string(path.join("whole/curves.svg")).expect("a picture");
    assert!(curves.contains("distillation loss"));
    // Without the last checkpoint, the run resumes after step 2.
    finish(&run("part", &[]));
    std::fs::remove_dir_all(path.join("part/checkpoints/step-00000003")).expect("there");
    let told = finish(&run("part", &["--resume"]));
    assert!(told.contains("resuming after step 2"), "{told}");
    assert!(weights(path, "part") == weights(path, "whole"), "a resumed run has other weights");
    assert_eq!(losses(&metrics(path, "part"), "train").len(), 3);
    // One thread.
    finish(&run("alone", &["--threads", "1"]));
    assert!(weights(path, "alone") == weights(path, "whole"), "one thread gives other weights");
    // Two devices.
    let mut two = run("two", &[]);
    let device = two.iter().position(|part| part == "flex").expect("there");
    two[device] = "flex,ndarray".to_owned();
    finish(&two);
    for (a, b) in losses(&metrics(path, "two"), "train").iter().zip(losses(&metrics(path, "whole"), "train"))
    {
        assert!((a - b).abs() < 1e-3 * b, "two devices: {a} and {b}");
    }

    fails(&run("whole", &["--resume", "--distill-weight", "2"]), &["--distill-weight was 4.0, is 2.0"]);
    fails(&run("whole", &["--resume", "--distill", "logits"]), &["--distill was \"vectors\", is \"logits\""]);
    let mut other = run("whole", &["--resume"]);
    let place = other.iter().position(|part| part == "--teacher").expect("there");
    other[place + 1] = path.join("whole").display().to_string();
    fails(&other, &["--teacher was \"weights "]);
    other.drain(place..place + 2);
    fails(&other, &["is not set"]);
}

#[test]
fn a_teacher_with_another_tokenizer_gives_vectors_and_no_logits() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    corpus(path);
    let other = golden("fill_mask/bert_vocab").display().to_string();
    let run = |output: &str, more: &[&str]| {
        [arguments(path, output, 2, &[&["--teacher", &other], more].concat()), new_model()].concat()
    };
    let told = finish(&run("vectors", &[]));
    assert!(told.contains("only similarities are compared"), "{told}");
    assert!(losses(&metrics(path, "vectors"), "train").iter().all(|loss| loss.is_finite() && *loss > 0.0));

    fails(&run("logits", &["--distill", "logits"]), &["--distill: logits", "same vocabulary", "bert_vocab"]);
    let mut none = run("none", &[]);
    let place = none.iter().position(|part| part == "--teacher").expect("there");
    none[place + 1] = "/nowhere".to_owned();
    fails(&none, &["/nowhere"]);
    none.drain(place..place + 2);
    fails(&[none.clone(), vec!["--distill-weight=2".to_owned()]].concat(), &["--teacher"]);
    fails(&run("zero", &["--distill-weight", "0"]), &["--distill-weight"]);
    // A teacher without a tokenizer.
    let mut bare = run("bare", &[]);
    bare[place + 1] = golden("training/two_groups").display().to_string();
    fails(&bare, &["two_groups", "tokenizer"]);
}
