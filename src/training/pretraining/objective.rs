//! ALBERT's two pretraining losses: masked language model and sentence order (paper sections 3.1 and 4.6; transformers'
//! `AlbertForPreTraining`).

use burn::tensor::{Bool, DType, Device, Int, Tensor, TensorData};

use crate::error::{Error, Result};
use crate::model::{Albert, ModelInput, OutputOptions};
use crate::ops::cross_entropy;
use crate::training::instances::Instance;
use crate::training::objective::{Loss, Objective, divisor};

/// The sum of both losses.
#[derive(Clone, Copy, Debug)]
pub struct Pretraining {
    /// The token id of padding.
    pub pad_id: u32,
    /// The multiple to which lengths are padded: GPUs compile one kernel per shape.
    pub pad_multiple: usize,
    /// The maximum length that the model supports, in tokens.
    pub longest: usize,
    /// Also train sentence order.
    pub sentence_order: bool,
    /// Weight of the sentence-order loss relative to the masked-LM loss; 1 in the paper.
    pub sentence_order_weight: f64,
}

/// Names of [`Pretraining`]'s sums.
pub const PRETRAINING_SUMS: [&str; 4] = ["mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy"];

/// Panels of [`crate::training::log::RunLog`]: title and sum.
pub const PRETRAINING_PANELS: [(&str, &str); 4] = [
    ("masked-LM loss", "mlm_loss"),
    ("masked-LM accuracy", "mlm_accuracy"),
    ("sentence-order loss", "sop_loss"),
    ("sentence-order accuracy", "sop_accuracy"),
];

impl Objective for Pretraining {
    type Example = Instance;

    fn names(&self) -> &'static [&'static str] {
        if self.sentence_order { &PRETRAINING_SUMS } else { &PRETRAINING_SUMS[..2] }
    }

    fn counts(&self, examples: &[Instance]) -> Vec<f64> {
        self.counts_of(examples.iter())
    }

    fn tokens(&self, example: &Instance) -> usize {
        example.ids.len()
    }

    fn loss(&self, model: &Albert, examples: &[Instance], totals: &[f64], device: &Device) -> Result<Loss> {
        let rows: Vec<&Instance> = examples.iter().collect();
        Ok(self.forward(model, &rows, totals, device)?.loss)
    }
}

/// The losses of some rows, and the data that another loss of the same rows needs.
pub(in crate::training) struct Forward {
    /// The pretraining losses.
    pub loss: Loss,
    /// The last hidden states, `[rows, length, H]`.
    pub states: Tensor<3>,
    /// The rows. If none of their tokens is masked, their first token is among the positions, with zero weight.
    pub rows: Batch,
    /// The weight of the masked positions: 1, or 0 if there are none.
    pub weight: f64,
}

