//! `albert finetune` as a user runs it: every task learns, interrupted runs resume, and bad input is reported.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use albert::checkpoint::Tensors;
use common::runs::{begin, finish, metrics, wait_for_step, weights};
use common::{albert, golden};
use serde_json::{Value, json};
use tempfile::TempDir;

const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// Sentences that name a colour, which is their label.
fn texts(count: usize) -> Vec<Value> {
    let nouns = ["car", "house", "river", "dog", "book"];
    (0..count)
        .map(|i| {
            let colour = COLOURS[(i * 7 + i / 5) % 3];
            let text = format!("the {} that we saw was {colour} and old", nouns[i % 5]);
            json!({"id": i, "text": text, "label": colour, "labels": [colour], "score": (i * 7 + i / 5) % 3})
        })
        .collect()
}

fn write(folder: &Path, name: &str, records: &[Value]) {
    let text: String = records.iter().map(|record| format!("{record}\n")).collect();
    std::fs::write(folder.join(name), text).expect("written");
}

/// The arguments of a short run on train.jsonl and dev.jsonl in `folder`.
fn arguments(folder: &Path, task: &str, output: &str, more: &[&str]) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let model = golden("tasks/models/two").display().to_string();
    let own = ["finetune", task, "--model", &model, "--device", "flex", "--log-every", "1"];
    let files = ["--train", &path("train.jsonl"), "--dev", &path("dev.jsonl"), "--output", &path(output)];
    own.iter().chain(&files).chain(more).map(|text| (*text).to_owned()).collect()
}

fn data(records: fn(usize) -> Vec<Value>) -> TempDir {
    let folder = TempDir::new().expect("a directory");
    let all = records(160);
    write(folder.path(), "train.jsonl", &all[..120]);
    write(folder.path(), "dev.jsonl", &all[120..]);
    folder
}

fn results(folder: &Path, output: &str) -> Value {
    let text = std::fs::read(folder.join(output).join("results.json")).expect("results");
    serde_json::from_slice(&text).expect("JSON")
}

const SHORT: [&str; 6] = ["--epochs", "25", "--learning-rate", "0.003", "--batch-size", "16"];

