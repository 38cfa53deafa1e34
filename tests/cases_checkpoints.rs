//! Checkpoints with wrapped names, other programs' variable names, damaged weights, and label names that are not
//! strings, compared with transformers (`golden/cases`).

mod common;

use std::path::{Path, PathBuf};

use common::albert;
use common::cases::{Case, case, read_json};
use common::golden;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Run {
    let output = albert().args(args).output().expect("runs");
    Run {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn classify(model: &str, more: &[&str]) -> Run {
    let args = ["classify", "--device", "flex", "-k", "all", "--format", "jsonl", "-m", model];
    run(&[&args[..], more, &["good film"]].concat())
}

fn predictions(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, 0, "{}", run.err);
    let record: Value = serde_json::from_str(&run.out).expect("JSON");
    record["predictions"].as_array().expect("a list").clone()
}

fn assert_near(found: &[Value], expected: &Value, what: &str) {
    let expected = expected.as_array().expect("a list");
    assert!(found.len() >= expected.len(), "{what}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        for (key, value) in expected.as_object().expect("an object") {
            match value.as_f64().filter(|_| key == "score") {
                Some(score) => {
                    let own = found[key].as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
                    assert!((own - score).abs() < 1e-4, "{what}: {found}, expected {expected}");
                }
                None => assert_eq!(&found[key], value, "{what}"),
            }
        }
    }
}

// ---------------------------------------------------------------- names

/// Writes the classifier's weights under other names. Each tensor is written once per name that `names` returns.
fn renamed(folder: &Path, names: &dyn Fn(&str) -> Vec<String>) {
    changed(folder, names, &|_, _| ());
}

/// Like [`renamed`], but `change` may modify the bytes of a tensor under its new name.
fn changed(folder: &Path, names: &dyn Fn(&str) -> Vec<String>, change: &dyn Fn(&str, &mut [u8])) {
    let bytes = std::fs::read(golden("cases/models/classify/model.safetensors")).expect("reads");
    let file = SafeTensors::deserialize(&bytes).expect("a sound file");
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        for new in names(&name) {
            let mut data = view.data().to_vec();
            change(&new, &mut data);
            tensors.push((new, view.dtype(), view.shape().to_vec(), data));
        }
    }
    let views: Vec<(String, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, dtype, shape, data)| {
            (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
        })
        .collect();
    std::fs::write(
        folder.join("model.safetensors"),
        safetensors::serialize(views, None).expect("serialized"),
    )
    .expect("writes");
}

/// A modifiable copy of the classifier's directory.
fn classifier() -> (Case, PathBuf) {
    let models = case("00-models");
    let folder = models.path("classify");
    (models, folder)
}

#[test]
fn a_common_prefix_is_stripped() {
    let case = case("12-prefixes");
    let expected = case.expected();
    for directory in expected["directories"].as_array().expect("a list") {
        let directory = directory.as_str().expect("a name");
        let run = classify(&case.text(directory), &["-v"]);
        assert_near(&predictions(&run), &expected["classify"], directory);
        let said = run.err.contains("removed ") && run.err.contains("from the names");
        assert!(said, "{directory}: {}", run.err);
    }
    let quiet = classify(&case.text("orig_mod"), &[]);
    assert!(!quiet.err.contains("_orig_mod"), "{}", quiet.err);
    let info = run(&["info", "-m", &case.text("orig_mod"), "--format", "json"]);
    assert!(info.out.contains("_orig_mod"), "{}", info.out);
}

