//! Formats of records on the command line.

use std::path::Path;

use clap::ValueEnum;
use clap::builder::ValueParser;

use albert::io::{ArrayKind, Format, InputFormat, TableKind};
use albert::{Error, Result};

use super::values::one_of;

/// Formats of the input. Each command lists those that it reads.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputFormatArg {
    /// Determined by the name and content of the file
    Auto,
    /// One text per line
    Text,
    /// One JSON object per line
    Jsonl,
    /// Table with a header and commas, semicolons, tabs or vertical bars between cells
    Csv,
    /// Tab-separated table
    Tsv,
    /// Parquet table
    Parquet,
    /// SQuAD JSON, version 1.1 or 2.0
    Squad,
}

/// Returns the parser for the input formats of a task: those of all tasks, and its own.
pub(crate) fn input_formats(own: &[InputFormatArg]) -> ValueParser {
    use InputFormatArg::{Auto, Csv, Jsonl, Parquet, Text, Tsv};
    one_of([Auto, Text, Jsonl, Csv, Tsv, Parquet].iter().chain(own))
}

impl From<InputFormatArg> for InputFormat {
    fn from(arg: InputFormatArg) -> Self {
        match arg {
            InputFormatArg::Auto => Self::Auto,
            InputFormatArg::Text => Self::Text,
            InputFormatArg::Jsonl => Self::Jsonl,
            InputFormatArg::Csv => Self::Table(TableKind::Csv),
            InputFormatArg::Tsv => Self::Table(TableKind::Tsv),
            InputFormatArg::Parquet => Self::Table(TableKind::Parquet),
            InputFormatArg::Squad => Self::Squad,
        }
    }
}

/// Formats of the output. Each command lists those that it writes.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormatArg {
    /// A table or array by the output's extension; otherwise text on a terminal and jsonl elsewhere
    Auto,
    /// For people, with colors on a terminal
    Text,
    /// One JSON array
    Json,
    /// One JSON object per line
    Jsonl,
    /// Comma-separated table with columns for the predictions
    Csv,
    /// Tab-separated table
    Tsv,
    /// Parquet table
    Parquet,
    /// One word and its tag per line, a blank line between texts
    Conll,
    /// Predictions file of SQuAD: one object that maps ids to answers
    Squad,
    /// NumPy array
    Npy,
    /// Array in a safetensors file
    Safetensors,
}

/// Returns the parser for the output formats of a task: those of all tasks, and its own.
pub(crate) fn output_formats(own: &[OutputFormatArg]) -> ValueParser {
    use OutputFormatArg::{Auto, Csv, Json, Jsonl, Parquet, Text, Tsv};
    one_of([Auto, Text, Json, Jsonl, Csv, Tsv, Parquet].iter().chain(own))
}

