//! Formats JSON objects as human-readable lines.

use std::fmt::Write as _;

use serde_json::Value;

/// Formats one line per key, with thousands separators.
pub(crate) fn human_readable(described: &Value) -> String {
    let mut out = String::new();
    for (key, value) in described.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null => "none".to_owned(),
            Value::String(text) => text.clone(),
            Value::Number(n) => grouped(&n.to_string()),
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::Array(items) => items
                .iter()
                .map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_owned))
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        let _infallible = writeln!(out, "{:<24} {shown}", key.replace('_', " "));
    }
    out
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
    fn digits_in_groups() {
        assert_eq!(grouped("11683584"), "11,683,584");
        assert_eq!(grouped("12"), "12");
        assert_eq!(grouped("1.5"), "1.5");
    }
}
