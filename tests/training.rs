//! Training compared with PyTorch and NumPy: losses, gradients of every parameter, optimizer steps.
//!
//! `golden/training/make.py` and `golden/training/make_distillation.py` made the expected values.

mod common;

use std::collections::HashMap;

use burn::tensor::Device;
use common::{Expected, golden, read_expected};

use albert::checkpoint::{Checkpoint, MlmBias, load_model};
use albert::device::{self, DeviceChoice, Precision};
use albert::model::Head;
use albert::ops::MatmulPrecision;
use albert::tokenizer::Encoding;
use albert::training::distillation::{DistillExample, Distillation, SentencePair, Signal, Teacher};
use albert::training::{
    Instance, Moments, Objective, Optimizer, OptimizerKind, Parameter, Parameters, Pretraining, Replicas,
};

const HEADS: [Head; 3] = [Head::Pooler, Head::MaskedLm, Head::SentenceOrder];

/// The batch of a golden file, as instances.
fn instances(values: &HashMap<String, Expected>) -> Vec<Instance> {
    let ids = &values["input_ids"];
    let [rows, length] = ids.shape[..] else { panic!("a matrix") };
    let row = |name: &str, i: usize| &values[name].ints[i * length..(i + 1) * length];
    (0..rows)
        .map(|i| {
            let own = row("attention_mask", i).iter().filter(|m| **m == 1).count();
            let masked: Vec<usize> = (0..own).filter(|p| row("labels", i)[*p] >= 0).collect();
            Instance {
                ids: row("input_ids", i)[..own].iter().map(|id| *id as u32).collect(),
                segment_b: row("token_type_ids", i)[..own].iter().position(|t| *t == 1).unwrap_or(own),
                masked_positions: masked.iter().map(|p| *p as u32).collect(),
                masked_labels: masked.iter().map(|p| row("labels", i)[*p] as u32).collect(),
                order_label: Some(values["sentence_order_label"].ints[i] as u8),
            }
        })
        .collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |most, value| most.max(value.abs()))
}

/// The largest difference, relative to the largest expected value, or to `least` if that is larger.
fn difference(own: &[f32], expected: &[f32], least: f32) -> f32 {
    assert_eq!(own.len(), expected.len());
    let apart = own.iter().zip(expected).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    apart / largest(expected).max(least)
}

/// The values in the layout of a checkpoint.
fn stored(parameter: &Parameter, values: &[f32]) -> Vec<f32> {
    match (parameter.transposed, &parameter.shape[..]) {
        (true, [rows, columns]) => {
            (0..columns * rows).map(|i| values[(i % rows) * columns + i / rows]).collect()
        }
        _ => values.to_vec(),
    }
}

/// A model to train, with replicas on the chosen devices.
fn student(
    case: &str,
    choices: &[DeviceChoice],
    micro_batch: usize,
    checkpointing: bool,
) -> (Vec<Device>, Parameters, Replicas) {
    let checkpoint = Checkpoint::local(&golden("training").join(case)).expect("a checkpoint");
    let devices: Vec<_> = choices
        .iter()
        .map(|choice| device::open(*choice, Precision::F32).expect("the device").device)
        .collect();
    let tensors = checkpoint.tensors().expect("readable");
    let (model, _) =
        load_model(&tensors, &checkpoint.config, &HEADS, MlmBias::default(), &devices[0]).expect("complete");
    let parameters = Parameters::of(&model).expect("on the host");
    let replicas = Replicas::new(&model, &parameters, &devices, micro_batch, checkpointing);
    (devices, parameters, replicas)
}

/// The losses of the paper.
const TEXT: Pretraining =
    Pretraining { pad_id: 0, pad_multiple: 1, longest: 24, sentence_order: true, sentence_order_weight: 1.0 };

/// Compares the gradient of every parameter with `grad.<name>`.
fn compare_gradients(
    name: &str,
    parameters: &Parameters,
    own: &[Vec<f32>],
    expected: &HashMap<String, Expected>,
) {
    // The gradient of the keys' bias is zero up to rounding, because softmax is invariant to it.
    let gradients = expected.iter().filter(|(key, _)| key.starts_with("grad."));
    let least = 1e-3 * gradients.map(|(_, values)| largest(&values.floats)).fold(0.0, f32::max);
    let mut compared = 0;
    for (parameter, gradient) in parameters.tensors().iter().zip(own) {
        let Some(wanted) = expected.get(&format!("grad.{}", parameter.name)) else {
            assert!(gradient.iter().all(|g| *g == 0.0), "{name}: {} has no gradient", parameter.name);
            continue;
        };
        let apart = difference(&stored(parameter, gradient), &wanted.floats, least);
        assert!(apart < 1e-4, "{name}: the gradient of {} is {apart} off", parameter.name);
        compared += 1;
    }
    assert_eq!(compared, expected.keys().filter(|key| key.starts_with("grad.")).count(), "{name}");
}

