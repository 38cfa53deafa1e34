//! Detects the form of a stream of records from its beginning: lines, one array of records, or a file of questions.

use std::io::BufRead;

use super::json::{JsonError, Scanner};

/// How records are arranged in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One record per line.
    Lines,
    /// One JSON array, with one record per element.
    Array,
    /// A SQuAD file: one object whose key `data` contains articles with paragraphs, or questions.
    Questions,
}

/// Maximum number of bytes that are examined to detect the shape. A longer line cannot be a record.
pub(crate) const MAX_HEAD_BYTES: usize = 17 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Detects the shape of a stream from its first bytes; `whole` is true if the stream ends after
/// them. Returns `None` if more bytes are needed. Files of questions are only detected if `questions` is true.
pub(crate) fn shape(head: &[u8], whole: bool, questions: bool) -> Option<Shape> {
    let whole = whole || head.len() >= MAX_HEAD_BYTES;
    if !whole && head.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(head) {
        return None;
    }
    let mut scanner = Scanner::new(head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head));
    let found = match scanner.next() {
        Ok(Some(b'[')) => array(&mut scanner, whole),
        Ok(Some(b'{')) if questions => match is_questions(&mut scanner) {
            Err(error) if error.is_end() && !whole => None,
            // No other kind of object is this long.
            Err(error) if error.is_end() && head.len() >= MAX_HEAD_BYTES => Some(Shape::Questions),
            Ok(true) => Some(Shape::Questions),
            Ok(false) | Err(_) => Some(Shape::Lines),
        },
        Ok(None) => None,
        Ok(Some(_)) | Err(_) => Some(Shape::Lines),
    };
    found.or(whole.then_some(Shape::Lines))
}

/// Reads the beginning of a stream, up to the point at which its shape is known.
pub(super) fn look(stream: &mut impl BufRead, questions: bool) -> std::io::Result<(Vec<u8>, Shape)> {
    let mut head = Vec::new();
    // A long beginning is not examined again after every chunk.
    let mut seen = 0;
    loop {
        let piece = match stream.fill_buf() {
            Ok(piece) => piece,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let (length, whole, line_ends) = (piece.len(), piece.is_empty(), piece.contains(&b'\n'));
        head.extend_from_slice(piece);
        stream.consume(length);
        if whole || line_ends || head.len() >= 2 * seen {
            seen = head.len();
            if let Some(shape) = shape(&head, whole, questions) {
                return Ok((head, shape));
            }
        }
    }
}

/// Detects an array of objects. An empty array only counts if nothing follows.
fn array(scanner: &mut Scanner<&[u8]>, whole: bool) -> Option<Shape> {
    scanner.enter(b'[', "an array").ok()?;
    match scanner.next().ok()? {
        Some(b'{') => Some(Shape::Array),
        Some(b']') => {
            scanner.enter(b']', "the end of the array").ok()?;
            match scanner.next().ok()? {
                Some(_) => Some(Shape::Lines),
                None if whole => Some(Shape::Array),
                None => None,
            }
        }
        Some(_) => Some(Shape::Lines),
        None => None,
    }
}

/// Returns true if an object is a file of questions rather than a record that has a question.
fn is_questions(scanner: &mut Scanner<&[u8]>) -> Result<bool, JsonError> {
    scanner.enter(b'{', "an object")?;
    let (mut first, mut empty) = (true, false);
    while let Some(name) = scanner.next_name(&mut first)? {
        match name.text() {
            Some("question" | "context") => return Ok(false),
            Some("data") if scanner.next()? == Some(b'[') => {
                scanner.enter(b'[', "a list")?;
                if !scanner.next_element(&mut true)? {
                    empty = true;
                } else {
                    return scanner.next()?.map_or(Ok(false), |byte| match byte {
                        b'{' => holds_questions(scanner),
                        _ => Ok(false),
                    });
                }
            }
            _ => scanner.skip()?,
        }
    }
    Ok(empty)
}

/// Returns true if an element of `data` is an article, a paragraph or a question.
fn holds_questions(scanner: &mut Scanner<&[u8]>) -> Result<bool, JsonError> {
    scanner.enter(b'{', "an object")?;
    let (mut first, mut context, mut asks) = (true, false, false);
    while let Some(name) = scanner.next_name(&mut first)? {
        let list = scanner.next()? == Some(b'[');
        match name.text() {
            Some("paragraphs") if list => return Ok(true),
            Some("qas") if list => asks = true,
            Some("question") => asks = true,
            Some("context") => context = true,
            _ => {}
        }
        if context && asks {
            return Ok(true);
        }
        scanner.skip()?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Detects the shape of a text, and checks that no prefix of it is detected as another shape.
    fn of(text: &str, questions: bool) -> Option<Shape> {
        let found = shape(text.as_bytes(), true, questions);
        for end in 0..text.len() {
            let early = shape(&text.as_bytes()[..end], false, questions);
            assert!(early.is_none() || early == found, "{early:?} after {end} bytes of {text}");
        }
        found
    }

    #[test]
    fn arrays_begin_with_an_object() {
        for text in ["[{\"text\": 1}]", " [\n\n\t{", "\u{feff}[ {}", "[]", " [ ]\n", "[{x"] {
            assert_eq!(of(text, false), Some(Shape::Array), "{text}");
            assert_eq!(of(text, true), Some(Shape::Array), "{text}");
        }
        for text in
            ["[MASK] x", "[ [", "[\"a\"]", "[] x", "x [{", "{\"text\": [{", "", "\n \n", "[", "[1]\n[{}]"]
        {
            assert_eq!(of(text, false), Some(Shape::Lines), "{text}");
        }
    }

    #[test]
    fn files_of_questions() {
        let long = "u".repeat(70_000);
        for text in [
            r#"{"data": [{"title": "x", "paragraphs": [{"context"#.to_owned(),
            r#"{"version": "v2.0", "data": [{"paragraphs":["#.to_owned(),
            format!(r#"{{"data": [{{"title": "T", "url": "{long}", "paragraphs": ["#),
            format!(r#"{{"license": {{"context": "{long}", "a": [NaN]}}, "data": [{{"paragraphs": ["#),
            r#"{"data": [{"id": "a", "context": "c", "question": "q", "answers": []}]}"#.to_owned(),
            r#"{"data": [{"qas": [{"question": "q"}], "context": "c"}]}"#.to_owned(),
            r#"{"version": "1", "data": []}"#.to_owned(),
            "{\n \"data\": [\n  {\n   \"question\": \"q\",\n   \"context\": \"c\"".to_owned(),
        ] {
            assert_eq!(shape(text.as_bytes(), true, true), Some(Shape::Questions), "{text}");
            assert_eq!(shape(text.as_bytes(), true, false), Some(Shape::Lines));
            if text.len() < 1000 {
                of(&text, true);
            }
        }
    }

    #[test]
    fn records_that_are_no_files_of_questions() {
        for text in [
            r#"{"question": "Who?", "context": "\"paragraphs\": ["}"#,
            r#"{"id": 1, "question": "Who?", "data": [{"paragraphs": []}]}"#,
            r#"{"data": "x", "id": 3}"#,
            r#"{"data": [1, {"paragraphs": []}]}"#,
            r#"{"data": [{"text": "x", "label": 1}]}"#,
            r#"{"q": "Who?", "page": "x"}"#,
            "Who wrote \"paragraphs\": []?",
            "{ x",
            "{",
        ] {
            assert_eq!(of(text, true), Some(Shape::Lines), "{text}");
        }
    }
}
