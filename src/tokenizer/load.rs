//! Finding out what kind of tokenizer a file or a directory holds.

use super::fast::Fast;
use super::limits::Limits;
use super::names::Settings;
use super::slow::Slow;
use super::vocabulary::vocabularies;
use super::{Engine, Kind, Tokenizer, wordpiece};
use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

const JSON: &str = "tokenizer.json";
const MODELS: [&str; 2] = ["spiece.model", "30k-clean.model"];
const VOCAB: &str = "vocab.txt";

/// One file, with no configuration beside it.
pub(super) fn file(path: &Path) -> Result<Tokenizer> {
    load(path, &Settings::default())
}

/// The tokenizer of a checkpoint directory.
pub(super) fn dir(dir: &Path) -> Result<Tokenizer> {
    let path = find(dir)?;
    load(&path, &settings(dir)?)
}

/// A `tokenizer.json` in memory.
pub(super) fn json(bytes: &[u8], path: &Path) -> Result<Tokenizer> {
    from_json(bytes, path, &Settings::default())
}

fn from_json(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Tokenizer> {
    let fast = Fast::new(bytes, path, settings)?;
    Ok(Tokenizer::new(Engine::Fast(Box::new(fast)), Kind::TokenizerJson, settings))
}

fn load(path: &Path, settings: &Settings) -> Result<Tokenizer> {
    bytes(&fs::read(path).map_err(Error::io(path, "read"))?, path, settings)
}

/// A file's content, whatever its kind.
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
        Kind::TokenizerJson => from_json(bytes, path, settings),
        Kind::SentencePiece => {
            let slow = Slow::new(bytes, path, settings)?;
            Ok(Tokenizer::new(Engine::Slow(Box::new(slow)), Kind::SentencePiece, settings))
        }
        Kind::WordPiece => {
            let json = wordpiece::tokenizer_json(bytes, path, settings)?;
            let fast = Fast::new(&json, path, settings)?;
            Ok(Tokenizer::new(Engine::Fast(Box::new(fast)), Kind::WordPiece, settings))
        }
    }
}

/// By the ending of the name, else by the content: JSON begins with a brace, a SentencePiece model with the tag of
/// its first piece, followed by a length and another tag.
fn kind_of(path: &Path, bytes: &[u8]) -> Kind {
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => return Kind::TokenizerJson,
        Some("model" | "spm") => return Kind::SentencePiece,
        Some("txt") => return Kind::WordPiece,
        _ => {}
    }
    match bytes.trim_ascii_start().first() {
        Some(b'{') => Kind::TokenizerJson,
        _ if bytes.first() == Some(&0x0a) && bytes.get(2) == Some(&0x0a) => Kind::SentencePiece,
        _ => Kind::WordPiece,
    }
}

/// The file to read in `dir`.
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
    // A saved TensorFlow model keeps its vocabulary there.
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
                 with --tokenizer",
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
                 name one with --tokenizer PATH"
            ),
        )
    })
}

/// What the configuration files in `dir` say; none has to be there.
fn settings(dir: &Path) -> Result<Settings> {
    let mut settings = Settings::default();
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let path = dir.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io(path, "read")(e)),
        };
        let map: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|e| {
            let problem = format!("not a JSON object ({e}): correct it, or remove it to use the defaults");
            Error::bad_file(&path, problem)
        })?;
        settings.complete(&map);
        if name == "tokenizer_config.json" {
            settings.limits = Limits::of(&map, &path)?;
        }
    }
    Ok(settings)
}
