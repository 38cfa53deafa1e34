//! The files of a tokenizer in a Hugging Face directory.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::io::NewDirectory;
use crate::tokenizer::{Kind, Tokenizer};

/// Writes a SentencePiece model into the new directory `destination`, with the `tokenizer.json`,
/// `tokenizer_config.json` and `special_tokens_map.json` that go with it; `positions` is the longest text of the
/// models it is for. Gives the names and sizes of the files. The directory appears when it is whole.
///
/// # Errors
/// If `destination` exists and is not empty, cannot be written, or the model is none.
pub fn write_tokenizer(destination: &Path, spiece: &[u8], positions: usize) -> Result<Vec<(String, u64)>> {
    let directory = NewDirectory::create(destination)?;
    let folder = directory.path();
    let path = folder.join("spiece.model");
    let tokenizer = Tokenizer::from_bytes(spiece, &path)?;
    write(&path, spiece)?;
    write(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(&tokenizer, positions))?;
    write_json(&folder.join("special_tokens_map.json"), &special_tokens(&tokenizer))?;
    directory.finish()
}

/// `special_tokens_map.json`.
pub(super) fn special_tokens(tokenizer: &Tokenizer) -> Value {
    let mut map = Map::new();
    for (key, token) in [
        ("bos_token", tokenizer.cls_token()),
        ("cls_token", tokenizer.cls_token()),
        ("eos_token", tokenizer.sep_token()),
        ("pad_token", tokenizer.pad_token()),
        ("sep_token", tokenizer.sep_token()),
        ("unk_token", tokenizer.unk_token()),
    ] {
        // A BERT vocabulary has no names for the ends of a text.
        let bert = tokenizer.kind() == Kind::WordPiece && matches!(key, "bos_token" | "eos_token");
        if let Some(token) = token.filter(|_| !bert) {
            map.insert(key.to_owned(), token.into());
        }
    }
    if let Some(mask) = tokenizer.mask_token() {
        let mask = match tokenizer.kind() {
            Kind::WordPiece => mask.into(),
            // The space before it belongs to it.
            Kind::SentencePiece | Kind::TokenizerJson => {
                json!({"content": mask, "lstrip": true, "normalized": false, "rstrip": false, "single_word": false})
            }
        };
        map.insert("mask_token".to_owned(), mask);
    }
    Value::Object(map)
}

/// `tokenizer_config.json`.
pub(super) fn tokenizer_config(tokenizer: &Tokenizer, positions: usize) -> Value {
    let mut map = match special_tokens(tokenizer) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(Value::Object(mask)) = map.get_mut("mask_token") {
        mask.insert("__type".to_owned(), "AddedToken".into());
    }
    map.insert("do_lower_case".to_owned(), true.into());
    map.insert("model_max_length".to_owned(), positions.into());
    let class = match tokenizer.kind() {
        Kind::WordPiece => "BertTokenizer",
        Kind::SentencePiece | Kind::TokenizerJson => {
            map.insert("keep_accents".to_owned(), false.into());
            map.insert("remove_space".to_owned(), true.into());
            "AlbertTokenizer"
        }
    };
    map.insert("tokenizer_class".to_owned(), class.into());
    Value::Object(map)
}

pub(super) fn write_json(path: &Path, value: &Value) -> Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::io(path, "write"))
}
