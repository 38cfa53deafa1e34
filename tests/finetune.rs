//! Fine-tuning compared with PyTorch: the loss, the gradients and one step of every head.
//!
//! `golden/finetune/make.py` made the expected values.

mod common;

use std::collections::HashMap;

use common::{Expected, golden, read_expected};

use albert::batch::Padding;
use albert::checkpoint::{Checkpoint, MlmBias, load_model};
use albert::device::{self, DeviceChoice, Precision};
use albert::model::Head;
use albert::tokenizer::Encoding;
use albert::training::finetune::{Answer, FineTuning, TaskLoss, TrainingExample};
use albert::training::{
    Moments, Objective, Optimizer, OptimizerKind, Parameter, Parameters, Replicas, global_norm,
};

fn rows(values: &HashMap<String, Expected>) -> Vec<Encoding> {
    let [count, length] = values["input_ids"].shape[..] else { panic!("a matrix") };
    let row = |name: &str, i: usize, own: usize| {
        values[name].ints[i * length..i * length + own].iter().map(|n| *n as u32).collect::<Vec<u32>>()
    };
    (0..count)
        .map(|i| {
            let own = row("attention_mask", i, length).iter().filter(|m| **m == 1).count();
            Encoding {
                ids: row("input_ids", i, own),
                type_ids: row("token_type_ids", i, own),
                ..Encoding::default()
            }
        })
        .collect()
}

