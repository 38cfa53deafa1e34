//! PEFT adapters through the program, compared with PEFT's own results. `golden/adapters/make.py` made them.

mod common;

use std::path::{Path, PathBuf};

use common::cases::{case, read_json};
use common::{albert, golden};
use serde_json::{Value, json};

const SCORES: f64 = 1e-4;

/// A folder with a copy of each adapter and its base model with a tokenizer.
struct Adapters {
    folder: tempfile::TempDir,
    expected: Value,
}

impl Adapters {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let expected = read_json(&golden("adapters/expected.json"));
        copy(&golden("adapters/masked"), &folder.path().join("masked"));
        for model in ["classify", "base"] {
            copy(&golden("cases/models").join(model), &folder.path().join(model));
        }
        for model in ["masked", "classify", "base"] {
            copy(&golden("cases/models/tokenizer"), &folder.path().join(model));
        }
        Self { folder, expected }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Copies an adapter, which names its base model by a path relative to itself.
    fn adapter(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        copy(&golden("adapters").join(name), &path);
        let base = self.expected["adapters"][name]["base"].as_str().unwrap_or("classify");
        let config = path.join("adapter_config.json");
        let mut settings = read_json(&config);
        settings["base_model_name_or_path"] = format!("../{base}").into();
        std::fs::write(&config, settings.to_string()).expect("written");
        path
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.expect("an entry").path();
        std::fs::copy(&entry, to.join(entry.file_name().expect("a name"))).expect("copied");
    }
}

/// Runs the program and returns its exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = albert().args(arguments).env("HF_HUB_OFFLINE", "1").output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Compares the predictions of a model with the expected ones.
fn check(model: &Path, name: &str, all: &Value, expected: &Value) {
    let model = model.to_str().expect("UTF-8");
    let texts: Vec<&str> = all["texts"].as_array().expect("texts").iter().filter_map(Value::as_str).collect();
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() < SCORES, "{name}: {found}, expected {expected}");
    };
    let task = expected["task"].as_str().expect("a task");
    let common = ["-q", "--device", "flex", "--format", "jsonl", "-m", model];
    let mut arguments = vec![task];
    arguments.extend(common);
    if task == "fill-mask" {
        arguments.push(all["masked"].as_str().expect("a text"));
    } else {
        arguments.extend(&texts);
    }
    if task == "classify" {
        arguments.push("--top-k=all");
    }
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{name}: {stderr}");
    let answers = lines(&stdout);
    match task {
        "classify" => {
            let info = run(&["info", "-q", "--format", "json", model]).1;
            let info: Value = serde_json::from_str(&info).expect("JSON");
            for (answer, expected) in answers.iter().zip(expected["answers"].as_array().expect("answers")) {
                let expected = expected.as_array().expect("scores");
                let predictions = answer["predictions"].as_array().expect("predictions");
                assert_eq!(predictions.len(), expected.len(), "{name}");
                for (id, score) in expected.iter().enumerate() {
                    let label = info["labels"][id].as_str().map_or(format!("LABEL_{id}"), str::to_owned);
                    let found = predictions.iter().find(|p| p["label"] == label.as_str());
                    let found = found.unwrap_or_else(|| panic!("{name}: no {label} in {answer}"));
                    near(found["score"].as_f64().expect("a score"), score.as_f64().expect("a score"));
                }
            }
            assert_eq!(answers.len(), texts.len());
        }
        "embed" => {
            for (answer, expected) in answers.iter().zip(expected["answers"].as_array().expect("answers")) {
                let found = answer["predictions"][0]["embedding"].as_array().expect("a vector");
                let expected = expected.as_array().expect("a vector");
                assert_eq!(found.len(), expected.len(), "{name}");
                for (found, expected) in found.iter().zip(expected) {
                    near(found.as_f64().expect("a number"), expected.as_f64().expect("a number"));
                }
            }
        }
        _ => {
            let found = answers[0]["predictions"].as_array().expect("predictions");
            for (found, expected) in found.iter().zip(expected["answers"].as_array().expect("answers")) {
                near(found["score"].as_f64().expect("a score"), expected[1].as_f64().expect("a score"));
            }
        }
    }
}

