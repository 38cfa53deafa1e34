//! Renders labels of texts.

use serde_json::value::RawValue;

use super::labels::{label_cells, label_columns, label_lines};
use crate::io::{Cell, Column};
use crate::stream::Render;
use crate::tasks::{Classify, ClassifyItem, Function, LabelScore};

impl Render for Classify<'_> {
    fn text_field(&self) -> &str {
        &self.options.fields.text
    }

    fn json(&self, _item: &ClassifyItem, prediction: &Vec<LabelScore>) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(prediction)
    }

    fn columns(&self) -> Vec<Column> {
        label_columns(self.options.top_k != Some(1))
    }

    fn cells(
        &self,
        _item: &ClassifyItem,
        prediction: &Vec<LabelScore>,
    ) -> std::result::Result<Vec<Cell>, String> {
        Ok(label_cells(prediction, self.options.top_k != Some(1)))
    }

    fn text(&self, item: &ClassifyItem, prediction: &Vec<LabelScore>, color: bool) -> String {
        let pair = item.text.text_pair.as_deref();
        label_lines(&item.text.text, pair, prediction, self.function == Function::None, color)
    }
}
