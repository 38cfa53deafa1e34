//! Formats of labelled data and their detection.

use std::path::Path;

use super::source::Source;
use crate::error::{Error, Result};

/// The option that selects a format.
const OPTION: &str = "data_format";

/// A format of labelled data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum DataFormat {
    /// Detect the format from the file's name, then from its content.
    #[default]
    Auto,
    /// One JSON object per line.
    Jsonl,
    /// Comma-separated columns with quotes as in RFC 4180.
    #[cfg_attr(
        feature = "cli",
        value(help = "Table with a header and commas, semicolons, tabs or vertical bars between cells")
    )]
    Csv,
    /// Tab-separated columns, in which quotes are ordinary characters.
    #[cfg_attr(feature = "cli", value(help = "Tab-separated columns, such as GLUE's files"))]
    Tsv,
    /// One word and its tag per line, a blank line after each sentence.
    #[cfg_attr(
        feature = "cli",
        value(help = "One word and its tag per line, a blank line between sentences")
    )]
    Conll,
    /// A SQuAD file, version 1.1 or 2.0.
    #[cfg_attr(feature = "cli", value(help = "SQuAD JSON, version 1.1 or 2.0"))]
    Squad,
    /// A RACE folder or file.
    #[cfg_attr(feature = "cli", value(help = "RACE folders of JSON files"))]
    Race,
    /// A SWAG CSV file.
    #[cfg_attr(feature = "cli", value(help = "SWAG CSV"))]
    Swag,
}

impl DataFormat {
    /// Returns the name used in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Conll => "conll",
            Self::Squad => "squad",
            Self::Race => "race",
            Self::Swag => "swag",
        }
    }

    /// Returns the format for a file's extension, ignoring `.gz` and `.zst`.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let stem = [".gz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        match stem.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "conll" | "conllu" | "iob" | "iob2" | "bio" => Some(Self::Conll),
            _ => None,
        }
    }

    /// Returns the format of a stream: the requested one if it is among `known`, otherwise the result of `guess` for the
    /// extension's format and the first bytes.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a format that the task does not support; [`Error::BadFile`] if the format is unknown.
    pub(super) fn resolve(
        self,
        source: &Source,
        known: &[Self],
        guess: fn(Option<Self>, &[u8]) -> Option<Self>,
    ) -> Result<Self> {
        self.check(known)?;
        if self != Self::Auto {
            return Ok(self);
        }
        if let Some(format) = guess(Self::of_name(source.path()), source.head()) {
            return Ok(format);
        }
        if source.head().trim_ascii_start().starts_with(b"[") {
            let problem =
                "is a JSON array; one object per line is expected (jq -c '.[]' makes lines of an array)";
            return Err(Error::bad_file(source.path(), problem));
        }
        let reads = format!("this task reads {}", names(known));
        match Self::of_name(source.path()) {
            Some(format) if !known.contains(&format) => {
                let problem = format!("is {}, and {reads}; convert it", format.name().to_uppercase());
                return Err(Error::bad_file(source.path(), problem));
            }
            None if source.head().starts_with(b"PAR1") => {
                return Err(Error::bad_file(
                    source.path(),
                    format!("is a Parquet file, and {reads}; convert it"),
                ));
            }
            _ => {}
        }
        let problem = "the format cannot be determined from its name or content";
        Err(Error::bad_file(
            source.path(),
            format!("{problem}; set option {OPTION} to one of {}", names(known)),
        ))
    }

    /// Checks that the task supports this format.
    pub(super) fn check(self, known: &[Self]) -> Result<()> {
        if self == Self::Auto || known.contains(&self) {
            return Ok(());
        }
        let problem = format!("\"{}\" is not a format of this task; it reads {}", self.name(), names(known));
        Err(Error::InvalidOption { name: OPTION.to_owned(), problem })
    }
}

fn names(formats: &[DataFormat]) -> String {
    formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
}

/// Returns true if a stream starts with a JSON object.
pub(super) fn looks_like_objects(head: &[u8]) -> bool {
    let inner = head.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
    matches!(inner, Some([b'"' | b'}', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn names_of_files() {
        for (name, format) in [
            ("a.jsonl", Some(DataFormat::Jsonl)),
            ("A.TSV.GZ", Some(DataFormat::Tsv)),
            ("a.b.csv.zst", Some(DataFormat::Csv)),
            ("en-dev.iob2", Some(DataFormat::Conll)),
            ("a.json", None),
            ("jsonl", None),
            ("<stdin>", None),
            ("..", None),
        ] {
            assert_eq!(DataFormat::of_name(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn undetectable_formats_are_errors_with_advice() {
        let resolve = |format: DataFormat, text: &'static str| {
            let source = Source::new(Path::new("a"), Cursor::new(text)).expect("opens");
            let known = [DataFormat::Jsonl, DataFormat::Csv];
            format.resolve(&source, &known, |_, head| looks_like_objects(head).then_some(DataFormat::Jsonl))
        };
        let problem = |format, text| resolve(format, text).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(matches!(resolve(DataFormat::Auto, " {\"a\": 1}"), Ok(DataFormat::Jsonl)));
        assert!(matches!(resolve(DataFormat::Csv, "{}"), Ok(DataFormat::Csv)));
        assert!(problem(DataFormat::Auto, "x").contains("set option data_format to one of jsonl, csv"));
        assert!(problem(DataFormat::Auto, " [{}]").contains("jq -c"));
        assert_eq!(
            problem(DataFormat::Race, "x"),
            "data_format: \"race\" is not a format of this task; it reads jsonl, csv"
        );
    }

    #[test]
    fn objects_by_their_beginning() {
        assert!(
            looks_like_objects(b"{\"a\"") && looks_like_objects(b"\n{ }") && looks_like_objects(b"{\n \"")
        );
        assert!(!looks_like_objects(b"{ O\n") && !looks_like_objects(b"") && !looks_like_objects(b"{"));
    }
}
