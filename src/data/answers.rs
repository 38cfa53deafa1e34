//! Gold answers: their forms in data sets, and their offsets in the context.
//!
//! Offsets count Unicode code points, as in SQuAD and the Hugging Face data sets.

use serde::Deserialize;

use super::example::GoldAnswer;
use super::shortened::shortened;
use crate::error::count;
use crate::io::lone_surrogate;

/// Maximum distance between the stated and the actual offset of an answer, in code points.
const NEAR: usize = 20;

/// Answers with their offsets, if given.
pub(super) struct Answers(pub(super) Vec<(String, Option<i64>)>);

/// An answer in SQuAD's form.
#[derive(Deserialize)]
struct Answer {
    text: String,
    #[serde(default)]
    answer_start: Option<i64>,
}

/// All supported forms.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Texts(Vec<String>),
    One(Answer),
    /// SQuAD's form.
    List(Vec<Answer>),
    /// The form used by the Hugging Face data sets.
    Columns {
        text: Vec<String>,
        #[serde(default)]
        answer_start: Option<Vec<Option<i64>>>,
    },
}

impl Answers {
    /// Parses the JSON value of a field.
    ///
    /// # Errors
    /// A message that follows the field's name.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let form: Form = serde_json::from_str(json).map_err(|_| {
            lone_surrogate(json).unwrap_or_else(|| {
                format!(
                    "is {}; expected a list of {{\"text\": ..., \"answer_start\": ...}}, {{\"text\": [...], \
                     \"answer_start\": [...]}}, a string or a list of strings",
                    shortened(json)
                )
            })
        })?;
        let pair = |answer: Answer| (answer.text, answer.answer_start);
        Ok(Self(match form {
            Form::Text(text) => vec![(text, None)],
            Form::Texts(texts) => texts.into_iter().map(|text| (text, None)).collect(),
            Form::One(answer) => vec![pair(answer)],
            Form::List(answers) => answers.into_iter().map(pair).collect(),
            Form::Columns { text, answer_start: None } => text.into_iter().map(|text| (text, None)).collect(),
            Form::Columns { text, answer_start: Some(starts) } => {
                if text.len() != starts.len() {
                    return Err(format!(
                        "has {}, but {}",
                        count(text.len(), "text"),
                        count(starts.len(), "place")
                    ));
                }
                text.into_iter().zip(starts).collect()
            }
        }))
    }
}

/// Finds an answer in its context: at its offset, near it, or, without an offset, at its first occurrence. Strips
/// surrounding white space: no token contains it, so the answer would be read as ending with the next one. Returns true if the
/// answer was moved.
///
/// # Errors
/// A message if the answer is blank or not found.
pub(super) fn find(context: &str, text: &str, start: Option<i64>) -> Result<(GoldAnswer, bool), String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("an answer is blank; a question without an answer has an empty list of them".to_owned());
    }
    let answer = |start: usize| GoldAnswer { text: trimmed.to_owned(), start: Some(start) };
    let blanks = text.chars().take_while(|c| c.is_whitespace()).count();
    let Some(stated) = start else {
        if let Some(byte) = context.find(text) {
            return Ok((answer(context[..byte].chars().count() + blanks), false));
        }
        if let Some(byte) = context.find(trimmed) {
            return Ok((answer(context[..byte].chars().count()), false));
        }
        return Err(format!(
            "answer \"{}\" does not occur in the context; correct one of them",
            shortened(text)
        ));
    };
    let start =
        usize::try_from(stated).map_err(|_| format!("an answer_start is {stated}; it counts from 0"))?;
    if context.char_indices().nth(start).is_some_and(|(byte, _)| context[byte..].starts_with(text)) {
        return Ok((answer(start + blanks), false));
    }
    if let Some(start) = nearby(context, trimmed, start) {
        return Ok((answer(start), true));
    }
    let there: String = context.chars().skip(start).take(trimmed.chars().count()).collect();
    let is_bytes = context.get(start..).is_some_and(|rest| rest.starts_with(text));
    let advice = if is_bytes { "; it seems to count bytes, and must count Unicode code points" } else { "" };
    Err(format!(
        "answer \"{}\" is not at its answer_start {start} or near it; \"{}\" is there{advice}",
        shortened(text),
        shortened(&there)
    ))
}

