//! Floating-point numbers that are read from JSON exactly as they were written.
//!
//! serde_json's default parser may be off in the last digit. Then a score that is read again after a restart would not equal
//! the same score computed anew.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Reads a number.
pub(super) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    optional(deserializer)?.ok_or_else(|| D::Error::custom("null is not a number"))
}

/// Reads a number or null.
pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    match raw.get() {
        "null" => Ok(None),
        number => number.parse().map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Score {
        #[serde(deserialize_with = "optional")]
        score: Option<f64>,
    }

    #[test]
    fn numbers_are_exact() {
        let read = |text: &str| serde_json::from_str::<Score>(text).map(|found| found.score);
        for number in [0.20020020020020018, 0.49115646258503404, -1.5, 0.1 + 0.2, 1e-300, 7.0] {
            let text = serde_json::json!({"score": number}).to_string();
            assert_eq!(read(&text).expect("a number"), Some(number), "{text}");
        }
        assert_eq!(read("{\"score\": null}").expect("null"), None);
        assert!(read("{\"score\": \"1\"}").is_err());
    }
}
