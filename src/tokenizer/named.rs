//! Tokens in configuration files.

use serde_json::Value;
use tokenizers::AddedToken;

/// A token in a configuration file: only its text, or with its attributes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Named {
    Text(String),
    Token(AddedToken),
}

impl Named {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Token(token) => &token.content,
        }
    }

    /// Reads `"[MASK]"` or `{"content": "[MASK]", "lstrip": true, ...}`.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Object(_) => token(value).map(Self::Token),
            _ => None,
        }
    }
}

/// Reads a token with its attributes. Missing attributes get the defaults of Python's `AddedToken`.
pub(super) fn token(value: &Value) -> Option<AddedToken> {
    let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
    let special = flag("special");
    Some(AddedToken {
        content: value.get("content")?.as_str()?.to_owned(),
        single_word: flag("single_word"),
        lstrip: flag("lstrip"),
        rstrip: flag("rstrip"),
        normalized: normalized(value, special),
        special,
    })
}

/// Returns a token as an entry of a `tokenizer.json`.
pub(super) fn json(id: u32, token: &AddedToken) -> Value {
    serde_json::json!({"id": id, "content": token.content, "single_word": token.single_word, "lstrip": token.lstrip,
           "rstrip": token.rstrip, "normalized": token.normalized, "special": token.special})
}

pub(super) fn normalized(value: &Value, special: bool) -> bool {
    value.get("normalized").and_then(Value::as_bool).unwrap_or(!special)
}
