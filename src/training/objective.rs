//! Training objectives.

use burn::tensor::{Device, Tensor};

use crate::error::Result;
use crate::model::Albert;

/// A loss over examples. Every sum is divided by a count over the complete batch that is known in advance, so that the
/// gradients add up to the same total however a batch is split over micro-batches, devices and machines.
pub trait Objective: Sync {
    /// One row of a batch.
    type Example: Send + Sync;

    /// Names of the sums returned by [`Objective::loss`], for the logs. [`Objective::counts`] returns their denominators.
    fn names(&self) -> &'static [&'static str];

    /// The denominator of each sum of [`Objective::loss`]: masked tokens, rows, ...
    fn counts(&self, examples: &[Self::Example]) -> Vec<f64>;

    /// The number of tokens computed for a row, for grouping and throughput.
    fn tokens(&self, example: &Self::Example) -> usize;

    /// Computes the loss of some rows of a batch whose counts are `totals`: the total `[1]`, for the backward pass, and
    /// the sums `[n]` in f32, which the logs show divided by the counts.
    ///
    /// # Errors
    /// If the model lacks a head or an example does not fit it.
    fn loss(
        &self,
        model: &Albert,
        examples: &[Self::Example],
        totals: &[f64],
        device: &Device,
    ) -> Result<Loss>;
}

/// Result of [`Objective::loss`].
pub struct Loss {
    /// The loss to differentiate, `[1]`.
    pub total: Tensor<1>,
    /// One sum for each name, `[n]`.
    pub sums: Tensor<1>,
}

/// The divisor of a sum whose count is `total`. A count may be below one, because it is divided by the loss scale. For a
/// count of zero the sum is empty, so any divisor will do.
pub(in crate::training) fn divisor(total: f64) -> f64 {
    if total > 0.0 { total } else { 1.0 }
}
