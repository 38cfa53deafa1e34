//! Detects and loads the tokenizer in a file or a directory.

use super::classes::{Named, Reading};
use super::japanese::Japanese;
use super::json_tokenizer::JsonTokenizer;
use super::limits::Limits;
use super::roles::Class;
use super::sentencepiece_tokenizer::SentencePieceTokenizer;
use super::settings::Settings;
use super::vocabulary::vocabularies;
use super::{Engine, Tokenizer, TokenizerKind, wordpiece};
use crate::error::{Error, Result};
use crate::io::from_json_file;
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

const JSON: &str = "tokenizer.json";
const MODELS: [&str; 2] = ["spiece.model", "30k-clean.model"];
const VOCAB: &str = "vocab.txt";

/// Loads a file without configuration files.
pub(super) fn file(path: &Path) -> Result<Tokenizer> {
    load(path, &Settings::default())
}

/// Loads the tokenizer of a checkpoint directory.
pub(super) fn dir(dir: &Path) -> Result<Tokenizer> {
    let settings = settings(dir)?;
    let mut named = Named::read(dir);
    let mut tokenizer = match named.reading(dir)? {
        Reading::Usual => load(&find(dir)?, &settings)?,
        Reading::File(path) => load(&path, &settings)?,
        Reading::Japanese => {
            let japanese = Japanese::new(dir, &named.config, &settings, named.file())?;
            Tokenizer::new(Engine::Japanese(Box::new(japanese)), TokenizerKind::Japanese, &settings)
        }
    };
    tokenizer.one_type = named.has_one_type();
    tokenizer.class = named.class;
    Ok(tokenizer)
}

/// Loads a `tokenizer.json` from memory.
pub(super) fn json(bytes: &[u8], path: &Path) -> Result<Tokenizer> {
    from_json(bytes, path, &Settings::default())
}

fn from_json(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Tokenizer> {
    let fast = JsonTokenizer::new(bytes, path, settings)?;
    Ok(Tokenizer::new(Engine::JsonTokenizer(Box::new(fast)), TokenizerKind::TokenizerJson, settings))
}

fn load(path: &Path, settings: &Settings) -> Result<Tokenizer> {
    bytes(&fs::read(path).map_err(Error::io(path, "read"))?, path, settings)
}

/// Loads any kind of tokenizer from the content of a file.
pub(super) fn bytes(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Tokenizer> {
    if bytes.is_empty() {
        let problem = "an empty file: copy it again from where the model comes from";
        return Err(Error::bad_file(path, problem));
    }
    if bytes.starts_with(b"version https://git-lfs") {
        let problem = "a Git LFS pointer, not the file itself: fetch it (git lfs pull) or download it again";
        return Err(Error::bad_file(path, problem));
    }
    match kind_of(path, bytes) {
        TokenizerKind::TokenizerJson => from_json(bytes, path, settings),
        TokenizerKind::SentencePiece => {
            let slow = SentencePieceTokenizer::new(bytes, path, settings)?;
            Ok(Tokenizer::new(
                Engine::SentencePieceTokenizer(Box::new(slow)),
                TokenizerKind::SentencePiece,
                settings,
            ))
        }
        // A file alone names no class.
        TokenizerKind::WordPiece | TokenizerKind::Japanese => {
            let mut settings = settings.clone();
            settings.class = Some(Class::Bert);
            let json = wordpiece::tokenizer_json(bytes, path, &settings)?;
            let fast = JsonTokenizer::new(&json, path, &settings)?;
            Ok(Tokenizer::new(Engine::JsonTokenizer(Box::new(fast)), TokenizerKind::WordPiece, &settings))
        }
    }
}

/// Detects the kind from the extension, otherwise from the content: JSON starts with a brace, and a SentencePiece model
/// with the tag of its first piece, a length and another tag.
fn kind_of(path: &Path, bytes: &[u8]) -> TokenizerKind {
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => return TokenizerKind::TokenizerJson,
        Some("model" | "spm") => return TokenizerKind::SentencePiece,
        Some("txt") => return TokenizerKind::WordPiece,
        _ => {}
    }
    match bytes.trim_ascii_start().first() {
        Some(b'{') => TokenizerKind::TokenizerJson,
        _ if bytes.first() == Some(&0x0a) && bytes.get(2) == Some(&0x0a) => TokenizerKind::SentencePiece,
        _ => TokenizerKind::WordPiece,
    }
}

/// Finds the tokenizer file in `dir`.
pub(super) fn find(dir: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(dir).map_err(Error::io(dir, "read"))?;
    let mut others = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        if path.extension().is_some_and(|e| e == "model") && path.is_file() {
            others.push(path);
        }
    }
    others.sort();
    let named = [JSON, MODELS[0], MODELS[1]].map(|name| dir.join(name)).into_iter().find(|p| p.is_file());
    let vocab = Some(dir.join(VOCAB)).filter(|p| p.is_file());
    // A saved TensorFlow model keeps its vocabulary in this subdirectory.
    let assets = dir.join("assets");
    let single = if let [one] = others.as_slice() { Some(one.clone()) } else { None };
    if let Some(found) = named.or(single).or(vocab) {
        return Ok(found);
    }
    match vocabularies(dir)?.as_slice() {
        [] => {}
        [one] => return Ok(one.clone()),
        several => {
            let names: Vec<_> = several.iter().filter_map(|p| p.file_name()?.to_str()).collect();
            let problem = format!(
                "several word-piece vocabularies in this directory ({}): rename the right one to {VOCAB}, or name it \
                 with option tokenizer",
                names.join(", ")
            );
            return Err(Error::bad_file(dir, problem));
        }
    }
    if others.is_empty() && assets.is_dir() {
        return find(&assets);
    }
    Err({
        let looked = format!(
            "looked for {JSON}, {}, {}, a single other *.model, {VOCAB}, a single other word-piece vocabulary (*.txt)",
            MODELS[0], MODELS[1]
        );
        let found = match others.len() {
            0 => String::new(),
            n => format!(" and found {n} *.model files, none of them named {}", MODELS[0]),
        };
        Error::bad_file(
            dir,
            format!(
                "no tokenizer in this directory: {looked}{found}; copy one of them from where the model comes from, or \
                 name one with option tokenizer=PATH"
            ),
        )
    })
}

