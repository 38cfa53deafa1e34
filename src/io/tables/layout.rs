//! The columns and rows of an output table.

use super::delimited::{is_unfit, plain};
use super::{Cell, Column, TableColumns, TableKind};
use crate::io::fields::Fields;

/// Maximum number of records whose fields determine the header, unless the input has columns.
pub(super) const HEADER_RECORDS: usize = 1000;

/// Maximum total size in bytes of these records.
const HEADER_BYTES: usize = 16 << 20;

/// The columns of an output table.
#[derive(Clone, Debug)]
pub struct TableLayout {
    /// The kind of table.
    pub kind: TableKind,
    /// The columns of the input, if it is a table.
    pub input: Option<TableColumns>,
    /// The columns of the predictions.
    pub predictions: Vec<Column>,
    /// True to add a column for the errors of failed records.
    pub with_errors: bool,
}

/// A row of an output table.
#[derive(Debug)]
pub struct TableRow {
    /// The fields of the record.
    pub fields: Fields,
    /// The predictions, or the reason why there are none.
    pub cells: Result<Vec<Cell>, String>,
    /// True if the record is plain text, whose only field is known in advance.
    pub is_text: bool,
}

impl TableRow {
    /// Returns the reason why this kind of table cannot contain the row, if there is one.
    pub fn reason_unsupported(&self, layout: &TableLayout) -> Option<String> {
        if layout.kind != TableKind::Tsv {
            return None;
        }
        let reason_unsupported = |name: &str| {
            format!(
                "column \"{name}\" has a tab or a line break, which TSV cannot hold; option format=csv can"
            )
        };
        let own = self.fields.iter().find(|(_, value)| is_unfit(&plain(value.get())));
        let cells = self.cells.iter().flatten().zip(&layout.predictions);
        own.map(|(name, _)| reason_unsupported(name)).or_else(|| {
            cells
                .filter(|(cell, column)| cell.plain(&column.kind).is_ok_and(|cell| is_unfit(&cell)))
                .map(|(_, column)| reason_unsupported(&column.name))
                .next()
        })
    }
}

/// Returns true if the columns are known once this row has been added to the `before` waiting rows. A line of text that is
/// not blank makes them known. `bytes` is the size of these rows and is updated.
pub(super) fn determines_columns(row: &TableRow, before: usize, bytes: &mut usize) -> bool {
    *bytes += row.fields.size();
    let is_line = row.is_text && row.fields.iter().any(|(_, value)| !plain(value.get()).trim().is_empty());
    is_line || *bytes >= HEADER_BYTES || before + 1 >= HEADER_RECORDS
}

/// Adds the fields of a row that are not among `names`.
pub(super) fn add_names(row: &TableRow, names: &mut Vec<String>) {
    for (i, name) in row.fields.names().enumerate() {
        let known = names.get(i).is_some_and(|other| other == name);
        if !known && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
}

/// Returns the columns of a table of these records.
pub fn columns_of_records(rows: impl Iterator<Item = TableRow>) -> TableColumns {
    let (mut names, mut bytes) = (Vec::new(), 0);
    for (i, row) in rows.enumerate() {
        add_names(&row, &mut names);
        if determines_columns(&row, i, &mut bytes) {
            break;
        }
    }
    TableColumns::of_text(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: String) -> TableRow {
        let fields = Fields::parse(&json).expect("an object");
        TableRow { fields, cells: Ok(Vec::new()), is_text: false }
    }

    #[test]
    fn columns_come_from_the_first_records() {
        let rows = |count: usize| (0..count).map(|i| row(format!("{{\"text\":\"a\",\"f{}\":1}}", i / 999)));
        let names = |count| columns_of_records(rows(count)).names.to_vec();
        assert_eq!(names(0), [""; 0]);
        assert_eq!(names(3), ["text", "f0"]);
        assert_eq!(names(5000), ["text", "f0", "f1"]);
        let text = TableRow { is_text: true, ..row(r#"{"text":"a"}"#.to_owned()) };
        assert_eq!(columns_of_records([text].into_iter().chain(rows(3))).names.to_vec(), ["text"]);
    }
}