#[test]
fn texts_learn_their_labels() {
    let folder = data(texts);
    let path = folder.path();
    let told = finish(&arguments(path, "classify", "run", &SHORT));
    for part in ["3 labels: blue, green, red", "dropout: hidden 0", "120 examples", "dev, 40 examples"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let results = results(path, "run");
    assert_eq!(results["metric"], "accuracy");
    assert!(results["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 0.95), "{results}");
    // The model predicts label names with the accuracy of the evaluation.
    let output = albert()
        .args(["classify", "the dog that we saw was green and old", "--format", "jsonl", "--model"])
        .arg(path.join("run"))
        .output()
        .expect("started");
    let record: Value = serde_json::from_slice(&output.stdout).expect("a record");
    assert_eq!(record["predictions"][0]["label"], "green", "{record}");
    let evaluated = albert()
        .args(["eval", "classify", "--format", "json", "--data"])
        .arg(path.join("dev.jsonl"))
        .arg("--model")
        .arg(path.join("run"))
        .output()
        .expect("started");
    let report: Value = serde_json::from_slice(&evaluated.stdout).expect("a report");
    assert_eq!(report["accuracy"], results["runs"][0]["dev"]["accuracy"]);
    assert_eq!(report["examples"], 40);
    let logged = metrics(path, "run");
    assert!(logged.iter().any(|m| m["kind"] == "eval" && m["accuracy"].is_number()), "{logged:?}");
    assert!(path.join("run/curves.svg").is_file());
}

#[test]
fn several_labels_and_numbers_are_learnt() {
    let folder = data(texts);
    let path = folder.path();
    let labels = ["--goal", "labels", "--label-field", "labels"];
    finish(&arguments(path, "classify", "labels", &[&SHORT[..], &labels].concat()));
    let found = results(path, "labels");
    assert_eq!(found["metric"], "f1_micro");
    assert!(found["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 0.75), "{found}");
    finish(&arguments(path, "classify", "number", &[&SHORT[..], &["--goal", "number"]].concat()));
    let found = results(path, "number");
    assert_eq!(found["metric"], "spearman");
    assert!(found["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 0.9), "{found}");
    let config = std::fs::read_to_string(path.join("number/config.json")).expect("a configuration");
    assert!(config.contains("\"problem_type\": \"regression\""), "{config}");
}

fn sentences(count: usize) -> Vec<Value> {
    let one = |i: usize| {
        let name = ["anna", "maria", "paul"][i % 3];
        let place = ["london", "paris"][i / 3 % 2];
        json!({"tokens": ["then", name, "went", "to", place, "."], "tags": ["O", "B-PER", "O", "O", "B-LOC", "O"]})
    };
    (0..count).map(one).collect()
}

#[test]
fn words_learn_their_tags() {
    let folder = data(sentences);
    let told = finish(&arguments(folder.path(), "ner", "run", &SHORT));
    assert!(told.contains("3 labels: O, B-LOC, B-PER"), "{told}");
    let results = results(folder.path(), "run");
    assert!(results["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 0.95), "{results}");
}

fn questions(count: usize) -> Vec<Value> {
    let one = |i: usize| {
        let colour = COLOURS[i % 3];
        let context = format!("the {} was {colour} and old", ["car", "house", "dog"][i / 3 % 3]);
        let start = context.find(colour).expect("there");
        let answerable = !i.is_multiple_of(4);
        let answers = if answerable { json!([{"text": colour, "answer_start": start}]) } else { json!([]) };
        let question = if answerable { "what colour was it" } else { "how much did it cost" };
        json!({"id": i.to_string(), "question": question, "context": context, "answers": answers})
    };
    (0..count).map(one).collect()
}

#[test]
fn questions_learn_their_answers_and_when_there_is_none() {
    let folder = data(questions);
    let path = folder.path();
    let told = finish(&arguments(path, "qa", "run", &SHORT));
    assert!(told.contains("threshold is kept"), "{told}");
    let found = results(path, "run");
    assert_eq!(found["metric"], "best_f1");
    assert!(found["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 90.0), "{found}");
    let config: Value =
        serde_json::from_slice(&std::fs::read(path.join("run/config.json")).expect("there")).expect("JSON");
    let threshold = config["task_specific_params"]["question-answering"]["null_threshold"].as_f64();
    assert_eq!(threshold, found["runs"][0]["dev"]["best_f1_threshold"].as_f64());
    // The model predicts "no answer" without an option.
    let ask = |question: &str, flags: &[&str]| {
        let output = albert()
            .args([
                "qa",
                question,
                "--context-text",
                "the house was blue and old",
                "--format",
                "jsonl",
                "--model",
            ])
            .arg(path.join("run"))
            .args(flags)
            .output()
            .expect("started");
        let record: Value = serde_json::from_slice(&output.stdout).expect("a record");
        record["predictions"][0]["answer"].as_str().expect("an answer").to_owned()
    };
    assert_eq!(ask("what colour was it", &[]), "blue");
    assert_eq!(ask("how much did it cost", &[]), "");
    // --impossible keeps the threshold that the model stores, and another option replaces it.
    for (question, answer) in [("what colour was it", "blue"), ("how much did it cost", "")] {
        assert_eq!(ask(question, &["--impossible"]), answer);
    }
    assert_ne!(ask("how much did it cost", &["--null-threshold", "1e9"]), "");
}

fn choices(count: usize) -> Vec<Value> {
    let one = |i: usize| {
        let right = i * 5 % 3;
        let mut all = vec!["it was old", "it was new", "we saw a dog"];
        all[right] = "the car was red";
        if i.is_multiple_of(2) && right < 2 {
            all.pop();
        }
        json!({"prompt": "what did we see", "choices": all, "label": right})
    };
    (0..count).map(one).collect()
}

#[test]
fn choices_of_different_numbers_are_learnt() {
    let folder = data(choices);
    finish(&arguments(folder.path(), "choose", "run", &SHORT));
    let results = results(folder.path(), "run");
    assert!(results["runs"][0]["figure"].as_f64().is_some_and(|figure| figure > 0.95), "{results}");
}

#[test]
fn broken_off_and_resumed_gives_the_same_weights() {
    let folder = data(texts);
    let path = folder.path();
    let run = |output: &str, more: &[&str]| {
        let common = ["--epochs", "8", "--batch-size", "16", "--hidden-dropout", "0.1", "--eval-every", "5"];
        arguments(path, "classify", output, &[&common[..], more].concat())
    };
    finish(&run("whole", &[]));
    let whole = weights(path, "whole");
    #[cfg(unix)]
    {
        let mut child = begin(&run("term", &[]));
        wait_for_step(path, "term", 7, &mut child);
        let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(kill.expect("kill").success());
        assert_eq!(child.wait().expect("ended").code(), Some(130));
        finish(&run("term", &["--resume"]));
        assert!(weights(path, "term") == whole, "after SIGTERM");

        let mut child = begin(&run("kill", &[]));
        wait_for_step(path, "kill", 22, &mut child);
        child.kill().expect("killed");
        child.wait().expect("ended");
        finish(&run("kill", &["--resume"]));
        assert!(weights(path, "kill") == whole, "after kill -9");
    }
    // The best checkpoint is kept in addition to the last one, and is the one in the output directory.
    let best = results(path, "whole")["runs"][0]["step"].as_u64().expect("a step");
    let checkpoint = path.join(format!("whole/checkpoints/step-{best:08}/model.safetensors"));
    assert!(std::fs::read(checkpoint).expect("the best checkpoint") == whole);
}

#[test]
fn the_best_of_several_seeds_is_kept() {
    let folder = data(texts);
    let path = folder.path();
    let some = ["--steps", "12", "--batch-size", "8", "--learning-rate", "0.003", "--seeds", "1..3"];
    let told = finish(&arguments(path, "classify", "run", &some));
    assert!(told.contains("over 3 seeds: mean"), "{told}");
    let found = results(path, "run");
    let figures: Vec<f64> =
        found["runs"].as_array().expect("runs").iter().filter_map(|r| r["figure"].as_f64()).collect();
    let best = found["best_seed"].as_u64().expect("a seed");
    assert_eq!(figures.len(), 3);
    assert!(figures[best as usize - 1] >= figures.iter().copied().fold(0.0, f64::max), "{found}");
    assert!(weights(path, "run") == weights(path, &format!("run/seeds/{best}")));
    // No work is left.
    let again = finish(&arguments(path, "classify", "run", &[&some[..], &["--resume"]].concat()));
    assert!(again.contains("the run with seed 3 is already complete"), "{again}");
    // Another batch size would make these different runs.
    let other =
        ["--steps", "12", "--batch-size", "4", "--learning-rate", "0.003", "--seeds", "1..3", "--resume"];
    fails(&arguments(path, "classify", "run", &other), &["--batch-size was 8, is 4"]);
}

#[test]
fn a_frozen_encoder_stays_and_a_run_may_end_early() {
    let folder = data(texts);
    let path = folder.path();
    let more = ["--freeze", "encoder", "--epochs", "50", "--patience", "2", "--eval-every", "2"];
    let told = finish(&arguments(path, "classify", "run", &more));
    assert!(told.contains("stopped after step"), "{told}");
    let open = |model: PathBuf| Tensors::open(&model.join("model.safetensors")).expect("a model");
    let (before, after) = (open(golden("tasks/models/two")), open(path.join("run")));
    let mut changed = 0;
    for name in after.infos().iter().map(|info| info.name.as_str()) {
        let (Ok(old), Ok(new)) = (before.read_f32(name), after.read_f32(name)) else { continue };
        let kept = name.starts_with("albert.embeddings.") || name.starts_with("albert.encoder.");
        assert!(!kept || old == new, "{name} changed");
        changed += usize::from(old != new);
    }
    assert!(changed > 0, "the pooler learns");
}

fn fails(arguments: &[String], wanted: &[&str]) {
    let output = albert().args(arguments).output().expect("started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    for part in wanted {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn invalid_options_are_reported_before_the_first_step() {
    let folder = data(texts);
    let path = folder.path();
    let run = |more: &[&str]| arguments(path, "classify", "run", more);
    fails(&run(&["--recipe", "sst2"]), &["--recipe", "sst-2"]);
    fails(&run(&["--recipe", "squad1"]), &["albert finetune qa"]);
    fails(&run(&["--metric", "bleu"]), &["--metric", "accuracy"]);
    fails(&run(&["--labels", "red,green"]), &["train.jsonl:", "\"blue\"", "Known labels"]);
    fails(&run(&["--class-weights", "pink=2"]), &["--class-weights", "\"pink\""]);
    fails(&run(&["--text-field", "review"]), &["train.jsonl:1", "review"]);
    fails(&run(&["--max-length", "600"]), &["64 positions"]);
    // A label that only dev contains.
    write(path, "dev.jsonl", &[json!({"text": "the sky was grey", "label": "grey"})]);
    fails(&run(&[]), &["dev.jsonl:1", "\"grey\""]);
    write(path, "dev.jsonl", &texts(1));
    let told = finish(&run(&["--steps", "1"]));
    assert!(told.contains("dev has no example of"), "{told}");
    fails(&run(&[]), &["--resume"]);
    for (name, text, wanted) in [
        ("empty", "", "no example"),
        ("half", "{\"text\": \"a\", \"label\":", "train.jsonl:1"),
        ("nan", "{\"text\": \"a\", \"label\": NaN}", "train.jsonl:1"),
        ("one label", "{\"text\": \"a\", \"label\": \"x\"}\n", "has only one label (x)"),
    ] {
        std::fs::write(path.join("train.jsonl"), text).expect("written");
        fails(&arguments(path, "classify", name, &[]), &[wanted]);
    }
}

#[test]
fn examples_with_unknown_labels_can_be_skipped() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    let mut all = texts(24);
    all[3]["label"] = json!("purple");
    write(path, "train.jsonl", &all[..16]);
    all[20]["label"] = json!("mauve, pale");
    write(path, "dev.jsonl", &all[16..]);
    let labels = ["--labels", "red,green,blue", "--epochs", "1", "--batch-size", "8"];
    let skip = ["--on-error", "skip"];
    fails(&arguments(path, "classify", "run", &labels), &["train.jsonl:4", "purple", "--labels"]);
    assert!(!path.join("run").exists(), "nothing was written");
    let told = finish(&arguments(path, "classify", "run", &[&labels[..], &skip].concat()));
    for part in ["train.jsonl: skipped 1 bad record", "dev.jsonl: skipped 1 bad record", "mauve, pale"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.contains("dev, 7 examples"), "{told}");

    let eval = |more: &[&str]| {
        let model = path.join("run").display().to_string();
        let dev = path.join("dev.jsonl").display().to_string();
        let output =
            albert().args(["eval", "classify", "--model", &model, "--data", &dev]).args(more).output();
        let output = output.expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = eval(&[]);
    assert!(code == Some(2) && told.contains("dev.jsonl:5"), "{code:?} {told}");
    let (code, told) = eval(&skip);
    assert!(code == Some(0) && told.contains("dev.jsonl: skipped 1 bad record"), "{code:?} {told}");

    write(path, "train.jsonl", &[json!({"text": "a", "label": "x"}), json!({"text": "b", "label": "y"})]);
    let none = arguments(path, "classify", "none", &[&labels[..], &skip].concat());
    fails(&none, &["train.jsonl has no example with a known label"]);
}

#[test]
fn long_contexts_are_read_in_windows() {
    let folder = TempDir::new().expect("a directory");
    let path = folder.path();
    // The model has 64 positions. The answer is in the middle.
    let context =
        format!("{}the sky was purple . {}", "we saw a car . ".repeat(30), "we saw a car . ".repeat(30));
    let start = context.find("purple").expect("there");
    let answers = json!([{"text": "purple", "answer_start": start}]);
    let record = json!({"id": "0", "question": "what colour", "context": context, "answers": answers});
    write(path, "train.jsonl", std::slice::from_ref(&record));
    write(path, "dev.jsonl", &[record]);
    let options = ["--steps", "30", "--learning-rate", "0.003", "--batch-size", "32", "--doc-stride", "8"];
    let told = finish(&arguments(path, "qa", "run", &options));
    assert!(!told.contains("1 example, 1 row") && !told.contains("cut "), "{told}");
    assert!(results(path, "run")["runs"][0]["figure"].as_f64().is_some_and(|f1| f1 > 99.0), "{told}");
    let model = path.join("run").display().to_string();
    let dev = path.join("dev.jsonl").display().to_string();
    let output = albert()
        .args(["eval", "qa", "--doc-stride", "8", "--model", &model, "--data", &dev])
        .output()
        .expect("started");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["f1"], 100.0, "{report}");
}

#[test]
fn a_resumed_run_has_the_same_dev_examples() {
    let folder = data(texts);
    let path = folder.path();
    let short = ["--steps", "4", "--eval-every", "2"];
    finish(&arguments(path, "classify", "run", &short));
    let resume = arguments(path, "classify", "run", &[&short[..], &["--resume"]].concat());
    // The same examples in another file.
    std::fs::rename(path.join("dev.jsonl"), path.join("other.jsonl")).expect("renamed");
    let moved: Vec<String> = resume.iter().map(|text| text.replace("dev.jsonl", "other.jsonl")).collect();
    finish(&moved);
    write(path, "dev.jsonl", &texts(7));
    fails(&resume, &["digest of the dev examples"]);
}

#[test]
fn labels_may_have_weight_zero() {
    let folder = data(texts);
    let path = folder.path();
    let weights = |list: &'static str| ["--steps", "6", "--batch-size", "1", "--class-weights", list];
    finish(&arguments(path, "classify", "run", &weights("red=0,green=0")));
    fails(
        &arguments(path, "classify", "none", &weights("red=0,green=0,blue=0")),
        &["--class-weights", "weight 0"],
    );
}

#[test]
fn numbers_are_evaluated_as_numbers() {
    let folder = data(texts);
    let path = folder.path();
    finish(&arguments(path, "classify", "labels", &["--steps", "1"]));
    finish(&arguments(path, "classify", "number", &["--steps", "1", "--goal", "number"]));
    let eval = |model: &str, more: &[&str]| {
        let output = albert()
            .args(["eval", "classify", "--goal", "number", "--data"])
            .arg(path.join("dev.jsonl"))
            .arg("--model")
            .arg(path.join(model))
            .args(more)
            .output()
            .expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let file = path.join("out.jsonl").display().to_string();
    let (code, told) = eval("labels", &[]);
    assert!(code == Some(2) && told.contains("--goal: numbers need a model with one output"), "{told}");
    let (code, told) = eval("number", &["--errors", &file]);
    assert!(code == Some(2) && told.contains("--errors: predicted numbers"), "{told}");
    let (code, told) = eval("number", &["--predictions", &file]);
    let written = std::fs::read_to_string(&file).expect("predictions");
    assert!(code == Some(0) && written.lines().count() == 40 && !written.contains("correct"), "{told}");
    // Without --goal, a message says how numbers are predicted.
    let scores: Vec<Value> = (0..4).map(|i| json!({"text": "a", "score": f64::from(i) / 2.0})).collect();
    write(path, "train.jsonl", &scores);
    fails(&arguments(path, "classify", "none", &[]), &["\"label\" is missing", "--goal number"]);
    fails(&arguments(path, "classify", "none", &["--label-field", "score"]), &["--goal number"]);
}
