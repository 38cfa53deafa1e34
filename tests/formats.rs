//! Checkpoints of other libraries: tensors are read bit for bit, and outputs match those of the libraries.
//!
//! `golden/formats/README.md` describes how they were made.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use common::{Expected, golden, read_expected};

use albert::checkpoint::{Checkpoint, Dtype, MlmBias, Tensors, load_model};
use albert::device::{self, DeviceChoice, Precision};
use albert::model::{Albert, Head, ModelInput, OutputOptions};

const TOLERANCE: f32 = 2e-5;

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(golden("formats"))
        .expect("the folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && path.join("expected.safetensors").is_file())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20, "{}", folders.len());
    folders
}

fn name(folder: &Path) -> String {
    folder.file_name().expect("a name").to_string_lossy().into_owned()
}

/// The input as rows of two dimensions. Choices come in three.
fn input(values: &HashMap<String, Expected>, device: &Device) -> ModelInput {
    let rows = |key: &str| {
        let e = &values[key];
        let length = *e.shape.last().expect("a length");
        (e.ints.clone(), [e.ints.len() / length, length])
    };
    let ints = |key: &str| {
        let (values, shape) = rows(key);
        Tensor::<2, Int>::from_data(TensorData::new(values, shape), device)
    };
    let (mask, shape) = rows("in.attention_mask");
    let hidden: Vec<bool> = mask.iter().map(|m| *m == 0).collect();
    ModelInput {
        input_ids: ints("in.input_ids"),
        token_type_ids: ints("in.token_type_ids"),
        padding: Some(Tensor::<2, Bool>::from_data(TensorData::new(hidden, shape), device)),
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("floats")
}

fn heads(folder: &str) -> Vec<Head> {
    let kind = folder.split_once('_').expect("a kind").1;
    match kind {
        "model" | "hub" | "squad2" => vec![Head::Pooler],
        "forpretraining" | "pretraining" | "partitioned" | "same_width" => {
            vec![Head::MaskedLm, Head::SentenceOrder]
        }
        "formaskedlm" | "chunked" => vec![Head::MaskedLm],
        "forsequenceclassification" | "classifier" => vec![Head::SequenceClassification],
        "fortokenclassification" => vec![Head::TokenClassification],
        "formultiplechoice" | "race" => vec![Head::MultipleChoice],
        "forquestionanswering" | "squad" => vec![Head::QuestionAnswering],
        other => panic!("unknown folder {other}"),
    }
}

/// The outputs of a model, by the names of the reference.
fn outputs(
    model: &Albert,
    heads: &[Head],
    values: &HashMap<String, Expected>,
    device: &Device,
) -> Vec<(String, Vec<f32>)> {
    let input = input(values, device);
    let [batch, length] = input.input_ids.dims();
    let out = model.albert.forward(input, OutputOptions::default());
    let states = out.last_hidden_state;
    let mut found = Vec::new();
    let mut add = |name: &str, values: Vec<f32>| found.push((format!("out.{name}"), values));
    let pooled = out.pooler_output;
    for head in heads {
        match head {
            Head::Pooler => {
                add("last_hidden_state", floats(states.clone()));
                add("pooler_output", floats(pooled.clone().expect("a pooler")));
            }
            Head::MaskedLm => {
                let all = Tensor::<1, Int>::arange(0..(batch * length) as i64, device);
                let logits = floats(model.masked_lm_logits(states.clone(), all).expect("a head"));
                add(if heads.len() > 1 { "prediction_logits" } else { "logits" }, logits);
            }
            Head::SentenceOrder => {
                let pooled = pooled.clone().expect("a pooler");
                add("sop_logits", floats(model.sentence_order_logits(pooled).expect("a head")));
            }
            Head::SequenceClassification | Head::MultipleChoice => {
                let pooled = pooled.clone().expect("a pooler");
                add("logits", floats(model.sequence_logits(pooled).expect("a head")));
            }
            Head::TokenClassification => {
                add("logits", floats(model.token_logits(states.clone()).expect("a head")));
            }
            Head::QuestionAnswering => {
                let logits = floats(model.span_logits(states.clone()).expect("a head"));
                add("start_logits", logits.iter().step_by(2).copied().collect());
                add("end_logits", logits.iter().skip(1).step_by(2).copied().collect());
            }
        }
    }
    found
}

#[test]
fn every_tensor_is_read_bit_for_bit() {
    for folder in folders() {
        let values = read_expected(&folder.join("expected.safetensors"));
        let tensors = Checkpoint::local(&folder).and_then(|c| c.tensors()).expect("a checkpoint");
        let mut count = 0;
        for (key, expected) in values.iter().filter_map(|(k, e)| Some((k.strip_prefix("raw.")?, e))) {
            let info = tensors.get(key).unwrap_or_else(|| panic!("{}: {key}", name(&folder)));
            assert_eq!(info.shape, expected.shape, "{}: {key}", name(&folder));
            let found = tensors.read_f32(key).expect("floats");
            let same = found.iter().map(|v| v.to_bits()).eq(expected.floats.iter().map(|v| v.to_bits()));
            assert!(same, "{}: {key}", name(&folder));
            count += 1;
        }
        assert!(count > 20, "{}: {count}", name(&folder));
    }
}

#[test]
fn models_of_other_libraries_give_their_numbers() {
    let device = device::open(DeviceChoice::Flex, Precision::F32).expect("the CPU").device;
    for folder in folders() {
        let name = name(&folder);
        let heads = heads(&name);
        let values = read_expected(&folder.join("expected.safetensors"));
        let checkpoint = Checkpoint::local(&folder).expect("a checkpoint");
        let tensors = checkpoint.tensors().expect("tensors");
        let (model, report) =
            load_model(&tensors, &checkpoint.config, &heads, MlmBias::default(), &device).expect(&name);
        assert_eq!(report.unused, Vec::<String>::new(), "{name}");
        let expected: usize = values.keys().filter(|k| k.starts_with("out.")).count();
        let found = outputs(&model, &heads, &values, &device);
        assert_eq!(found.len(), expected.min(found.len()), "{name}");
        let mask = &values["in.attention_mask"].ints;
        for (key, found) in found {
            let expected = &values[&key].floats;
            assert_eq!(found.len(), expected.len(), "{name}: {key}");
            let largest = expected.iter().fold(1f32, |m, v| m.max(v.abs()));
            // Values per token are compared only for real tokens.
            let per_token = found.len() % mask.len() == 0 && found.len() >= mask.len();
            let width = if per_token { found.len() / mask.len() } else { found.len() };
            for (i, (f, e)) in found.iter().zip(expected).enumerate() {
                if per_token && mask[i / width] == 0 {
                    continue;
                }
                assert!((f - e).abs() / largest <= TOLERANCE, "{name}: {key}: value {i}: {f}, expected {e}");
            }
        }
    }
}

#[test]
fn hdf5_has_halves_chunks_and_links() {
    for file in ["new.h5", "old.h5"] {
        let tensors = Tensors::open(&golden("hostile/sound").join(file)).expect(file);
        assert_eq!(tensors.get("a/half").map(|info| info.dtype), Some(Dtype::F16), "{file}");
        assert_eq!(tensors.read_f32("a/half").expect("halves"), [1.0; 3]);
        assert_eq!(tensors.read_f32("hard/b/kernel:0").expect("floats"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(tensors.read_f32("chunked").expect("compressed"), [0.0; 64]);
    }
}
