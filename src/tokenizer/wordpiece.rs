//! Converts a BERT `vocab.txt`, as used by Chinese ALBERT models, to a `tokenizer.json`.

use super::roles::{Class, ROLES, Role};
use super::settings::Settings;
use super::special_tokens::SpecialTokens;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Returns the pipeline of `BertTokenizerFast` for a vocabulary, as JSON for the `tokenizers` crate.
pub(super) fn tokenizer_json(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Vec<u8>> {
    let bad = |problem: String| Error::bad_file(path, problem);
    // A repeated token has the id of its last line.
    let vocab: Map<String, Value> = (0u32..).zip(lines(bytes, path)?).map(|(id, t)| (t, id.into())).collect();
    let is_named = |role: Role, token: &str| {
        let default = Class::Bert.default_token(role);
        settings.role(role).unwrap_or(default.as_ref()).is_some_and(|named| named.text() == token)
    };
    let id = |token: &str| vocab.get(token).and_then(Value::as_u64).map(|id| id as u32);
    let found = SpecialTokens::find(settings, id);
    let (Some(cls), Some(sep), Some(unk)) = (&found.cls, &found.sep, &found.unk) else {
        return Err(bad("a vocab.txt needs the tokens [CLS], [SEP] and [UNK], each on its own line; \
            if they have other names here, give them in tokenizer_config.json"
            .to_owned()));
    };
    // Only tokens that were found by their usual names. The others are added as configured.
    let added: Vec<Value> = found
        .all()
        .into_iter()
        .filter(|(_, token)| !ROLES.iter().any(|role| is_named(*role, token)))
        .map(|(id, token)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        })
        .collect();
    let special = |(id, token): &(u32, String)| json!({"id": token, "ids": [id], "tokens": [token]});
    let piece =
        |(_, token): &(u32, String), kind: u32| json!({"SpecialToken": {"id": token, "type_id": kind}});
    let sequence = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    let names = Map::from_iter([(cls.1.clone(), special(cls)), (sep.1.clone(), special(sep))]);
    let whole = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": settings.tokenize_chinese_chars.unwrap_or(true),
            "strip_accents": settings.strip_accents,
            "lowercase": settings.do_lower_case.unwrap_or(true),
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [piece(cls, 0), sequence("A", 0), piece(sep, 0)],
            "pair": [piece(cls, 0), sequence("A", 0), piece(sep, 0), sequence("B", 1), piece(sep, 1)],
            "special_tokens": names,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece",
            "unk_token": unk.1,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocab,
        },
    });
    serde_json::to_vec(&whole).map_err(|e| bad(format!("cannot be used as a vocabulary: {e}")))
}

/// Returns the tokens of a vocabulary, one per line.
pub(super) fn lines(bytes: &[u8], path: &Path) -> Result<Vec<String>> {
    let bad = |problem: String| Error::bad_file(path, problem);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        bad(format!("not UTF-8 text (byte {}): a vocab.txt has one token per line", e.valid_up_to()))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // As in Python, \r\n and \r end lines, too.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.strip_suffix('\n').unwrap_or(&text);
    if text.trim().is_empty() {
        return Err(bad("an empty vocabulary: a vocab.txt has one token per line".to_owned()));
    }
    Ok(text.split('\n').map(str::to_owned).collect())
}
