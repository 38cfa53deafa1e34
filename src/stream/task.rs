//! The interface between a task and a stream.

use super::Finite;
use crate::error::Result;
use crate::io::RecordBody;
use crate::tokenizer::Encoding;

/// A task on records. Each record becomes one or more rows, each of which is a sequence for the model. The rows of all
/// records in a window share batches.
pub trait Task: Sync {
    /// An encoded record.
    type Item: Send + Sync;
    /// A sequence for the model, with the data that [`Self::forward`] needs.
    type Row: AsRef<Encoding>;
    /// The model's output for one row.
    type Output: Finite;
    /// The prediction for a record.
    type Prediction;

    /// Encodes a record.
    ///
    /// # Errors
    /// The problem with the record.
    fn encode(&self, body: &RecordBody) -> std::result::Result<Self::Item, String>;

    /// Approximate number of rows per record, not counting the additional rows of long texts. Windows hold fewer records
    /// if it is large.
    fn rows_per_record(&self) -> usize {
        1
    }

    /// The sequences for the model; possibly none.
    fn rows<'a>(&self, item: &'a Self::Item) -> &'a [Self::Row];

    /// Returns true if text was truncated.
    fn truncated(&self, item: &Self::Item) -> bool {
        self.rows(item).iter().any(|row| row.as_ref().truncated)
    }

    /// Runs the model on one batch and returns one output per row.
    ///
    /// # Errors
    /// If the device fails.
    fn forward(&self, rows: &[&Self::Row]) -> Result<Vec<Self::Output>>;

    /// Computes the prediction for a record from the outputs of its rows, in order.
    ///
    /// # Errors
    /// If the tokenizer cannot decode its own ids.
    fn decode(&self, item: &Self::Item, outputs: Vec<Self::Output>) -> Result<Self::Prediction>;
}
