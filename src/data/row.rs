//! Rows of a table, and the names of its columns.

use csv::StringRecord;

use super::example::Place;

/// A row with its location: the line at which it starts.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) cells: StringRecord,
    /// Number of line breaks within the row.
    pub(super) breaks: u64,
}

impl Row {
    /// Returns a cell; empty beyond the last one.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).unwrap_or_default()
    }

    /// Returns the number of cells.
    pub(super) fn width(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        self.cells.iter()
    }
}

/// The names of the columns.
pub(super) struct Header {
    /// Where they come from, for messages.
    pub(super) origin: String,
    names: Vec<String>,
}

impl Header {
    /// Creates a header from a row of the table.
    pub(super) fn new(row: &Row) -> Self {
        let names = row.cells().map(|name| name.trim().to_owned()).collect();
        Self { origin: format!("the header (line {})", row.place.line), names }
    }

    /// Creates a header for a kind of table without one.
    pub(super) fn known(origin: &str, names: &[&str]) -> Self {
        Self { origin: origin.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// Returns the number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Returns the index of the first column with this name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Returns true if several columns have this name.
    pub(super) fn is_ambiguous(&self, name: &str) -> bool {
        self.names().filter(|other| *other == name).count() > 1
    }
}
