//! Tokenizers under unusual names, configuration files under unusual names, and `--tokenizer`.

mod common;

use std::fs;
use std::path::Path;

use common::cases::{case, read_json};
use common::{albert, golden};
use serde_json::Value;

/// Runs the program: exit code, output, messages.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = albert().args(args).output().expect("runs");
    (
        output.status.code().expect("a code"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

fn predictions(args: &[&str]) -> Value {
    let (code, out, err) = run(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    serde_json::from_str::<Value>(out.trim()).expect("JSON")["predictions"].clone()
}

/// Fills the mask of the case 09-google-chinese and compares with `expected`.
fn fills(model: &str, more: &[&str], expected: &Value) {
    let args = ["fill-mask", "-q", "-k", "3", "-m", model, "--format", "jsonl", "我爱[MASK]京"];
    let found = predictions(&[&args[..], more].concat());
    let expected = expected["fill-mask"].as_array().expect("a list");
    assert_eq!(found.as_array().map(Vec::len), Some(expected.len()));
    for (found, expected) in found.as_array().into_iter().flatten().zip(expected) {
        for key in ["token", "token_str", "sequence"] {
            assert_eq!(found[key], expected[key], "{key}");
        }
        let difference =
            found["score"].as_f64().expect("a score") - expected["score"].as_f64().expect("a score");
        assert!(difference.abs() < 1e-4, "{found}, expected {expected}");
    }
}

#[test]
fn google_chinese_models_are_read_and_converted() {
    let case = case("09-google-chinese");
    let (model, expected) = (case.text("albert_base"), case.expected());
    fills(&model, &[], &expected);
    fills(&case.text("albert_base/model.ckpt-best"), &[], &expected);
    let out = case.text("converted");
    let (code, _, err) = run(&["convert", &model, &out]);
    assert_eq!(code, 0, "{err}");
    for name in expected["convert_writes"].as_array().into_iter().flatten() {
        assert!(case.path("converted").join(name.as_str().expect("a name")).is_file(), "{name}");
    }
    let vocabulary = |path: &str| fs::read(case.path(path)).expect("reads");
    assert_eq!(vocabulary("converted/vocab.txt"), vocabulary("albert_base/vocab_chinese.txt"));
    fills(&out, &[], &expected);
    let (code, out, _) = run(&["info", &model, "--format", "jsonl"]);
    let info: Value = serde_json::from_str(out.trim()).expect("JSON");
    assert_eq!((code, &info["tokenizer"]["kind"]), (0, &"WordPiece".into()));
    assert_eq!(info["tokenizer"]["file"], "vocab_chinese.txt");
}

#[test]
fn other_text_files_are_not_vocabularies_and_several_are_an_error() {
    let case = case("09-google-chinese");
    let put = |name: &str, text: &str| fs::write(case.path("albert_base").join(name), text).expect("writes");
    put("README.txt", "The tokens are\n[CLS]\n[SEP]\n[UNK]\nand many characters of Chinese.\n");
    put("requirements.txt", "tensorflow==1.15\n");
    put("LICENSE.txt", "Apache License\nVersion 2.0\n");
    put("merges.txt", "#version: 0.2\nt h\n");
    fills(&case.text("albert_base"), &[], &case.expected());
    put("vocab_small.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n我\n爱\n");
    let (code, _, err) = run(&["fill-mask", "-q", "-m", &case.text("albert_base"), "我爱[MASK]京"]);
    assert_eq!(code, 2);
    assert!(err.contains("vocab_chinese.txt, vocab_small.txt") && err.contains("--tokenizer"), "{err}");
    // The option resolves the ambiguity.
    let vocabulary = case.text("albert_base/vocab_chinese.txt");
    fills(&case.text("albert_base"), &["--tokenizer", &vocabulary], &case.expected());
}

#[test]
fn byte_order_marks_and_dos_lines_are_no_part_of_tokens() {
    let case = case("09-google-chinese");
    let path = case.path("albert_base/vocab_chinese.txt");
    let text = fs::read_to_string(&path).expect("reads");
    fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).expect("writes");
    fills(&case.text("albert_base"), &[], &case.expected());
}

#[test]
fn configurations_are_found_under_unusual_names() {
    for name in ["albert_config_base.json", "albert_base_zh_config.json", "bert_config.json", "shape.json"] {
        let case = case("09-google-chinese");
        let folder = case.path("albert_base");
        fs::rename(folder.join("albert_config.json"), folder.join(name)).expect("renames");
        fs::write(folder.join("notes.json"), "{\"vocab_size\": 3}").expect("writes");
        fills(&case.text("albert_base"), &[], &case.expected());
        fills(&case.text("albert_base/model.ckpt-best"), &[], &case.expected());
        if name == "shape.json" {
            fs::copy(folder.join(name), folder.join("other.json")).expect("copies");
            let (code, _, err) = run(&["info", &case.text("albert_base")]);
            assert_eq!(code, 2);
            assert!(err.contains("other.json, shape.json") && err.contains("rename"), "{err}");
        }
    }
}

#[test]
fn converting_without_a_tokenizer_must_be_asked_for() {
    let case = case("09-google-chinese");
    let model = case.text("albert_base");
    let vocabulary = case.path("albert_base/vocab_chinese.txt");
    let elsewhere = case.path("words.txt");
    fs::rename(&vocabulary, &elsewhere).expect("renames");
    let out = case.text("out");
    let (code, _, err) = run(&["convert", &model, &out]);
    assert_eq!(code, 2);
    assert!(err.contains("--tokenizer PATH") && err.contains("--no-tokenizer"), "{err}");
    assert!(!Path::new(&out).exists());
    let (code, _, err) = run(&["convert", &model, &out, "--no-tokenizer"]);
    assert_eq!(code, 0, "{err}");
    let mut names: Vec<_> =
        fs::read_dir(&out).expect("reads").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.json", "model.safetensors"]);
    let with = case.text("with");
    let (code, _, err) = run(&["convert", &model, &with, "--tokenizer", elsewhere.to_str().expect("UTF-8")]);
    assert_eq!(code, 0, "{err}");
    fills(&with, &[], &case.expected());
    fills(&out, &["--tokenizer", elsewhere.to_str().expect("UTF-8")], &case.expected());
    let (code, _, err) = run(&["convert", &model, &case.text("x"), "--no-tokenizer", "--tokenizer", "y"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn every_subcommand_takes_a_tokenizer() {
    let case = case("00-models");
    let data = golden("cases/models/tokenizer");
    let tokenizer = data.to_str().expect("UTF-8");
    // These files would be errors if they were read.
    for model in ["base", "classify", "qa", "choose"] {
        fs::write(case.path(model).join("tokenizer.json"), "{}").expect("writes");
    }
    let model = |name: &str| case.text(name);
    let with = |args: &[&str]| {
        let (code, _, _) = run(args);
        assert_eq!(code, 2, "{args:?} without --tokenizer");
        let (code, out, err) = run(&[args, &["--tokenizer", tokenizer]].concat());
        assert_eq!(code, 0, "{args:?}: {err}");
        out
    };
    with(&["classify", "-m", &model("classify"), "good film"]);
    with(&["embed", "-m", &model("base"), "good film"]);
    with(&["tokenize", "-m", &model("base"), "good film"]);
    with(&["qa", "-m", &model("qa"), "--context-text", "Anna lives in Paris.", "Where?"]);
    with(&["choose", "-m", &model("choose"), "--choice", "a film", "--choice", "a plot", "good"]);
    let labelled = case.path("data.jsonl");
    let rows = "{\"text\": \"good film\", \"label\": \"positive\"}\n{\"text\": \"bad plot\", \"label\": \"negative\"}\n";
    fs::write(&labelled, rows).expect("writes");
    let labelled = labelled.to_str().expect("UTF-8");
    with(&["eval", "classify", "-m", &model("classify"), "--data", labelled]);
    let (output, base) = (case.text("tuned"), model("base"));
    with(&["finetune", "classify", "-m", &base, "--train", labelled, "--output", &output, "--steps", "1"]);
    // The model keeps the tokenizer that it was fine-tuned with.
    let kept = |name: &str| fs::read(case.path("tuned").join(name)).expect("reads");
    assert_eq!(kept("tokenizer.json"), fs::read(data.join("tokenizer.json")).expect("reads"));
    let (code, out, _) = run(&["info", &base, "--format", "jsonl", "--tokenizer", tokenizer]);
    let info: Value = serde_json::from_str(out.trim()).expect("JSON");
    assert_eq!((code, &info["tokenizer"]["kind"]), (0, &"tokenizer.json".into()));
    let converted = case.text("converted");
    with(&["convert", &base, &converted]);
    assert!(read_json(&case.path("converted/tokenizer.json"))["model"].is_object());
}

#[test]
fn a_tokenizer_that_is_not_there_is_an_error() {
    let (code, _, err) = run(&["tokenize", "--tokenizer", "./absent.json", "x"]);
    assert_eq!(code, 2);
    assert!(err.contains("--tokenizer") && err.contains("./absent.json"), "{err}");
}
