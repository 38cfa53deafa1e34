//! JSON lines of labelled data: one object per line, with its location.

use super::example::Place;
use super::source::Source;
use crate::error::{Result, listed};
use crate::io::{Fields, JsonText, json_problem};

/// A JSON object of labelled data.
pub(super) struct Object {
    pub(super) place: Place,
    pub(super) fields: Fields,
}

impl Object {
    /// Returns a required string field. `option` is the option that renames it.
    pub(super) fn string(&self, name: &str, option: &str) -> Result<String> {
        let value = self.fields.string(name).map_err(|problem| self.place.error(problem))?;
        value.ok_or_else(|| self.missing(name, "a string", option))
    }

    /// Returns an optional string field. Null counts as absent.
    pub(super) fn optional_string(&self, name: &str) -> Result<Option<String>> {
        self.fields.string(name).map_err(|problem| self.place.error(problem))
    }

    /// Returns the JSON text of a field; `None` if it is absent or null.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.fields.raw(name).map(JsonText::get).filter(|json| *json != "null")
    }

    /// Returns the error for a field that is absent or null.
    pub(super) fn missing(&self, name: &str, expected: &str, option: &str) -> crate::Error {
        if self.fields.raw(name).is_some() {
            return self.place.error(format!("field \"{name}\" is null; expected {expected}"));
        }
        self.place.error(missing("field", &mut self.fields.names(), name, option))
    }
}

/// Returns the objects of a stream. Blank lines are skipped.
pub(super) fn objects(source: Source) -> impl Iterator<Item = Result<Object>> {
    source.lines().filter_map(|line| match line {
        Ok((_, text)) if text.trim().is_empty() => None,
        Ok((place, text)) => Some(match Fields::parse(&text) {
            Ok(fields) => Ok(Object { place, fields }),
            Err(error) => Err(place.error(problem_of(&error, &text))),
        }),
        Err(error) => Some(Err(error)),
    })
}

/// Describes a problem with a line.
fn problem_of(error: &serde_json::Error, text: &str) -> String {
    let near = text.as_bytes().get(error.column().saturating_sub(2)..).unwrap_or_default();
    let near = &near[..near.len().min("-Infinity".len() + 1)];
    let holds = |word: &str| near.windows(word.len()).any(|part| part == word.as_bytes());
    let advice = if ["NaN", "nan", "Infinity"].into_iter().any(holds) {
        "; JSON has no NaN and no infinity: leave the line out or write a number"
    } else {
        ""
    };
    format!("{}{advice}", json_problem(error, text, 0))
}

/// Returns the message for a missing field or column (`what`).
pub(super) fn missing(what: &str, names: &mut dyn Iterator<Item = &str>, name: &str, option: &str) -> String {
    let there: Vec<&str> = names.collect();
    let is_wrapped = what == "field" && there.contains(&"data");
    let holder = if what == "column" { "table" } else { "object" };
    let there = if there.is_empty() { format!("no {what}s") } else { listed(there) };
    let advice = if is_wrapped { "; jq -c '.data[]' makes lines of its list" } else { "" };
    format!("{what} \"{name}\" is missing; the {holder} has {there} (option {option} names another){advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::path::Path;

    fn read(text: &'static str) -> Vec<Result<Object>> {
        objects(Source::new(Path::new("a.jsonl"), Cursor::new(text)).expect("opens")).collect()
    }

    fn problem(text: &'static str) -> String {
        read(text).into_iter().find_map(|object| Some(object.err()?.to_string())).unwrap_or_default()
    }

    #[test]
    fn blank_lines_count_but_hold_nothing() {
        let objects = read("\n{\"a\": \"b\", \"c\": null}\n  \n{}\n");
        let lines: Vec<u64> = objects.iter().map(|o| o.as_ref().map_or(0, |o| o.place.line)).collect();
        assert_eq!(lines, [2, 4]);
        let first = objects.into_iter().next().and_then(Result::ok).expect("an object");
        assert_eq!(first.string("a", "a").expect("a string"), "b");
        assert_eq!(first.raw("c"), None);
        assert_eq!(
            first.missing("c", "a list", "c").to_string(),
            "a.jsonl:2: field \"c\" is null; expected a list"
        );
        assert_eq!(
            first.missing("x", "a string", "text_field").to_string(),
            "a.jsonl:2: field \"x\" is missing; the object has a, c (option text_field names another)"
        );
    }

    #[test]
    fn bad_lines_are_named_with_advice() {
        assert!(problem("{}\n[]\n").starts_with("a.jsonl:2: not a JSON object: invalid type"));
        assert!(
            problem("{\"score\": nan}").ends_with("or write a number"),
            "{}",
            problem("{\"score\": nan}")
        );
        assert_eq!(
            problem("{\"score\": NaN, \"bound\": [Infinity, -Infinity]}"),
            "",
            "as Python writes them"
        );
        assert!(problem("{\n\"a\": 1}").contains("one object per line is read"));
        assert!(problem("{\"a\" 1}").ends_with("(column 6)"), "{}", problem("{\"a\" 1}"));
        assert!(problem("\u{e9}\u{e9}").contains("not a JSON object"));
    }
}
