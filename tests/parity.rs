//! The model compared with transformers: every golden checkpoint, on every device.
//!
//! `golden/parity/README.md` describes the expected values and how they were made.

mod common;

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use common::{Expected, golden, read_expected};
use serde_json::Value;

use albert::checkpoint::{Checkpoint, Inventory, LoadReport, MlmBias, Tensors, load_model};
use albert::device::{self, DeviceChoice, Precision};
use albert::model::{Albert, AlbertConfig, Head, ModelInput, OutputOptions};

/// For values of order 1. Larger values are compared relative to the largest.
const CPU_TOLERANCE: f32 = 2e-5;
const GPU_TOLERANCE: f32 = 1e-3;

type Values = HashMap<String, Expected>;

fn cases() -> Vec<Value> {
    let text = std::fs::read(golden("parity/cases.json")).expect("the index of cases");
    serde_json::from_slice(&text).expect("a list")
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().expect("a string")
}

fn heads_of(case: &Value) -> Vec<Head> {
    match text(case, "architecture") {
        "AlbertModel" => vec![Head::Pooler],
        "AlbertForMaskedLM" => vec![Head::MaskedLm],
        "AlbertForPreTraining" => vec![Head::Pooler, Head::MaskedLm, Head::SentenceOrder],
        other => panic!("unexpected architecture {other}"),
    }
}

fn load(case: &Value, bias: MlmBias, device: &Device) -> (Albert, LoadReport) {
    let folder = golden("parity").join(text(case, "case"));
    let checkpoint = Checkpoint::local(&folder).expect("a checkpoint");
    let tensors = Tensors::open(&folder.join(text(case, "weights"))).expect("readable weights");
    load_model(&tensors, &checkpoint.config, &heads_of(case), bias, device).expect("a complete checkpoint")
}

fn int_tensor(values: &Expected, device: &Device) -> Tensor<2, Int> {
    Tensor::from_data(TensorData::new(values.ints.clone(), values.shape.clone()), device)
}

