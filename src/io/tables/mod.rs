//! Tables: CSV, TSV and Parquet, read and written row by row.
//!
//! An input row becomes a record whose fields are its cells. An output row has the fields of its record, followed by the
//! columns of the predictions.

mod columns;
mod delimited;
mod layout;
mod names;
mod needs;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod row_start;
mod rows;
#[cfg(feature = "parquet")]
pub(super) mod typed_row;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use columns::{Cell, Column, ColumnType};
pub(crate) use delimited::{csv_separator, is_separator_line, separator_advice};
pub(super) use delimited::{each_row, ends_empty, has_errors, row_is_closed, split_row};
pub use layout::{TableLayout, TableRow, columns_of_records};
pub(crate) use names::{MISSING_CELLS, REPEATED_HEADER, repeats_header};
pub use needs::Needed;
pub(super) use read::TableInput;
pub(super) use write::TableWriter;

/// Prefix for the name of a column that the input has, too.
const PREFIX: &str = "albert_";

/// The column with the errors of failed records.
const ERROR: &str = "error";

/// Kinds of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// Comma-separated values as in RFC 4180. A quoted cell may contain commas, line breaks and doubled quotes. Input may
    /// have semicolons, tabs or vertical bars instead of commas.
    Csv,
    /// Tab-separated values. Quotes are ordinary characters, and no cell contains a tab or a line break.
    Tsv,
    /// Parquet, if the feature `parquet` is enabled.
    Parquet,
}

/// Tables in text formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delimited {
    Csv,
    /// CSV with another separator: a semicolon, as spreadsheets write it where the decimal separator is a comma, a tab or a
    /// vertical bar. Only read.
    Separated(u8),
    Tsv,
}

impl Delimited {
    /// Returns the character between cells.
    fn delimiter(self) -> u8 {
        match self {
            Self::Csv => b',',
            Self::Separated(separator) => separator,
            Self::Tsv => b'\t',
        }
    }

    /// Returns true if quotes around a cell are not part of it.
    fn has_quotes(self) -> bool {
        self != Self::Tsv
    }
}

/// The columns of an input table.
#[derive(Clone, Debug)]
pub struct TableColumns {
    /// Their names.
    pub names: Arc<[String]>,
    /// Their types, if they have any.
    #[cfg(feature = "parquet")]
    pub(crate) schema: Option<arrow_schema::SchemaRef>,
}

impl TableColumns {
    /// Creates columns of text.
    pub fn of_text(names: impl Into<Arc<[String]>>) -> Self {
        Self {
            names: names.into(),
            #[cfg(feature = "parquet")]
            schema: None,
        }
    }
}

impl TableKind {
    /// Returns the kind of table for a file extension; `None` for other files. The extension may be followed by `.gz` or
    /// `.zst`.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            // Parquet files are compressed internally.
            "parquet" if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet")) => {
                Some(Self::Parquet)
            }
            _ => None,
        }
    }

    /// Returns its name in messages and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
        }
    }

    /// Returns true if this build can read and write it.
    pub fn is_supported(self) -> bool {
        self != Self::Parquet || cfg!(feature = "parquet")
    }

    /// Returns true if it is a text format.
    pub fn is_text(self) -> bool {
        self.delimited().is_some()
    }

    /// Returns the text format, if it is one.
    pub(super) fn delimited(self) -> Option<Delimited> {
        match self {
            Self::Csv => Some(Delimited::Csv),
            Self::Tsv => Some(Delimited::Tsv),
            Self::Parquet => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_determines_the_kind() {
        let of = |name: &str| TableKind::of(Path::new(name));
        assert_eq!(of("a/b.csv"), Some(TableKind::Csv));
        assert_eq!(of("B.TSV"), Some(TableKind::Tsv));
        assert_eq!(of("b.csv.gz"), Some(TableKind::Csv));
        assert_eq!(of("b.tsv.zst"), Some(TableKind::Tsv));
        assert_eq!(of("b.parquet"), Some(TableKind::Parquet));
        for name in ["csv", "b.csv.txt", "b.gz", "b.parquet.gz", "b.jsonl", "csv/b", ""] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