/// Reads the settings in the configuration files of `dir`, all of which are optional.
fn settings(dir: &Path) -> Result<Settings> {
    let mut settings = Settings::default();
    let bad = |name: &str, problem: String| Error::bad_file(dir.join(name), format!("{problem}: {CORRECT}"));
    let path = dir.join("tokenizer_config.json");
    let config = object(&path)?;
    if let Some(config) = &config {
        settings.read_config(config).map_err(|problem| bad("tokenizer_config.json", problem))?;
        settings.limits = Limits::of(config, &path)?;
    }
    if let Some(map) = object(&dir.join("special_tokens_map.json"))? {
        settings.read_map(&map);
    }
    if let Some(added) = object(&dir.join("added_tokens.json"))? {
        settings.read_added(&added).map_err(|problem| bad("added_tokens.json", problem))?;
    }
    settings.class = Some(class(config.as_ref(), &dir.join("config.json")));
    Ok(settings)
}

const CORRECT: &str = "correct it, or remove the file to use the defaults";

/// Reads a JSON object, if the file exists.
fn object(path: &Path) -> Result<Option<Map<String, Value>>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, "read")(e)),
    };
    from_json_file(&bytes).map(Some).map_err(|e| {
        let problem = format!("not a JSON object ({e}): correct it, or remove it to use the defaults");
        Error::bad_file(path, problem)
    })
}

/// Returns the class that transformers would use: the one named by the tokenizer's configuration, otherwise by the
/// model's, otherwise that of the model's type.
fn class(config: Option<&Map<String, Value>>, model: &Path) -> Class {
    let text = |map: Option<&Map<String, Value>>, key: &str| map?.get(key)?.as_str().map(str::to_owned);
    let name = text(config, "tokenizer_class");
    // Errors in the model's configuration are reported when the model is read.
    let model = if name.is_some() { None } else { object(model).ok().flatten() };
    let name = name.or_else(|| text(model.as_ref(), "tokenizer_class"));
    name.map(|name| Class::named(&name))
        .or_else(|| Class::of_model(&text(model.as_ref(), "model_type")?))
        .unwrap_or(Class::Other)
}
