//! `albert convert`: from every supported form to a directory that reads the same.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{albert, golden};
use serde_json::Value;

use albert::checkpoint::{Checkpoint, Inventory};
use albert::tokenizer::Tokenizer;

/// Runs `albert convert SOURCE DEST FLAGS...`: exit code, output, messages.
fn convert(source: &Path, destination: &Path, flags: &[&str]) -> (i32, String, String) {
    let mut command = albert();
    command.arg("convert").arg(source).arg(destination).args(flags);
    let folder = if source.is_dir() { Some(source) } else { source.parent() };
    if source != Path::new("embedded") && folder.is_some_and(|folder| Tokenizer::file_in(folder).is_err()) {
        command.arg("--no-tokenizer");
    }
    let output = command.output().expect("runs");
    (
        output.status.code().expect("a code"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

fn converted(source: &Path, destination: &Path, flags: &[&str]) -> String {
    let (code, out, err) = convert(source, destination, flags);
    assert_eq!(code, 0, "{}: {err}", source.display());
    out
}

/// Every parameter of a checkpoint by its canonical name, bit for bit.
fn parameters(path: &Path) -> BTreeMap<String, Vec<u32>> {
    let checkpoint = Checkpoint::local(path).expect("a checkpoint");
    let tensors = checkpoint.tensors().expect("tensors");
    let inventory = Inventory::new(&tensors, &checkpoint.config).expect("sound names");
    inventory
        .canonical_names()
        .map(|name| {
            let values = inventory.read(name).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name.to_owned(), values.iter().map(|v| v.to_bits()).collect())
        })
        .collect()
}

fn config(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path.join("config.json")).expect("reads")).expect("JSON")
}

fn folders(of: &str) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(golden(of))
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

#[test]
fn every_form_keeps_every_parameter() {
    let directory = tempfile::tempdir().expect("a directory");
    for (i, source) in folders("formats").into_iter().chain(folders("tasks/models")).enumerate() {
        let name = source.file_name().expect("a name").to_string_lossy().into_owned();
        if name == "__pycache__" {
            continue;
        }
        let destination = directory.path().join(format!("{i}"));
        let out = converted(&source, &destination, &[]);
        let (before, after) = (parameters(&source), parameters(&destination));
        for (key, value) in &after {
            // If there are two biases, the decoder's is used.
            let decoder = before.get("predictions.decoder.bias").filter(|_| key == "predictions.bias");
            let source =
                decoder.or_else(|| before.get(key)).unwrap_or_else(|| panic!("{name}: {key} is new"));
            assert_eq!(source, value, "{name}: {key}");
        }
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            let is_alias = key.starts_with("predictions.decoder.");
            assert!(is_alias || out.contains("left out"), "{name}: {key} is lost: {out}");
        }
        let class = config(&destination)["architectures"][0].as_str().expect("a class").to_owned();
        assert!(out.contains(&class), "{out}");
        if let Some(kind) = name.strip_prefix("keras_").or_else(|| name.strip_prefix("flax_")) {
            let kind = if kind == "chunked" { "formaskedlm" } else { kind };
            assert_eq!(class.to_lowercase(), format!("albert{kind}"));
            assert_eq!(
                before.len() - usize::from(before.contains_key("predictions.decoder.bias")),
                after.len(),
                "{name}"
            );
        }
    }
}

