//! Quantized models through the program, compared with the results of their dequantized weights in the library that
//! made them. `golden/quantized/make.py` made the expected values.

mod common;

use std::path::Path;

use common::cases::{case, read_json};
use common::{albert, golden};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

const SCORES: f64 = 1e-4;

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = albert().args(arguments).env("HF_HUB_OFFLINE", "1").output().expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("a code"), text(&output.stdout), text(&output.stderr))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
    std::fs::copy(from, to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
}

/// A model directory of `golden/quantized` with its configuration and tokenizer.
fn model(name: &str, weights: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let source = golden("quantized").join(name);
    if name.starts_with("onnx") {
        copy(&source.join("model.onnx"), &folder.path().join(weights));
        copy(&golden("quantized/config.json"), &folder.path().join("config.json"));
        copy(&golden("formats/vocab.txt"), &folder.path().join("vocab.txt"));
    } else {
        for file in ["model.safetensors", "config.json"] {
            copy(&source.join(file), &folder.path().join(file));
        }
        for file in ["spiece.model", "tokenizer.json", "tokenizer_config.json"] {
            copy(&golden("cases/models/tokenizer").join(file), &folder.path().join(file));
        }
    }
    folder
}

fn check(folder: &Path, name: &str, expected: &Value) -> String {
    let (text, scores) =
        (expected["text"].as_str().expect("a text"), expected["scores"].as_array().expect("scores"));
    let path = folder.to_str().expect("UTF-8");
    let call = ["classify", "-m", path, "--device", "flex", "--top-k=all", "--format", "jsonl", text];
    let (code, stdout, stderr) = run(&call);
    assert_eq!(code, 0, "{name}: {stderr}");
    let answer: Value = serde_json::from_str(&stdout).expect("JSON");
    let mut found: Vec<f64> = answer["predictions"]
        .as_array()
        .expect("predictions")
        .iter()
        .map(|p| p["score"].as_f64().expect("a score"))
        .collect();
    let mut scores: Vec<f64> = scores.iter().filter_map(Value::as_f64).collect();
    found.sort_by(f64::total_cmp);
    scores.sort_by(f64::total_cmp);
    assert_eq!(found.len(), scores.len(), "{name}");
    for (found, expected) in found.iter().zip(scores) {
        assert!((found - expected).abs() < SCORES, "{name}: {found}, expected {expected}");
    }
    stderr
}

#[test]
fn dequantized_weights_answer_as_in_their_library() {
    let all = read_json(&golden("quantized/expected.json"));
    for (name, expected) in all.as_object().expect("models") {
        let folder = model(name, "model.onnx");
        let stderr = check(folder.path(), name, expected);
        let is_quantized = name != "onnx_half";
        assert_eq!(stderr.contains("quantized"), is_quantized, "{name}: {stderr}");
        let info = run(&["info", "-q", "--format", "json", folder.path().to_str().expect("UTF-8")]).1;
        let info: Value = serde_json::from_str(&info).expect("JSON");
        assert_eq!(info.get("quantization").is_some(), is_quantized, "{name}");
        assert_eq!(info["missing"], json!([]), "{name}");
    }
}

#[test]
fn models_under_the_names_of_optimum() {
    let all = read_json(&golden("quantized/expected.json"));
    let name = "onnx_dynamic_channels";
    for weights in
        ["model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model_quantized.onnx", "onnx/model.onnx"]
    {
        let folder = model(name, weights);
        check(folder.path(), weights, &all[name]);
        // The file itself is also accepted as a path.
        check(&folder.path().join(weights), weights, &all[name]);
    }
}

