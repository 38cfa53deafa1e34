//! Renders the predictions of tasks on texts, from their fields.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::io::{Cell, Column, ColumnType};
use crate::stream::Render;
use crate::tasks::{OnTexts, TextItem, TextTask};

impl<T: TextTask> Render for OnTexts<'_, T> {
    fn text_field(&self) -> &str {
        &self.fields.text
    }

    fn json(
        &self,
        _item: &TextItem<T::Row>,
        prediction: &Option<T::Prediction>,
    ) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(prediction.as_slice())
    }

    fn columns(&self) -> Vec<Column> {
        self.task.columns()
    }

    fn cells(
        &self,
        _item: &TextItem<T::Row>,
        prediction: &Option<T::Prediction>,
    ) -> std::result::Result<Vec<Cell>, String> {
        let value = serde_json::to_value(prediction).map_err(|e| e.to_string())?;
        Ok(self.columns().iter().map(|column| cell(value.get(&column.name), &column.kind)).collect())
    }

    /// The text, a line per field, and a line per element of a list.
    fn text(&self, item: &TextItem<T::Row>, prediction: &Option<T::Prediction>, color: bool) -> String {
        use std::fmt::Write;
        let style = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
        let mut out = item.text.text.clone();
        if let Some(pair) = &item.text.text_pair {
            out.push_str(" | ");
            out.push_str(pair);
        }
        out.push('\n');
        let fields = match serde_json::to_value(prediction) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &fields {
            let shown = name.replace('_', " ");
            let _infallible = match value {
                Value::Array(elements) => write!(out, "  {shown}\n{}", aligned(elements)),
                value => writeln!(out, "  {shown:width$}  {style}{}{style:#}", shown_value(value)),
            };
        }
        out
    }
}

/// Returns the cell of a JSON value in a column of type `kind`; null if the value is missing or has another type.
fn cell(value: Option<&Value>, kind: &ColumnType) -> Cell {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Cell::Null };
    let found = match kind {
        ColumnType::Text => value.as_str().map(|text| Cell::Text(text.to_owned())),
        ColumnType::Float => value.as_f64().map(|number| Cell::Float(number as f32)),
        ColumnType::Integer => value.as_i64().map(Cell::Integer),
        ColumnType::Json => Some(Cell::Json(value.to_string())),
        ColumnType::Vector(_) | ColumnType::HalfVector(_) => value.as_array().map(|values| {
            Cell::Vector(values.iter().map(|value| value.as_f64().unwrap_or_default() as f32).collect())
        }),
        ColumnType::List(inner) => value
            .as_array()
            .map(|values| Cell::List(values.iter().map(|value| cell(Some(value), inner)).collect())),
        ColumnType::Struct(columns) => value.as_object().map(|fields| {
            Cell::Struct(columns.iter().map(|column| cell(fields.get(&column.name), &column.kind)).collect())
        }),
    };
    found.unwrap_or(Cell::Null)
}

/// Formats the elements of a list on a line each. The values of objects form columns.
fn aligned(elements: &[Value]) -> String {
    let rows: Vec<Vec<(String, bool)>> = elements
        .iter()
        .map(|element| match element {
            Value::Object(fields) => fields.values().map(|v| (shown_value(v), v.is_number())).collect(),
            other => vec![(shown_value(other), other.is_number())],
        })
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|(cell, _)| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|((cell, is_number), &width)| {
            if *is_number { format!("{cell:>width$}") } else { format!("{cell:width$}") }
        });
        out.push_str("    ");
        out.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// Formats a value on one line: fractions with four decimals, composite values as JSON.
fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let value = json!({"name": "a", "count": 2, "score": 0.5, "list": [{"x": 1}, {"x": null}]});
        let get = |name: &str, kind: ColumnType| cell(value.get(name), &kind);
        assert_eq!(get("name", ColumnType::Text), Cell::Text("a".to_owned()));
        assert_eq!(get("name", ColumnType::Integer), Cell::Null);
        assert_eq!(get("count", ColumnType::Integer), Cell::Integer(2));
        assert_eq!(get("count", ColumnType::Float), Cell::Float(2.0));
        assert_eq!(get("score", ColumnType::Float), Cell::Float(0.5));
        assert_eq!(get("none", ColumnType::Float), Cell::Null);
        assert_eq!(get("list", ColumnType::Json), Cell::Json(r#"[{"x":1},{"x":null}]"#.to_owned()));
        let columns = ColumnType::Struct(vec![Column::new("x", ColumnType::Integer)]);
        assert_eq!(
            get("list", columns.list()),
            Cell::List(vec![Cell::Struct(vec![Cell::Integer(1)]), Cell::Struct(vec![Cell::Null])])
        );
        assert_eq!(cell(Some(&json!([1, 0.5])), &ColumnType::Vector(2)), Cell::Vector(vec![1.0, 0.5]));
    }

    #[test]
    fn values_are_shown() {
        assert_eq!(shown_value(&json!(0.123456)), "0.1235");
        assert_eq!(shown_value(&json!(3)), "3");
        let tokens = [json!({"token": "ab", "score": -1.0}), json!({"token": "c", "score": -10.5})];
        assert_eq!(aligned(&tokens), "    ab   -1.0000\n    c   -10.5000\n");
        assert_eq!(aligned(&[json!("a"), json!("b")]), "    a\n    b\n");
        assert_eq!(aligned(&[]), "");
    }
}
