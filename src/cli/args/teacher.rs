//! Arguments of distillation.

use clap::Args;

use albert::training::distillation::Signal;

use super::values::positive;

/// The teacher of a pretraining run.
#[derive(Args, Debug)]
pub(crate) struct TeacherArgs {
    /// Also learn from this model: directory, file, or hub id
    ///
    /// The teacher is not trained. Its loss is added to the others and reported as distill_loss. Each step also runs the
    /// teacher. On several devices, each device has a copy of it.
    #[arg(long, value_name = "MODEL", help_heading = "Distillation")]
    pub teacher: Option<String>,
    /// Knowledge to learn from the teacher [default: vectors]
    ///
    /// For vectors, each step takes one unmasked sentence of each row. Its vector is the mean of the last hidden states, scaled
    /// to unit length. The loss is the mean of one minus the cosine of both models' vectors, plus the mean squared difference of
    /// the similarities between up to 32 sentences. If the hidden sizes differ, only the similarities are compared. The teacher
    /// may have any tokenizer. It reads the text as the student's tokenizer normalizes it.
    ///
    /// For logits, the loss is the Kullback-Leibler divergence at masked tokens. Both models must have the same vocabulary.
    #[arg(long, value_name = "WHAT", requires = "teacher", help_heading = "Distillation")]
    pub distill: Option<Signal>,
    /// Weight of the distillation loss relative to the masked-LM loss [default: 4 for vectors, 1 for logits]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true, requires = "teacher", value_parser = positive, help_heading = "Distillation")]
    pub distill_weight: Option<f64>,
}

impl TeacherArgs {
    /// The choice of `--distill`.
    pub(crate) fn signal(&self) -> Signal {
        self.distill.map_or(Signal::Vectors, Signal::from)
    }

    /// The choice of `--distill-weight`.
    pub(crate) fn weight(&self) -> f64 {
        self.distill_weight.unwrap_or(match self.signal() {
            Signal::Vectors => 4.0,
            Signal::Logits => 1.0,
        })
    }
}
