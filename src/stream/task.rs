//! What a task is to a stream.

use serde_json::value::RawValue;

use super::Finite;
use crate::error::Result;
use crate::io::{Cell, Column, ColumnType, RecordBody};
use crate::tokenizer::Encoding;

/// A task on records. A record becomes one or several rows, each of which is a sequence for the model. The rows of all records
/// in a window share batches.
pub trait Task: Sync {
    /// An encoded record.
    type Item: Send + Sync;
    /// The model's output for one row.
    type Output: Finite;
    /// The prediction for a record.
    type Prediction;

    /// The JSON field for a line of plain text in the output.
    fn text_field(&self) -> &str {
        "text"
    }

    /// Encodes a record.
    ///
    /// # Errors
    /// The problem with the record.
    fn encode(&self, body: &RecordBody) -> std::result::Result<Self::Item, String>;

    /// The sequences for the model; possibly none.
    fn rows<'a>(&self, item: &'a Self::Item) -> &'a [Encoding];

    /// Returns true if text was truncated.
    fn truncated(&self, item: &Self::Item) -> bool {
        self.rows(item).iter().any(|row| row.truncated)
    }

    /// Runs the model on one batch and returns one output per row.
    ///
    /// # Errors
    /// If the device fails.
    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Self::Output>>;

    /// Computes the prediction for a record from the outputs of its rows, in order.
    ///
    /// # Errors
    /// If decoding needs the model again and the device fails.
    fn decode(&self, item: &Self::Item, outputs: Vec<Self::Output>) -> Result<Self::Prediction>;

    /// The value of `predictions` in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn json(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<Box<RawValue>>;

    /// Additional fields of the record in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn more(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<More> {
        let _unused = (item, prediction);
        Ok(More::new())
    }

    /// The columns of predictions in a table.
    fn columns(&self) -> Vec<Column> {
        vec![Column::new("predictions", ColumnType::Json)]
    }

    /// The cells of [`Self::columns`] for a record.
    ///
    /// # Errors
    /// The reason why the prediction does not fit into them, which makes the record a failed one.
    fn cells(
        &self,
        item: &Self::Item,
        prediction: &Self::Prediction,
    ) -> std::result::Result<Vec<Cell>, String> {
        let json = self.json(item, prediction).map_err(|e| e.to_string())?;
        Ok(vec![Cell::Json(json.get().to_owned())])
    }

    /// Human-readable output, with ANSI colors if `color` is set.
    fn text(&self, item: &Self::Item, prediction: &Self::Prediction, color: bool) -> String;

    /// The record in a task-specific format: [`Format::Conll`], [`Format::Squad`], [`Format::Array`].
    fn own(&self, item: &Self::Item, prediction: &Self::Prediction) -> Vec<u8> {
        self.text(item, prediction, false).into_bytes()
    }

    /// The output for a failed record in a task-specific format; empty for none.
    fn own_failure(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Additional fields of a record, by name.
pub type More = Vec<(&'static str, Box<RawValue>)>;
