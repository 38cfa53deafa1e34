//! Arguments, help, devices, completions, manual pages, missing models.

mod common;

use common::{albert, golden};
use serde_json::Value;

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = albert().args(args).output().expect("the program runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

#[test]
fn wrong_usage_exits_with_2_and_names_the_flag() {
    for (args, part) in [
        (
            vec!["fill-mask", "--device", "tpu", "x"],
            "expected auto, flex, ndarray, wgpu, wgpu:N, cuda or cuda:N",
        ),
        (vec!["fill-mask", "--top-k", "0", "x"], "--top-k"),
        (vec!["fill-mask", "--nonsense"], "--nonsense"),
        (vec!["nonsense"], "nonsense"),
        (
            vec!["fill-mask", "--device", "cuda", "[MASK]"],
            "device \"cuda\": this albert was built without it",
        ),
        (
            vec!["fill-mask", "--device", "flex", "--max-length", "4000", "[MASK]"],
            "--max-length: 4000 is more than the 512",
        ),
        (
            vec!["fill-mask", "--device", "flex", "--max-length", "2", "[MASK]"],
            "--max-length: 2 is too small; the minimum is 4",
        ),
        (vec!["fill-mask", "text", "-i", "a"], "cannot be used with"),
    ] {
        let (code, out, err) = run(&args);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {err}");
        assert!(err.contains(part), "{args:?}: {err}");
    }
}

#[test]
fn a_missing_model_is_reported_with_the_expected_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("a name");
    let model = |m: &str| run(&["fill-mask", "--device", "flex", "--offline", "-m", m, "[MASK]"]);

    let (code, _, err) = model("./no/such/dir");
    assert_eq!(code, Some(2));
    assert_eq!(err, "albert: error: model \"./no/such/dir\": no such file or directory\n");
    let (code, _, err) = model("org/model");
    assert_eq!(code, Some(2));
    assert!(
        err.contains(
            "model \"org/model\": no such file or directory; as a hub id: not in the cache and the network"
        ),
        "{err}"
    );

    let (_, _, err) = model(path);
    assert_eq!(
        err,
        format!(
            "albert: error: model \"{path}\": no weights in this directory; looked for model.safetensors, \
             model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, tf_model.h5, \
             flax_model.msgpack, variables/variables.index, rust_model.ot, model.onnx, onnx/model.onnx, *.index \
             (TensorFlow), model_fp16.onnx, model_quantized.onnx, model_int8.onnx, model_uint8.onnx, model_q8.onnx, \
             model_q4.onnx, model_q4f16.onnx, model_bnb4.onnx (also in onnx/), and a single *.safetensors, *.bin, *.pt, \
             *.pth, *.ckpt, *.h5, *.msgpack, *.ot, *.onnx\n"
        )
    );
    let weights = golden("fill_mask/spiece_nfkc/model.safetensors");
    std::fs::copy(&weights, directory.path().join("model.safetensors")).expect("copies");
    let (_, _, err) = model(path);
    assert_eq!(
        err,
        format!("albert: error: model \"{path}\": no config.json or albert_config.json in {path}\n")
    );

    std::fs::write(directory.path().join("config.json"), b"{\"hidden_size\": \"many\"}").expect("writes");
    let (code, _, err) = model(path);
    assert_eq!(code, Some(2));
    assert_eq!(
        err,
        format!("albert: error: {path}/config.json: key \"hidden_size\" is \"many\"; expected a number\n")
    );

    std::fs::copy(golden("fill_mask/spiece_nfkc/config.json"), directory.path().join("config.json"))
        .expect("copies");
    let (_, _, err) = model(path);
    assert!(err.contains("tokenizer"), "{err}");

    // A configuration that would take days, or all memory.
    let huge = r#"{"num_hidden_layers": 2000000000, "num_hidden_groups": 2000000000}"#;
    std::fs::write(directory.path().join("config.json"), huge).expect("writes");
    let (_, _, err) = model(path);
    assert!(
        err.contains("key \"num_hidden_layers\" is 2000000000; albert takes at most 4096 layers"),
        "{err}"
    );

    // The configuration of another model.
    std::fs::copy(golden("parity/base_model/config.json"), directory.path().join("config.json"))
        .expect("copies");
    let (code, _, err) = model(path);
    assert_eq!(code, Some(2));
    assert!(err.contains("do not have the shape that config.json asks for"), "{err}");
    assert!(err.contains("albert.embeddings.word_embeddings.weight: expected ["), "{err}");
}

