//! Fields of a record that tasks read.

use crate::error::listed;
use crate::io::{Fields, RecordBody};

/// Names of the JSON fields with the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// Field with the text.
    pub text: String,
    /// Field with the second text.
    pub text_pair: String,
}

impl Default for FieldNames {
    fn default() -> Self {
        Self { text: "text".to_owned(), text_pair: "text_pair".to_owned() }
    }
}

/// A text or a pair of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPair {
    /// The first segment.
    pub text: String,
    /// The second segment, if any.
    pub text_pair: Option<String>,
}

impl TextPair {
    /// Reads the texts of a record.
    ///
    /// # Errors
    /// If the text field is missing or is not a string. The message lists the existing fields.
    pub fn from_record(body: &RecordBody, names: &FieldNames) -> Result<Self, String> {
        match body {
            RecordBody::Text(text) => Ok(Self { text: text.clone(), text_pair: None }),
            RecordBody::Object(fields) => {
                let text = required(fields, &names.text, "text_field")?;
                Ok(Self { text, text_pair: fields.optional_string(&names.text_pair)? })
            }
        }
    }

    /// Uses `pair` as the second text if there is none.
    #[must_use]
    pub(super) fn or_pair(mut self, pair: Option<&String>) -> Self {
        self.text_pair = self.text_pair.or_else(|| pair.cloned());
        self
    }
}

/// Returns a required string field. `option` is the option that renames it.
pub(super) fn required(fields: &Fields, name: &str, option: &str) -> Result<String, String> {
    fields.string(name)?.ok_or_else(|| missing(fields, name, "a string", option))
}

/// Returns the message for a field that is missing or null.
pub(super) fn missing(fields: &Fields, name: &str, expected: &str, option: &str) -> String {
    if fields.raw(name).is_some() {
        return match fields.is_row() {
            true => format!("column \"{name}\" has no value"),
            false => format!("field \"{name}\" is null; expected {expected}"),
        };
    }
    let there: Vec<&str> = fields.names().collect();
    format!(
        "{} \"{name}\" is missing; the {} has {} (option {option} names another)",
        fields.kind(),
        if fields.is_row() { "row" } else { "object" },
        if there.is_empty() { "no fields".to_owned() } else { listed(there) }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> RecordBody {
        RecordBody::Object(Fields::parse(json).expect("an object"))
    }

    #[test]
    fn the_named_fields_are_read() {
        let names = FieldNames { text: "review".to_owned(), ..FieldNames::default() };
        let pair = TextPair::from_record(&object(r#"{"review":"a","text_pair":"b"}"#), &names);
        assert_eq!(pair, Ok(TextPair { text: "a".to_owned(), text_pair: Some("b".to_owned()) }));
        assert_eq!(
            TextPair::from_record(&object(r#"{"text":"a","id":1}"#), &names),
            Err("field \"review\" is missing; the object has text, id (option text_field names another)"
                .to_owned())
        );
        assert_eq!(
            TextPair::from_record(&object(r#"{"review":null}"#), &names),
            Err("field \"review\" is null; expected a string".to_owned())
        );
    }
}
