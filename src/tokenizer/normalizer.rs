//! Adapts and checks the normalizer of a `tokenizer.json`.

use serde_json::Value;
use tokenizers::normalizers::Precompiled;
use tokenizers::{NormalizerWrapper, Tokenizer};

use super::settings::Settings;

/// Sets the switches of the normalizer as `BertTokenizerFast` does: as configured, or to its defaults. Added tokens keep
/// the form given by the file's own normalizer. Returns the switches that differ from the file's.
pub(super) fn adapt_normalizer(
    tokenizer: &mut Tokenizer,
    settings: &Settings,
) -> std::result::Result<Vec<String>, String> {
    let Some(NormalizerWrapper::BertNormalizer(own)) = tokenizer.get_normalizer() else {
        return Ok(Vec::new());
    };
    let (own, mut normalizer) = (*own, *own);
    normalizer.lowercase = settings.do_lower_case.unwrap_or(true);
    normalizer.strip_accents = settings.strip_accents;
    normalizer.handle_chinese_chars = settings.tokenize_chinese_chars.unwrap_or(true);
    let strips = |value: Option<bool>| value.map_or("as do_lower_case".to_owned(), |value| value.to_string());
    let changed = [
        (own.lowercase != normalizer.lowercase, format!("do_lower_case {}", normalizer.lowercase)),
        (
            own.strip_accents != normalizer.strip_accents,
            format!("strip_accents {}", strips(normalizer.strip_accents)),
        ),
        (
            own.handle_chinese_chars != normalizer.handle_chinese_chars,
            format!("tokenize_chinese_chars {}", normalizer.handle_chinese_chars),
        ),
    ];
    tokenizer.with_normalizer(Some(normalizer)).map_err(|e| e.to_string())?;
    Ok(changed.into_iter().filter(|(differs, _)| *differs).map(|(_, switch)| switch).collect())
}

/// Checks each normalization table, because the library panics on a damaged one.
pub(super) fn check_tables(normalizer: &Value) -> std::result::Result<(), String> {
    if normalizer.get("type").and_then(Value::as_str) == Some("Precompiled") {
        // Its table must be borrowed from the text.
        let text = normalizer.to_string();
        let table = serde_json::from_str::<Precompiled>(&text);
        table.map_err(|e| format!("the normalization table is damaged: {e}"))?;
    }
    let steps = normalizer.get("normalizers").and_then(Value::as_array);
    steps.into_iter().flatten().try_for_each(check_tables)
}