fn losses_and_gradients(case: &str, choices: &[DeviceChoice], micro_batch: usize, checkpointing: bool) {
    let expected = read_expected(&golden("training").join(case).join("expected.safetensors"));
    let (_, parameters, replicas) = student(case, choices, micro_batch, checkpointing);
    let examples = instances(&expected);
    let totals = TEXT.counts(&examples);
    let passed = replicas.gradients(&TEXT, &examples, &totals, &parameters, 1).expect("a pass");

    let name = format!("{case} on {choices:?} by {micro_batch}");
    for (i, loss) in [(0, "mlm_loss"), (2, "sop_loss")] {
        let own = (passed.sums[i] / totals[i]) as f32;
        let apart = difference(&[own], &expected[loss].floats, 0.0);
        assert!(apart < 1e-5, "{name}: {loss} {own} is {apart} off");
    }
    let evaluated = replicas.evaluate(&TEXT, &examples, &totals).expect("a pass");
    for (a, b) in evaluated.iter().zip(&passed.sums) {
        assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{name}: {evaluated:?} and {:?}", passed.sums);
    }
    compare_gradients(&name, &parameters, &passed.gradients, &expected);
}

/// The sentences of a golden file.
fn sentences(values: &HashMap<String, Expected>) -> Vec<SentencePair> {
    let row = |name: &str, i: usize| {
        let ids = &values[&format!("{name}_ids")];
        let own = values[&format!("{name}_lengths")].ints[i] as usize;
        let from = i * ids.shape[1];
        let ids: Vec<u32> = ids.ints[from..from + own].iter().map(|id| *id as u32).collect();
        Encoding { type_ids: vec![0; own], ids, ..Encoding::default() }
    };
    let count = values["student_lengths"].ints.len();
    (0..count).map(|i| SentencePair { student: row("student", i), teacher: row("teacher", i) }).collect()
}

/// Checks the loss of a teacher, and the gradients of all losses combined.
fn distilled(case: &str, choices: &[DeviceChoice], micro_batch: usize, checkpointing: bool) {
    let expected = read_expected(&golden(&format!("training/distillation/{case}.safetensors")));
    let batch = read_expected(&golden("training/one_group/expected.safetensors"));
    let (devices, parameters, replicas) = student("one_group", choices, micro_batch, checkpointing);
    let (signal, teacher, weight) = match case {
        "vectors" => (Signal::Vectors, "two_groups", 4.0),
        "similarities" => (Signal::Vectors, "distillation/narrow", 40.0),
        _ => (Signal::Logits, "two_groups", 0.5),
    };
    let checkpoint = Checkpoint::local(&golden("training").join(teacher)).expect("a checkpoint");
    let (teacher, _) =
        Teacher::load(&checkpoint, signal, &devices, MatmulPrecision::F32, 1).expect("complete");
    let objective = Distillation { text: TEXT, teacher, signal, weight, vocabulary: 90 };
    let mut examples: Vec<DistillExample> = instances(&batch).into_iter().map(DistillExample::Text).collect();
    if signal == Signal::Vectors {
        examples.insert(2, DistillExample::Sentences(sentences(&expected)));
    }
    let totals = objective.counts(&examples);
    let passed = replicas.gradients(&objective, &examples, &totals, &parameters, 1).expect("a pass");
    let name = format!("{case} on {choices:?} by {micro_batch}");
    let wanted = [(0, &batch["mlm_loss"]), (2, &batch["sop_loss"]), (4, &expected["distill_loss"])];
    for (i, wanted) in wanted {
        let own = (passed.sums[i] / totals[i]) as f32;
        let apart = difference(&[own], &wanted.floats, 0.0);
        assert!(apart < 1e-5, "{name}: {} {own} is {apart} off", objective.names()[i]);
    }
    let evaluated = replicas.evaluate(&objective, &examples, &totals).expect("a pass");
    for (a, b) in evaluated.iter().zip(&passed.sums) {
        assert!((a - b).abs() < 1e-4 * b.abs().max(1.0), "{name}: {evaluated:?} and {:?}", passed.sums);
    }
    compare_gradients(&name, &parameters, &passed.gradients, &expected);
}

