//! Rows of a table, and the names of its columns.

use csv::StringRecord;

use super::example::Place;

/// A row with its location: the line at which it begins.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) cells: StringRecord,
    /// Number of line breaks inside.
    pub(super) breaks: u64,
}

impl Row {
    /// A cell; empty beyond the last one.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).unwrap_or_default()
    }

    /// How many cells it has.
    pub(super) fn width(&self) -> usize {
        self.cells.len()
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = &str> {
        self.cells.iter()
    }
}

/// The names of the columns.
pub(super) struct Header {
    /// Their source.
    pub(super) origin: String,
    names: Vec<String>,
}

impl Header {
    /// Names in a row of the table.
    pub(super) fn new(row: &Row) -> Self {
        let names = row.cells().map(|name| name.trim().to_owned()).collect();
        Self { origin: format!("the header (line {})", row.place.line), names }
    }

    /// Implicit names of a kind of table without a header.
    pub(super) fn known(origin: &str, names: &[&str]) -> Self {
        Self { origin: origin.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// How many columns it names.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The index of the first column with this name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// Returns true if several columns have this name.
    pub(super) fn is_ambiguous(&self, name: &str) -> bool {
        self.names().filter(|other| *other == name).count() > 1
    }
}
