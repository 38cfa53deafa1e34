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

/// The kind of table that the name of an output tells.
///
/// # Errors
/// [`Error::InvalidOption`] for a name of a compressed file.
fn table_by_name(output: &Path) -> Result<Option<TableKind>> {
    let packed = output.extension().is_some_and(|end| end == "gz" || end == "zst");
    let kind = TableKind::of(output);
    if packed {
        let name = kind.map_or("jsonl", TableKind::name);
        return Err(Error::InvalidOption {
            name: "output".to_owned(),
            problem: format!(
                "output is not compressed; name a file .{name}, or pipe --format {name} through a compressor"
            ),
        });
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
        for name in ["a.csv.gz", "a.tsv.zst", "a.jsonl.zst", "a.gz"] {
            assert_eq!(named(RecordFormatArg::Auto, name), None, "{name}");
        }
        assert_eq!(named(RecordFormatArg::Jsonl, "a.csv.gz"), Some(Format::Jsonl));
    }
}