fn input(values: &Values, prefix: &str, device: &Device) -> ModelInput {
    let get = |name: &str| &values[&format!("{prefix}{name}")];
    let mask = get("attention_mask");
    let hidden: Vec<bool> = mask.ints.iter().map(|m| *m == 0).collect();
    let padded = hidden.contains(&true);
    ModelInput {
        input_ids: int_tensor(get("input_ids"), device),
        token_type_ids: int_tensor(get("token_type_ids"), device),
        padding: padded
            .then(|| Tensor::<2, Bool>::from_data(TensorData::new(hidden, mask.shape.clone()), device)),
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("floats")
}

/// Compares `found` with `expected` in rows of `width` values. Rows for which `real` is false belong to padding and are
/// skipped.
fn compare(
    what: &str,
    found: &[f32],
    expected: &[f32],
    width: usize,
    real: impl Fn(usize) -> bool,
    tolerance: f32,
) {
    assert_eq!(found.len(), expected.len(), "{what}: size");
    let largest = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
    for (row, (f, e)) in found.chunks(width).zip(expected.chunks(width)).enumerate() {
        if !real(row) {
            continue;
        }
        for (i, (f, e)) in f.iter().zip(e).enumerate() {
            let off = (f - e).abs() / largest;
            assert!(off <= tolerance, "{what}: row {row}, value {i}: {f}, expected {e}, off by {off:e}");
        }
    }
}

/// Checks every output of a case, either for the batch (`prefix` is empty) or for a single row (`single_`).
fn check(case: &Value, model: &Albert, values: &Values, prefix: &str, device: &Device, tolerance: f32) {
    let name = text(case, "case");
    let input = input(values, prefix, device);
    let [batch, length] = input.input_ids.dims();
    let mask = &values[&format!("{prefix}attention_mask")].ints;
    // Each row is a token. `row % (batch * length)` also works for stacked layers.
    let token = |row: usize| mask[row % (batch * length)] == 1;
    let out = model.albert.forward(input, OutputOptions { hidden_states: true, attentions: true });
    let get = |output: &str| values.get(&format!("{prefix}{output}"));
    let what = |output: &str| format!("{name}: {prefix}{output}");

    let states = out.last_hidden_state.clone();
    let [_, _, hidden] = states.dims();
    if let Some(e) = get("last_hidden_state") {
        compare(&what("last_hidden_state"), &floats(states.clone()), &e.floats, hidden, token, tolerance);
    }
    if let Some(e) = get("hidden_states") {
        let found = floats(Tensor::stack::<4>(out.hidden_states.expect("asked for"), 0));
        compare(&what("hidden_states"), &found, &e.floats, hidden, token, tolerance);
    }
    if let Some(e) = get("attentions") {
        let stacked: Tensor<5> = Tensor::stack(out.attentions.expect("asked for"), 0);
        let heads = stacked.dims()[2];
        let found = floats(stacked);
        // Each row is a query, in the order layer, batch, head, query.
        let query = |row: usize| mask[(row / (heads * length)) % batch * length + row % length] == 1;
        compare(&what("attentions"), &found, &e.floats, length, query, tolerance);
        // Padded keys get exactly zero.
        for (row, probs) in found.chunks(length).enumerate().filter(|(row, _)| query(*row)) {
            let item = (row / (heads * length)) % batch;
            for (key, p) in probs.iter().enumerate() {
                assert!(mask[item * length + key] == 1 || *p == 0.0, "{name}: attention to padding");
            }
        }
    }
    if let Some(e) = get("pooler_output") {
        let pooled = out.pooler_output.clone().expect("a pooler");
        compare(&what("pooler_output"), &floats(pooled), &e.floats, hidden, |_| true, tolerance);
    }
    if let Some(e) = get("mlm_logits") {
        let all = Tensor::<1, Int>::arange(0..(batch * length) as i64, device);
        let logits = model.masked_lm_logits(states.clone(), all).expect("a masked-LM head");
        let [_, vocabulary] = logits.dims();
        compare(&what("mlm_logits"), &floats(logits), &e.floats, vocabulary, token, tolerance);
    }
    if let Some(e) = get("sop_logits") {
        let logits = model.sentence_order_logits(out.pooler_output.expect("a pooler")).expect("the head");
        compare(&what("sop_logits"), &floats(logits), &e.floats, e.shape[1], |_| true, tolerance);
    }
}

fn check_cases(device: &Device, tolerance: f32, wanted: impl Fn(&str) -> bool) -> usize {
    let mut count = 0;
    for case in cases().iter().filter(|c| wanted(text(c, "case")) && text(c, "case") != "activations") {
        let values = read_expected(&golden("parity").join(text(case, "case")).join("expected.safetensors"));
        let (model, _) = load(case, MlmBias::Decoder, device);
        // With scores of several hundred, a rounding error in a product changes the softmax visibly. transformers' own
        // kernels differ by as much.
        let tolerance = if text(case, "case") == "large_logits" { tolerance.max(1e-4) } else { tolerance };
        for prefix in ["", "single_"] {
            check(case, &model, &values, prefix, device, tolerance);
        }
        count += 1;
    }
    count
}

fn cpu(choice: DeviceChoice) -> Device {
    device::open(choice, Precision::F32).expect("a CPU device").device
}

#[test]
fn every_checkpoint_agrees_on_flex() {
    assert!(check_cases(&cpu(DeviceChoice::Flex), CPU_TOLERANCE, |_| true) >= 30);
}

#[test]
fn every_checkpoint_agrees_on_ndarray() {
    assert!(check_cases(&cpu(DeviceChoice::NdArray), CPU_TOLERANCE, |_| true) >= 30);
}

#[test]
fn every_activation_agrees_with_its_curve_and_in_a_model() {
    let device = cpu(DeviceChoice::Flex);
    let case = cases().into_iter().find(|c| text(c, "case") == "activations").expect("the case");
    let values = read_expected(&golden("parity/activations/expected.safetensors"));
    let folder = golden("parity/activations");
    let tensors = Tensors::open(&folder.join(text(&case, "weights"))).expect("weights");
    let json: Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).expect("a file")).expect("json");
    let names = case["activations"].as_array().expect("a list");
    assert_eq!(names.len(), albert::model::Activation::names().len());
    for name in names.iter().filter_map(Value::as_str) {
        let act = albert::model::Activation::from_name(name).unwrap_or_else(|| panic!("{name} is not known"));
        let x = &values["curve_x"];
        let curve = act.forward(Tensor::<1>::from_floats(x.floats.as_slice(), &device));
        let exact = &values[&format!("{name}.curve_f64")].floats;
        for ((f, e), x) in floats(curve).iter().zip(exact).zip(&x.floats) {
            assert!((f - e).abs() <= 1e-6 * e.abs().max(1.0), "{name}({x}) = {f}, expected {e}");
        }

        let mut config = json.clone();
        config["hidden_act"] = name.into();
        let config =
            AlbertConfig::from_slice(config.to_string().as_bytes(), Path::new("config.json")).expect("sound");
        let (model, _) =
            load_model(&tensors, &config, &[Head::MaskedLm], MlmBias::Decoder, &device).expect("loads");
        let input = input(&values, "single_", &device);
        let states = model.albert.encode(input, OutputOptions::default()).last_hidden_state;
        let [_, length, hidden] = states.dims();
        let expected = &values[&format!("{name}.last_hidden_state")].floats;
        compare(name, &floats(states.clone()), expected, hidden, |_| true, CPU_TOLERANCE);
        let all = Tensor::<1, Int>::arange(0..length as i64, &device);
        let logits = floats(model.masked_lm_logits(states, all).expect("the head"));
        compare(name, &logits, &values[&format!("{name}.mlm_logits")].floats, 60, |_| true, CPU_TOLERANCE);
    }
}

