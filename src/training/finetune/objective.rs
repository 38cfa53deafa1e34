//! The losses of the task heads (transformers 4.57 `modeling_albert.py`: `AlbertForSequenceClassification`,
//! `AlbertForTokenClassification`, `AlbertForQuestionAnswering`, `AlbertForMultipleChoice`).

use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData, activation};

use serde::{Deserialize, Serialize};

use crate::batch::{Padding, model_input};
use crate::error::{Error, Result};
use crate::model::{Albert, OutputOptions};
use crate::tokenizer::Encoding;
use crate::training::objective::{Loss, Objective};

/// Target of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// One label.
    Label(usize),
    /// For each label, whether it applies.
    Labels(Vec<bool>),
    /// A regression target.
    Number(f32),
    /// The label of each token of the row; `None` for tokens that are ignored.
    Tags(Vec<Option<usize>>),
    /// The columns of the first and the last token of the answer, or the column of `[CLS]` twice for no answer.
    Span(usize, usize),
    /// The index of the correct row.
    Choice(usize),
}

/// An encoded labelled example.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingExample {
    /// One row, or one per alternative for multiple choice.
    pub rows: Vec<Encoding>,
    /// The target.
    pub answer: Answer,
}

/// The kind of loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskLoss {
    /// Cross entropy over labels.
    Labels,
    /// Binary cross entropy, averaged over texts and labels.
    MultiLabel,
    /// Squared error.
    Regression,
    /// Cross entropy over the labels of tokens.
    Tokens,
    /// Mean of the cross entropies of the first and the last token of the answer.
    Spans,
    /// Cross entropy over the alternatives.
    Choices,
}

/// The loss of a task head.
#[derive(Clone, Debug)]
pub struct FineTuning {
    /// The kind of loss.
    pub loss: TaskLoss,
    /// Class weights (PyTorch's `CrossEntropyLoss(weight=...)`) for [`TaskLoss::Labels`] and [`TaskLoss::Tokens`]. Empty
    /// means equal weights.
    pub label_weights: Vec<f32>,
    /// How rows are padded.
    pub padding: Padding,
}

/// The logit of positions that cannot be chosen.
const NO_CANDIDATE: f64 = -3e4;

impl Objective for FineTuning {
    type Example = TrainingExample;

    fn names(&self) -> &'static [&'static str] {
        match self.loss {
            TaskLoss::Regression => &["loss"],
            _ => &["loss", "accuracy"],
        }
    }

    fn counts(&self, examples: &[TrainingExample]) -> Vec<f64> {
        let rows = examples.len() as f64;
        let labels = || examples.iter().flat_map(|example| labels(&example.answer));
        match self.loss {
            TaskLoss::Regression => vec![rows],
            TaskLoss::Spans | TaskLoss::Choices => vec![rows, rows],
            TaskLoss::MultiLabel => {
                let cells: usize = examples.iter().map(|example| flags(&example.answer).len()).sum();
                vec![cells as f64, cells as f64]
            }
            TaskLoss::Labels | TaskLoss::Tokens => {
                vec![labels().map(|label| f64::from(self.weight(label))).sum(), labels().count() as f64]
            }
        }
    }

    fn tokens(&self, example: &TrainingExample) -> usize {
        example.rows.iter().map(|row| row.ids.len()).sum()
    }

    fn loss(
        &self,
        model: &Albert,
        examples: &[TrainingExample],
        totals: &[f64],
        device: &Device,
    ) -> Result<Loss> {
        let rows: Vec<&Encoding> = examples.iter().flat_map(|example| &example.rows).collect();
        let input = model_input(rows.iter().copied(), self.padding, device);
        let [_, length] = input.input_ids.dims();
        let out = model.albert.forward(input, OutputOptions::default());
        let pooled = || out.pooler_output.clone().ok_or_else(|| missing("pooler"));
        let sequence = || model.sequence_logits(pooled()?).ok_or_else(|| missing("classification"));
        let states = || out.last_hidden_state.clone();
        let (loss, correct) = match self.loss {
            TaskLoss::Labels => {
                let all: Vec<usize> = examples.iter().flat_map(|example| labels(&example.answer)).collect();
                self.labelled(sequence()?, &all, device)
            }
            TaskLoss::Tokens => {
                let logits = model.token_logits(states()).ok_or_else(|| missing("token-classification"))?;
                let [batch, length, count] = logits.dims();
                let (places, all) = tagged(examples, length);
                if all.is_empty() {
                    // Tokens without labels still need a node in the graph, with zero weight.
                    (logits.cast(DType::F32).sum() * 0.0, zero(device))
                } else {
                    let flat = logits.reshape([batch * length, count]).select(0, ints(&places, device));
                    self.labelled(flat, &all, device)
                }
            }
            TaskLoss::MultiLabel => multi_label(sequence()?, examples, device),
            TaskLoss::Regression => {
                let right: Vec<f32> = examples.iter().map(|example| number(&example.answer)).collect();
                let logits = sequence()?.cast(DType::F32).narrow(1, 0, 1).squeeze_dim::<1>(1);
                let apart = logits - floats(right, device);
                ((apart.clone() * apart).sum(), zero(device))
            }
            TaskLoss::Spans => {
                let logits = model.span_logits(states()).ok_or_else(|| missing("question-answering"))?;
                spans(logits, examples, length, device)
            }
            TaskLoss::Choices => self.choices(sequence()?, examples, device),
        };
        // Without a labelled token, or if all class weights are 0, the loss is 0.
        let total = loss.clone() / if totals[0] > 0.0 { totals[0] } else { 1.0 };
        let sums = match self.loss {
            TaskLoss::Regression => loss,
            _ => Tensor::cat(vec![loss, correct], 0),
        };
        Ok(Loss { total, sums })
    }
}