/// Returns the occurrence of a text that is closest to an offset.
fn nearby(context: &str, text: &str, start: usize) -> Option<usize> {
    let first = start.saturating_sub(NEAR);
    context
        .char_indices()
        .enumerate()
        .skip(first)
        .take(start.saturating_add(NEAR + 1) - first)
        .filter(|(_, (byte, _))| context[*byte..].starts_with(text))
        .map(|(place, _)| place)
        .min_by_key(|place| place.abs_diff(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(context: &str, text: &str, start: Option<i64>) -> Option<(String, usize, bool)> {
        let (answer, moved) = find(context, text, start).ok()?;
        let place = answer.start?;
        let slice: String = context.chars().skip(place).take(answer.text.chars().count()).collect();
        assert_eq!(slice, answer.text);
        Some((answer.text, place, moved))
    }

    fn at(text: &str, place: usize, moved: bool) -> Option<(String, usize, bool)> {
        Some((text.to_owned(), place, moved))
    }

    #[test]
    fn places_count_code_points() {
        let context = "é😀 in Paris, Paris.";
        assert_eq!(found(context, "Paris", Some(6)), at("Paris", 6, false));
        assert_eq!(found(context, "Paris", Some(13)), at("Paris", 13, false));
        assert_eq!(found(context, "Paris", None), at("Paris", 6, false));
        assert_eq!(found(context, "é", Some(0)), at("é", 0, false));
    }

    #[test]
    fn answers_close_to_their_place() {
        let context = "In Paris, in Paris.";
        assert_eq!(found(context, "Paris", Some(5)), at("Paris", 3, true));
        assert_eq!(found(context, "Paris", Some(11)), at("Paris", 13, true));
        assert_eq!(found(context, " Paris ", Some(12)), at("Paris", 13, true));
        assert_eq!(found(context, " Paris", Some(2)), at("Paris", 3, false));
        assert_eq!(found(context, "Paris \n", None), at("Paris", 3, false));
        assert_eq!(found(context, "Paris", Some(33)), at("Paris", 13, true));
        assert_eq!(found(context, "Paris", Some(34)), None);
        assert_eq!(found(context, "Paris", Some(i64::MAX)), None);
    }

    #[test]
    fn answers_that_are_not_there() {
        let problem = |context: &str, text: &str, start| find(context, text, start).err().unwrap_or_default();
        assert_eq!(
            problem("In Paris.", "Rome", Some(3)),
            "answer \"Rome\" is not at its answer_start 3 or near it; \"Pari\" is there"
        );
        assert!(problem("In Paris.", "Rome", None).contains("does not occur in the context"));
        assert!(problem("In Paris.", "Paris", Some(-1)).contains("-1"));
        assert!(problem("In Paris.", " ", Some(0)).contains("blank"));
        let context = format!("{} Paris", "é".repeat(50));
        assert!(problem(&context, "Paris", Some(101)).contains("count bytes"));
    }

    #[test]
    fn forms() {
        let parse = |json: &str| Answers::parse(json).map(|answers| answers.0);
        let one = |start: Option<i64>| Ok(vec![("a".to_owned(), start)]);
        assert_eq!(parse("\"a\""), one(None));
        assert_eq!(parse("[\"a\"]"), one(None));
        assert_eq!(parse("[{\"text\": \"a\", \"answer_start\": 2, \"x\": 1}]"), one(Some(2)));
        assert_eq!(parse("[{\"text\": \"a\"}]"), one(None));
        assert_eq!(parse("{\"text\": [\"a\"], \"answer_start\": [2]}"), one(Some(2)));
        assert_eq!(parse("{\"text\": [\"a\"]}"), one(None));
        assert_eq!(parse("{\"text\": \"a\", \"answer_start\": null}"), one(None));
        assert!(
            parse("{\"text\": [\"a\"], \"answer_start\": []}")
                .is_err_and(|e| e == "has 1 text, but 0 places")
        );
        for json in
            ["1", "[1]", "{}", "[{\"answer_start\": 1}]", "[{\"text\": \"a\", \"answer_start\": 1.5}]"]
        {
            assert!(parse(json).is_err_and(|e| e.contains("expected a list")), "{json}");
        }
    }
}
