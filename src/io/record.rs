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
    /// A table.
    Table(TableKind),
}

impl InputFormat {
    /// Returns the kind of table that a file is read as, if it is one.
    pub(super) fn table(self, path: &Path) -> Option<TableKind> {
        match self {
            Self::Table(kind) => Some(kind),
            Self::Auto | Self::AutoOrSquad => TableKind::of(path),
            Self::Text | Self::Jsonl | Self::Squad => None,
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
        InputFormat::Auto | InputFormat::Squad | InputFormat::AutoOrSquad | InputFormat::Table(_) => {
            // A byte order mark within a stream is left over from concatenated files.
            let rest = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            rest.starts_with('{').then_some(rest)
        }
    };
    let Some(json) = json else { return Ok(RecordBody::Text(line)) };
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

/// Returns true if the name of a file promises JSON.
pub(super) fn promises_json(name: &str) -> bool {
    let name = [".gz", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let is_json = |end: &str| ["json", "jsonl", "ndjson"].iter().any(|json| end.eq_ignore_ascii_case(json));
    name.rsplit_once('.').is_some_and(|(_, end)| is_json(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_promise_json() {
        assert!(["a.json", "b/A.JSONL", "a.ndjson.gz", "a.jsonl.zst"].into_iter().all(promises_json));
        assert!(!["json.txt", "<stdin>", "a.json: record", "json"].into_iter().any(promises_json));
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
