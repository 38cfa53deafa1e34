//! SQuAD files, versions 1.1 and 2.0, as records: one per question, read paragraph by paragraph so that
//! memory stays small however large the file.
//!
//! A record has the fields of its question (`id`, `question`, `answers`, ...), then `context`, and
//! `title` where the file names it before the paragraphs.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Fields;

/// Calls `question` for each question of the file, in order, until it returns false.
///
/// # Errors
/// What is wrong with the file, with the line where the reader noticed it.
pub fn read_squad(stream: impl Read, question: &mut dyn FnMut(Fields) -> bool) -> Result<(), String> {
    let mut stopped = false;
    let mut found = false;
    let mut deserializer = serde_json::Deserializer::from_reader(stream);
    let walk = Walk { level: Level::File, title: None, question, stopped: &mut stopped, found: &mut found };
    let result = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match result {
        _ if stopped => Ok(()),
        Ok(()) if !found => Err("not a SQuAD file: it has no list named \"data\"".to_owned()),
        Ok(()) => Ok(()),
        Err(e) => Err(format!("not a SQuAD file that can be read: {e}")),
    }
}

/// True if the beginning of a file looks like SQuAD's: a key named `paragraphs` that holds a list. In JSON
/// lines such a key could only come with such a field.
pub fn looks_like_squad(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return false;
    }
    text.match_indices("\"paragraphs\"").any(|(at, key)| {
        let before = text[..at].trim_end().chars().next_back();
        let after = text[at + key.len()..].trim_start().strip_prefix(':').map(str::trim_start);
        matches!(before, Some('{' | ',')) && after.is_some_and(|rest| rest.starts_with('['))
    })
}

/// Where the walk through the file stands.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    /// `{"version": ..., "data": [...]}`
    File,
    /// The list of articles.
    Articles,
    /// `{"title": ..., "paragraphs": [...]}`
    Article,
    /// The list of paragraphs.
    Paragraphs,
}

struct Walk<'a> {
    level: Level,
    title: Option<Box<RawValue>>,
    question: &'a mut dyn FnMut(Fields) -> bool,
    stopped: &'a mut bool,
    found: &'a mut bool,
}

impl Walk<'_> {
    fn below(&mut self, level: Level) -> Walk<'_> {
        Walk {
            level,
            title: self.title.clone(),
            question: &mut *self.question,
            stopped: &mut *self.stopped,
            found: &mut *self.found,
        }
    }

    /// Hands out the questions of one paragraph.
    fn paragraph<E: serde::de::Error>(&mut self, paragraph: Paragraph) -> Result<(), E> {
        for question in paragraph.qas {
            let mut fields: Fields = serde_json::from_str(&one_line(question.get())).map_err(E::custom)?;
            if let Some(title) = &self.title {
                fields.set("title", title.clone());
            }
            fields.set("context", paragraph.context.clone());
            if !(self.question)(fields) {
                *self.stopped = true;
                return Err(E::custom("nobody reads any more"));
            }
        }
        Ok(())
    }
}

/// JSON without its line breaks and what indents its lines, so that a record stays a line. Strings hold no
/// line breaks.
fn one_line(json: &str) -> String {
    json.lines().map(str::trim).collect()
}

#[derive(serde::Deserialize)]
struct Paragraph {
    context: Box<RawValue>,
    qas: Vec<Box<RawValue>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.level {
            Level::File | Level::Article => deserializer.deserialize_map(self),
            Level::Articles | Level::Paragraphs => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::File => "an object with \"data\"",
            Level::Articles => "the list of articles",
            Level::Article => "an article with \"paragraphs\"",
            Level::Paragraphs => "the list of paragraphs",
        })
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match (self.level, key.as_str()) {
                (Level::File, "data") => {
                    *self.found = true;
                    map.next_value_seed(self.below(Level::Articles))?;
                }
                (Level::Article, "title") => self.title = Some(map.next_value()?),
                (Level::Article, "paragraphs") => map.next_value_seed(self.below(Level::Paragraphs))?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        if self.level == Level::Articles {
            while list.next_element_seed(self.below(Level::Article))?.is_some() {}
        } else {
            while let Some(paragraph) = list.next_element()? {
                self.paragraph(paragraph)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(json: &str) -> (Vec<String>, Result<(), String>) {
        let mut seen = Vec::new();
        let result = read_squad(json.as_bytes(), &mut |fields| {
            seen.push(serde_json::to_string(&fields).expect("writes"));
            true
        });
        (seen, result)
    }

    #[test]
    fn a_record_per_question_in_any_order_of_keys() {
        let (seen, result) = questions(
            r#"{"version":"v2.0","data":[{"title":"T","paragraphs":[
                {"qas":[{"question":"a?","id":"1","answers":[
                    ],
                    "is_impossible":true},{"id":"2","question":"b?"}],
                 "context":"C\u00e9"}]},{"paragraphs":[{"context":"D","qas":[]}]}]}"#,
        );
        assert_eq!(result, Ok(()));
        assert_eq!(
            seen,
            [
                r#"{"question":"a?","id":"1","answers":[],"is_impossible":true,"title":"T","context":"C\u00e9"}"#,
                r#"{"id":"2","question":"b?","title":"T","context":"C\u00e9"}"#,
            ]
        );
    }

    #[test]
    fn what_is_no_squad_file_is_refused() {
        for (json, part) in [
            ("{}", "no list named \"data\""),
            ("[]", "an object with \"data\""),
            (r#"{"data":[{"paragraphs":[{"context":"x"}]}]}"#, "missing field `qas`"),
            (r#"{"data":[{"paragraphs":[{"context":"x","qas":[{"id":"#, "EOF"),
            (r#"{"data":[]} {"data":[]}"#, "trailing characters"),
        ] {
            let (_, result) = questions(json);
            assert!(result.as_ref().is_err_and(|e| e.contains(part)), "{json}: {result:?}");
        }
    }

    #[test]
    fn the_beginning_tells() {
        assert!(looks_like_squad(br#"{"data": [{"title": "x", "paragraphs": [{"context"#));
        assert!(looks_like_squad(br#"{"version": "v2.0", "data": [{"paragraphs":["#));
        assert!(!looks_like_squad(br#"{"question": "Who?", "context": "\"paragraphs\": ["}"#));
        assert!(!looks_like_squad(b"Who wrote \"paragraphs\": []?"));
    }
}
