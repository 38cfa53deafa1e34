//! Reads the records of a JSON array one at a time, so that memory use does not depend on the size of the file.

use std::io::BufRead;

use super::fields::Fields;
use super::json::{JsonError, Scanner};

/// Calls `record` for each element of the array, in order, until it returns false. An element that is not an object is an
/// error of that record alone.
///
/// # Errors
/// Returns a message with the position of the syntax error.
pub(super) fn read_array(
    stream: impl BufRead,
    record: &mut dyn FnMut(Result<Fields, String>) -> bool,
) -> Result<(), String> {
    read(stream, record).map_err(|error| {
        format!(
            "is not a valid JSON array of records: {error}; option input_format=text reads its lines as text"
        )
    })
}

fn read(
    stream: impl BufRead,
    record: &mut dyn FnMut(Result<Fields, String>) -> bool,
) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(stream);
    scanner.enter(b'[', "an array")?;
    let mut first = true;
    while scanner.next_element(&mut first)? {
        let fields = match scanner.next()? {
            Some(b'{') => Ok(scanner.fields()?),
            _ => {
                let value = scanner.value()?;
                let start: String = value.get().chars().take(40).collect();
                Err(format!("not a JSON object: {start}"))
            }
        };
        if !record(fields) {
            return Ok(());
        }
    }
    scanner.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str) -> (Vec<String>, Option<String>) {
        let mut seen = Vec::new();
        let result = read_array(text.as_bytes(), &mut |record| {
            seen.push(match record {
                Ok(fields) => String::from_utf8(fields.to_json().expect("writes")).expect("UTF-8"),
                Err(problem) => problem,
            });
            true
        });
        (seen, result.err())
    }

    #[test]
    fn elements_become_records_on_one_line() {
        let text = "[\n  {\n    \"text\": \"good  film\",\n    \"stars\": [\n NaN\n]\n  },\n  5,\n{}]\n";
        let expected = ["{\"text\":\"good  film\",\"stars\":[NaN]}", "not a JSON object: 5", "{}"];
        assert_eq!(records(text), (expected.map(str::to_owned).to_vec(), None));
        assert_eq!(records("[]"), (Vec::new(), None));
    }

    #[test]
    fn what_breaks_off_is_an_error_after_what_was_whole() {
        for (text, count, problem) in [
            ("[{\"a\":1},\n{\"b\"", 1, "EOF while parsing an object at line 2 column 4"),
            ("[{\"a\":1}", 1, "EOF while parsing a list at line 1 column 8"),
            ("[{\"a\":1},]", 1, "trailing comma at line 1 column 9"),
            ("[{\"a\":1}]\n{\"a\":2}", 1, "trailing characters at line 2 column 0"),
            ("[{laughs}] Hello", 0, "key must be a string at line 1 column 2"),
        ] {
            let (seen, error) = records(text);
            assert_eq!(seen.len(), count, "{text}");
            let error = error.expect("an error");
            assert!(error.contains(problem) && error.contains("option input_format=text"), "{error}");
        }
    }
}
