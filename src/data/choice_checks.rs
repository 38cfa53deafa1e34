//! Choices in JSON, and checks of the numbers and letters that refer to them.

use serde::Deserialize;

use super::shortened::shortened;
use crate::error::listed;
use crate::io::Fields;

/// Checks that there are at least two choices.
pub(super) fn check_count(count: usize) -> std::result::Result<(), String> {
    match count {
        0 => Err("no choices; at least two are needed".to_owned()),
        1 => Err("1 choice; at least two are needed".to_owned()),
        _ => Ok(()),
    }
}

/// Returns the index of a letter, counted from A.
pub(super) fn letter(text: &str) -> Option<usize> {
    match text.trim().as_bytes() {
        [letter @ (b'A'..=b'Z' | b'a'..=b'z')] => Some(usize::from(letter.to_ascii_uppercase() - b'A')),
        _ => None,
    }
}

/// The choices of a record.
pub(crate) struct Choices {
    /// Their texts.
    pub(crate) texts: Vec<String>,
    /// The names by which a label refers to them, if they have any.
    names: Vec<String>,
}

impl Choices {
    /// Reads a list of strings, or the object of ARC, CommonsenseQA and OpenBookQA in the Hugging Face data sets:
    /// `{"text": ["one", "two"], "label": ["A", "B"]}`. Returns `None` if the field is missing or null.
    ///
    /// # Errors
    /// A message if the field is neither.
    pub(crate) fn of_field(fields: &Fields, name: &str) -> std::result::Result<Option<Self>, String> {
        #[derive(Deserialize)]
        struct Named {
            text: Vec<String>,
            #[serde(default)]
            label: Vec<String>,
        }
        let named = fields.raw(name).and_then(|json| serde_json::from_str::<Named>(json.get()).ok());
        if let Some(Named { text: texts, label: names }) = named {
            let is_repeated = |i: usize| names[..i].contains(&names[i]);
            if !names.is_empty() && (names.len() != texts.len() || (0..names.len()).any(is_repeated)) {
                return Err(format!("field \"{name}\" needs a label of its own for each text"));
            }
            return Ok(Some(Self { texts, names }));
        }
        Ok(fields.strings(name)?.map(|texts| Self { texts, names: Vec::new() }))
    }

    /// Parses the index of the correct choice from JSON: one of the names, or, without names, a number from 0 or a letter from A.
    ///
    /// # Errors
    /// A message that names the field.
    pub(super) fn label(&self, json: &str, field: &str) -> std::result::Result<usize, String> {
        let text = serde_json::from_str::<String>(json).ok();
        if !self.names.is_empty() {
            let label = text.as_deref().unwrap_or(json).trim();
            return self.names.iter().position(|name| name.trim() == label).ok_or_else(|| {
                let names = listed(&self.names);
                format!("field \"{field}\" is {}; the labels of the choices are {names}", shortened(json))
            });
        }
        let digits = |text: &String| text.trim().parse().ok();
        let number = match &text {
            Some(text) => letter(text).or_else(|| digits(text)),
            None => json.parse().ok(),
        };
        let number = number.ok_or_else(|| {
            format!("field \"{field}\" is {}; expected a number from 0 or a letter from A", shortened(json))
        })?;
        in_range(number, self.texts.len(), &format!("field \"{field}\" is {}", shortened(json)))
    }
}

/// Checks the index of a choice. `what` names its source.
pub(super) fn in_range(number: usize, count: usize, what: &str) -> std::result::Result<usize, String> {
    if number < count {
        return Ok(number);
    }
    let last = char::from(b'A' + u8::try_from(count.saturating_sub(1)).unwrap_or(25).min(25));
    Err(format!("{what}, beyond the {count} choices (0 to {}, A to {last})", count.saturating_sub(1)))
}
