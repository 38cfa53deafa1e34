//! The pretraining losses plus the loss of a teacher.

use burn::tensor::{DType, Device, Tensor};

use super::losses::{divergence, sentence_vectors, vector_loss};
use super::sentences::SentencePair;
use super::teacher::{Signal, Teacher};
use crate::batch::{Padding, model_input};
use crate::error::{Error, Result};
use crate::model::{Albert, OutputOptions};
use crate::tokenizer::Encoding;
use crate::training::instances::Instance;
use crate::training::objective::{Loss, Objective, divisor};
use crate::training::pretraining::{Batch, PRETRAINING_PANELS, Pretraining};

/// A row of text, or sentences whose similarities are compared.
#[derive(Clone, Debug)]
pub enum DistillExample {
    /// Masked text.
    Text(Instance),
    /// A group of sentences.
    Sentences(Vec<SentencePair>),
}

/// The pretraining losses, plus the weighted distillation loss.
pub struct Distillation {
    /// The losses of the text.
    pub text: Pretraining,
    /// The teacher.
    pub teacher: Teacher,
    /// The teacher's knowledge to learn.
    pub signal: Signal,
    /// The weight of the distillation loss relative to the masked-LM loss.
    pub weight: f64,
    /// The number of tokens that both vocabularies have in common. Logits of later ids are ignored.
    pub vocabulary: usize,
}

/// Names of [`Distillation`]'s sums, in addition to those of [`Pretraining`] before the last.
pub const DISTILLATION_SUMS: [&str; 5] =
    ["mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy", "distill_loss"];

/// The names if sentence order is not trained.
const SUMS_WITHOUT_ORDER: [&str; 3] = ["mlm_loss", "mlm_accuracy", "distill_loss"];

/// Panels of [`crate::training::log::RunLog`]: title and sum.
pub const DISTILLATION_PANELS: [(&str, &str); 5] = {
    let [a, b, c, d] = PRETRAINING_PANELS;
    [a, b, c, d, ("distillation loss", "distill_loss")]
};

impl Distillation {
    fn rows(examples: &[DistillExample]) -> impl Iterator<Item = &Instance> + Clone {
        examples.iter().filter_map(|example| match example {
            DistillExample::Text(instance) => Some(instance),
            DistillExample::Sentences(_) => None,
        })
    }

    fn groups(examples: &[DistillExample]) -> impl Iterator<Item = &[SentencePair]> {
        examples.iter().filter_map(|example| match example {
            DistillExample::Sentences(group) if !group.is_empty() => Some(group.as_slice()),
            _ => None,
        })
    }

    /// The loss of a group of sentences, times their number.
    fn vectors(&self, model: &Albert, group: &[SentencePair], device: &Device) -> Result<Tensor<1>> {
        let [own, teacher]: [Vec<&Encoding>; 2] = [
            group.iter().map(|pair| &pair.student).collect(),
            group.iter().map(|pair| &pair.teacher).collect(),
        ];
        let target = self.teacher.vectors(&teacher, device)?;
        let padding =
            Padding { id: self.text.pad_id, multiple: self.text.pad_multiple, longest: self.text.longest };
        let input = model_input(own.iter().copied(), padding, device);
        let states = model.albert.encode(input, OutputOptions::default()).last_hidden_state;
        Ok(vector_loss(sentence_vectors(states, own.iter().copied(), device), target))
    }

    /// The divergence at the masked tokens of `rows`, summed.
    fn logits(&self, model: &Albert, states: Tensor<3>, rows: &Batch, device: &Device) -> Result<Tensor<1>> {
        let target = self.teacher.masked_lm_logits(rows, device)?;
        let own = model
            .masked_lm_logits(states, rows.masked(device))
            .ok_or_else(|| Error::Input("the model has no masked-LM head".to_owned()))?;
        let common = |logits: Tensor<2>| {
            let [_, width] = logits.dims();
            logits.narrow(1, 0, self.vocabulary.min(width))
        };
        Ok(divergence(common(own), common(target)))
    }
}

impl Objective for Distillation {
    type Example = DistillExample;

    fn names(&self) -> &'static [&'static str] {
        if self.text.sentence_order { &DISTILLATION_SUMS } else { &SUMS_WITHOUT_ORDER }
    }

    fn counts(&self, examples: &[DistillExample]) -> Vec<f64> {
        let mut counts = self.text.counts_of(Self::rows(examples));
        counts.push(match self.signal {
            Signal::Vectors => Self::groups(examples).map(<[_]>::len).sum::<usize>() as f64,
            Signal::Logits => counts[0],
        });
        counts
    }

    fn tokens(&self, example: &DistillExample) -> usize {
        match example {
            DistillExample::Text(instance) => instance.ids.len(),
            DistillExample::Sentences(group) => group.iter().map(|pair| pair.student.ids.len()).sum(),
        }
    }

    fn loss(
        &self,
        model: &Albert,
        examples: &[DistillExample],
        totals: &[f64],
        device: &Device,
    ) -> Result<Loss> {
        let last = totals.len().saturating_sub(1);
        let zeros = |count: usize| Tensor::<1>::zeros([count], (device, DType::F32));
        let rows: Vec<&Instance> = Self::rows(examples).collect();
        let (mut total, mut sums, mut distilled) = (zeros(1), zeros(last), zeros(1));
        if !rows.is_empty() {
            let text = self.text.forward(model, &rows, &totals[..last], device)?;
            if self.signal == Signal::Logits {
                distilled = self.logits(model, text.states, &text.rows, device)? * text.weight;
            }
            (total, sums) = (text.loss.total, text.loss.sums);
        }
        if self.signal == Signal::Vectors {
            for group in Self::groups(examples) {
                distilled = distilled + self.vectors(model, group, device)?;
            }
        }
        let count = totals.last().copied().unwrap_or(0.0);
        let total = total + distilled.clone() * (self.weight / divisor(count));
        Ok(Loss { total, sums: Tensor::cat(vec![sums, distilled], 0) })
    }
}
