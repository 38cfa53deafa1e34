//! Non-finite numbers, which JSON does not have.

/// Returns the text of a line in which `NaN` and the infinities are replaced by zeros, padded to the same length in
/// bytes.
pub(in crate::io) fn without_non_finite(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['"', 'N', 'I']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if rest.starts_with('"') {
            let length = string_length(rest);
            out.push_str(&rest[..length]);
            length
        } else if let Some(word) = ["NaN", "Infinity"].into_iter().find(|word| rest.starts_with(word)) {
            out.push_str(&format!("{:<width$}", 0, width = word.len()));
            word.len()
        } else {
            out.push_str(&rest[..1]);
            1
        };
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// Returns the length of a string literal in bytes; the length of the text if it is not terminated.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_finite_become_zeros_of_the_same_length() {
        let line = r#"{"NaN": NaN, "a": [-Infinity, "\"NaN"], "b": "I N"}"#;
        let zeros = r#"{"NaN": 0  , "a": [-0       , "\"NaN"], "b": "I N"}"#;
        assert_eq!(without_non_finite(line), zeros);
        assert_eq!(without_non_finite("\"NaN"), "\"NaN");
    }
}
