//! Tasks on the checkpoints of other libraries, through the program, compared with the results of these libraries.
//! `golden/formats/make_tasks.py` made the expected values.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{albert, golden};
use serde_json::Value;

const SCORES: f64 = 1e-4;

/// Copies a model folder.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("reads") {
        let (from, to) =
            (entry.as_ref().expect("an entry").path(), to.join(entry.expect("an entry").file_name()));
        if from.is_dir() {
            std::fs::create_dir(&to).expect("a directory");
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).expect("copies");
        }
    }
}

fn flags(task: &str) -> (&'static str, &'static [&'static str]) {
    match task {
        "classify" => ("classify", &["--top-k=all"]),
        "order" => ("classify", &["--order"]),
        "fill_mask" => ("fill-mask", &[]),
        "ner" => ("ner", &["--aggregation=none", "--word-boundaries=hf"]),
        "qa" => ("qa", &[]),
        "choose" => ("choose", &[]),
        "embed" => ("embed", &["--pooling=pooler"]),
        other => panic!("unknown task {other}"),
    }
}

/// Compares two values: every expected key exists, numbers are close, everything else is equal.
fn difference(found: &Value, expected: &Value) -> Option<String> {
    match (found, expected) {
        (Value::Number(f), Value::Number(e)) if e.is_f64() => {
            let (f, e) = (f.as_f64()?, e.as_f64()?);
            ((f - e).abs() > SCORES).then(|| format!("{f}, expected {e}"))
        }
        (Value::Array(f), Value::Array(e)) if f.len() == e.len() => {
            f.iter().zip(e).find_map(|(f, e)| difference(f, e))
        }
        (Value::Object(f), Value::Object(e)) => e.iter().find_map(|(key, e)| {
            difference(f.get(key).unwrap_or(&Value::Null), e).map(|d| format!("{key}: {d}"))
        }),
        _ => (found != expected).then(|| format!("{found}, expected {expected}")),
    }
}

#[test]
fn every_form_and_head_answers_as_its_library_does() {
    let mut done = BTreeSet::new();
    for file in ["tasks_tensorflow.json", "tasks_onnx.json"] {
        let calls: Vec<Value> =
            serde_json::from_slice(&std::fs::read(golden("formats").join(file)).expect("reads"))
                .expect("JSON");
        for call in &calls {
            let text = |key: &str| call[key].as_str().expect("a name");
            let (model, task) = (text("model"), text("task"));
            let directory = tempfile::tempdir().expect("a directory");
            copy(&golden("formats").join(model), directory.path());
            std::fs::copy(golden("formats/vocab.txt"), directory.path().join("vocab.txt")).expect("copies");
            let list = |key: &str| call[key].as_array().expect("a list");
            let input: String = list("inputs").iter().map(|record| format!("{record}\n")).collect();
            let (command, flags) = flags(task);
            let output = albert()
                .args([command, "-q", "--device", "flex", "--model"])
                .arg(directory.path())
                .args(flags)
                .write_stdin(input)
                .output()
                .expect("runs");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{model} {task}: {errors}");
            let lines: Vec<Value> = output
                .stdout
                .split(|b| *b == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).expect("JSON"))
                .collect();
            assert_eq!(lines.len(), list("outputs").len(), "{model} {task}");
            for ((line, expected), input) in lines.iter().zip(list("outputs")).zip(list("inputs")) {
                if let Some(difference) = difference(&line["predictions"], expected) {
                    panic!("{model} {task} {input}: {difference}\n{}", line["predictions"]);
                }
            }
            done.insert(format!("{model} {task}"));
        }
    }
    assert!(done.len() >= 36, "{done:?}");
    for form in ["keras", "flax", "google", "onnx"] {
        for task in ["classify", "order", "fill_mask", "qa", "choose", "embed"] {
            let some = done.iter().any(|name| name.starts_with(form) && name.ends_with(task));
            assert!(some, "{form} {task}");
        }
    }
}