impl FineTuning {
    fn weight(&self, label: usize) -> f32 {
        self.label_weights.get(label).copied().unwrap_or(1.0)
    }

    /// Cross entropy of logits `[n, labels]`, each row weighted by its label.
    fn labelled(&self, logits: Tensor<2>, labels: &[usize], device: &Device) -> (Tensor<1>, Tensor<1>) {
        let (losses, correct) = cross_entropies(logits, labels, device);
        if self.label_weights.is_empty() {
            return (losses.sum(), correct);
        }
        let weights = labels.iter().map(|label| self.weight(*label)).collect();
        ((losses * floats(weights, device)).sum(), correct)
    }

    /// Cross entropy over the alternatives of each example, whose logits `[rows, 1]` are consecutive.
    fn choices(
        &self,
        logits: Tensor<2>,
        examples: &[TrainingExample],
        device: &Device,
    ) -> (Tensor<1>, Tensor<1>) {
        let most = examples.iter().map(|example| example.rows.len()).max().unwrap_or(1);
        let mut places = Vec::with_capacity(examples.len() * most);
        let mut absent = Vec::with_capacity(places.capacity());
        let mut first = 0;
        for example in examples {
            let own = example.rows.len();
            places.extend((0..most).map(|i| (first + i.min(own.saturating_sub(1))) as i64));
            absent.extend((0..most).map(|i| i >= own));
            first += own;
        }
        let size = [examples.len(), most];
        let logits =
            logits.narrow(1, 0, 1).squeeze_dim::<1>(1).select(0, ints(&places, device)).reshape(size);
        let absent = Tensor::<2, Bool>::from_data(TensorData::new(absent, size), device);
        let logits = logits.cast(DType::F32).mask_fill(absent, NO_CANDIDATE);
        let right: Vec<usize> = examples.iter().flat_map(|example| labels(&example.answer)).collect();
        let (losses, correct) = cross_entropies(logits, &right, device);
        (losses.sum(), correct)
    }
}

/// Cross entropy of each row of logits `[n, classes]` in f32, and the number of correct predictions.
fn cross_entropies(logits: Tensor<2>, labels: &[usize], device: &Device) -> (Tensor<1>, Tensor<1>) {
    let logits = logits.cast(DType::F32);
    let labels: Vec<i64> = labels.iter().map(|label| *label as i64).collect();
    let index = ints(&labels, device).unsqueeze_dim::<2>(1);
    let best = logits.clone().detach().argmax(1);
    let correct = best.equal(index.clone()).float().cast(DType::F32).sum();
    let losses = activation::log_softmax(logits, 1).gather(1, index).squeeze_dim::<1>(1).neg();
    (losses, correct)
}

