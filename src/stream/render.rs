//! The output that a stream writes for a record.

use serde_json::value::RawValue;

use super::Task;
use crate::io::{Cell, Column, ColumnType};

/// Formats the predictions of a task. `item` is the record that was encoded.
pub trait Render: Task {
    /// The JSON field for a line of plain text in the output.
    fn text_field(&self) -> &str;

    /// The value of `predictions` in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn json(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<Box<RawValue>>;

    /// Additional fields of the record in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn extra_fields(
        &self,
        item: &Self::Item,
        prediction: &Self::Prediction,
    ) -> serde_json::Result<ExtraFields> {
        let _unused = (item, prediction);
        Ok(ExtraFields::new())
    }

    /// The columns of predictions in a table.
    fn columns(&self) -> Vec<Column> {
        vec![Column::new("predictions", ColumnType::Json)]
    }

    /// The cells of [`Self::columns`] for a record.
    ///
    /// # Errors
    /// The reason why the prediction does not fit the columns, which makes the record a failed one.
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

    /// The record in a format of the task's own: [`Format::Conll`](crate::io::Format::Conll),
    /// [`Format::Squad`](crate::io::Format::Squad), [`Format::Array`](crate::io::Format::Array).
    fn native(&self, item: &Self::Item, prediction: &Self::Prediction) -> Vec<u8> {
        self.text(item, prediction, false).into_bytes()
    }

    /// The name under which [`Self::native`] writes the record, if every name may occur only once.
    fn native_key(&self, item: &Self::Item) -> Option<String> {
        let _unused = item;
        None
    }

    /// The output for a failed record in a task-specific format; may be empty.
    fn native_failure(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Additional fields of a record, by name.
pub type ExtraFields = Vec<(&'static str, Box<RawValue>)>;
