//! Sources of training rows.

use serde_json::Value;

use crate::error::Result;

/// An endless, repeatable sequence of rows. All processes plan the batches in the same way, which is cheap. Each process
/// then builds only its own share of the rows.
pub trait Source {
    /// The plan of a row.
    type Plan;
    /// A row.
    type Example: Send + Sync;

    /// Plans the next `rows` rows.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn next_batch(&mut self, rows: usize) -> Result<Vec<Self::Plan>>;

    /// Builds the planned rows, in order.
    ///
    /// # Errors
    /// If the data cannot be read.
    fn materialize(&self, plans: &[Self::Plan]) -> Result<Vec<Self::Example>>;

    /// The number of passes over the data so far, including a partial one.
    fn epoch(&self) -> f64;

    /// The current position, to be stored in a checkpoint.
    fn position(&self) -> Value;

    /// Continues from a stored position.
    ///
    /// # Errors
    /// If the position does not belong to this source.
    fn seek(&mut self, position: &Value) -> Result<()>;
}
