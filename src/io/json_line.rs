//! Describes a line that is not one JSON object.

/// Describes the error of a line. `before` is the number of bytes of the line before the text that was parsed. Only the
/// column is given, since the line within a text of one line is always 1.
pub(crate) fn json_problem(error: &serde_json::Error, line: &str, before: usize) -> String {
    let message = error.to_string();
    let stem = message.split(" at line ").next().unwrap_or(&message);
    let column = before + error.column();
    if line.trim().is_empty() {
        "the line is blank; expected a JSON object".to_owned()
    } else if error.is_eof() {
        "this line is not a complete JSON object; one object per line is read (jq -c . puts each on one line)"
            .to_owned()
    } else if stem == "trailing characters" {
        format!("text after the end of the object (column {column}); one object per line is read")
    } else {
        format!("not a JSON object: {stem} (column {column})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::Fields;

    #[test]
    fn what_is_wrong_with_a_line() {
        const CUT: &str = "this line is not a complete JSON object; one object per line is read (jq -c . puts each on \
                           one line)";
        for (line, problem) in [
            ("{", CUT),
            ("{\"text\": \"a", CUT),
            (
                "{\"a\":1} {\"a\":2}",
                "text after the end of the object (column 9); one object per line is read",
            ),
            ("{\"a\":1},", "text after the end of the object (column 8); one object per line is read"),
            ("{\"a\":NaN},", "text after the end of the object (column 10); one object per line is read"),
            (" ", "the line is blank; expected a JSON object"),
            ("{1}", "not a JSON object: key must be a string (column 2)"),
        ] {
            let error = Fields::parse(line).expect_err("not one object");
            assert_eq!(json_problem(&error, line, 0), problem);
        }
    }
}