/// PyTorch's `BCEWithLogitsLoss`, summed: max(x, 0) - x y + ln(1 + exp(-|x|)).
fn multi_label(logits: Tensor<2>, examples: &[TrainingExample], device: &Device) -> (Tensor<1>, Tensor<1>) {
    let logits = logits.cast(DType::F32);
    let right: Vec<f32> = examples
        .iter()
        .flat_map(|example| flags(&example.answer).iter().map(|flag| f32::from(u8::from(*flag))))
        .collect();
    let right = Tensor::<2>::from_data(TensorData::new(right, logits.dims()), (device, DType::F32));
    let said = logits.clone().detach().greater_elem(0.0).float().cast(DType::F32);
    let correct = said.equal(right.clone()).float().cast(DType::F32).sum();
    let losses = activation::relu(logits.clone()) - logits.clone() * right + logits.abs().neg().exp().log1p();
    (losses.sum(), correct)
}

/// Loss of logits `[rows, length, 2]` for the given answer columns. Padding is not a candidate. In transformers it takes part
/// in the softmax, so that the loss of a row depends on the longest row of its batch.
fn spans(
    logits: Tensor<3>,
    examples: &[TrainingExample],
    length: usize,
    device: &Device,
) -> (Tensor<1>, Tensor<1>) {
    let logits = logits.cast(DType::F32);
    let mut padding = Vec::with_capacity(examples.len() * length);
    for example in examples {
        let own = example.rows.first().map_or(0, |row| row.ids.len());
        padding.extend((0..length).map(|column| column >= own));
    }
    let padding = Tensor::<2, Bool>::from_data(TensorData::new(padding, [examples.len(), length]), device);
    let side = |which: usize| {
        let logits = logits.clone().narrow(2, which, 1).squeeze_dim::<2>(2);
        logits.mask_fill(padding.clone(), NO_CANDIDATE)
    };
    let (starts, ends): (Vec<usize>, Vec<usize>) = examples
        .iter()
        .map(|example| match example.answer {
            Answer::Span(start, end) => (start.min(length - 1), end.min(length - 1)),
            _ => (0, 0),
        })
        .unzip();
    let (first, _) = cross_entropies(side(0), &starts, device);
    let (last, _) = cross_entropies(side(1), &ends, device);
    let right = |which: usize, columns: &[usize]| {
        let columns: Vec<i64> = columns.iter().map(|column| *column as i64).collect();
        let best = side(which).detach().argmax(1);
        best.equal(ints(&columns, device).unsqueeze_dim::<2>(1)).float().cast(DType::F32)
    };
    let correct = (right(0, &starts) * right(1, &ends)).sum();
    ((first + last).sum() / 2.0, correct)
}

/// Flat positions and labels of all labelled tokens, in rows padded to `length`.
fn tagged(examples: &[TrainingExample], length: usize) -> (Vec<i64>, Vec<usize>) {
    let mut places = Vec::new();
    let mut all = Vec::new();
    for (row, example) in examples.iter().enumerate() {
        let Answer::Tags(tags) = &example.answer else { continue };
        for (column, label) in tags.iter().enumerate().filter_map(|(i, tag)| Some((i, (*tag)?))) {
            places.push((row * length + column) as i64);
            all.push(label);
        }
    }
    (places, all)
}

fn labels(answer: &Answer) -> Vec<usize> {
    match answer {
        Answer::Label(label) | Answer::Choice(label) => vec![*label],
        Answer::Tags(tags) => tags.iter().flatten().copied().collect(),
        Answer::Labels(_) | Answer::Number(_) | Answer::Span(..) => Vec::new(),
    }
}

fn flags(answer: &Answer) -> &[bool] {
    if let Answer::Labels(flags) = answer { flags } else { &[] }
}

fn number(answer: &Answer) -> f32 {
    if let Answer::Number(number) = answer { *number } else { 0.0 }
}

fn missing(which: &str) -> Error {
    Error::Input(format!("the model has no {which} head"))
}

fn zero(device: &Device) -> Tensor<1> {
    Tensor::zeros([1], (device, DType::F32))
}

fn ints(values: &[i64], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn floats(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), (device, DType::F32))
}