impl OutputFormatArg {
    /// Returns the format, given the output's name and whether it is a terminal.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a name or a format that the command or this build cannot write.
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
            Self::Conll => Format::Conll,
            Self::Squad => Format::Squad,
            Self::Npy | Self::Safetensors => {
                return Err(Error::InvalidOption {
                    name: "format".to_owned(),
                    problem: "this command does not write arrays".to_owned(),
                });
            }
        })
    }

    /// Returns the kind of array file, by the format or by the output's extension; `None` for other formats.
    pub(crate) fn array(self, output: Option<&Path>) -> Option<ArrayKind> {
        match self {
            Self::Npy => Some(ArrayKind::Npy),
            Self::Safetensors => Some(ArrayKind::Safetensors),
            Self::Auto => match output.map(extension).as_deref() {
                Some("npy") => Some(ArrayKind::Npy),
                Some("safetensors") => Some(ArrayKind::Safetensors),
                _ => None,
            },
            _ => None,
        }
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

/// Returns the extension of a file in lower case; empty without one.
fn extension(path: &Path) -> String {
    path.extension().and_then(|end| end.to_str()).map(str::to_ascii_lowercase).unwrap_or_default()
}

/// Extensions of compressed files.
const COMPRESSED: [&str; 9] = ["gz", "zst", "bz2", "xz", "lzma", "lz4", "br", "zip", "7z"];

/// Extensions of tables and arrays that records are not written to.
const FOREIGN: [&str; 18] = [
    "arrow",
    "avro",
    "db",
    "duckdb",
    "feather",
    "h5",
    "hdf5",
    "npy",
    "npz",
    "ods",
    "orc",
    "pickle",
    "pkl",
    "pt",
    "safetensors",
    "sqlite",
    "xls",
    "xlsx",
];

/// Returns the kind of table that the name of an output stands for, if any.
///
/// # Errors
/// [`Error::InvalidOption`] for the name of a compressed file or of a format that is not written here.
fn table_by_name(output: &Path) -> Result<Option<TableKind>> {
    let kind = TableKind::of(output);
    let end = extension(output);
    let invalid = |problem| Err(Error::InvalidOption { name: "output".to_owned(), problem });
    if COMPRESSED.contains(&end.as_str()) {
        let name = kind.map_or("jsonl", TableKind::name);
        return invalid(format!(
            "output is not compressed; name a file .{name}, or pipe --format {name} through a compressor"
        ));
    }
    if FOREIGN.contains(&end.as_str()) {
        let tables =
            if TableKind::Parquet.is_supported() { ".csv, .tsv or .parquet" } else { ".csv or .tsv" };
        return invalid(format!(
            "this command does not write .{end} files; name a file .jsonl, {tables}, or set --format"
        ));
    }
    Ok(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_name_determines_a_table() {
        let named = |format: OutputFormatArg, name: &str| format.resolve(Some(Path::new(name)), false).ok();
        assert_eq!(named(OutputFormatArg::Auto, "a.csv"), Some(Format::Table(TableKind::Csv)));
        assert_eq!(named(OutputFormatArg::Auto, "a.TSV"), Some(Format::Table(TableKind::Tsv)));
        assert_eq!(named(OutputFormatArg::Auto, "a.txt"), Some(Format::Jsonl));
        assert_eq!(named(OutputFormatArg::Jsonl, "a.csv"), Some(Format::Jsonl));
        assert_eq!(named(OutputFormatArg::Csv, "a"), Some(Format::Table(TableKind::Csv)));
        for name in ["a.csv.gz", "a.tsv.zst", "a.jsonl.bz2", "a.gz", "a.npy", "a.XLSX"] {
            assert_eq!(named(OutputFormatArg::Auto, name), None, "{name}");
        }
        assert_eq!(named(OutputFormatArg::Jsonl, "a.csv.gz"), Some(Format::Jsonl));
    }

    #[test]
    fn the_output_name_determines_an_array() {
        let named = |format: OutputFormatArg, name: &str| format.array(Some(Path::new(name)));
        assert_eq!(named(OutputFormatArg::Auto, "a.npy"), Some(ArrayKind::Npy));
        assert_eq!(named(OutputFormatArg::Auto, "a.SAFETENSORS"), Some(ArrayKind::Safetensors));
        assert_eq!(named(OutputFormatArg::Auto, "a.jsonl"), None);
        assert_eq!(named(OutputFormatArg::Jsonl, "a.npy"), None);
        assert_eq!(named(OutputFormatArg::Npy, "a"), Some(ArrayKind::Npy));
    }

    #[test]
    fn each_command_has_formats_of_its_own() {
        let names = |own: &[OutputFormatArg]| -> Vec<String> {
            let argument = clap::Arg::new("format").value_parser(output_formats(own));
            argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
        };
        assert_eq!(names(&[]).join(" "), "auto text json jsonl csv tsv parquet");
        assert_eq!(names(&[OutputFormatArg::Conll]).join(" "), "auto text json jsonl csv tsv parquet conll");
    }
}
