//! Directories of sentence-transformers. `golden/sentence_transformers/make.py` made the expected vectors.

mod common;

use std::fs;
use std::path::Path;

use common::cases::{case, read_json};
use common::{albert, golden};
use serde_json::{Value, json};

/// Runs `albert embed`: exit code, output, messages.
fn run(model: &Path, texts: &[&str], args: &[&str]) -> (i32, String, String) {
    let input: String = texts.iter().map(|text| format!("{}\n", json!({"text": text}))).collect();
    let mut command = albert();
    command.args(["embed", "--format", "jsonl", "--device", "flex", "-m"]).arg(model).args(args);
    let output = command.write_stdin(input).output().expect("runs");
    (
        output.status.code().expect("a code"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

fn vectors(model: &Path, texts: &[&str], args: &[&str]) -> Vec<Vec<f64>> {
    let (code, out, err) = run(model, texts, args);
    assert_eq!(code, 0, "{}: {err}", model.display());
    out.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let vector = value["predictions"][0]["embedding"].as_array().expect("a vector");
            vector.iter().map(|v| v.as_f64().expect("a number")).collect()
        })
        .collect()
}

fn near(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-4, "{what}: {found}, expected {expected}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

/// A directory of `golden/sentence_transformers` with its model, which is in `0_Transformer` if `nested`.
fn build(name: &str, nested: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let model = if nested { folder.path().join("0_Transformer") } else { folder.path().to_owned() };
    copy(&golden("cases/models/base"), &model);
    copy(&golden("cases/models/tokenizer"), &model);
    copy(&golden("sentence_transformers").join(name), folder.path());
    folder
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

#[test]
fn modules_give_the_vectors_of_sentence_transformers() {
    for made in read_json(&golden("sentence_transformers/expected.json")).as_array().expect("a list") {
        let name = made["directory"].as_str().expect("a name");
        let folder = build(name, made["nested"] == true);
        let texts: Vec<&str> =
            made["texts"].as_array().expect("a list").iter().map(|t| t.as_str().expect("text")).collect();
        for run in made["runs"].as_array().expect("a list") {
            let args: Vec<&str> =
                run["args"].as_array().expect("a list").iter().map(|a| a.as_str().expect("text")).collect();
            let found = vectors(folder.path(), &texts, &args);
            let expected = run["vectors"].as_array().expect("a list");
            assert_eq!(found.len(), expected.len());
            for ((found, expected), text) in found.iter().zip(expected).zip(&texts) {
                near(found, &floats(expected), &format!("{name} {args:?} {text:?}"));
            }
        }
    }
}

/// Runs `albert convert` and returns its messages.
fn convert(source: &Path, destination: &Path) -> String {
    let output = albert().arg("convert").args([source, destination]).output().expect("runs");
    let messages = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{messages}");
    messages
}

#[test]
fn converted_directories_keep_their_modules() {
    for made in read_json(&golden("sentence_transformers/expected.json")).as_array().expect("a list") {
        let name = made["directory"].as_str().expect("a name");
        let source = build(name, made["nested"] == true);
        let folder = source.path().join("converted");
        assert_eq!(convert(source.path(), &folder), "", "{name}");
        let texts: Vec<&str> =
            made["texts"].as_array().expect("a list").iter().map(|t| t.as_str().expect("text")).collect();
        let expected = made["runs"][0]["vectors"].as_array().expect("a list");
        for (found, expected) in vectors(&folder, &texts, &[]).iter().zip(expected) {
            near(found, &floats(expected), name);
        }
        // sentence-transformers looks for the model where the list says.
        let modules = read_json(&folder.join("modules.json"));
        assert_eq!(modules[0]["path"], "", "{name}");
        assert!(folder.join("sentence_bert_config.json").is_file(), "{name}");
        assert!(folder.join("config_sentence_transformers.json").is_file(), "{name}");
        for module in modules.as_array().expect("a list") {
            assert!(folder.join(module["path"].as_str().expect("a path")).is_dir(), "{name}: {module}");
        }
    }
}

#[test]
fn modules_that_a_converted_directory_cannot_keep_are_reported() {
    let source = build("old", true);
    let list = source.path().join("modules.json");
    let mut modules = read_json(&list);
    // Next to the converted model, there is only one config.json.
    modules[1]["path"] = "0_Transformer".into();
    fs::write(&list, modules.to_string()).expect("writes");
    let folder = source.path().join("converted");
    let messages = convert(source.path(), &folder);
    assert!(messages.contains("modules of sentence-transformers were not kept"), "{messages}");
    assert!(messages.contains("module 2"), "{messages}");
    assert!(!folder.join("modules.json").exists());
    assert_eq!(run(&folder, &["x"], &[]).0, 0);
}

/// `golden/sentence_transformers/make_adapter.py` made the expected vectors.
#[test]
fn the_model_may_be_an_adapter() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = |name: &str| folder.path().join(name);
    copy(&golden("cases/models/base"), &path("base"));
    for name in ["base", "adapter"] {
        copy(&golden("cases/models/tokenizer"), &path(name));
    }
    copy(&golden("sentence_transformers/adapter"), &path("adapter"));
    let expected = read_json(&path("adapter/expected.json"));
    let texts: Vec<&str> =
        expected["texts"].as_array().expect("a list").iter().map(|t| t.as_str().expect("text")).collect();
    let check = |name: &str| {
        let found = vectors(&path(name), &texts, &[]);
        assert_eq!(found.len(), texts.len());
        for (found, expected) in found.iter().zip(expected["vectors"].as_array().expect("a list")) {
            near(found, &floats(expected), name);
        }
    };
    check("adapter");
    assert_eq!(convert(&path("adapter"), &path("converted")), "");
    assert!(!path("converted/adapter_config.json").exists());
    check("converted");

    // The adapter itself may be in a subdirectory.
    copy(&path("adapter"), &path("nested/0_Transformer"));
    for name in ["1_Pooling", "2_Dense", "modules.json", "config_sentence_transformers.json"] {
        fs::rename(path("nested/0_Transformer").join(name), path("nested").join(name)).expect("moves");
    }
    let mut modules = read_json(&path("nested/modules.json"));
    modules[0]["path"] = "0_Transformer".into();
    fs::write(path("nested/modules.json"), modules.to_string()).expect("writes");
    let adapter = path("nested/0_Transformer/adapter_config.json");
    let mut settings = read_json(&adapter);
    settings["base_model_name_or_path"] = "../../base".into();
    fs::write(&adapter, settings.to_string()).expect("writes");
    check("nested");
    convert(&path("nested"), &path("nested_converted"));
    check("nested_converted");
}

#[test]
fn the_model_itself_is_found_below_the_directory() {
    let folder = build("old", true);
    let output = albert().arg("info").arg(folder.path()).args(["--format", "jsonl"]).output().expect("runs");
    let info: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(info["sentence_transformers"]["pooling"], json!(["mean_sqrt_len_tokens"]));
    assert_eq!(info["sentence_transformers"]["max_seq_length"], 16);
    assert_eq!(info["tokenizer"]["kind"], "tokenizer.json");
    let output = albert().arg("tokenize").arg("-m").arg(folder.path()).arg("good").output().expect("runs");
    assert!(output.status.success());
}

#[test]
fn options_replace_what_the_modules_say() {
    let case = case("90-open-questions");
    let (model, expected) = (case.path("sentence-transformers"), case.expected());
    let expected = &expected["sentence-transformers"];
    let text = [expected["text"].as_str().expect("text")];
    let (code, out, err) = run(&model, &text, &[]);
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("modules of sentence-transformers: cls pooling, max_seq_length 16"), "{err}");
    let found: Value = serde_json::from_str(out.trim()).expect("JSON");
    near(&floats(&found["predictions"][0]["embedding"]), &floats(&expected["embedding"]), "the case");
    // The encoder alone gives the result of a directory without modules.
    let plain = vectors(&model, &text, &["-q", "--ignore-modules"]);
    fs::remove_file(model.join("modules.json")).expect("removes");
    assert_eq!(vectors(&model, &text, &["-q"]), plain);
    assert_ne!(plain[0].len(), 0);
    let folder = build("max_normalize", false);
    let length = |vector: &[f64]| vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    let found = vectors(folder.path(), &text, &["-q"]);
    assert!((length(&found[0]) - 1.0).abs() < 1e-5);
    let found = vectors(folder.path(), &text, &["-q", "--normalize=false"]);
    assert!(length(&found[0]) > 1.5);
    let found = vectors(
        folder.path(),
        &text,
        &["-q", "--normalize=false", "--pooling", "cls", "--max-length", "128"],
    );
    let alone = vectors(folder.path(), &text, &["-q", "--ignore-modules", "--pooling", "cls"]);
    near(&found[0], &alone[0], "cls of the whole text");
}

#[test]
fn arrays_have_the_width_of_the_last_module() {
    let folder = build("dense", false);
    let out = folder.path().join("vectors.npy");
    let mut command = albert();
    command.args(["embed", "-q", "--device", "flex", "-m"]).arg(folder.path()).arg("-o").arg(&out);
    assert!(command.args(["good film", "bad plot"]).output().expect("runs").status.success());
    let bytes = fs::read(&out).expect("reads");
    assert!(String::from_utf8_lossy(&bytes[..128]).contains("(2, 3)"));
}

#[test]
fn modules_that_are_not_supported_are_named() {
    let folder = build("dense", false);
    let change = |file: &str, from: &str, to: &str| {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).expect("reads");
        assert!(text.contains(from), "{text}");
        fs::write(&path, text.replacen(from, to, 1)).expect("writes");
    };
    let error = || {
        let (code, _, err) = run(folder.path(), &["x"], &[]);
        assert_eq!(code, 2);
        err
    };
    change("2_Dense/config.json", "activation.Tanh", "activation.Hardswish");
    assert!(error().contains("activation_function\" is \"torch.nn.modules.activation.Hardswish\""));
    change("2_Dense/config.json", "activation.Hardswish", "activation.Tanh");
    let err = run(folder.path(), &["x"], &["--pooling", "tokens"]);
    assert_eq!(err.0, 0, "{}", err.2);
    change("modules.json", "models.Dense", "models.CNN");
    let err = error();
    assert!(err.contains("sentence_transformers.models.CNN") && err.contains("--ignore-modules"), "{err}");
    change("modules.json", "models.CNN", "models.Dense");
    fs::remove_file(folder.path().join("2_Dense/model.safetensors")).expect("removes");
    assert!(error().contains("model.safetensors, pytorch_model.bin"));
    fs::write(folder.path().join("modules.json"), "{}").expect("writes");
    assert!(error().contains("not a list of modules"));
    assert_eq!(run(folder.path(), &["x"], &["--ignore-modules"]).0, 0);
}

#[test]
fn pooling_modes_need_no_modules() {
    let folder = build("all_modes", false);
    let all = vectors(folder.path(), &["the good film in Paris"], &["-q"]);
    let modes = ["cls", "max", "mean", "mean-sqrt-len", "weighted-mean", "last-token"];
    for (mode, expected) in modes.iter().zip(all[0].chunks(48)) {
        let found = vectors(
            folder.path(),
            &["the good film in Paris"],
            &["-q", "--ignore-modules", "--pooling", mode],
        );
        near(&found[0], expected, mode);
    }
}

#[test]
fn prompts_that_are_not_there_are_listed() {
    let folder = build("prompt", false);
    let (code, _, err) = run(folder.path(), &["x"], &["--prompt-name", "title"]);
    assert_eq!(code, 2);
    assert!(err.contains("\"title\"") && err.contains("query, document, passage"), "{err}");
}
