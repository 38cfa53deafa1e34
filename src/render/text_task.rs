//! Renders the predictions of tasks on texts, from their fields.

use anstyle::{AnsiColor, Style};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::heading;
use crate::io::{Cell, Column, ColumnType};
use crate::padding::{padded, right_aligned, widest};
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
        let columns = self.columns();
        let Value::Object(mut fields) = serde_json::to_value(prediction).map_err(|e| e.to_string())? else {
            return Ok(columns.iter().map(|_| Cell::Null).collect());
        };
        let cells = columns.iter().map(|column| cell(fields.remove(&column.name), column)).collect();
        match fields.keys().next() {
            None => cells,
            Some(name) => Err(format!("the task has no column for its field \"{name}\"")),
        }
    }

    /// The text, a line per field, and a line per element of a list.
    fn text(&self, item: &TextItem<T::Row>, prediction: &Option<T::Prediction>, color: bool) -> String {
        use std::fmt::Write;
        let style = if color { AnsiColor::Green.on_default().bold() } else { Style::new() };
        let mut out = heading(&item.text.text, item.text.text_pair.as_deref());
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

/// Returns the cell of a JSON value; null if the value is missing or null.
///
/// # Errors
/// If the value does not have the type of the column.
fn cell(value: Option<Value>, column: &Column) -> std::result::Result<Cell, String> {
    let wrong = |value: &Value| format!("{value} does not fit the column \"{}\"", column.name);
    let of = |kind: &ColumnType| Column::new(&column.name, kind.clone());
    Ok(match (value.unwrap_or(Value::Null), &column.kind) {
        (Value::Null, _) => Cell::Null,
        (Value::String(text), ColumnType::Text) => Cell::Text(text),
        (Value::Number(number), ColumnType::Float) => {
            Cell::float(number.as_f64().map(|number| number as f32))
        }
        (Value::Number(number), ColumnType::Integer) if number.as_i64().is_some() => {
            number.as_i64().map_or(Cell::Null, Cell::Integer)
        }
        (value, ColumnType::Json) => Cell::Json(value.to_string()),
        (Value::Array(values), ColumnType::Vector(_) | ColumnType::HalfVector(_)) => {
            let number = |value: &Value| value.as_f64().map(|n| n as f32).ok_or_else(|| wrong(value));
            Cell::Vector(values.iter().map(number).collect::<std::result::Result<_, _>>()?)
        }
        (Value::Array(values), ColumnType::List(inner)) => {
            let inner = of(inner);
            let cells = values.into_iter().map(|value| cell(Some(value), &inner));
            Cell::List(cells.collect::<std::result::Result<_, _>>()?)
        }
        (Value::Object(mut fields), ColumnType::Struct(columns)) => {
            let cells = columns.iter().map(|column| cell(fields.remove(&column.name), column));
            Cell::Struct(cells.collect::<std::result::Result<_, _>>()?)
        }
        (value, _) => return Err(wrong(&value)),
    })
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
        widest(cells.map(|(cell, _)| cell))
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|((cell, is_number), &width)| {
            if *is_number { right_aligned(cell, width) } else { padded(cell, width) }
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
        let get = |name: &str, kind: ColumnType| cell(value.get(name).cloned(), &Column::new(name, kind));
        assert_eq!(get("name", ColumnType::Text), Ok(Cell::Text("a".to_owned())));
        assert_eq!(get("count", ColumnType::Integer), Ok(Cell::Integer(2)));
        assert_eq!(get("count", ColumnType::Float), Ok(Cell::Float(2.0)));
        assert_eq!(get("score", ColumnType::Float), Ok(Cell::Float(0.5)));
        assert_eq!(get("none", ColumnType::Float), Ok(Cell::Null));
        assert_eq!(get("list", ColumnType::Json), Ok(Cell::Json(r#"[{"x":1},{"x":null}]"#.to_owned())));
        let columns = ColumnType::Struct(vec![Column::new("x", ColumnType::Integer)]);
        assert_eq!(
            get("list", columns.list()),
            Ok(Cell::List(vec![Cell::Struct(vec![Cell::Integer(1)]), Cell::Struct(vec![Cell::Null])]))
        );
        let vector = Column::new("v", ColumnType::Vector(2));
        assert_eq!(cell(Some(json!([1, 0.5])), &vector), Ok(Cell::Vector(vec![1.0, 0.5])));
        for (name, kind) in
            [("name", ColumnType::Integer), ("score", ColumnType::Integer), ("list", ColumnType::Text)]
        {
            assert!(get(name, kind).is_err_and(|e| e.contains(&format!("the column \"{name}\""))));
        }
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