#[test]
fn either_bias_can_be_chosen_and_a_difference_is_reported() {
    let device = cpu(DeviceChoice::Flex);
    for name in ["mlm_two_biases", "mlm_two_biases_bin"] {
        let case = cases().into_iter().find(|c| text(c, "case") == name).expect("the case");
        let values = read_expected(&golden("parity").join(name).join("expected.safetensors"));
        for (bias, key) in [
            (MlmBias::Decoder, "single_mlm_logits"),
            (MlmBias::Predictions, "single_mlm_logits_predictions_bias"),
        ] {
            let (model, report) = load(&case, bias, &device);
            assert!(report.notes.iter().any(|n| n.contains("differ")), "{name}: {:?}", report.notes);
            let states = model.albert.encode(input(&values, "single_", &device), OutputOptions::default());
            let all = Tensor::<1, Int>::arange(0..11, &device);
            let logits = model.masked_lm_logits(states.last_hidden_state, all).expect("the head");
            compare(key, &floats(logits), &values[key].floats, 60, |_| true, CPU_TOLERANCE);
        }
    }
}

#[test]
fn missing_tensors_are_errors_and_extra_ones_are_reported() {
    let device = cpu(DeviceChoice::Flex);
    for case in cases() {
        let folder = golden("parity").join(text(&case, "case"));
        let config = Checkpoint::local(&folder).expect("a checkpoint").config;
        let tensors = Tensors::open(&folder.join(text(&case, "weights"))).expect("weights");
        for (task, _) in case["missing_for"].as_object().into_iter().flatten() {
            let head = if task == "mlm" { Head::MaskedLm } else { Head::Pooler };
            let error = load_model(&tensors, &config, &[head], MlmBias::Decoder, &device)
                .expect_err("a missing head")
                .to_string();
            assert!(error.contains("the checkpoint has no"), "{error}");
        }
        if let Some(unused) = case["unused"].as_array() {
            let report = load(&case, MlmBias::Decoder, &device).1;
            let mut found: Vec<String> = report.unused.into_iter().chain(report.unused_heads).collect();
            found.sort();
            let unused: Vec<&str> = unused.iter().filter_map(Value::as_str).collect();
            assert_eq!(found, unused, "{}", text(&case, "case"));
        }
        assert!(Inventory::new(&tensors, &AlbertConfig::default()).is_ok());
    }
}

#[test]
fn nonsense_configurations_are_refused_by_key() {
    let text = std::fs::read(golden("parity/bad_configs.json")).expect("a file");
    let list: Vec<Value> = serde_json::from_slice(&text).expect("a list");
    assert!(list.len() >= 30);
    for bad in list {
        let key = bad["key"].as_str().expect("a key");
        let json = bad["config"].to_string();
        match AlbertConfig::from_slice(json.as_bytes(), Path::new("config.json")) {
            Ok(_) => panic!("accepted: {key}: {}", bad["why"]),
            Err(e) => assert!(e.to_string().contains(&format!("\"{key}\"")), "{key} ({}): {e}", bad["why"]),
        }
    }
}

/// One process, one device and tiny models, because a software Vulkan device compiles kernels slowly.
#[test]
#[cfg(feature = "wgpu")]
fn checkpoints_agree_on_wgpu() {
    if !device::list().iter().any(|d| d.name.starts_with("wgpu")) {
        eprintln!("skipped: no graphics adapter here");
        return;
    }
    let device = device::open(DeviceChoice::Wgpu(None), Precision::F32).expect("the adapter opens").device;
    // Kernels are compiled for each shape. On a software device, this takes minutes for all cases.
    let some = ["base_model", "inner_2", "relative_key_query"];
    if std::env::var_os("ALBERT_TEST_WGPU_ALL").is_some() {
        assert!(check_cases(&device, GPU_TOLERANCE, |_| true) >= 30);
        return;
    }
    assert_eq!(check_cases(&device, GPU_TOLERANCE, |name| some.contains(&name)), some.len());
}
