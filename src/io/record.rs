//! Records, and how they are parsed from lines.

use std::path::Path;
use std::sync::Arc;

use super::fields::Fields;
use super::json_line::json_problem;
use super::tables::TableKind;

/// How a stream is interpreted as records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// A line whose first character other than white space is `{` is JSON, any other line is text. A stream that starts
    /// with `[` and `{` is a single JSON array of records.
    #[default]
    Auto,
    /// Every line is text.
    Text,
    /// Every line is a JSON object.
    Jsonl,
    /// The stream is a SQuAD file, or its flat form, with one record per question.
    Squad,
    /// A SQuAD file, or anything else as in [`InputFormat::Auto`].
    AutoOrSquad,
    /// As [`InputFormat::Auto`], but text is an error. Used for files whose names end in `.json`, `.jsonl` or `.ndjson`.
    AutoJson,
    /// A table.
    Table(TableKind),
}

impl InputFormat {
    /// Returns the kind of table that a file is read as, if it is one.
    pub(super) fn table(self, path: &Path) -> Option<TableKind> {
        match self {
            Self::Table(kind) => Some(kind),
            Self::Auto | Self::AutoOrSquad => TableKind::of(path),
            Self::Text | Self::Jsonl | Self::Squad | Self::AutoJson => None,
        }
    }

    /// Returns the format of the lines of a file: text is an error if the name of the file promises JSON.
    pub(super) fn of_lines(self, path: &Path) -> Self {
        let name =
            path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        let promises_json = [".json", ".jsonl", ".ndjson"].iter().any(|end| name.ends_with(end));
        match self {
            Self::Auto | Self::AutoOrSquad if promises_json => Self::AutoJson,
            other => other,
        }
    }
}

/// The content of a record.
#[derive(Clone, Debug)]
pub enum RecordBody {
    /// Plain text without its line end.
    Text(String),
    /// A JSON object.
    Object(Fields),
}

/// A record with its location. An invalid line has an error instead of a body.
#[derive(Debug)]
pub struct Record {
    /// The file's name, `<stdin>` or `<argument>`.
    pub source: Arc<str>,
    /// Line number, from 1.
    pub line: u64,
    /// The content of the line, or the problem with it.
    pub body: std::result::Result<RecordBody, String>,
}

impl Record {
    /// Returns the size of its texts or values in bytes.
    pub fn size(&self) -> usize {
        match &self.body {
            Ok(RecordBody::Text(text)) => text.len(),
            Ok(RecordBody::Object(fields)) => fields.size(),
            Err(_) => 0,
        }
    }
}

/// Parses a line according to the input format.
pub(super) fn parse(line: String, format: InputFormat) -> std::result::Result<RecordBody, String> {
    let json = match format {
        InputFormat::Text => None,
        InputFormat::Jsonl => Some(line.as_str()),
        InputFormat::Auto
        | InputFormat::Squad
        | InputFormat::AutoOrSquad
        | InputFormat::AutoJson
        | InputFormat::Table(_) => {
            // A byte order mark within a stream is left over from concatenated files.
            let rest = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            rest.starts_with('{').then_some(rest)
        }
    };
    let Some(json) = json else {
        return match format {
            InputFormat::AutoJson if !line.trim().is_empty() => Err(not_json(line.trim())),
            _ => Ok(RecordBody::Text(line)),
        };
    };
    let before = line.len() - json.len();
    match Fields::parse(json) {
        Ok(fields) => Ok(RecordBody::Object(fields)),
        Err(e) => {
            let starts_array = json.trim_start().strip_prefix('[').map(str::trim_start);
            let advice = match (format, starts_array) {
                (InputFormat::Jsonl, Some(rest)) if rest.starts_with('{') => {
                    "; option input_format=auto reads an array of objects"
                }
                (InputFormat::Jsonl, Some(_)) => "; jq -r '.[]' makes lines of text from a list of strings",
                _ => "",
            };
            Err(format!("{}{advice}", json_problem(&e, json, before)))
        }
    }
}

/// Returns the error for a line of text in a file whose name promises JSON.
fn not_json(line: &str) -> String {
    let advice = match line.starts_with('[') {
        true => "; jq -r '.[]' makes lines of text from a list of strings",
        false => "; option input_format=text reads every line as text",
    };
    format!("not a JSON object, which the name of the file promises{advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_promise_json() {
        for name in ["a.json", "b/A.JSONL", "a.ndjson.gz", "a.jsonl.zst"] {
            assert_eq!(InputFormat::Auto.of_lines(Path::new(name)), InputFormat::AutoJson, "{name}");
            assert_eq!(InputFormat::Text.of_lines(Path::new(name)), InputFormat::Text, "{name}");
        }
        assert_eq!(InputFormat::Auto.of_lines(Path::new("json.txt")), InputFormat::Auto);
        let problem = |line: &str| parse(line.into(), InputFormat::AutoJson).err();
        assert_eq!([problem("{}"), problem(" {\"a\": 1}"), problem(""), problem("  ")], [const { None }; 4]);
        assert!(
            problem("text")
                .is_some_and(|problem| problem.ends_with("input_format=text reads every line as text"))
        );
        assert!(problem("[\"a\"]").is_some_and(|problem| problem.contains("jq -r '.[]'")));
        assert!(problem("\"a\"").is_some());
    }

    #[test]
    fn json_is_told_from_text_by_its_first_character() {
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Auto), Ok(RecordBody::Object(_))));
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Text), Ok(RecordBody::Text(_))));
        assert_eq!(
            parse("{1}".into(), InputFormat::Auto).map(|_| ()),
            Err("not a JSON object: key must be a string (column 2)".to_owned())
        );
        assert!(parse("plain".into(), InputFormat::Jsonl).is_err());
        let object = |line: &str| matches!(parse(line.into(), InputFormat::Auto), Ok(RecordBody::Object(_)));
        assert!(
            object("  {\"text\":\"a\"}") && object("\t {}") && object("\u{feff} {}") && object("\u{a0}{}")
        );
        assert!(!object(" a {}") && !object("[{}]") && !object(""));
        assert_eq!(
            parse(" {1}".into(), InputFormat::Auto).map(|_| ()),
            Err("not a JSON object: key must be a string (column 3)".to_owned())
        );
        assert!(
            parse("[{}]".into(), InputFormat::Jsonl).is_err_and(|e| e.contains("option input_format=auto"))
        );
    }
}
