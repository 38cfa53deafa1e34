//! Reads files of questions as records, incrementally, so that memory use does not depend on the size of the file: SQuAD,
//! versions 1.1 and 2.0, and the flat form of transformers' `run_qa.py`, whose `data` is a list of questions with a
//! context each.
//!
//! A record has the fields of its question (`id`, `question`, `answers`, ...), followed by `context`, and by `title` if
//! it precedes the paragraphs in the file. Keys may come in any order.

use std::io::BufRead;

use super::fields::{Fields, JsonText};
use super::json::{JsonError, Problem, Scanner};

/// Calls `question` for each question of the file, in order, until it returns false.
///
/// # Errors
/// The problem with the file, and the line at which it was detected.
pub(crate) fn read_squad(
    stream: impl BufRead,
    question: &mut dyn FnMut(Fields) -> bool,
) -> Result<(), String> {
    let mut walk = Parser { scanner: Scanner::new(stream), question };
    match walk.file() {
        Ok(true) | Err(Stop::Enough) => Ok(()),
        Ok(false) => Err("not a SQuAD file: it has no list named \"data\"".to_owned()),
        Err(Stop::Broken(e)) => Err(format!("not a SQuAD file that can be read: {e}")),
    }
}

/// Why reading ends early.
enum Stop {
    /// No more questions are wanted.
    Enough,
    /// The file is invalid.
    Broken(JsonError),
}

impl From<JsonError> for Stop {
    fn from(error: JsonError) -> Self {
        Self::Broken(error)
    }
}

struct Parser<'a, R> {
    scanner: Scanner<R>,
    question: &'a mut dyn FnMut(Fields) -> bool,
}