#[test]
fn google_checkpoints_get_a_configuration_of_transformers() {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, class) in [
        ("google_pretraining/model.ckpt-best", "AlbertForPreTraining"),
        ("google_classifier", "AlbertForSequenceClassification"),
        ("google_squad/model.ckpt-best.index", "AlbertForQuestionAnswering"),
        ("google_hub", "AlbertModel"),
        ("google_hub/variables", "AlbertModel"),
        ("google_partitioned", "AlbertForPreTraining"),
        ("google_same_width", "AlbertForPreTraining"),
        ("google_race", "AlbertForMultipleChoice"),
        ("google_squad2", "AlbertModel"),
    ] {
        let destination = directory.path().join(name.replace('/', "_"));
        let source = golden("formats").join(name);
        let out = converted(&source, &destination, &[]);
        let config = config(&destination);
        assert_eq!(config["architectures"][0], class, "{name}");
        assert_eq!(config["model_type"], "albert");
        // Google's "gelu" is the form with tanh, which transformers calls gelu_new.
        assert_eq!(config["hidden_act"], "gelu_new");
        assert_eq!(config["net_structure_type"], 0, "unknown keys are kept");
        if !name.contains("hub") {
            assert!(out.contains("optimizer slots"), "{name}: {out}");
        }
    }
}

#[test]
fn google_only_tensors_are_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let squad2 = golden("formats/google_squad2");
    let (code, out, err) = convert(&squad2, &directory.path().join("squad2"), &[]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("the head of Google's SQuAD 2.0 training (start_logits, end_logits, answer_class)"),
        "{err}"
    );
    // Optimizer slots are counted. The head does not count as one of them.
    let slots = 2 * (73 + 11) + 1;
    assert!(out.contains(&format!("{slots} tensors of the source (optimizer slots, counters)")), "{out}");
    let (code, _, err) = convert(&squad2, &directory.path().join("x"), &["--head", "qa"]);
    assert!(code == 2 && err.contains("AlbertForQuestionAnswering needs a question-answering head"), "{err}");
    let model = directory.path().join("words");
    std::fs::create_dir(&model).expect("a directory");
    for entry in std::fs::read_dir(&squad2).expect("reads") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), model.join(entry.file_name())).expect("copies");
    }
    std::fs::copy(golden("formats/vocab.txt"), model.join("vocab.txt")).expect("copies");
    let output =
        albert().args(["qa", "who ?", "--context-text", "anna", "-m"]).arg(&model).output().expect("runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && err.contains("its end depends on the start"), "{err}");
    // A head with one output: RACE's, or a regression.
    let race = golden("formats/google_race");
    let (code, _, err) = convert(&race, &directory.path().join("race"), &[]);
    assert!(code == 0 && err.contains("converted as multiple choice (RACE); use --head classify"), "{err}");
    let rated = directory.path().join("rated");
    converted(&race, &rated, &["--head", "classify"]);
    assert_eq!(config(&rated)["architectures"][0], "AlbertForSequenceClassification");
}

#[test]
fn weights_of_another_configuration_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = directory.path().join("source");
    converted(&golden("formats/keras_formaskedlm"), &source, &[]);
    let text = std::fs::read_to_string(source.join("config.json")).expect("reads");
    let other = text.replace("\"vocab_size\": 40", "\"vocab_size\": 41");
    assert_ne!(text, other);
    std::fs::write(source.join("config.json"), other).expect("writes");
    let (code, _, err) = convert(&source, &directory.path().join("x"), &[]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("word_embeddings.weight is [40, 8], the configuration asks for [41, 8]"), "{err}");
}

#[test]
fn float_types_and_forms() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let source = golden("formats/keras_forpretraining");
    let size = |folder: &Path, file: &str| std::fs::metadata(folder.join(file)).expect("a file").len();
    converted(&source, &path("f32"), &[]);
    converted(&source, &path("f16"), &["--dtype", "f16"]);
    converted(&source, &path("bf16"), &["--dtype", "bf16"]);
    assert_eq!(config(&path("f16"))["torch_dtype"], "float16");
    assert_eq!(config(&path("bf16"))["torch_dtype"], "bfloat16");
    let whole = size(&path("f32"), "model.safetensors");
    assert!(size(&path("f16"), "model.safetensors") < whole * 8 / 10);
    for (folder, relative) in [("f16", 1.0 / 1024.0), ("bf16", 1.0 / 128.0)] {
        for (name, values) in parameters(&path(folder)) {
            for (a, b) in values.iter().zip(&parameters(&path("f32"))[&name]) {
                let (a, b) = (f32::from_bits(*a), f32::from_bits(*b));
                assert!((a - b).abs() <= b.abs() * relative + 1e-7, "{folder} {name}: {a} {b}");
            }
        }
    }
    // A round trip through the other form, in several files.
    converted(&path("f32"), &path("bin"), &["--format", "pytorch"]);
    assert!(path("bin").join("pytorch_model.bin").is_file());
    converted(&path("bin"), &path("back"), &[]);
    assert_eq!(parameters(&path("bin")), parameters(&path("f32")));
    let bytes = |folder: &str| std::fs::read(path(folder).join("model.safetensors")).expect("reads");
    assert_eq!(bytes("back"), bytes("f32"));
    converted(&path("f16"), &path("bin16"), &["--format", "pytorch"]);
    assert_eq!(parameters(&path("bin16")), parameters(&path("f16")));
}

