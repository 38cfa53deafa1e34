//! JSON objects whose fields pass through unchanged: names, order, and the exact digits of numbers.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json::{Scanner, without_non_finite};
#[cfg(feature = "parquet")]
use super::tables::typed_row::TypedRow;

/// The text of a JSON value, on one line. It may contain the numbers `NaN`, `Infinity` and `-Infinity`, which are not
/// JSON but are written by Python's `json` module, and escapes of lone surrogates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(Box<str>);

impl JsonText {
    pub(super) fn new(text: String) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl From<Box<RawValue>> for JsonText {
    fn from(value: Box<RawValue>) -> Self {
        Self(value.into())
    }
}

/// The name of a field.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Text(String),
    /// A string literal that is not Unicode text, as written.
    Literal(Box<str>),
}

impl Name {
    /// Reads a string literal.
    pub(super) fn of_json(literal: String) -> Self {
        match serde_json::from_str(&literal) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Literal(literal.into()),
        }
    }

    /// Returns the name if it is Unicode text.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Literal(_) => None,
        }
    }
}

/// The fields of a JSON object or of a table row in order, with unparsed values.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    entries: Vec<(Name, JsonText)>,
    origin: Origin,
}

/// Where fields come from.
#[derive(Clone, Debug, Default)]
enum Origin {
    /// A JSON object.
    #[default]
    Object,
    /// A row of a text table. Every value is a string, and an empty one may mean a missing value.
    Cells,
    /// A row of a typed table.
    #[cfg(feature = "parquet")]
    Typed(TypedRow),
}

impl Fields {
    /// Parses one JSON object. `NaN` and the infinities are accepted as values.
    ///
    /// # Errors
    /// Errors from serde_json, with the column.
    pub fn parse(line: &str) -> serde_json::Result<Self> {
        let error = match serde_json::from_str(line) {
            Ok(fields) => return Ok(fields),
            Err(error) => error,
        };
        let mut scanner = Scanner::new(line.as_bytes());
        if let Ok(fields) = scanner.fields()
            && scanner.end().is_ok()
        {
            return Ok(fields);
        }
        // Report the first error other than non-finite numbers.
        Err(serde_json::from_str::<Self>(&without_non_finite(line)).err().unwrap_or(error))
    }

    /// Creates fields from the cells of a row, named after their columns.
    pub(super) fn of_cells(names: &[String], cells: Vec<String>) -> Self {
        let entry = |(name, cell): (&String, String)| {
            let value = JsonText::new(serde_json::Value::String(cell).to_string());
            (Name::Text(name.clone()), value)
        };
        Self { entries: names.iter().zip(cells).map(entry).collect(), origin: Origin::Cells }
    }

    /// Creates fields from the values of a row, as JSON, named after their columns.
    #[cfg(feature = "parquet")]
    pub(super) fn of_typed(names: &[String], values: Vec<JsonText>, row: TypedRow) -> Self {
        let entry = |(name, value): (&String, JsonText)| (Name::Text(name.clone()), value);
        Self { entries: names.iter().zip(values).map(entry).collect(), origin: Origin::Typed(row) }
    }

    /// Returns the typed row, if there is one.
    #[cfg(feature = "parquet")]
    pub(super) fn typed(&self) -> Option<&TypedRow> {
        match &self.origin {
            Origin::Typed(row) => Some(row),
            _ => None,
        }
    }

    /// Returns true for a row of a table.
    pub fn is_row(&self) -> bool {
        !matches!(self.origin, Origin::Object)
    }