#[test]
fn losses_and_gradients_of_a_teacher_are_those_of_pytorch() {
    for case in ["vectors", "similarities", "logits"] {
        distilled(case, &[DeviceChoice::Flex], 100, false);
        distilled(case, &[DeviceChoice::NdArray], 100, true);
        // Parts of a batch without text, parts without sentences, and two devices.
        distilled(case, &[DeviceChoice::Flex], 1, false);
        distilled(case, &[DeviceChoice::Flex, DeviceChoice::NdArray], 2, false);
    }
}

#[test]
fn losses_and_gradients_are_those_of_pytorch() {
    for case in ["one_group", "two_groups", "inner_relu", "relative"] {
        losses_and_gradients(case, &[DeviceChoice::Flex], 100, false);
        losses_and_gradients(case, &[DeviceChoice::NdArray], 100, false);
    }
}

#[test]
fn a_batch_in_parts_gives_the_same_gradients() {
    for case in ["one_group", "two_groups"] {
        losses_and_gradients(case, &[DeviceChoice::Flex], 2, false);
        losses_and_gradients(case, &[DeviceChoice::Flex], 2, true);
        losses_and_gradients(case, &[DeviceChoice::Flex, DeviceChoice::NdArray], 1, false);
    }
}

#[test]
fn a_scaled_loss_gives_scaled_gradients() {
    let batch = read_expected(&golden("training/one_group/expected.safetensors"));
    let (devices, parameters, replicas) = student("one_group", &[DeviceChoice::Flex], 100, false);
    let checkpoint = Checkpoint::local(&golden("training/two_groups")).expect("a checkpoint");
    let (teacher, _) =
        Teacher::load(&checkpoint, Signal::Logits, &devices, MatmulPrecision::F32, 1).expect("complete");
    let objective = Distillation { text: TEXT, teacher, signal: Signal::Logits, weight: 2.0, vocabulary: 90 };
    let examples: Vec<DistillExample> = instances(&batch).into_iter().map(DistillExample::Text).collect();
    let totals = objective.counts(&examples);
    let scaled: Vec<f64> = totals.iter().map(|total| total / 1024.0).collect();
    let [plain, scaled] = [&totals, &scaled].map(|totals| {
        replicas.gradients(&objective, &examples, totals, &parameters, 1).expect("a pass").gradients
    });
    for (plain, scaled) in plain.iter().zip(&scaled) {
        let back: Vec<f32> = scaled.iter().map(|gradient| gradient / 1024.0).collect();
        assert!(difference(&back, plain, 1e-3) < 1e-5);
    }
}

#[test]
fn optimizers_step_as_their_references() {
    let values = read_expected(&golden("training/optimizers.safetensors"));
    let names = ["a.weight", "a.bias", "a.LayerNorm.weight", "zero.weight"];
    let of = |prefix: &str, name: &str| values[&format!("{prefix}.{name}")].floats.clone();
    for (label, kind) in [
        ("lamb", OptimizerKind::Lamb),
        ("bertadam", OptimizerKind::BertAdam),
        ("adamw", OptimizerKind::AdamW),
    ] {
        let tensors = names.iter().map(|name| Parameter {
            frozen: false,
            name: (*name).to_owned(),
            shape: values[&format!("start.{name}")].shape.clone(),
            transposed: false,
            values: of("start", name),
        });
        let mut parameters = Parameters::from_tensors(tensors.collect());
        let mut moments = Moments::new(&parameters);
        for (step, rate) in [0.001, 0.02, 0.005].into_iter().enumerate() {
            // Half the gradients, with a scale of two: the scale is applied.
            let half = |name: &str| of(&format!("grad{step}"), name).iter().map(|g| g / 2.0).collect();
            let gradients: Vec<Vec<f32>> = names.iter().map(|name| half(name)).collect();
            Optimizer::new(kind).step(&mut parameters, &gradients, 2.0, &mut moments, rate);
            for parameter in parameters.tensors() {
                let Some(wanted) = values.get(&format!("{label}{step}.{}", parameter.name)) else { continue };
                let apart = difference(&parameter.values, &wanted.floats, 0.0);
                assert!(apart < 2e-5, "{label}, step {step}: {} is {apart} off", parameter.name);
            }
        }
        assert_eq!(moments.steps, 3);
    }
}
