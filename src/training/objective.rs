//! What a training run minimizes.

use burn::tensor::{Device, Tensor};

use crate::error::Result;
use crate::model::Albert;

/// A loss over examples, divided so that any split of a batch over steps, devices and machines adds up to the same
/// gradient: every sum is divided by a count over the whole batch, which is taken before.
pub trait Objective: Sync {
    /// One row of a batch.
    type Example: Send + Sync;

    /// Names of the sums that [`Objective::loss`] returns, for logs: what [`Objective::counts`] counts are their
    /// denominators.
    fn names(&self) -> &'static [&'static str];

    /// For each sum of [`Objective::loss`], how much it is divided by: masked tokens, rows, ...
    fn counts(&self, examples: &[Self::Example]) -> Vec<f64>;

    /// Tokens of a row as computed, for grouping and for throughput.
    fn tokens(&self, example: &Self::Example) -> usize;

    /// The loss of some rows of a batch whose counts are `totals`, for the backward pass, `[1]`; and the sums, `[n]`
    /// in 32-bit floats, that logs show divided by the counts.
    ///
    /// # Errors
    /// When the model lacks a head or an example does not fit it.
    fn loss(
        &self,
        model: &Albert,
        examples: &[Self::Example],
        totals: &[f64],
        device: &Device,
    ) -> Result<Loss>;
}

/// What [`Objective::loss`] computes.
pub struct Loss {
    /// To be differentiated, `[1]`.
    pub total: Tensor<1>,
    /// One sum per name, `[n]`.
    pub sums: Tensor<1>,
}