#[test]
fn wrappers_of_every_kind_are_stripped() {
    let expected = read_json(&golden("cases/12-prefixes/expected.json"));
    let (_models, folder) = classifier();
    let model = folder.to_str().expect("UTF-8").to_owned();
    type Names = (&'static str, fn(&str) -> String);
    let wrappers: [Names; 9] = [
        ("several parts", |name| format!("trainer.model.backbone.{name}")),
        ("an encoder under another name", |name| name.replace("albert.", "bert.")),
        ("an encoder inside, its head outside", |name| name.replace("albert.", "model.encoder.albert.")),
        ("an encoder of no name, its head outside", |name| name.replace("albert.", "encoder.model.")),
        ("sharded training", |name| {
            let name = name.replace("albert_layers.0.", "albert_layers.0._fsdp_wrapped_module.");
            format!("_fsdp_wrapped_module.{name}")
        }),
        ("checkpointed layers", |name| name.replace("groups.0.", "groups.0._checkpoint_wrapped_module.")),
        ("a compiled encoder", |name| name.replace("albert.", "albert._orig_mod.")),
        ("a parallel encoder", |name| name.replace("albert.", "albert.module.")),
        ("compiled, parallel", |name| format!("module._orig_mod._forward_module.{name}")),
    ];
    for (what, name) in wrappers {
        renamed(&folder, &|old| vec![name(old)]);
        assert_near(&predictions(&classify(&model, &["-q"])), &expected["classify"], what);
    }
}

#[test]
fn two_models_in_one_file_are_an_error_that_names_both() {
    let expected = read_json(&golden("cases/12-prefixes/expected.json"));
    let (_models, folder) = classifier();
    let model = folder.to_str().expect("UTF-8").to_owned();
    let twice = |old: &str| vec![format!("student.{old}"), format!("teacher.{old}")];
    changed(&folder, &twice, &|name, bytes| {
        if name == "teacher.albert.pooler.bias" {
            bytes[2] ^= 1;
        }
    });
    let run = classify(&model, &["-q"]);
    assert_eq!(run.code, 2);
    for part in ["model.safetensors holds two different ALBERTs", "\"student.\"", "\"teacher.\""] {
        assert!(run.err.contains(part), "{}", run.err);
    }
    // The same model twice is not ambiguous.
    renamed(&folder, &twice);
    assert_near(&predictions(&classify(&model, &["-q"])), &expected["classify"], "twice the same");
    // Names as in transformers take precedence.
    renamed(&folder, &|old| vec![old.to_owned(), format!("ema.{old}")]);
    assert_near(&predictions(&classify(&model, &["-q"])), &expected["classify"], "next to an average");
}

#[test]
fn missing_tensors_are_named() {
    let (_models, folder) = classifier();
    let model = folder.to_str().expect("UTF-8").to_owned();
    renamed(&folder, &|old| match old {
        "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight" => Vec::new(),
        other => vec![format!("net.{other}")],
    });
    let run = classify(&model, &["-q"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("1 tensor that the model needs is missing"), "{}", run.err);
    assert!(run.err.contains("albert_layers.0.ffn.weight"), "{}", run.err);
    renamed(&folder, &|old| {
        vec![
            old.replace("albert", "x")
                .replace("embeddings", "y")
                .replace("classifier", "z")
                .replace("pooler", "p")
                .replace("encoder", "e"),
        ]
    });
    let run = classify(&model, &["-q"]);
    assert!(
        run.err.contains("none of which has the name of an ALBERT parameter, for example \"x."),
        "{}",
        run.err
    );
}

#[test]
fn nested_flax_parameters_are_found() {
    let expected: Value = read_json(&golden("formats/tasks_tensorflow.json"));
    let call = expected
        .as_array()
        .expect("a list")
        .iter()
        .find(|call| call["model"] == "flax_forsequenceclassification" && call["task"] == "classify")
        .expect("a call");
    let source = golden("formats/flax_forsequenceclassification");
    let plain = std::fs::read(source.join("flax_model.msgpack")).expect("reads");
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::copy(source.join("config.json"), folder.path().join("config.json")).expect("copies");
    std::fs::copy(golden("formats/vocab.txt"), folder.path().join("vocab.txt")).expect("copies");
    let wrapped = [&b"\x82\xa4step\x07\xa8backbone\x81\xa5model"[..], &plain].concat();
    std::fs::write(folder.path().join("flax_model.msgpack"), wrapped).expect("writes");
    let input = call["inputs"][0].to_string();
    let output = albert()
        .args(["classify", "-q", "--device", "flex", "-k", "all", "-m"])
        .arg(folder.path())
        .write_stdin(format!("{input}\n"))
        .output()
        .expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_near(found["predictions"].as_array().expect("a list"), &call["outputs"][0], "flax");
}

#[test]
fn other_programs_names_of_tensorflow_variables_are_read() {
    let case = case("90-open-questions");
    let expected = &case.expected()["tf-names"];
    for folder in ["albert_zh", "layer_normalization"] {
        let model = case.text(&format!("tf-names/{folder}"));
        let text = expected["text"].as_str().expect("a text");
        let run =
            run(&["fill-mask", "-q", "--device", "flex", "-k", "2", "--format", "jsonl", "-m", &model, text]);
        assert_near(&predictions(&run), &expected["fill-mask"], folder);
    }
    let info = run(&["info", "--format", "json", "-m", &case.text("tf-names/albert_zh")]);
    assert!(info.out.contains("another program's"), "{}", info.out);
    // Pre-normalized layers have variables of the same names.
    let config = case.path("tf-names/albert_zh/albert_config.json");
    let mut keys = read_json(&config);
    keys["ln_type"] = json!("preln");
    std::fs::write(&config, keys.to_string()).expect("writes");
    let refused = run(&["info", "-m", &case.text("tf-names/albert_zh")]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("key \"ln_type\" is \"preln\""), "{}", refused.err);
}

/// A copy of `golden/albert_zh`.
fn albert_zh() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(golden("albert_zh")).expect("reads") {
        let path = entry.expect("an entry").path();
        std::fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copies");
    }
    folder
}

#[test]
fn words_may_be_projected_before_positions_are_added() {
    let folder = albert_zh();
    let expected = read_json(&golden("albert_zh/expected.json"));
    let text = expected["text"].as_str().expect("a text");
    let model = folder.path().to_str().expect("UTF-8");
    let copy = folder.path().join("copy");
    let copy = copy.to_str().expect("UTF-8");
    let converted = run(&["convert", model, copy]);
    assert_eq!(converted.code, 0, "{}", converted.err);
    for model in [model, copy] {
        let found =
            run(&["fill-mask", "-q", "--device", "flex", "-k", "3", "--format", "jsonl", "-m", model, text]);
        assert_near(&predictions(&found), &expected["predictions"], model);
    }
    // Only the configuration distinguishes the two kinds of layers.
    let path = folder.path().join("albert_config.json");
    let mut config = read_json(&path);
    config.as_object_mut().expect("an object").remove("ln_type");
    std::fs::write(&path, config.to_string()).expect("writes");
    let refused = run(&["fill-mask", "-q", "-m", model, text]);
    assert_eq!(refused.code, 2);
    for part in ["albert_zh", "preln", "\"ln_type\": \"postln\""] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }
}