#[test]
fn a_checkpoint_without_the_head_says_what_it_holds() {
    let model = golden("parity/base_model");
    let (code, _, err) =
        run(&["fill-mask", "--device", "flex", "-m", model.to_str().expect("a name"), "[MASK]"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("the checkpoint has no masked-LM head (no tensor is named predictions.*); it holds an encoder, a pooler; it serves `albert embed`"),
        "{err}"
    );
}

#[test]
fn the_built_in_model_is_the_default_and_is_announced() {
    let (code, out, err) = run(&["fill-mask", "--device", "flex", "The capital of France is [MASK]."]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(err, "albert: using the small built-in model (--model selects another)\n");
    let record: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(record["predictions"].as_array().map(Vec::len), Some(5));
    let (_, _, err) = run(&["fill-mask", "--device", "flex", "--quiet", "A [MASK]."]);
    assert_eq!(err, "");
}

#[test]
fn text_output_lists_the_predictions() {
    let model = golden("fill_mask/json_2020");
    let (code, out, _) = run(&[
        "fill-mask",
        "--device",
        "ndarray",
        "--format",
        "text",
        "-k",
        "2",
        "-m",
        model.to_str().expect("a name"),
        "The capital of [MASK] is Paris.",
    ]);
    assert_eq!(code, Some(0));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert_eq!(lines[0], "The capital of [MASK] is Paris.");
    assert!(lines[1].contains(" 40.28 %  16  the capital of 16 is paris."), "{out}");
}

#[test]
fn colours_come_when_asked_for() {
    let text = |color: &str| {
        run(&["fill-mask", "-q", "--device", "flex", "--format", "text", "--color", color, "A [MASK]."]).1
    };
    assert!(text("always").contains("\u{1b}["));
    assert!(!text("never").contains('\u{1b}'));
    assert!(!text("auto").contains('\u{1b}'), "the output is not a terminal");
}

#[test]
fn devices_are_listed_with_what_auto_takes() {
    let (code, out, _) = run(&["devices"]);
    assert_eq!(code, Some(0));
    let devices: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let names: Vec<&str> = devices.iter().filter_map(|d| d["name"].as_str()).collect();
    assert!(names.starts_with(&["flex", "ndarray"]), "{names:?}");
    let auto: Vec<&Value> = devices.iter().filter(|d| d["auto"] == true).collect();
    assert_eq!(auto.len(), 1);
    assert_ne!(auto[0]["kind"], "software");
}

/// Starting a GPU takes seconds, which is not worth it for one sentence.
#[test]
fn auto_takes_the_cpu_for_a_sentence() {
    let (code, _, err) = run(&["fill-mask", "-v", "A [MASK]."]);
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains(
            "albert: on flex (the input takes about 0 s on the CPU, and starting a GPU takes 20 s), ready"
        ),
        "{err}"
    );
    let (code, _, err) = run(&["fill-mask", "-v", "--dtype", "int8", "A [MASK]."]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("albert: on flex (bf16x2 and int8 are computed on the CPU), ready"), "{err}");
}

#[test]
fn info_describes_a_checkpoint() {
    let model = golden("parity/inner_2_groups_2_of_5");
    let (code, out, _) = run(&["info", model.to_str().expect("a name")]);
    assert_eq!(code, Some(0));
    let info: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(info["format"], "safetensors");
    assert_eq!(info["layers"], 5);
    assert_eq!(info["groups"], 2);
    assert_eq!(info["inner_group_num"], 2);
    assert_eq!(info["missing"], serde_json::json!([]));
    assert_eq!(info["unused"], serde_json::json!([]));
    assert_eq!(info["tokenizer"], Value::Null);
    assert!(info["parameters"].as_u64() < info["effective_parameters"].as_u64());
    let model = golden("fill_mask/json_2020");
    let (_, out, _) = run(&["info", "--format", "text", "-m", model.to_str().expect("a name")]);
    assert!(out.contains("\nheads                    an encoder, a masked-LM head\n"), "{out}");
}

#[test]
fn completions_and_manual_pages_come_from_the_definitions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, out, _) = run(&["completions", shell]);
        assert_eq!(code, Some(0));
        assert!(out.contains("fill-mask") && out.contains("mlm-bias"), "{shell}");
    }
    let (code, out, _) = run(&["man", "fill-mask"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("albert-fill-mask") || out.contains("albert\\-fill\\-mask"), "{out}");
    let (code, out, _) = run(&["man", "finetune", "classify"]);
    assert_eq!(code, Some(0));
    let head = out.lines().find(|line| line.starts_with(".TH")).expect("a title");
    assert!(head.contains("albert-finetune-classify") && head.contains("\"albert 0."), "{head}");
    assert!(out.contains("train") && out.contains("dev"), "{out}");
    let (code, _, err) = run(&["man", "fill-mask", "more"]);
    assert!(code == Some(2) && err.contains("fill-mask has no subcommands"), "{err}");
    let (code, _, err) = run(&["man", "nonsense"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("\"nonsense\" is not a subcommand; expected one of fill-mask, classify, ner, qa"),
        "{err}"
    );
    let script = run(&["completions", "bash"]).1;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("albert.bash");
    std::fs::write(&path, script).expect("writes");
    if let Ok(status) = std::process::Command::new("bash").arg("-n").arg(&path).status() {
        assert!(status.success());
    }
}

#[test]
fn help_is_complete() {
    let (code, out, _) = run(&["fill-mask", "--help"]);
    assert_eq!(code, Some(0));
    for flag in [
        "--model",
        "--device",
        "--dtype",
        "--threads",
        "--batch-tokens",
        "--max-length",
        "--long",
        "--text-field",
        "--pair-field",
        "--input",
        "--input-format",
        "--output",
        "--format",
        "--on-error",
        "--offline",
        "--seed",
        "--quiet",
        "--verbose",
        "--color",
        "--progress",
        "--top-k",
        "--targets",
        "--mlm-bias",
    ] {
        assert!(out.contains(flag), "{flag}");
    }
}

#[test]
fn tokens_are_shown_with_their_places() {
    let model = golden("fill_mask/spiece_nfkc");
    let (code, out, _) = run(&["tokenize", "-m", model.to_str().expect("a name"), "Thé  [MASK]"]);
    assert_eq!(code, Some(0));
    let record: Value = serde_json::from_str(&out).expect("JSON");
    let shown = &record["predictions"][0];
    assert_eq!(shown["tokens"], serde_json::json!(["[CLS]", "▁the", "[MASK]", "[SEP]"]));
    assert_eq!(shown["special_tokens_mask"], serde_json::json!([1, 0, 0, 1]));
    assert_eq!(shown["type_ids"], serde_json::json!([0, 0, 0, 0]));
    assert_eq!(shown["offsets"][1], serde_json::json!([0, 3]));
}