#[test]
fn shards_are_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    // The built-in model has four megabytes.
    let whole = directory.path().join("whole");
    converted(Path::new("embedded"), &whole, &["--dtype", "f32"]);
    for (format, index) in
        [("safetensors", "model.safetensors.index.json"), ("pytorch", "pytorch_model.bin.index.json")]
    {
        let destination = directory.path().join(format);
        converted(
            Path::new("embedded"),
            &destination,
            &["--dtype", "f32", "--max-shard-size", "2", "--format", format],
        );
        let json: Value =
            serde_json::from_slice(&std::fs::read(destination.join(index)).expect("an index")).expect("JSON");
        let files: std::collections::BTreeSet<&str> =
            json["weight_map"].as_object().expect("a map").values().filter_map(Value::as_str).collect();
        assert!(files.len() >= 2, "{files:?}");
        assert_eq!(parameters(&destination), parameters(&whole));
    }
}

#[test]
fn tokenizers_are_copied() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "The U.S.A. (1990), naïve \"quoted\" – [MASK] £20.";
    let ids = |model: &Path| {
        let output = albert().args(["tokenize", text, "-m"]).arg(model).output().expect("runs");
        let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        record["predictions"][0]["ids"].clone()
    };
    for source in folders("fill_mask") {
        let destination = directory.path().join(source.file_name().expect("a name"));
        converted(&source, &destination, &[]);
        for file in ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"] {
            assert!(destination.join(file).is_file(), "{}: {file}", source.display());
        }
        for file in ["spiece.model", "vocab.txt"] {
            assert_eq!(destination.join(file).exists(), source.join(file).exists(), "{}", source.display());
        }
        assert_eq!(ids(&destination), ids(&source), "{}", source.display());
    }
}

#[test]
fn heads_can_be_chosen_and_omitted_tensors_are_reported() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = golden("tasks/models/bio");
    for (head, class, has, has_not) in [
        ("base", "AlbertModel", "pooler.weight", "predictions.bias"),
        ("mlm", "AlbertForMaskedLM", "predictions.bias", "albert.pooler.weight"),
        ("pretraining", "AlbertForPreTraining", "sop_classifier.classifier.weight", "qa_outputs.weight"),
        ("classify", "AlbertForSequenceClassification", "classifier.weight", "qa_outputs.weight"),
        ("ner", "AlbertForTokenClassification", "classifier.weight", "albert.pooler.weight"),
        ("qa", "AlbertForQuestionAnswering", "qa_outputs.weight", "classifier.weight"),
    ] {
        let destination = directory.path().join(head);
        let out = converted(&source, &destination, &["--head", head]);
        assert!(out.contains(class) && out.contains("left out"), "{out}");
        assert_eq!(config(&destination)["architectures"], serde_json::json!([class]));
        assert_eq!(config(&destination)["id2label"], config(&source)["id2label"]);
        let tensors = Checkpoint::local(&destination).and_then(|c| c.tensors()).expect("tensors");
        assert!(tensors.get(has).is_some() && tensors.get(has_not).is_none(), "{head}");
    }
    let (code, _, err) = convert(&source, &directory.path().join("x"), &["--head", "choose"]);
    assert!(code == 2 && err.contains("AlbertForMultipleChoice needs a multiple-choice head"), "{err}");
    assert!(!directory.path().join("x").exists());
}