impl<R: BufRead> Parser<'_, R> {
    /// Reads `{"version": ..., "data": [...]}`. Returns whether there is a list `data`.
    fn file(&mut self) -> Result<bool, Stop> {
        let mut found = false;
        self.scanner.enter(b'{', "an object with \"data\"")?;
        let mut first = true;
        while let Some(name) = self.scanner.next_name(&mut first)? {
            if name.text() != Some("data") {
                self.scanner.skip()?;
                continue;
            }
            found = true;
            self.scanner.enter(b'[', "a list of articles or questions")?;
            let mut first = true;
            while self.scanner.next_element(&mut first)? {
                self.element()?;
            }
        }
        self.scanner.end()?;
        Ok(found)
    }

    /// Reads an article with paragraphs, a paragraph, or a question.
    fn element(&mut self) -> Result<(), Stop> {
        self.scanner.enter(b'{', "an article with \"paragraphs\"")?;
        let mut fields = Fields::default();
        let mut article = false;
        let mut first = true;
        while let Some(name) = self.scanner.next_name(&mut first)? {
            if name.text() == Some("paragraphs") {
                article = true;
                let title = fields.raw("title").cloned();
                fields = Fields::default();
                self.paragraphs(title.as_ref())?;
            } else if article {
                self.scanner.skip()?;
            } else {
                fields.push(name, self.scanner.value()?);
            }
        }
        match fields.raw("qas").cloned() {
            _ if article => Ok(()),
            Some(questions) => {
                let title = fields.raw("title").cloned();
                self.questions(&questions, fields.raw("context"), title.as_ref())
            }
            None if fields.raw("question").is_some() || fields.raw("context").is_some() => {
                self.hand_out(fields)
            }
            None => Ok(()),
        }
    }

    fn paragraphs(&mut self, title: Option<&JsonText>) -> Result<(), Stop> {
        self.scanner.enter(b'[', "the list of paragraphs")?;
        let mut first = true;
        while self.scanner.next_element(&mut first)? {
            self.scanner.enter(b'{', "a paragraph")?;
            let (mut context, mut questions) = (None, None);
            let mut first = true;
            while let Some(name) = self.scanner.next_name(&mut first)? {
                match name.text() {
                    Some("context") => context = Some(self.scanner.value()?),
                    Some("qas") => questions = Some(self.scanner.value()?),
                    _ => self.scanner.skip()?,
                }
            }
            let Some(questions) = questions else {
                return Err(self.scanner.error("missing field `qas`").into());
            };
            self.questions(&questions, context.as_ref(), title)?;
        }
        Ok(())
    }

    /// Passes on the questions of a paragraph that has been read.
    fn questions(
        &mut self,
        questions: &JsonText,
        context: Option<&JsonText>,
        title: Option<&JsonText>,
    ) -> Result<(), Stop> {
        let Some(context) = context else {
            return Err(self.scanner.error("missing field `context`").into());
        };
        let mut list = Scanner::new(questions.get().as_bytes());
        let here = |error: JsonError| match error.problem {
            Problem::Syntax(problem) => self.scanner.error(problem),
            _ => error,
        };
        list.enter(b'[', "a list of questions").map_err(here)?;
        let mut first = true;
        while list.next_element(&mut first)? {
            let mut fields = list.fields().map_err(here)?;
            if let Some(title) = title {
                fields.set("title", title.clone());
            }
            fields.set("context", context.clone());
            if !(self.question)(fields) {
                return Err(Stop::Enough);
            }
        }
        Ok(())
    }

    fn hand_out(&mut self, fields: Fields) -> Result<(), Stop> {
        if (self.question)(fields) { Ok(()) } else { Err(Stop::Enough) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(json: &str) -> (Vec<String>, Result<(), String>) {
        let mut seen = Vec::new();
        let result = read_squad(json.as_bytes(), &mut |fields| {
            seen.push(String::from_utf8(fields.to_json().expect("writes")).expect("UTF-8"));
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
            (r#"{"data":{}}"#, "expected a list of articles or questions"),
            (r#"{"data":[{"paragraphs":[{"qas":[]}]}]}"#, "missing field `context`"),
            (r#"{"data":[{"context":"x","qas":{}}]}"#, "expected a list of questions"),
            (r#"{"data":[{"context":"x","qas":[1]}]}"#, "expected an object"),
            (r#"{"data":[{"paragraphs":[{"context":"x"}]}]}"#, "missing field `qas`"),
            (r#"{"data":[{"paragraphs":[{"context":"x","qas":[{"id":"#, "EOF"),
            (r#"{"data":[]} {"data":[]}"#, "trailing characters"),
        ] {
            let (_, result) = questions(json);
            assert!(result.as_ref().is_err_and(|e| e.contains(part)), "{json}: {result:?}");
        }
    }

    #[test]
    fn the_flat_form_of_run_qa() {
        let (seen, result) = questions(
            r#"{"version": "0.1.0", "data": [
                {"id": "a1", "title": "T", "context": "C", "question": "a?",
                 "answers": {"text": ["C"],
                             "answer_start": [0]}, "score": NaN},
                {"question": "b?", "context": "D"}, {"title": "of an article without paragraphs"},
                {"paragraphs": [{"qas": [{"question": "c?"}], "context": "E"}], "title": "late"},
                {"context": "F", "qas": [{"question": "d?"}], "title": "U"}]}"#,
        );
        assert_eq!(result, Ok(()));
        assert_eq!(
            seen,
            [
                r#"{"id":"a1","title":"T","context":"C","question":"a?","answers":{"text": ["C"],"answer_start": [0]},"score":NaN}"#,
                r#"{"question":"b?","context":"D"}"#,
                r#"{"question":"c?","context":"E"}"#,
                r#"{"question":"d?","title":"U","context":"F"}"#,
            ]
        );
    }

    #[test]
    fn a_reader_may_have_enough() {
        let mut count = 0;
        let file = r#"{"data": [{"question": "a?"}, {"question": "b?"}, broken"#;
        let result = read_squad(file.as_bytes(), &mut |_| {
            count += 1;
            count < 2
        });
        assert_eq!((result, count), (Ok(()), 2));
    }
}