    /// Returns the word for a field in messages.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_row() { "column" } else { "field" }
    }

    /// Returns the value of a field as JSON text.
    pub fn raw(&self, name: &str) -> Option<&JsonText> {
        self.entries.iter().rev().find(|(n, _)| n.text() == Some(name)).map(|(_, v)| v)
    }

    /// Returns a string field; `Ok(None)` if it is absent or null.
    ///
    /// # Errors
    /// A message if the field is not a string.
    pub fn string(&self, name: &str) -> Result<Option<String>, String> {
        self.read(name, "a string")
    }

    /// Returns a string field that records may lack. Unlike in [`Self::string`], an empty cell of a CSV or TSV file
    /// counts as absent.
    ///
    /// # Errors
    /// A message if the field is not a string.
    pub fn optional_string(&self, name: &str) -> Result<Option<String>, String> {
        Ok(self.string(name)?.filter(|text| !matches!(self.origin, Origin::Cells) || !text.is_empty()))
    }

    /// Returns a list of strings; `Ok(None)` if it is absent or null. In a table, it may be the text of a JSON list.
    ///
    /// # Errors
    /// A message if the field is not a list of strings.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let text = if self.is_row() { self.string(name).ok().flatten() } else { None };
        match text {
            None => self.read(name, "a list of strings"),
            Some(text) if text.trim().is_empty() => Ok(None),
            Some(text) => serde_json::from_str(&text).map_err(|_| {
                let shown = shortened(&text);
                format!("column \"{name}\" is {shown}; expected a JSON list of strings, as [\"a\",\"b\"]")
            }),
        }
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str, expected: &str) -> Result<Option<T>, String> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str::<Option<T>>(raw.get()).map_err(|_| match lone_surrogate(raw.get()) {
            Some(problem) => format!("{} \"{name}\" {problem}", self.kind()),
            None => format!("{} \"{name}\" is {}; expected {expected}", self.kind(), shortened(raw.get())),
        })
    }

    /// Sets a field: in place if it exists, otherwise at the end.
    pub fn set(&mut self, name: &str, value: impl Into<JsonText>) {
        self.entries.retain(|(n, _)| n.text() != Some(name));
        self.push(Name::Text(name.to_owned()), value.into());
    }

    pub(super) fn push(&mut self, name: Name, value: JsonText) {
        self.entries.push((name, value));
    }

    /// Returns the names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Returns the names and values, in order. A name that is not Unicode text is returned as written.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &JsonText)> {
        self.entries.iter().map(|(name, value)| match name {
            Name::Text(text) => (text.as_str(), value),
            Name::Literal(literal) => (literal.trim_matches('"'), value),
        })
    }

    /// Returns the total size of the values in bytes.
    pub fn size(&self) -> usize {
        self.entries.iter().map(|(_, value)| value.get().len()).sum()
    }

    /// Returns the object as JSON text on one line, without white space between its fields.
    ///
    /// # Errors
    /// Errors from serde_json.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(2 + self.size() + 16 * self.entries.len());
        out.push(b'{');
        for (i, (name, value)) in self.entries.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            match name {
                Name::Text(text) => serde_json::to_writer(&mut out, text)?,
                Name::Literal(literal) => out.extend_from_slice(literal.as_bytes()),
            }
            out.push(b':');
            out.extend_from_slice(value.get().as_bytes());
        }
        out.push(b'}');
        Ok(out)
    }
}

fn shortened(json: &str) -> String {
    match json.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &json[..end]),
        None => json.to_owned(),
    }
}

/// Returns a message about a lone surrogate in a JSON text, to follow the name of its field; `None` if there is none.
pub(crate) fn lone_surrogate(json: &str) -> Option<String> {
    let mut escapes = escapes(json).peekable();
    while let Some((at, unit)) = escapes.next() {
        match unit {
            0xd800..0xdc00 => {
                let pair = escapes
                    .peek()
                    .is_some_and(|(next, low)| *next == at + ESCAPE && (0xdc00..0xe000).contains(low));
                if !pair {
                    return Some(half(&json[at..at + ESCAPE]));
                }
                escapes.next();
            }
            0xdc00..0xe000 => return Some(half(&json[at..at + ESCAPE])),
            _ => {}
        }
    }
    None
}

/// Length of an escape such as `\ud83d` in bytes.
const ESCAPE: usize = 6;

fn half(escape: &str) -> String {
    format!(
        "holds {escape}, which is half of a character (a lone surrogate); the text was cut inside the \
         character: write the whole pair, or leave the escape out"
    )
}

