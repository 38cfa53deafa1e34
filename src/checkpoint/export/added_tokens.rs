//! Writes added tokens into the files of a saved tokenizer, so that every version of transformers assigns them the same
//! ids.
//!
//! Versions 4.34 to 4.57 read `added_tokens_decoder` of `tokenizer_config.json`. Older versions read `added_tokens.json`
//! and `special_tokens_map.json`. Version 5 reads `added_tokens_decoder` and `tokenizer.json`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::json::{write, write_json};
use crate::error::{Error, Result};
use crate::io::from_json_file;
use crate::tokenizer::{Tokenizer, TokenizerKind};

const CONFIG: &str = "tokenizer_config.json";
const MAP: &str = "special_tokens_map.json";

/// Special tokens with a role, each of which has a key of its own.
const ROLES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// Writes the tokens that users added to `tokenizer` into the files in `folder`. Leaves the files unchanged
/// if the user added no tokens and version 5 did not write the files.
pub(in crate::checkpoint) fn complete(folder: &Path, tokenizer: &Tokenizer) -> Result<()> {
    let mut config = read(&folder.join(CONFIG))?;
    // Version 5 writes a list, which 4.57 cannot read.
    let is_newer = config.get("extra_special_tokens").is_some_and(Value::is_array);
    if !tokenizer.is_extended() && !is_newer {
        return Ok(());
    }
    if tokenizer.is_extended() {
        write(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    }
    let mut map = read(&folder.join(MAP))?;
    if !config.contains_key("added_tokens_decoder") {
        // With `added_tokens_decoder`, transformers no longer reads the map.
        let named = map.iter().filter(|(key, value)| ROLES.contains(&key.as_str()) && !value.is_null());
        for (key, value) in named {
            config.insert(key.clone(), value.get("content").unwrap_or(value).clone());
        }
    }
    for role in ROLES {
        if let Some(text) = config.get(role).and_then(|value| value.get("content")).cloned() {
            config.insert(role.to_owned(), text);
        }
    }
    let listed = tokenizer.added_tokens().into_iter().map(|(id, token)| {
        let attributes = json!({"content": token.content, "lstrip": token.lstrip, "normalized": token.normalized,
            "rstrip": token.rstrip, "single_word": token.single_word, "special": token.special});
        (id.to_string(), attributes)
    });
    config.insert("added_tokens_decoder".to_owned(), Value::Object(listed.collect()));
    let special = tokenizer.additional_special_tokens();
    config.remove("extra_special_tokens");
    config.insert("additional_special_tokens".to_owned(), json!(special));
    map.remove("extra_special_tokens");
    map.insert("additional_special_tokens".to_owned(), json!(special));
    match config.get("tokenizer_class").and_then(Value::as_str) {
        None if tokenizer.kind() == TokenizerKind::WordPiece => {
            config.insert("tokenizer_class".to_owned(), "BertTokenizer".into());
        }
        None if tokenizer.kind() == TokenizerKind::SentencePiece => {
            config.insert("tokenizer_class".to_owned(), "AlbertTokenizer".into());
        }
        // Version 5's name of the class.
        Some("TokenizersBackend") => {
            config.insert("tokenizer_class".to_owned(), "PreTrainedTokenizerFast".into());
        }
        _ => {}
    }
    write_json(&folder.join(CONFIG), &Value::Object(config))?;
    write_json(&folder.join(MAP), &Value::Object(map))?;
    let beyond = tokenizer.tokens_beyond_model();
    if !beyond.is_empty() {
        let added: Map<String, Value> =
            beyond.into_iter().map(|(id, token)| (token.content.clone(), id.into())).collect();
        write_json(&folder.join("added_tokens.json"), &Value::Object(added))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    from_json_file(&bytes).map_err(|e| Error::bad_file(path, format!("not a JSON object ({e})")))
}