#[test]
fn merged_adapters_answer_as_peft_does() {
    let adapters = Adapters::new();
    let all = &adapters.expected;
    for (name, expected) in all["adapters"].as_object().expect("adapters") {
        if name.ends_with("_whole") {
            continue;
        }
        check(&adapters.adapter(name), name, all, expected);
    }
}

#[test]
fn converted_adapters_are_ordinary_models() {
    let adapters = Adapters::new();
    for name in ["all_linear", "dora", "new_labels", "masked_words", "masked_decoder"] {
        let (adapter, out) = (adapters.adapter(name), adapters.path("out").join(name));
        std::fs::create_dir_all(adapters.path("out")).expect("a directory");
        let (code, _, stderr) =
            run(&["convert", adapter.to_str().expect("UTF-8"), out.to_str().expect("UTF-8")]);
        assert_eq!(code, 0, "{stderr}");
        // The converted model no longer needs anything from the base model.
        assert!(!out.join("adapter_config.json").exists());
        check(&out, name, &adapters.expected, &adapters.expected["adapters"][name]);
    }
}

/// `golden/adapters/make_untied.py` made these.
#[test]
fn a_copy_of_the_word_embeddings_or_of_the_decoder_is_untied() {
    let folder = tempfile::tempdir().expect("a directory");
    let expected = read_json(&golden("adapters/untied/expected.json"));
    let text = expected["text"].as_str().expect("a text");
    for (name, scores) in expected["scores"].as_object().expect("adapters") {
        let adapter = golden("adapters/untied").join(name);
        let converted = folder.path().join(name);
        let (code, _, stderr) =
            run(&["convert", adapter.to_str().expect("UTF-8"), converted.to_str().expect("UTF-8")]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{name}");
        for model in [&adapter, &converted] {
            let model = model.to_str().expect("UTF-8");
            let call = ["fill-mask", "--device=flex", "--format=jsonl", "--top-k=30", "-m", model, text];
            let (code, stdout, stderr) = run(&call);
            assert_eq!((code, stderr.as_str()), (0, ""), "{model}");
            let predictions = lines(&stdout)[0]["predictions"].as_array().expect("predictions").clone();
            assert_eq!(predictions.len(), scores.as_array().expect("scores").len(), "{model}");
            for prediction in predictions {
                let id = prediction["token"].as_u64().expect("an id") as usize;
                let (found, expected) = (prediction["score"].as_f64(), scores[id].as_f64());
                let difference = found.expect("a score") - expected.expect("a score");
                assert!(difference.abs() < 2e-5, "{model}, token {id}: {found:?}, expected {expected:?}");
            }
        }
        let config = read_json(&converted.join("config.json"));
        let bytes = std::fs::read(converted.join("model.safetensors")).expect("weights");
        let weights = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
        let is_tied = name == "resized";
        assert_eq!(config["tie_word_embeddings"] == false, !is_tied, "{name}");
        for tensor in ["predictions.decoder.weight", "predictions.decoder.bias"] {
            assert_eq!(weights.tensor(tensor).is_err(), is_tied, "{name}");
        }
    }
}

#[test]
fn whole_models_with_an_adapter_inside() {
    let adapters = Adapters::new();
    let folder = adapters.path("whole");
    copy(&adapters.path("classify"), &folder);
    std::fs::remove_file(folder.join("model.safetensors")).expect("removed");
    copy(&golden("adapters/all_linear_whole"), &folder);
    check(&folder, "whole", &adapters.expected, &adapters.expected["adapters"]["all_linear_whole"]);

    std::fs::remove_file(folder.join("adapter_config.json")).expect("removed");
    let (code, stdout, stderr) = run(&["classify", "-m", folder.to_str().expect("UTF-8"), "x"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("LoRA") && stderr.contains("adapter_config.json"), "{stderr}");
}

#[test]
fn the_base_model_can_be_named() {
    let adapters = Adapters::new();
    let adapter = adapters.adapter("plain");
    let config = adapter.join("adapter_config.json");
    let mut settings = read_json(&config);
    settings["base_model_name_or_path"] = "somebody/some-base".into();
    std::fs::write(&config, settings.to_string()).expect("written");
    let (adapter, base) = (adapter.to_str().expect("UTF-8"), adapters.path("classify"));
    let base = base.to_str().expect("UTF-8");
    let text = adapters.expected["texts"][0].as_str().expect("a text");

    let (code, stdout, stderr) = run(&["classify", "-m", adapter, text]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    for part in ["PEFT adapter (LORA)", "somebody/some-base", "--base-model", adapter] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let call = ["classify", "-q", "-m", adapter, "--base-model", base, "--format", "jsonl", text];
    let (code, stdout, stderr) = run(&call);
    assert_eq!(code, 0, "{stderr}");
    let best = &adapters.expected["adapters"]["plain"]["answers"][0];
    let best = best.as_array().expect("scores").iter().filter_map(Value::as_f64).fold(0.0, f64::max);
    let found = lines(&stdout)[0]["predictions"][0]["score"].as_f64().expect("a score");
    assert!((found - best).abs() < SCORES, "{found}, expected {best}");

    // A different base model does not fit.
    let wrong = golden("formats/onnx_model");
    let wrong = wrong.to_str().expect("UTF-8");
    let (code, _, stderr) = run(&["classify", "-m", adapter, "--base-model", wrong, text]);
    assert_eq!(code, 2);
    assert!(stderr.contains("does not fit"), "{stderr}");

    let (code, _, stderr) = run(&["classify", "-m", base, "--base-model", base, text]);
    assert_eq!(code, 2);
    assert!(stderr.contains("is not a PEFT adapter"), "{stderr}");
}

#[test]
fn adapters_without_their_base_model() {
    let case = case("14-messages");
    for name in ["adapter", "adapter-with-config"] {
        let model = case.text(name);
        let (code, stdout, stderr) = run(&["classify", "--offline", "-m", &model, "x"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        for part in ["PEFT adapter (LORA)", "albert/albert-base-v2", "--base-model", &model] {
            assert!(stderr.contains(part), "{name}, {part}: {stderr}");
        }
        let (code, stdout, stderr) = run(&["info", "--offline", "--format", "json", &model]);
        assert_eq!(code, 0, "{stderr}");
        let info: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(info["adapter"], "LORA, r 4, alpha 8");
        assert_eq!(info["base_model"], "albert/albert-base-v2");
    }
}

#[test]
fn adapters_that_cannot_be_merged() {
    let adapters = Adapters::new();
    let with = |name: &str, changes: Value| {
        let folder = adapters.path(name);
        copy(&adapters.adapter("plain"), &folder);
        let config = folder.join("adapter_config.json");
        let mut settings = read_json(&config);
        for (key, value) in changes.as_object().expect("changes") {
            settings[key] = value.clone();
        }
        std::fs::write(&config, settings.to_string()).expect("written");
        folder
    };
    let cases = [
        (adapters.adapter("ia3"), "type IA3"),
        (with("prefix", json!({"peft_type": "PREFIX_TUNING"})), "type PREFIX_TUNING"),
        (with("adalora", json!({"peft_type": "ADALORA"})), "type ADALORA"),
        (with("pissa", json!({"init_lora_weights": "pissa_niter_4"})), "init_lora_weights"),
        (with("qalora", json!({"use_qalora": true})), "use_qalora"),
        (with("untyped", json!({"peft_type": null})), "peft_type"),
        (with("alpha", json!({"lora_alpha": "many"})), "lora_alpha"),
        (with("pattern", json!({"alpha_pattern": {"(": 3}})), "alpha_pattern"),
    ];
    for (folder, part) in cases {
        let (code, stdout, stderr) = run(&["classify", "-m", folder.to_str().expect("UTF-8"), "x"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{part}: {stderr}");
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let lacking = adapters.adapter("plain");
    std::fs::remove_file(lacking.join("adapter_model.safetensors")).expect("removed");
    let (code, _, stderr) = run(&["info", lacking.to_str().expect("UTF-8")]);
    assert_eq!(code, 2);
    assert!(stderr.contains("without its weights"), "{stderr}");
}

#[test]
fn info_describes_a_merged_adapter() {
    let adapters = Adapters::new();
    let adapter = adapters.adapter("named_labels");
    let (code, stdout, stderr) = run(&["info", "-q", "--format", "json", adapter.to_str().expect("UTF-8")]);
    assert_eq!(code, 0, "{stderr}");
    let info: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(info["labels"], json!(["no", "yes"]));
    assert_eq!(info["base_model"], "../base");
    assert_eq!(info["missing"], json!([]));
    assert!(
        info["heads"].as_array().expect("heads").contains(&"a text-classification head".into()),
        "{info}"
    );
}