/// Returns the positions and values of the `\uXXXX` escapes in a JSON text.
fn escapes(json: &str) -> impl Iterator<Item = (usize, u16)> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += bytes.get(at..)?.iter().position(|byte| *byte == b'\\')?;
            let start = at;
            at += 2;
            if bytes.get(start + 1) == Some(&b'u')
                && let Some(unit) = json.get(start + 2..start + ESCAPE)
                && let Ok(unit) = u16::from_str_radix(unit, 16)
            {
                at = start + ESCAPE;
                return Some((start, unit));
            }
        }
    })
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::with_capacity(map.size_hint().unwrap_or(4).min(64));
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((Name::Text(name), value.into()));
                }
                Ok(Fields { entries: fields, origin: Origin::Object })
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(line: &str) -> String {
        String::from_utf8(Fields::parse(line).expect("an object").to_json().expect("writes")).expect("UTF-8")
    }

    #[test]
    fn every_digit_and_the_order_survive() {
        let line = r#"{"z":1.10,"a":12345678901234567890123,"n":{"b":[1e400,null],"a":"\u00e9"},"text":"x"}"#;
        let mut fields = Fields::parse(line).expect("an object");
        assert_eq!(through(line), line);
        fields.set("predictions", serde_json::value::to_raw_value(&[1]).expect("writes"));
        assert_eq!(
            String::from_utf8(fields.to_json().expect("writes")).expect("UTF-8"),
            format!("{},\"predictions\":[1]}}", &line[..line.len() - 1])
        );
    }

    #[test]
    fn what_python_writes_passes_through() {
        for line in [
            r#"{"id":1,"stars":NaN,"text":"x","list":[-Infinity,{"a":Infinity}]}"#,
            r#"{"text":"x","cut":"\ud83d","\udc00":NaN,"NaN":"NaN"}"#,
            r#"{"text":"x","\ud83d":1}"#,
        ] {
            assert_eq!(through(line), line);
            assert_eq!(Fields::parse(line).expect("an object").string("text"), Ok(Some("x".to_owned())));
        }
        let names = Fields::parse(r#"{"\ud83d":1,"\u00e9":2}"#).expect("an object");
        assert_eq!(names.names().collect::<Vec<_>>(), ["\\ud83d", "é"]);
    }

    #[test]
    fn the_error_is_the_first_after_numbers_that_are_not_finite() {
        for (line, column) in
            [(r#"{"a":NaN,"b":oops}"#, 14), (r#"{"a":oops}"#, 6), (r#"{"a":nan}"#, 7), (r#"{"a":NaN"#, 8)]
        {
            assert_eq!(Fields::parse(line).map_err(|e| e.column()).err(), Some(column), "{line}");
        }
        assert!(Fields::parse("[1]").is_err() && Fields::parse("{} {}").is_err());
    }

    #[test]
    fn a_field_of_the_wrong_kind_is_named() {
        let fields = Fields::parse(r#"{"text": 5, "other": null, "nan": NaN}"#).expect("an object");
        assert_eq!(fields.string("text"), Err("field \"text\" is 5; expected a string".to_owned()));
        assert_eq!(fields.string("nan"), Err("field \"nan\" is NaN; expected a string".to_owned()));
        assert_eq!(fields.string("other"), Ok(None));
        assert_eq!(fields.string("absent"), Ok(None));
        let fields = Fields::parse(r#"{"a": ["x", 1], "b": [], "c": ["y"]}"#).expect("an object");
        assert!(fields.strings("a").is_err_and(|e| e.contains("expected a list of strings")));
        assert_eq!(fields.strings("b"), Ok(Some(Vec::new())));
        assert_eq!(fields.strings("c"), Ok(Some(vec!["y".to_owned()])));
        assert_eq!(fields.strings("absent"), Ok(None));
    }

    #[test]
    fn half_of_a_character_is_named() {
        let problem = |value: &str| {
            let fields = Fields::parse(&format!("{{\"text\": {value}}}")).expect("an object");
            fields.string("text").err()
        };
        for (value, escape) in [
            (r#""cut off emoji \ud83d""#, "\\ud83d"),
            (r#""\uDE00 cut""#, "\\uDE00"),
            (r#""\ud83d\ude00\ud83d\n\ude00""#, "\\ud83d"),
            (r#""\ud83d\u0041""#, "\\ud83d"),
        ] {
            let start =
                format!("field \"text\" holds {escape}, which is half of a character (a lone surrogate)");
            assert!(problem(value).is_some_and(|p| p.starts_with(&start)), "{:?}", problem(value));
        }
        assert_eq!(problem(r#""\ud83d\ude00 \\ud83d""#), None);
        let list = Fields::parse(r#"{"labels": ["a", "\udc00"]}"#).expect("an object");
        assert!(list.strings("labels").is_err_and(|e| e.contains("lone surrogate")));
    }
}