/// The head, the loss and the examples of a case.
fn examples(case: &str, values: &HashMap<String, Expected>) -> (Head, TaskLoss, Vec<TrainingExample>) {
    let rows = rows(values);
    let answer = &values["answer"];
    let width = answer.shape.get(1).copied().unwrap_or(1);
    let one = |i: usize, answer| TrainingExample { rows: vec![rows[i].clone()], answer };
    let all = |make: &dyn Fn(usize) -> Answer| (0..rows.len()).map(|i| one(i, make(i))).collect();
    let ints = |i: usize| &answer.ints[i * width..(i + 1) * width];
    match case {
        "labels" | "weighted" => {
            let label = |i: usize| Answer::Label(ints(i)[0] as usize);
            (Head::SequenceClassification, TaskLoss::Labels, all(&label))
        }
        "multi_label" => {
            let flags = |i: usize| Answer::Labels(ints(i).iter().map(|flag| *flag == 1).collect());
            (Head::SequenceClassification, TaskLoss::MultiLabel, all(&flags))
        }
        "regression" => {
            let number = |i: usize| Answer::Number(answer.floats[i]);
            (Head::SequenceClassification, TaskLoss::Regression, all(&number))
        }
        "tokens" => {
            let tags = |i: usize| {
                let own = &ints(i)[..rows[i].ids.len()];
                Answer::Tags(own.iter().map(|tag| usize::try_from(*tag).ok()).collect())
            };
            (Head::TokenClassification, TaskLoss::Tokens, all(&tags))
        }
        "spans" => {
            let span = |i: usize| Answer::Span(ints(i)[0] as usize, ints(i)[1] as usize);
            (Head::QuestionAnswering, TaskLoss::Spans, all(&span))
        }
        _ => {
            let mut first = 0;
            let grouped = values["choices"].ints.iter().enumerate().map(|(i, count)| {
                let own = rows[first..first + *count as usize].to_vec();
                first += *count as usize;
                TrainingExample { rows: own, answer: Answer::Choice(answer.ints[i] as usize) }
            });
            (Head::MultipleChoice, TaskLoss::Choices, grouped.collect())
        }
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |most, value| most.max(value.abs()))
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

fn a_step(case: &str, choice: DeviceChoice, micro_batch: usize) {
    let folder = golden("finetune").join(case);
    let expected = read_expected(&folder.join("expected.safetensors"));
    let (head, loss, examples) = examples(case, &expected);
    let checkpoint = Checkpoint::local(&folder).expect("a checkpoint");
    let device = device::open(choice, Precision::F32).expect("the device").device;
    let tensors = checkpoint.tensors().expect("readable");
    let (model, _) =
        load_model(&tensors, &checkpoint.config, &[head], MlmBias::default(), &device).expect("complete");
    let mut parameters = Parameters::of(&model).expect("on the host");
    let replicas = Replicas::new(&model, &parameters, &[device], micro_batch, false);
    let weights = expected.get("weights").map_or_else(Vec::new, |weights| weights.floats.clone());
    let padding = Padding { id: 0, multiple: 1, longest: 20 };
    let objective = FineTuning { loss, label_weights: weights, padding };
    let totals = objective.counts(&examples);
    let passed = replicas.gradients(&objective, &examples, &totals, &parameters, 1).expect("a pass");

    let name = format!("{case} on {choice:?} by {micro_batch}");
    let own = passed.sums[0] / totals[0];
    let wanted = f64::from(expected["loss"].floats[0]);
    assert!((own - wanted).abs() < 1e-5 * wanted.abs(), "{name}: the loss is {own}, not {wanted}");
    let evaluated = replicas.evaluate(&objective, &examples, &totals).expect("a pass");
    assert!((evaluated[0] - passed.sums[0]).abs() < 1e-5 * passed.sums[0].abs().max(1.0), "{name}");

    // Some gradients are zero up to rounding, because softmax is invariant to the bias of the keys and to that of
    // choices.
    let gradients = expected.iter().filter(|(key, _)| key.starts_with("grad."));
    let least = 2e-3 * gradients.clone().map(|(_, values)| largest(&values.floats)).fold(0.0, f32::max);
    let mut compared = 0;
    for (parameter, gradient) in parameters.tensors().iter().zip(&passed.gradients) {
        let Some(wanted) = expected.get(&format!("grad.{}", parameter.name)) else {
            assert!(gradient.iter().all(|g| *g == 0.0), "{name}: {} has no gradient", parameter.name);
            continue;
        };
        let own = stored(parameter, gradient);
        let apart = own.iter().zip(&wanted.floats).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        let apart = apart / largest(&wanted.floats).max(least);
        assert!(apart < 1e-4, "{name}: the gradient of {} is {apart} off", parameter.name);
        compared += 1;
    }
    assert_eq!(compared, gradients.count(), "{name}");

    let norm = global_norm(&passed.gradients);
    let mut moments = Moments::new(&parameters);
    let scale = (1.0 / norm.max(1.0)) as f32;
    Optimizer::new(OptimizerKind::AdamW).step(&mut parameters, &passed.gradients, scale, &mut moments, 0.001);
    for parameter in parameters.tensors() {
        let Some(wanted) = expected.get(&format!("new.{}", parameter.name)) else { continue };
        let gradient = &expected[&format!("grad.{}", parameter.name)].floats;
        let own = stored(parameter, &parameter.values);
        let all = own.iter().zip(&wanted.floats).zip(gradient);
        // Adam's first step follows the sign of the gradient, which rounding decides if the gradient is close to zero.
        for ((own, wanted), _) in all.filter(|(_, g)| g.abs() > 1e-2 * least) {
            let apart = (own - wanted).abs() / wanted.abs().max(0.01);
            assert!(apart < 1e-4, "{name}: {} became {own}, not {wanted}", parameter.name);
        }
    }
}

const CASES: [&str; 8] =
    ["labels", "weighted", "multi_label", "regression", "tokens", "spans", "choices", "uneven_choices"];

#[test]
fn a_step_of_every_head_is_that_of_pytorch() {
    for case in CASES {
        a_step(case, DeviceChoice::Flex, 100);
        a_step(case, DeviceChoice::NdArray, 100);
    }
}

#[test]
fn a_batch_in_parts_gives_the_same_step() {
    for case in CASES {
        a_step(case, DeviceChoice::Flex, 1);
    }
}
