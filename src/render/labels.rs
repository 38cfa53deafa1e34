//! Renders labels with scores.

use anstyle::{AnsiColor, Style};

use super::heading;
use crate::io::{Cell, Column, ColumnType};
use crate::tasks::LabelScore;

/// Returns the label columns of a table: of the best label, or lists of all.
pub(super) fn label_columns(lists: bool) -> Vec<Column> {
    let kind = |kind: ColumnType| if lists { kind.list() } else { kind };
    vec![Column::new("label", kind(ColumnType::Text)), Column::new("score", kind(ColumnType::Float))]
}

/// Returns the cells of [`label_columns`].
pub(super) fn label_cells(labels: &[LabelScore], lists: bool) -> Vec<Cell> {
    vec![
        Cell::of(labels, lists, |label| Cell::Text(label.label.clone())),
        Cell::of(labels, lists, |label| Cell::Float(label.score)),
    ]
}

/// Formats the text, followed by one line per label.
pub(super) fn label_lines(
    text: &str,
    pair: Option<&str>,
    labels: &[LabelScore],
    numbers: bool,
    color: bool,
) -> String {
    use std::fmt::Write;
    let style = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
    let mut out = heading(text, pair);
    for LabelScore { label, score } in labels {
        let _infallible = if numbers {
            writeln!(out, "  {score:>9.4}  {style}{label}{style:#}")
        } else {
            writeln!(out, "  {:>6.2} %  {style}{label}{style:#}", score * 100.0)
        };
    }
    out
}
