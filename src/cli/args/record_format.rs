//! Record formats on the command line: those of all tasks, including tables.

use std::path::Path;

use clap::ValueEnum;

use albert::io::{Format, TableKind};
use albert::{Error, Result};

/// Formats of records.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordFormatArg {
    Auto,
    Text,
    Json,
    Jsonl,
    /// A table whose predictions are columns
    Csv,
    Tsv,
    Parquet,
}

impl RecordFormatArg {
    /// The format, given the output's name and whether it is a terminal.
    pub(crate) fn resolve(self, output: Option<&Path>, terminal: bool) -> Result<Format> {
        Ok(match self {
            Self::Auto => match output.map(table_by_name).transpose()?.flatten() {
                Some(kind) => table(kind)?,
                None if terminal => Format::Text,
                None => Format::Jsonl,
            },
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Jsonl => Format::Jsonl,
            Self::Csv => Format::Table(TableKind::Csv),
            Self::Tsv => Format::Table(TableKind::Tsv),
            Self::Parquet => table(TableKind::Parquet)?,
        })
    }
}

/// A table, if this build can write its kind.
fn table(kind: TableKind) -> Result<Format> {
    if kind.is_supported() {
        return Ok(Format::Table(kind));
    }
    Err(Error::InvalidOption {
        name: "format".to_owned(),
        problem: format!("this albert was built without the feature {}", kind.name()),
    })
}

/// Extensions of compressed files.
const COMPRESSED: [&str; 9] = ["gz", "zst", "bz2", "xz", "lzma", "lz4", "br", "zip", "7z"];

/// Extensions of tables and arrays that records are not written to.
const FOREIGN: [&str; 18] = [
    "arrow", "avro", "db", "duckdb", "feather", "h5", "hdf5", "npy", "npz", "ods", "orc", "pickle", "pkl", "pt",
    "safetensors", "sqlite", "xls", "xlsx",
];

/// Returns the kind of table that the name of an output stands for, if any.
///
/// # Errors
/// [`Error::InvalidOption`] for the name of a compressed file or of a format that is not written here.
fn table_by_name(output: &Path) -> Result<Option<TableKind>> {
    let kind = TableKind::of(output);
    let end = output.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).unwrap_or_default();
    let invalid = |problem| Err(Error::InvalidOption { name: "output".to_owned(), problem });
    if COMPRESSED.contains(&end.as_str()) {
        let name = kind.map_or("jsonl", TableKind::name);
        return invalid(format!(
            "output is not compressed; name a file .{name}, or pipe --format {name} through a compressor"
        ));
    }
    if FOREIGN.contains(&end.as_str()) {
        return invalid(format!(
            "this command does not write .{end} files; name a file .jsonl, .csv, .tsv or .parquet, or set --format"
        ));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_name_determines_a_table() {
        let named = |format: RecordFormatArg, name: &str| format.resolve(Some(Path::new(name)), false).ok();
        assert_eq!(named(RecordFormatArg::Auto, "a.csv"), Some(Format::Table(TableKind::Csv)));
        assert_eq!(named(RecordFormatArg::Auto, "a.TSV"), Some(Format::Table(TableKind::Tsv)));
        assert_eq!(named(RecordFormatArg::Auto, "a.txt"), Some(Format::Jsonl));
        assert_eq!(named(RecordFormatArg::Jsonl, "a.csv"), Some(Format::Jsonl));
        assert_eq!(named(RecordFormatArg::Csv, "a"), Some(Format::Table(TableKind::Csv)));
        for name in ["a.csv.gz", "a.tsv.zst", "a.jsonl.bz2", "a.gz", "a.npy", "a.XLSX"] {
            assert_eq!(named(RecordFormatArg::Auto, name), None, "{name}");
        }
        assert_eq!(named(RecordFormatArg::Jsonl, "a.csv.gz"), Some(Format::Jsonl));
    }
}
