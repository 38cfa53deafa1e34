//! Encodes running text word by word, with a cache. For pipelines that split at white space anyway, this is ten times as
//! fast as the pipeline of a `tokenizer.json`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokenizers::AddedToken;

use super::export::combining_marks;

/// Number of words after which a cache is cleared.
const MOST_WORDS: usize = 1 << 18;
/// Maximum length of a cached word in bytes.
const MOST_BYTES: usize = 48;

type Words = HashMap<Box<str>, Box<[u32]>>;

/// Caches of word ids. Each thread takes one while it is encoding.
#[derive(Debug, Default)]
pub(super) struct WordCache {
    idle: Mutex<Vec<Words>>,
}

impl WordCache {
    /// Appends the ids of `text` to `ids`. New words are encoded with `encode`.
    pub(super) fn encode<E>(
        &self,
        text: &str,
        ids: &mut Vec<u32>,
        encode: impl Fn(&str) -> Result<Vec<u32>, E>,
    ) -> Result<(), E> {
        if !text.split(' ').all(stands_alone) {
            ids.extend(encode(text)?);
            return Ok(());
        }
        let mut words = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut result = Ok(());
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if let Some(known) = words.get(word) {
                ids.extend_from_slice(known);
                continue;
            }
            match encode(word) {
                Ok(new) => {
                    ids.extend_from_slice(&new);
                    if word.len() <= MOST_BYTES {
                        if words.len() >= MOST_WORDS {
                            words.clear();
                        }
                        words.insert(word.into(), new.into());
                    }
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(words);
        result
    }
}

/// Returns true if `word` is normalized independently of the preceding space, that is, if it does not start with a
/// combining mark.
fn stands_alone(word: &str) -> bool {
    word.chars().next().is_none_or(|c| c < '\u{300}' || ('\u{2010}'..='\u{2027}').contains(&c))
}

/// Returns true if the pipeline of a `tokenizer.json` encodes each word between spaces independently.
pub(super) fn is_word_by_word(
    normalizer: Option<&Value>,
    pre_tokenizer: Option<&Value>,
    added_tokens: &[&AddedToken],
) -> bool {
    let kind = |value: &Value| value.get("type").and_then(Value::as_str).map(str::to_owned);
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let is_local = |step: &Value| match kind(step).as_deref() {
        Some("NFKD" | "NFD" | "StripAccents" | "Lowercase" | "Precompiled") => true,
        Some("Replace") => {
            let pattern = step.get("pattern");
            let text = pattern.and_then(|p| p.get("String")).and_then(Value::as_str);
            let regex = pattern.and_then(|p| p.get("Regex")).and_then(Value::as_str);
            text.is_some_and(|text| !text.contains(char::is_whitespace))
                || matches!(regex, Some(" {2,}" | "[\u{b}\u{1c}-\u{1f}]"))
                || regex == Some(combining_marks())
        }
        _ => false,
    };
    let normalizer = normalizer.unwrap_or(&Value::Null);
    let steps = match kind(normalizer).as_deref() {
        Some("Sequence") => list(normalizer, "normalizers").unwrap_or_default(),
        None => Vec::new(),
        Some(_) => vec![normalizer.clone()],
    };
    let cutters = pre_tokenizer.and_then(|p| list(p, "pretokenizers")).unwrap_or_default();
    let cuts_words = matches!(cutters.as_slice(), [first, second]
        if kind(first).as_deref() == Some("WhitespaceSplit")
            && kind(second).as_deref() == Some("Metaspace")
            && second.get("prepend_scheme").and_then(Value::as_str) == Some("always"));
    // Special tokens are not recognized in running text.
    let plain = added_tokens.iter().filter(|token| !token.special).all(|token| {
        !token.content.contains(char::is_whitespace) && !token.lstrip && !token.rstrip && !token.single_word
    });
    cuts_words && plain && steps.iter().all(is_local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;
    use std::path::Path;

    fn golden(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizer").join(name);
        std::fs::read(path).expect("reads")
    }

    fn judge(file: &Value) -> bool {
        let tokens = file["added_tokens"].as_array().expect("a list");
        let tokens: Vec<_> =
            tokens.iter().map(|t| crate::tokenizer::named::token(t).expect("a token")).collect();
        is_word_by_word(file.get("normalizer"), file.get("pre_tokenizer"), &tokens.iter().collect::<Vec<_>>())
    }

    #[test]
    fn word_by_word_matches_the_full_pipeline() {
        let strings: Value = serde_json::from_slice(&golden("strings.json")).expect("JSON");
        let strings = strings["singles"].as_array().expect("a list");
        let texts = strings.iter().filter_map(Value::as_str).filter(|text| {
            // These are special outside of running text.
            let low = text.to_lowercase();
            !["[mask]", "[cls]", "[sep]", "<unk>", "<pad>"].iter().any(|special| low.contains(special))
        });
        let texts: Vec<&str> = texts.collect();
        assert!(texts.len() > 400);
        let bytes = golden("hub2020.json");
        assert!(judge(&serde_json::from_slice(&bytes).expect("JSON")));
        let tokenizer = Tokenizer::from_json_bytes(&bytes, Path::new("hub2020.json")).expect("a tokenizer");
        for first in &texts {
            for second in [texts[7], first, "a  b ", "\u{301}x"] {
                let text = format!("{first} {second}");
                let mut ids = Vec::new();
                tokenizer.encode_ids(&text, &mut ids).expect("encodes");
                assert_eq!(
                    ids,
                    tokenizer.encode_without_special_tokens(&text).expect("encodes").ids,
                    "{text:?}"
                );
            }
        }
    }

    #[test]
    fn other_pipelines_are_left_alone() {
        // White space at the end of a text or before a symbol is a piece.
        assert!(!judge(&serde_json::from_slice(&golden("fast457.json")).expect("JSON")));
        let mut file: Value = serde_json::from_slice(&golden("hub2020.json")).expect("JSON");
        file["normalizer"] =
            serde_json::json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "x"}]});
        assert!(!judge(&file));
        file["normalizer"] = Value::Null;
        assert!(judge(&file));
        file["pre_tokenizer"] =
            serde_json::json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"});
        assert!(!judge(&file));
    }
}