// ---------------------------------------------------------------- names of labels

fn with_labels(folder: &Path, labels: &Value) {
    let path = folder.join("config.json");
    let mut config = read_json(&path);
    config["id2label"] = labels.clone();
    config.as_object_mut().expect("an object").remove("label2id");
    std::fs::write(path, config.to_string()).expect("writes");
}

fn labels_of(predictions: &[Value]) -> Vec<&str> {
    predictions.iter().map(|p| p["label"].as_str().expect("a string")).collect()
}

#[test]
fn labels_may_be_numbers() {
    let case = case("10-id2label");
    let expected = &case.expected()["ints"]["classify"];
    let found = predictions(&classify(&case.text("ints"), &["-q"]));
    assert_eq!(labels_of(&found), ["1", "0", "2"]);
    let scores: Vec<Value> =
        expected.as_array().expect("a list").iter().map(|p| json!({"score": p["score"]})).collect();
    assert_near(&found, &scores.into(), "ints");
}

#[test]
fn labels_of_every_plain_type_have_a_name() {
    let (models, folder) = classifier();
    let model = models.text("classify");
    for (labels, expected) in [
        (json!({"0": true, "1": false, "2": null}), ["false", "true", "LABEL_2"]),
        (json!({"0": 0.5, "1": 1.0, "2": -3}), ["1.0", "0.5", "-3"]),
        (json!({" 0": "a", "1 ": 1, "+2": "1"}), ["1", "a", "1"]),
    ] {
        with_labels(&folder, &labels);
        assert_eq!(labels_of(&predictions(&classify(&model, &["-q"]))), expected, "{labels}");
        // A copy keeps the labels of the file.
        let out = models.text(&format!("copy-{}", expected[0]));
        let converted = run(&["convert", &model, &out]);
        assert_eq!(converted.code, 0, "{}", converted.err);
        assert_eq!(read_json(&Path::new(&out).join("config.json"))["id2label"], labels);
    }
    with_labels(&folder, &json!({"0": ["a"], "1": "b", "2": "c"}));
    let refused = classify(&model, &["-q"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("key \"id2label\""), "{}", refused.err);
}

// ---------------------------------------------------------------- values that are not numbers

const DAMAGED: &str = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn_output.weight";

#[test]
fn weights_that_are_not_finite_are_an_error() {
    let case = case("90-open-questions");
    let model = case.text("nan-weights");
    assert_eq!(case.expected()["nan-weights"]["tensor"], DAMAGED);
    let text = case.path("train.jsonl");
    std::fs::write(
        &text,
        "{\"text\": \"good film\", \"label\": \"neutral\"}\n{\"text\": \"bad\", \"label\": \"negative\"}\n",
    )
    .expect("writes");
    let (data, out, corpus) =
        (text.to_str().expect("UTF-8"), case.text("out"), golden("cases/models/tokenizer/spiece.model"));
    let corpus_file = case.path("corpus.txt");
    std::fs::write(&corpus_file, "a good film\nand a bad plot\n\nthe end\nof it\n").expect("writes");
    let corpus_file = corpus_file.to_str().expect("UTF-8");
    assert!(corpus.exists());
    for command in [
        vec!["classify", "-q", "-m", &model, "good film"],
        vec!["embed", "-q", "-m", &model, "good film"],
        vec!["convert", &model, &out],
        vec!["convert", "--format", "pytorch", &model, &out],
        vec!["convert", "--format", "onnx", &model, &out],
        vec!["eval", "classify", "-m", &model, "--data", data],
        vec!["finetune", "classify", "--model", &model, "--train", data, "--output", &out, "--steps", "1"],
        vec!["pretrain", "--init-from", &model, "--corpus", corpus_file, "--output", &out, "--steps", "1"],
    ] {
        let run = run(&command);
        assert_eq!(run.code, 2, "{command:?}: {}", run.err);
        for part in ["model.safetensors: tensor", DAMAGED, "not finite", "--allow-non-finite"] {
            assert!(run.err.contains(part), "{command:?}: {}", run.err);
        }
        assert_eq!(run.out, "", "{command:?}");
        assert!(command[0] != "convert" || !Path::new(&out).exists(), "{command:?}");
    }
    let info = run(&["info", "--format", "json", "-m", &model]);
    assert_eq!(info.code, 0, "{}", info.err);
    assert!(info.out.contains(&format!("{DAMAGED} holds 1 value that is not finite")), "{}", info.out);
}

#[test]
fn a_score_is_never_null() {
    let case = case("90-open-questions");
    let model = case.text("nan-weights");
    let stopped = classify(&model, &["-q", "--allow-non-finite"]);
    assert_eq!((stopped.code, stopped.out.as_str()), (1, ""), "{}", stopped.err);
    assert!(stopped.err.contains("<argument>:1: the model's output is not finite"), "{}", stopped.err);
    let skipped = classify(&model, &["-q", "--allow-non-finite", "--on-error", "skip"]);
    assert_eq!(skipped.code, 1);
    let record: Value = serde_json::from_str(&skipped.out).expect("JSON");
    assert!(record["error"].as_str().is_some_and(|e| e.contains("not finite")), "{record}");
    assert_eq!(record.get("predictions"), None);
    let copied = run(&["convert", "--allow-non-finite", &model, &case.text("out")]);
    assert_eq!(copied.code, 0, "{}", copied.err);
}

#[test]
fn values_beyond_a_narrow_type_are_not_written() {
    let (models, folder) = classifier();
    changed(&folder, &|old| vec![old.to_owned()], &|name, bytes| {
        if name == DAMAGED {
            bytes[..4].copy_from_slice(&1e5f32.to_le_bytes());
        }
    });
    let model = models.text("classify");
    let narrow = run(&["convert", "--dtype", "f16", &model, &models.text("narrow")]);
    assert_eq!(narrow.code, 2, "{}", narrow.err);
    assert!(narrow.err.contains(DAMAGED) && narrow.err.contains("range of f16"), "{}", narrow.err);
    assert_eq!(run(&["convert", "--dtype", "bf16", &model, &models.text("wide")]).code, 0);
}

#[test]
fn tensors_that_are_not_used_may_hold_anything() {
    let expected = read_json(&golden("cases/12-prefixes/expected.json"));
    let (models, folder) = classifier();
    let names = |old: &str| match old {
        "albert.pooler.bias" => {
            vec![old.to_owned(), "extra.bias".to_owned(), "sop_classifier.classifier.bias".to_owned()]
        }
        other => vec![other.to_owned()],
    };
    changed(&folder, &names, &|name, bytes| {
        if name == "extra.bias" || name.starts_with("sop") {
            bytes[..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        }
    });
    let run = classify(&models.text("classify"), &["-q"]);
    assert_near(&predictions(&run), &expected["classify"], "unused");
}
