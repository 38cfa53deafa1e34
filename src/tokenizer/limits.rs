//! The maximum length of a text and the side on which it is truncated: `model_max_length` and `truncation_side`.
//!
//! Reference: transformers 4.57 `tokenization_utils_base.py` and `tokenization_utils_fast.py`. The `truncation` section
//! of a `tokenizer.json` only provides the default side, since transformers ignores its length.

use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A larger `model_max_length` means that there is no limit (transformers' `LARGE_INTEGER`).
const NO_LIMIT: f64 = 1e20;

/// The side on which a text that is too long loses tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TruncationSide {
    /// The end of the text is removed.
    #[default]
    Right,
    /// The beginning of the text is removed.
    Left,
}

impl TruncationSide {
    /// Returns the name used in `tokenizer_config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Left => "left",
        }
    }

    /// Returns the side with this name, ignoring case (a `tokenizer.json` writes `Left`).
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Right, Self::Left].into_iter().find(|side| side.name().eq_ignore_ascii_case(name))
    }

    /// Returns the positions of the remaining tokens when `length` tokens are truncated to `kept`.
    pub fn kept(self, length: usize, kept: usize) -> Range<usize> {
        let kept = kept.min(length);
        match self {
            Self::Right => 0..kept,
            Self::Left => length - kept..length,
        }
    }
}

/// The limits that a tokenizer's files define.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Maximum sequence length in tokens, including special tokens.
    pub max_length: Option<usize>,
    /// The side on which texts are truncated.
    pub side: Option<TruncationSide>,
}

impl Limits {
    /// Reads both keys of a `tokenizer_config.json`. `path` is used in errors.
    pub(super) fn of(map: &Map<String, Value>, path: &Path) -> Result<Self> {
        let bad = |key: &str, value: &Value, expected: &str| Error::Config {
            path: path.to_owned(),
            key: key.to_owned(),
            problem: format!("is {}; expected {expected}", shortened(value)),
        };
        // `max_len` is the older name of the key.
        let key = if map.contains_key("model_max_length") { "model_max_length" } else { "max_len" };
        let max_length = match map.get(key) {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
                let number = number.ok_or_else(|| bad(key, value, "a number of tokens"))?;
                // Zero and negative numbers disable truncation, as in transformers' pipelines.
                (1.0..=NO_LIMIT).contains(&number).then_some(number as usize)
            }
        };
        let side = match map.get("truncation_side") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_str()
                    .and_then(TruncationSide::from_name)
                    .ok_or_else(|| bad("truncation_side", value, "\"left\" or \"right\""))?,
            ),
        };
        Ok(Self { max_length, side })
    }
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> Result<Limits> {
        let Ok(Value::Object(map)) = serde_json::from_str(json) else { panic!("not an object: {json}") };
        Limits::of(&map, Path::new("tokenizer_config.json"))
    }

    #[test]
    fn the_very_large_default_is_no_limit() {
        let length = |json: &str| limits(json).expect("sound").max_length;
        assert_eq!(length(r#"{"model_max_length": 128}"#), Some(128));
        assert_eq!(length(r#"{"model_max_length": 512.0}"#), Some(512));
        assert_eq!(length(r#"{"max_len": 64}"#), Some(64));
        assert_eq!(length(r#"{"max_len": 64, "model_max_length": 32}"#), Some(32));
        for none in ["1000000000000000019884624838656", "1e30", "null", "0", "-1"] {
            assert_eq!(length(&format!("{{\"model_max_length\": {none}}}")), None, "{none}");
        }
        assert_eq!(length("{}"), None);
    }

    #[test]
    fn the_side_has_two_values() {
        let side = |json: &str| limits(json).expect("sound").side;
        assert_eq!(side(r#"{"truncation_side": "left"}"#), Some(TruncationSide::Left));
        assert_eq!(side(r#"{"truncation_side": "right"}"#), Some(TruncationSide::Right));
        assert_eq!(side("{}"), None);
        let error = limits(r#"{"truncation_side": "middle"}"#).expect_err("no side").to_string();
        assert!(error.contains("truncation_side") && error.contains("\"left\" or \"right\""), "{error}");
        assert!(limits(r#"{"model_max_length": "long"}"#).is_err());
    }

    #[test]
    fn either_end_is_kept() {
        assert_eq!(TruncationSide::Right.kept(5, 2), 0..2);
        assert_eq!(TruncationSide::Left.kept(5, 2), 3..5);
        assert_eq!(TruncationSide::Left.kept(2, 5), 0..2);
    }
}
