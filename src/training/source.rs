//! Where a training run takes its rows from.

use serde_json::Value;

use crate::error::Result;

/// An endless, repeatable sequence of rows. Which rows make a batch is planned by all processes alike and at little cost;
/// each process makes its own share of them.
pub trait Source {
    /// What a row will be made of.
    type Plan;
    /// A row.
    type Example: Send + Sync;

    /// The next `rows` rows.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn next_batch(&mut self, rows: usize) -> Result<Vec<Self::Plan>>;

    /// Makes rows, in order.
    ///
    /// # Errors
    /// When the data cannot be read.
    fn realize(&self, plans: &[Self::Plan]) -> Result<Vec<Self::Example>>;

    /// How often all data was seen, whole and in part.
    fn epoch(&self) -> f64;

    /// Where the sequence stands, to be kept in a checkpoint.
    fn position(&self) -> Value;

    /// Goes on from a position kept before.
    ///
    /// # Errors
    /// When the position is not one of this source.
    fn seek(&mut self, position: &Value) -> Result<()>;
}