#[test]
fn converted_models_are_not_quantized() {
    let all = read_json(&golden("quantized/expected.json"));
    for name in ["onnx_optimized", "bitsandbytes_8", "bitsandbytes_4"] {
        let folder = model(name, "model.onnx");
        let out = folder.path().join("out");
        let (from, to) = (folder.path().to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
        let (code, _, stderr) = run(&["convert", "--dtype", "f32", from, to]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stderr.contains("quantized"), "{stderr}");
        assert_eq!(read_json(&out.join("config.json")).get("quantization_config"), None);
        let stderr = check(&out, name, &all[name]);
        assert!(!stderr.contains("quantized"), "{stderr}");
    }
}

#[test]
fn the_case_of_a_dynamically_quantized_model() {
    let case = case("14-messages");
    let model = case.text("onnx-int8");
    let (code, _, stderr) = run(&["classify", "-m", &model, "x"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("quantized (ONNX with"), "{stderr}");
    let info: Value =
        serde_json::from_str(&run(&["info", "-q", "--format", "json", &model]).1).expect("JSON");
    assert!(info["quantization"].as_str().expect("text").contains("DynamicQuantizeLinear"), "{info}");
    assert!(info["warnings"].to_string().contains("quantized"), "{info}");
}

/// Replaces each attention matrix of a valid model by the tensors that a library stores for it.
fn quantized_by(parts: &[(&str, Dtype)], quant_method: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let source = golden("cases/models/classify");
    let bytes = std::fs::read(source.join("model.safetensors")).expect("read");
    let file = safetensors::SafeTensors::deserialize(&bytes).expect("sound");
    let zeros = [0u8; 64];
    let mut views: Vec<(String, TensorView<'_>)> = Vec::new();
    for (name, view) in file.tensors() {
        match name
            .strip_suffix(".weight")
            .filter(|stem| stem.contains("attention") && !stem.contains("LayerNorm"))
        {
            None => views.push((name, view)),
            Some(stem) => {
                for (part, dtype) in parts {
                    let size = dtype.bitsize() / 8;
                    let view = TensorView::new(*dtype, vec![8], &zeros[..8 * size]).expect("a tensor");
                    views.push((format!("{stem}.{part}"), view));
                }
            }
        }
    }
    std::fs::write(
        folder.path().join("model.safetensors"),
        safetensors::serialize(views, None).expect("serialized"),
    )
    .expect("written");
    let mut config = read_json(&source.join("config.json"));
    if let Some(method) = quant_method {
        config["quantization_config"] = json!({"quant_method": method, "bits": 4});
    }
    std::fs::write(folder.path().join("config.json"), config.to_string()).expect("written");
    copy(&golden("cases/models/tokenizer/spiece.model"), &folder.path().join("spiece.model"));
    folder
}

/// The tensors of a module, the method that the configuration names, and part of the message.
type Case<'a> = (&'a [(&'a str, Dtype)], Option<&'a str>, &'a str);

#[test]
fn other_libraries_are_named() {
    use Dtype::{F8_E4M3, F16, F32, I8, I32, I64, U8};
    let gptq = [("qweight", I32), ("qzeros", I32), ("scales", F16), ("g_idx", I32)];
    let cases: [Case<'_>; 12] = [
        (&gptq, None, "GPTQ"),
        (&gptq, Some("gptq"), "gptq, 4 bits"),
        (&gptq[..3], Some("awq"), "awq, 4 bits"),
        (&gptq[..3], None, "AWQ or GPTQ"),
        (&[("weight_packed", I32), ("weight_scale", F16), ("weight_shape", I64)], None, "compressed-tensors"),
        (&[("weight", I8), ("weight_scale", F16)], None, "compressed-tensors"),
        (&[("weight._data", I8), ("weight._scale", F32)], None, "optimum-quanto"),
        (&[("W_q", U8), ("scale", F16), ("zero", F16)], None, "HQQ"),
        (&[("weight", I8), ("weight_scales", F16)], None, "EETQ"),
        (&[("_weight_qdata", I8), ("_weight_scale", F32)], None, "torchao"),
        (&[("weight", I8)], Some("other"), "other, 4 bits"),
        (&[("weight", F8_E4M3), ("weight_scale_inv", F32)], None, "quantized"),
    ];
    for (parts, method, named) in cases {
        let folder = quantized_by(parts, method);
        let path = folder.path().to_str().expect("UTF-8");
        let (code, stdout, stderr) = run(&["classify", "-m", path, "x"]);
        assert_eq!((code, stdout.as_str()), (2, ""), "{named}: {stderr}");
        for part in [named, "quantized", "use the unquantized weights", "--dtype int8"] {
            assert!(stderr.contains(part), "{named}, {part}: {stderr}");
        }
        let out = folder.path().join("out");
        let (code, _, stderr) = run(&["convert", path, out.to_str().expect("UTF-8")]);
        assert_eq!(code, 2);
        assert!(stderr.contains("quantized") && !out.exists(), "{stderr}");
        if !parts.iter().any(|(_, dtype)| *dtype == F8_E4M3) {
            let (code, stdout, stderr) = run(&["info", "-q", "--format", "json", path]);
            assert_eq!(code, 0, "{stderr}");
            let info: Value = serde_json::from_str(&stdout).expect("JSON");
            assert!(
                info["quantization"].is_string() && info["warnings"].to_string().contains("quantized"),
                "{info}"
            );
        }
    }
}

#[test]
fn models_of_other_programs_are_named() {
    let cases: [(&str, &[u8], &str); 5] = [
        ("model-q8_0.gguf", b"GGUF\x03\0\0\0", "GGUF"),
        ("model.tflite", b"\x1c\0\0\0TFL3\0\0", "TensorFlow Lite"),
        ("albert.mlmodel", b"\x08\x05\x12", "Core ML"),
        ("openvino_model.bin", b"\0\0\0\0\0\0\0\0", "OpenVINO"),
        ("openvino/openvino_model.xml", b"<?xml version=\"1.0\"?><net name=\"x\"/>", "OpenVINO"),
    ];
    for (file, bytes, named) in cases {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, bytes).expect("written");
        if file.ends_with(".bin") {
            std::fs::write(path.with_extension("xml"), "<?xml version=\"1.0\"?><net/>").expect("written");
        }
        copy(&golden("cases/models/classify/config.json"), &folder.path().join("config.json"));
        for model in [folder.path(), &path] {
            for command in [&["classify", "x", "-m"][..], &["info", "-m"]] {
                let mut arguments = command.to_vec();
                arguments.push(model.to_str().expect("UTF-8"));
                let (code, stdout, stderr) = run(&arguments);
                assert_eq!((code, stdout.as_str()), (2, ""), "{file}: {stderr}");
                assert!(stderr.contains(named) && stderr.contains("use the weights"), "{file}: {stderr}");
            }
        }
    }
}
