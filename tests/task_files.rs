//! Complete files of real task data through the program: every record is answered, the order and other fields are kept,
//! and spans are exact. `ALBERT_TEST_DATA` names the directory of the files. Without it, the tests are skipped.
#![allow(clippy::print_stderr, reason = "says what was skipped")]

mod common;

use std::path::{Path, PathBuf};

use common::{albert, golden};
use serde_json::Value;

/// Pairs of input and output records, if the file exists.
fn through(task: &str, model: &str, flags: &[&str], file: &str) -> Option<Vec<(Value, Value)>> {
    let Some(directory) = std::env::var_os("ALBERT_TEST_DATA").map(PathBuf::from) else {
        eprintln!("skipped: ALBERT_TEST_DATA names no directory with {file}");
        return None;
    };
    let path: &Path = &directory.join(file);
    let lines = std::fs::read_to_string(path).expect("the file");
    let output = albert()
        .args([task, "--device", "flex", "-q", "--input"])
        .arg(path)
        .arg("--model")
        .arg(golden("tasks/models").join(model))
        .args(flags)
        .output()
        .expect("runs");
    assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(out.lines().count(), lines.lines().count(), "{file}: every record answered");
    let parse = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let pairs: Vec<(Value, Value)> = lines.lines().map(parse).zip(out.lines().map(parse)).collect();
    for ((before, after), line) in pairs.iter().zip(lines.lines()) {
        let (before, after) = (before.as_object().expect("an object"), after.as_object().expect("an object"));
        assert!(before.iter().eq(after.iter().take(before.len())), "{file}: fields pass through: {line}");
        assert!(after["predictions"].is_array(), "{file}: {line}");
    }
    Some(pairs)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a string")
}

/// The part of a text that a prediction covers, in code points.
fn slice(text: &str, prediction: &Value) -> String {
    let place = |key: &str| prediction[key].as_u64().expect("a place") as usize;
    text.chars().skip(place("start")).take(place("end") - place("start")).collect()
}

#[test]
fn classification_files() {
    for (model, file) in [
        ("bio", "sentiment.dev.jsonl"),
        ("inner", "pair.dev.jsonl"),
        ("regression", "regression.dev.jsonl"),
        ("regression", "regression_valence.dev.jsonl"),
    ] {
        let Some(pairs) = through("classify", model, &[], file) else { return };
        assert!(pairs.iter().all(|(_, after)| after["predictions"][0]["score"].is_number()));
    }
}

#[test]
fn entity_files() {
    for (model, file, strategy) in
        [("bio", "ner.dev.jsonl", "simple"), ("bioes", "ner_wnut17.dev.jsonl", "average")]
    {
        let flags = ["--aggregation", strategy, "--stride", "16"];
        let Some(pairs) = through("ner", model, &flags, file) else { return };
        for (before, after) in &pairs {
            let tokens: Vec<&str> =
                before["tokens"].as_array().expect("words").iter().filter_map(Value::as_str).collect();
            for entity in after["predictions"].as_array().expect("a list") {
                assert_eq!(slice(&tokens.join(" "), entity), text(entity, "word"));
                let number = |key: &str| entity[key].as_u64().expect("a number") as usize;
                let words = &tokens[number("start_token")..number("end_token")];
                assert_eq!(words.join(" "), text(entity, "word"), "whole words: {before}");
            }
        }
    }
}

#[test]
fn question_files() {
    let flags = ["--doc-stride", "8", "--max-question-len", "16", "--top-k", "2"];
    for file in ["qa.dev.jsonl", "qa_fairytale.dev.jsonl"] {
        let Some(pairs) = through("qa", "bio", &flags, file) else { return };
        for (before, after) in &pairs {
            let answers = after["predictions"].as_array().expect("a list");
            assert!(!answers.is_empty(), "{before}");
            for answer in answers {
                assert_eq!(slice(text(before, "context"), answer), text(answer, "answer"));
            }
        }
    }
}

#[test]
fn choice_files() {
    for (model, file) in [
        ("choice_a", "choice.dev.jsonl"),
        ("choice_b", "choice4.dev.jsonl"),
        ("choice_c", "choice_reading.dev.jsonl"),
    ] {
        let Some(pairs) = through("choose", model, &[], file) else { return };
        for (before, after) in &pairs {
            let choices = before["choices"].as_array().expect("choices");
            let found = after["predictions"].as_array().expect("a list");
            assert_eq!(found.len(), choices.len());
            for choice in found {
                assert_eq!(choice["choice"], choices[choice["index"].as_u64().expect("a number") as usize]);
            }
        }
    }
}