impl Pretraining {
    /// Like [`Objective::counts`], for rows in any order.
    pub(in crate::training) fn counts_of<'a>(
        &self,
        rows: impl Iterator<Item = &'a Instance> + Clone,
    ) -> Vec<f64> {
        let masked = rows.clone().map(|i| i.masked_positions.len()).sum::<usize>() as f64;
        let ordered = rows.filter(|i| i.order_label.is_some()).count() as f64;
        if self.sentence_order { vec![masked, masked, ordered, ordered] } else { vec![masked, masked] }
    }

    /// Like [`Objective::loss`], but also returns its inputs.
    pub(in crate::training) fn forward(
        &self,
        model: &Albert,
        rows: &[&Instance],
        totals: &[f64],
        device: &Device,
    ) -> Result<Forward> {
        let mut batch = Batch::new(self, rows);
        // Rows without a masked token still need a node in the graph, with zero weight.
        let weight = if batch.labels.is_empty() { 0.0 } else { 1.0 };
        if batch.labels.is_empty() {
            batch.positions.push(0);
            batch.labels.push(0);
        }
        let out = model.albert.forward(batch.input(device), OutputOptions::default());
        let states = out.last_hidden_state;
        let mlm = model
            .masked_lm_loss(states.clone(), batch.masked(device), ints(batch.labels.clone(), device))
            .ok_or_else(|| Error::Input("the model has no masked-LM head".to_owned()))?;
        let (mlm, mlm_correct) = (mlm.loss * weight, mlm.correct * weight);
        let mut total = mlm.clone() / divisor(totals[0]);
        let mut sums = vec![mlm, mlm_correct];
        if self.sentence_order && !batch.ordered_rows.is_empty() {
            let pooled =
                out.pooler_output.ok_or_else(|| Error::Input("the model has no pooler".to_owned()))?;
            let logits = model
                .sentence_order_logits(pooled.select(0, ints(batch.ordered_rows.clone(), device)))
                .ok_or_else(|| Error::Input("the model has no sentence-order head".to_owned()))?;
            let sop = cross_entropy(logits, ints(batch.order_labels.clone(), device));
            total = total + sop.loss.clone() * (self.sentence_order_weight / divisor(totals[2]));
            sums.extend([sop.loss, sop.correct]);
        }
        sums.resize_with(self.names().len(), || Tensor::zeros([1], (device, DType::F32)));
        let loss = Loss { total, sums: Tensor::cat(sums, 0) };
        Ok(Forward { loss, states, rows: batch, weight })
    }
}

/// Instances padded to the longest one, as flat lists.
pub(in crate::training) struct Batch {
    rows: usize,
    length: usize,
    ids: Vec<i64>,
    types: Vec<i64>,
    padding: Vec<bool>,
    positions: Vec<i64>,
    labels: Vec<i64>,
    ordered_rows: Vec<i64>,
    order_labels: Vec<i64>,
}

impl Batch {
    fn new(options: &Pretraining, examples: &[&Instance]) -> Self {
        let longest = examples.iter().map(|i| i.ids.len()).max().unwrap_or(0);
        let multiple = options.pad_multiple.max(1);
        let length = longest.next_multiple_of(multiple).min(options.longest.max(longest));
        let mut batch = Self {
            rows: examples.len(),
            length,
            ids: vec![i64::from(options.pad_id); examples.len() * length],
            types: vec![0; examples.len() * length],
            padding: vec![true; examples.len() * length],
            positions: Vec::new(),
            labels: Vec::new(),
            ordered_rows: Vec::new(),
            order_labels: Vec::new(),
        };
        for (row, instance) in examples.iter().enumerate() {
            let start = row * length;
            let end = start + instance.ids.len();
            for (to, id) in batch.ids[start..end].iter_mut().zip(&instance.ids) {
                *to = i64::from(*id);
            }
            batch.types[start + instance.segment_b.min(instance.ids.len())..end].fill(1);
            batch.padding[start..end].fill(false);
            batch.positions.extend(instance.masked_positions.iter().map(|p| start as i64 + i64::from(*p)));
            batch.labels.extend(instance.masked_labels.iter().map(|id| i64::from(*id)));
            if let Some(label) = instance.order_label {
                batch.ordered_rows.push(row as i64);
                batch.order_labels.push(i64::from(label));
            }
        }
        batch
    }

    /// The flat positions of the masked tokens, `[n]`.
    pub(in crate::training) fn masked(&self, device: &Device) -> Tensor<1, Int> {
        ints(self.positions.clone(), device)
    }

    /// The input of a model.
    pub(in crate::training) fn input(&self, device: &Device) -> ModelInput {
        let size = [self.rows, self.length];
        let grid =
            |values: &[i64]| Tensor::<2, Int>::from_data(TensorData::new(values.to_vec(), size), device);
        let hidden = || Tensor::<2, Bool>::from_data(TensorData::new(self.padding.clone(), size), device);
        ModelInput {
            input_ids: grid(&self.ids),
            token_type_ids: grid(&self.types),
            padding: self.padding.contains(&true).then(hidden),
        }
    }
}

fn ints(values: Vec<i64>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}
