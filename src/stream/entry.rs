//! The output entry of a record.

use serde_json::value::RawValue;

use super::{ExtraFields, Render};
use crate::error::{Error, Result, counted};
use crate::io::{Cell, Fields, Record, RecordBody, RecordReader, TableColumns, TableRow, columns_of_records};

pub(super) fn unwritable(e: serde_json::Error) -> Error {
    Error::Output { name: "a record".to_owned(), source: e.into() }
}

pub(super) fn raw<V: serde::Serialize>(value: &V) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(unwritable)
}

/// The output object of a record: its own fields (`text_field` for a line of text; for one that could not be parsed, its
/// number as `line`, or as `record` or `row` where these are counted), then `extra`.
pub(super) fn object(record: &mut Record, text_field: &str, extra: ExtraFields) -> Result<Vec<u8>> {
    let line = raw(&record.line)?;
    let mut fields = match own_fields(record, text_field)? {
        Some(fields) => fields,
        None => {
            let mut fields = Fields::default();
            fields.set(counted(&record.source).unwrap_or("line"), line);
            fields
        }
    };
    for (name, value) in extra {
        fields.set(name, value);
    }
    fields.to_json().map_err(unwritable)
}

/// The row of a record in a table. If a record could not be parsed, the error contains its number.
pub(super) fn table_row(
    record: &mut Record,
    text_field: &str,
    cells: std::result::Result<Vec<Cell>, String>,
) -> Result<TableRow> {
    let is_text = matches!(record.body, Ok(RecordBody::Text(_)));
    let line = record.line;
    Ok(match own_fields(record, text_field)? {
        Some(fields) => TableRow { fields, cells, is_text },
        None => {
            let counted = counted(&record.source).unwrap_or("line");
            let cells = cells.map_err(|problem| format!("{counted} {line}: {problem}"));
            TableRow { fields: Fields::default(), cells, is_text }
        }
    })
}

/// The columns of the table for the complete file, if `reader` reads a shard of a file whose records have no fixed
/// columns.
pub(super) fn columns_of_complete_file<T: Render>(
    task: &T,
    reader: &RecordReader,
) -> Result<Option<TableColumns>> {
    let Some(whole) = reader.whole()? else { return Ok(None) };
    let rows = std::iter::from_fn(|| whole.wait()).map_while(Result::ok);
    let rows = rows.map_while(|mut record| table_row(&mut record, task.text_field(), Ok(Vec::new())).ok());
    Ok(Some(columns_of_records(rows)))
}

/// Takes the fields out of a record; `None` if it could not be parsed.
fn own_fields(record: &mut Record, text_field: &str) -> Result<Option<Fields>> {
    Ok(match std::mem::replace(&mut record.body, Err(String::new())) {
        Ok(RecordBody::Object(fields)) => Some(fields),
        Ok(RecordBody::Text(text)) => {
            let mut fields = Fields::default();
            fields.set(text_field, raw(&text)?);
            Some(fields)
        }
        Err(_) => None,
    })
}
