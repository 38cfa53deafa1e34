//! Renders choices.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;

use crate::io::{Cell, Column, ColumnType};
use crate::stream::Render;
use crate::tasks::{ChoiceScore, Choose, ChooseItem};

impl Render for Choose<'_> {
    fn text_field(&self) -> &str {
        &self.options.prompt_field
    }

    fn json(&self, _item: &ChooseItem, prediction: &Vec<ChoiceScore>) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(prediction)
    }

    /// A single column for the best choice.
    fn columns(&self) -> Vec<Column> {
        vec![
            Column::new("choice", ColumnType::Text),
            Column::new("index", ColumnType::Integer),
            Column::new("score", ColumnType::Float),
        ]
    }

    fn cells(
        &self,
        _item: &ChooseItem,
        prediction: &Vec<ChoiceScore>,
    ) -> std::result::Result<Vec<Cell>, String> {
        Ok(vec![
            Cell::of(prediction, false, |choice| Cell::Text(choice.choice.clone())),
            Cell::of(prediction, false, |choice| Cell::integer(Some(choice.index))),
            Cell::of(prediction, false, |choice| Cell::Float(choice.score)),
        ])
    }

    fn text(&self, item: &ChooseItem, prediction: &Vec<ChoiceScore>, color: bool) -> String {
        use std::fmt::Write;
        let best = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
        let mut out = format!("{}\n", item.prompt);
        for (rank, ChoiceScore { choice, score, .. }) in prediction.iter().enumerate() {
            let style = if rank == 0 { best } else { Style::new() };
            let _infallible = writeln!(out, "  {:>6.2} %  {style}{choice}{style:#}", score * 100.0);
        }
        out
    }
}