#[test]
fn existing_files_are_kept_and_no_partial_output_is_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let source = golden("formats/flax_model");
    let full = directory.path().join("full");
    std::fs::create_dir(&full).expect("a directory");
    std::fs::write(full.join("precious"), "x").expect("writes");
    let (code, _, err) = convert(&source, &full, &[]);
    assert!(code == 2 && err.contains("exists and is not empty"), "{err}");
    assert_eq!(std::fs::read_dir(&full).expect("reads").count(), 1);
    let (code, _, err) = convert(&source, &source, &[]);
    assert!(code == 2 && err.contains("exists and is not empty"), "{err}");
    let file = full.join("precious");
    let (code, _, err) = convert(&source, &file, &[]);
    assert!(code == 2 && err.contains("is a file; name a new directory"), "{err}");
    // An empty directory and a missing one are both accepted.
    let empty = directory.path().join("empty");
    std::fs::create_dir(&empty).expect("a directory");
    converted(&source, &empty, &[]);
    converted(&source, &directory.path().join("a/b/c"), &[]);
    // A truncated source.
    let broken = directory.path().join("broken");
    std::fs::create_dir(&broken).expect("a directory");
    std::fs::copy(golden("formats/google_squad/albert_config.json"), broken.join("albert_config.json"))
        .expect("copies");
    for name in ["model.ckpt-best.index", "model.ckpt-best.data-00000-of-00001"] {
        std::fs::copy(golden("formats/google_squad").join(name), broken.join(name)).expect("copies");
    }
    let data = broken.join("model.ckpt-best.data-00000-of-00001");
    let mut bytes = std::fs::read(&data).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&data, bytes).expect("writes");
    let (code, _, err) = convert(&broken, &directory.path().join("out"), &[]);
    assert!(code == 2 && err.contains("the checksum of variable"), "{err}");
    let left: Vec<String> = std::fs::read_dir(directory.path())
        .expect("reads")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("albert") || name == "out")
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let (code, _, err) = convert(Path::new("./absent"), &directory.path().join("out"), &[]);
    assert!(code == 2 && err.contains("no such file or directory"), "{err}");
}

#[test]
fn onnx_models_hold_every_weight_once_and_are_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut sources = folders("formats");
    sources.extend(folders("tasks/models"));
    for (i, source) in sources.iter().filter(|s| !s.ends_with("__pycache__")).enumerate() {
        let plain = directory.path().join(format!("{i}"));
        let onnx = directory.path().join(format!("{i}-onnx"));
        let flags = ["--dtype", "f32"];
        converted(source, &plain, &flags);
        converted(source, &onnx, &["--format", "onnx"]);
        assert_eq!(parameters(&onnx), parameters(&plain), "{}", source.display());
    }
    // Layers are written out but weights are shared: the built-in model has nine million parameters.
    let onnx = directory.path().join("embedded");
    converted(Path::new("embedded"), &onnx, &["--format", "onnx"]);
    let size = std::fs::metadata(onnx.join("model.onnx")).expect("a file").len();
    assert!((35_500_000..36_200_000).contains(&size), "{size}");
    let source = golden("formats/keras_model");
    for (flags, problem) in [
        (["--format", "onnx", "--dtype", "f16"], "--dtype: ONNX models are written in f32"),
        (["--format", "onnx", "--max-shard-size", "1"], "--max-shard-size: an ONNX model is one file"),
    ] {
        let (code, _, err) = convert(&source, &directory.path().join("x"), &flags);
        assert!(code == 2 && err.contains(problem), "{err}");
    }
    let relative = golden("parity/relative_key");
    let (code, _, err) = convert(&relative, &directory.path().join("x"), &["--format", "onnx"]);
    assert!(code == 2 && err.contains("relative positions are not exported"), "{err}");
}
