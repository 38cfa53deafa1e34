//! Formats JSON objects as human-readable lines.

use std::fmt::Write as _;

use serde_json::Value;

/// Formats one line per key, with thousands separators.
pub(crate) fn human_readable(described: &Value) -> String {
    let mut out = String::new();
    for (key, value) in described.as_object().into_iter().flatten() {
        let _infallible = writeln!(out, "{:<24} {}", key.replace('_', " "), shown(value));
    }
    out
}

/// Formats a value on one line. Leaves out the members of an object that are null.
fn shown(value: &Value) -> String {
    let parts: Vec<String> = match value {
        Value::Null => Vec::new(),
        Value::String(text) => return text.clone(),
        Value::Number(number) => return grouped(&number.to_string()),
        Value::Bool(value) => return if *value { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members.map(|(key, value)| format!("{} {}", key.replace('_', " "), shown(value))).collect()
        }
    };
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.chars().all(|c| c.is_ascii_digit()) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_lists_on_one_line() {
        let described = serde_json::json!({
            "model": "mine", "unrecognized": 0, "warnings": [], "labels": ["a", "b"], "file": null, "tied": true,
            "tokenizer": {"pieces": 12000, "file": null, "model_type": "UNIGRAM"},
        });
        let expected = "\
model                    mine
unrecognized             0
warnings                 none
labels                   a, b
file                     none
tied                     yes
tokenizer                pieces 12,000, model type UNIGRAM
";
        assert_eq!(human_readable(&described), expected);
    }

    #[test]
    fn digits_in_groups() {
        assert_eq!(grouped("11683584"), "11,683,584");
        assert_eq!(grouped("12"), "12");
        assert_eq!(grouped("1.5"), "1.5");
    }
}
