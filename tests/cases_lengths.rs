//! `model_max_length` and `truncation_side`, compared with transformers' pipelines. `golden/lengths/make.py` made the
//! expected results.

mod common;

use std::fs;
use std::path::Path;

use common::cases::{case, read_json};
use common::{albert, golden};
use serde_json::{Map, Value, json};

const SCORES: f64 = 1e-4;

/// Runs the program over records and returns the predictions for each. Panics with its messages if it fails.
fn predictions(args: &[&str], model: &Path, records: &[Value]) -> Vec<Value> {
    let input: String = records.iter().map(|record| format!("{record}\n")).collect();
    let mut command = albert();
    command.args(args).args(["-q", "--device", "flex", "--format", "jsonl", "-m"]).arg(model);
    let output = command.write_stdin(input).output().expect("runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    out.lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["predictions"].clone())
        .collect()
}

/// Panics unless every expected key exists, numbers are close and everything else is equal.
fn compare(found: &Value, expected: &Value, what: &str) {
    match (found, expected) {
        (Value::Number(f), Value::Number(e)) if e.is_f64() => {
            let (f, e) = (f.as_f64().expect("a number"), e.as_f64().expect("a number"));
            assert!((f - e).abs() < SCORES, "{what}: {f}, expected {e}");
        }
        (Value::Array(f), Value::Array(e)) => {
            assert_eq!(f.len(), e.len(), "{what}: {found}, expected {expected}");
            f.iter().zip(e).for_each(|(f, e)| compare(f, e, what));
        }
        (Value::Object(f), Value::Object(e)) => {
            for (key, e) in e {
                compare(f.get(key).unwrap_or(&Value::Null), e, &format!("{what}, {key}"));
            }
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

fn edit(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut value = read_json(path);
    change(value.as_object_mut().expect("an object"));
    fs::write(path, value.to_string()).expect("writes");
}

/// Assembles the model of a run of `golden/lengths` in `folder`.
fn build(folder: &Path, run: &Value) {
    let model = run["model"].as_str().expect("a name");
    let copy = |from: &Path| {
        for entry in fs::read_dir(from).expect("a directory") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), folder.join(entry.file_name())).expect("copies");
        }
    };
    if ["bio", "order"].contains(&model) {
        copy(&golden("tasks/models").join(model));
    } else {
        copy(&golden("cases/models").join(model));
        copy(&golden("cases/models/tokenizer"));
    }
    let variant = run["variant"].as_object().expect("an object");
    edit(&folder.join("tokenizer_config.json"), |config| {
        config.remove("model_max_length");
        let keys = variant.iter().filter(|(key, _)| *key != "truncation");
        config.extend(keys.map(|(key, value)| (key.clone(), value.clone())));
    });
    if let Some(section) = variant.get("truncation") {
        edit(&folder.join("tokenizer.json"), |file| {
            file.insert("truncation".to_owned(), section.clone());
        });
    }
    if run["nli"] == true {
        edit(&folder.join("config.json"), |config| {
            config.insert(
                "id2label".to_owned(),
                json!({"0": "contradiction", "1": "neutral", "2": "entailment"}),
            );
            config.insert("label2id".to_owned(), json!({"contradiction": 0, "neutral": 1, "entailment": 2}));
        });
    }
}

/// Brings predictions into the order and form of the expected results.
fn comparable(task: &str, predictions: &Value) -> Value {
    match task {
        "qa" => predictions[0].clone(),
        "embed" => Value::from(predictions[0]["embedding"].as_array().expect("a vector")[..8].to_vec()),
        "choose" => {
            let mut choices = predictions.as_array().expect("choices").clone();
            choices.sort_by_key(|choice| choice["index"].as_u64());
            choices.iter().map(|choice| choice["score"].clone()).collect()
        }
        _ => predictions.clone(),
    }
}

#[test]
fn every_task_cuts_texts_as_the_pipelines_do() {
    let runs = read_json(&golden("lengths/expected.json"));
    let runs = runs.as_array().expect("a list");
    assert!(runs.len() >= 50);
    for run in runs {
        let folder = tempfile::tempdir().expect("a directory");
        build(folder.path(), run);
        let args: Vec<&str> =
            run["command"].as_array().expect("a list").iter().map(|a| a.as_str().expect("text")).collect();
        let inputs = run["inputs"].as_array().expect("a list");
        if inputs.is_empty() {
            continue;
        }
        let found = predictions(&args, folder.path(), inputs);
        let expected = run["expected"].as_array().expect("a list");
        assert_eq!(found.len(), expected.len(), "{args:?}");
        for ((found, expected), input) in found.iter().zip(expected).zip(inputs) {
            let what = format!("{args:?} {} {input}", run["variant"]);
            compare(&comparable(args[0], found), expected, &what);
        }
    }
}

#[test]
fn the_limit_of_the_tokenizer_holds_unless_an_option_is_given() {
    let case = case("04-max-length");
    let expected = case.expected();
    let run = |args: &[&str]| {
        let output = albert().args(args).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let line = String::from_utf8(output.stdout).expect("UTF-8");
        let value: Value = serde_json::from_str(line.trim()).expect("JSON");
        (value["predictions"].clone(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (model, input) = (case.text("qa"), case.text("qa.jsonl"));
    let qa = ["qa", "-k", "3", "-m", &model, "-i", &input, "--format", "jsonl", "-v"];
    let (found, err) = run(&qa);
    compare(&found, &expected["qa"]["predictions"], "qa");
    assert!(err.contains("at most 64 tokens (model_max_length of the tokenizer)"), "{err}");
    let (model, input) = (case.text("classify"), case.text("long.txt"));
    let classify = ["classify", "-k", "all", "-m", &model, "-i", &input, "--format", "jsonl", "-v"];
    let (found, err) = run(&classify);
    compare(&found, &expected["classify"]["predictions"], "classify");
    assert!(err.contains("at most 32 tokens (model_max_length of the tokenizer)"), "{err}");
    // The prediction for the complete text.
    let (found, err) = run(&[&classify[..], &["--max-length", "128"]].concat());
    compare(&found[0], &json!({"label": "neutral", "score": 0.425139}), "--max-length 128");
    assert!(err.contains("at most 128 tokens (--max-length)"), "{err}");
}

#[test]
fn finetune_and_eval_use_the_same_limit() {
    let case = case("04-max-length");
    let data = case.path("train.jsonl");
    let long = fs::read_to_string(case.path("long.txt")).expect("reads");
    let rows =
        ["neutral", "negative", "positive"].map(|l| json!({"text": long.trim(), "label": l}).to_string());
    fs::write(&data, rows.join("\n")).expect("writes");
    let run = |args: &[&str]| {
        let output = albert().args(args).args(["-v", "--device", "flex"]).output().expect("runs");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{err}");
        err
    };
    let (model, data, output) = (case.text("classify"), data.to_str().expect("UTF-8"), case.text("out"));
    let err = run(&["eval", "classify", "-m", &model, "--data", data]);
    assert!(err.contains("at most 32 tokens (model_max_length of the tokenizer)"), "{err}");
    let err =
        run(&["finetune", "classify", "--train", data, "-m", &model, "--output", &output, "--steps", "1"]);
    assert!(err.contains("cut 3 rows to 32 tokens"), "{err}");
    let output = case.text("longer");
    let args = ["finetune", "classify", "--train", data, "-m", &model, "--output", &output, "--steps", "1"];
    let err = run(&[&args[..], &["--max-length", "64"]].concat());
    assert!(err.contains("cut 3 rows to 64 tokens"), "{err}");
}

#[test]
fn a_limit_that_cannot_be_used_is_an_error() {
    let case = case("04-max-length");
    let config = case.path("classify/tokenizer_config.json");
    let error = |key: &str, value: Value| {
        edit(&config, |config| {
            config.insert("model_max_length".to_owned(), 32.into());
            config.remove("truncation_side");
            config.insert(key.to_owned(), value);
        });
        let output = albert().args(["classify", "-m", &case.text("classify"), "x"]).output().expect("runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let err = error("truncation_side", "middle".into());
    assert!(err.contains("tokenizer_config.json: key \"truncation_side\" is \"middle\""), "{err}");
    let err = error("model_max_length", "long".into());
    assert!(err.contains("key \"model_max_length\" is \"long\"; expected a number"), "{err}");
    let err = error("model_max_length", 2.into());
    assert!(
        err.contains("the model_max_length of the tokenizer is 2, which is too small; the minimum is 4"),
        "{err}"
    );
}

#[test]
fn tokenize_cuts_only_when_asked_and_on_the_side_of_the_tokenizer() {
    let case = case("04-max-length");
    edit(&case.path("classify/tokenizer_config.json"), |config| {
        config.insert("truncation_side".to_owned(), "left".into());
    });
    let words = "the good film and bad plot ".repeat(10);
    let tokens = |args: &[&str]| {
        let output = albert()
            .args(["tokenize", "-q", "--format", "jsonl", "-m", &case.text("classify"), &words])
            .args(args)
            .output()
            .expect("runs");
        let line: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        line["predictions"][0]["tokens"].as_array().expect("tokens").clone()
    };
    let whole = tokens(&[]);
    assert!(whole.len() > 60);
    let cut = tokens(&["--max-length", "8"]);
    assert_eq!(cut.len(), 8);
    assert_eq!(cut[1..7], whole[whole.len() - 7..whole.len() - 1]);
}
