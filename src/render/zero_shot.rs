//! Renders labels of zero-shot classification.

use serde_json::value::RawValue;

use super::labels::{label_cells, label_columns, label_lines};
use crate::io::{Cell, Column};
use crate::stream::Render;
use crate::tasks::{LabelScore, ZeroShot, ZeroShotItem};

impl Render for ZeroShot<'_> {
    fn text_field(&self) -> &str {
        &self.options.text_field
    }

    fn json(&self, _item: &ZeroShotItem, prediction: &Vec<LabelScore>) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(prediction)
    }

    /// The best label, or lists of all labels if several may apply.
    fn columns(&self) -> Vec<Column> {
        label_columns(self.options.multi_label)
    }

    fn cells(
        &self,
        _item: &ZeroShotItem,
        prediction: &Vec<LabelScore>,
    ) -> std::result::Result<Vec<Cell>, String> {
        Ok(label_cells(prediction, self.options.multi_label))
    }

    fn text(&self, item: &ZeroShotItem, prediction: &Vec<LabelScore>, color: bool) -> String {
        label_lines(&item.text, None, prediction, false, color)
    }
}
