//! Writes the tokenizer files of a checkpoint under transformers' names.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::added_tokens;
use super::json::{write, write_json};
use crate::checkpoint::embedded;
use crate::checkpoint::resolve::{Checkpoint, Origin};
use crate::error::{Error, Result};
use crate::io::StagedDirectory;
use crate::tokenizer::train::Trained;
use crate::tokenizer::{Tokenizer, TokenizerKind};

/// The source of a tokenizer's files.
#[derive(Clone, Debug)]
pub enum TokenizerFiles {
    /// The built-in model.
    Embedded,
    /// A directory with file names of any library.
    Directory(PathBuf),
    /// A single file.
    File(PathBuf),
}

impl TokenizerFiles {
    /// Returns the source of the tokenizer of `checkpoint`.
    pub fn of(checkpoint: &Checkpoint) -> Self {
        if let Some(path) = &checkpoint.tokenizer_path {
            return Self::at(path);
        }
        match &checkpoint.origin {
            Origin::Embedded { .. } => Self::Embedded,
            Origin::Directory { directory, .. } => Self::Directory(directory.clone()),
        }
    }

    /// Returns the source for a directory or file named by the user.
    pub fn at(path: &Path) -> Self {
        if path.is_dir() { Self::Directory(path.to_owned()) } else { Self::File(path.to_owned()) }
    }

    /// Copies the files into `folder`, and creates missing ones from `tokenizer`. `positions` is the maximum text length
    /// in tokens.
    ///
    /// # Errors
    /// [`Error::Io`]; those of [`Tokenizer::to_json`].
    pub fn write(&self, folder: &Path, tokenizer: &Tokenizer, positions: usize) -> Result<()> {
        match self {
            Self::Embedded => write(&folder.join("spiece.model"), embedded::TOKENIZER)?,
            Self::Directory(source) => {
                copy_first(
                    &["spiece.model", "30k-clean.model", "assets/30k-clean.model", "assets/spiece.model"],
                    source,
                    &folder.join("spiece.model"),
                )?;
                for name in [
                    "vocab.txt",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "special_tokens_map.json",
                    "added_tokens.json",
                ] {
                    copy_first(&[name], source, &folder.join(name))?;
                }
                // transformers may not know the name of the file in use.
                let target = folder.join(file_name(tokenizer.kind()));
                if !target.exists() {
                    copy(&Tokenizer::file_in(source)?, &target)?;
                }
            }
            Self::File(source) => {
                copy(source, &folder.join(file_name(tokenizer.kind())))?;
            }
        }
        add_missing(folder, tokenizer, positions)?;
        added_tokens::complete(folder, tokenizer)
    }
}

/// Returns the file name that transformers looks for.
fn file_name(kind: TokenizerKind) -> &'static str {
    match kind {
        TokenizerKind::TokenizerJson => "tokenizer.json",
        TokenizerKind::SentencePiece => "spiece.model",
        TokenizerKind::WordPiece | TokenizerKind::Japanese => "vocab.txt",
    }
}

/// Creates the files that are missing from `folder`.
fn add_missing(folder: &Path, tokenizer: &Tokenizer, positions: usize) -> Result<()> {
    if !folder.join("tokenizer.json").exists() && tokenizer.json_obstacle().is_none() {
        write(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    }
    if !folder.join("tokenizer_config.json").exists() {
        write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(tokenizer, positions))?;
    }
    if !folder.join("special_tokens_map.json").exists() {
        write_json(&folder.join("special_tokens_map.json"), &special_tokens(tokenizer))?;
    }
    Ok(())
}

/// Writes a trained SentencePiece model into the new directory `destination`, together with `tokenizer.json`,
/// `tokenizer_config.json` and `special_tokens_map.json`. `positions` is the maximum text length in tokens. Returns the
/// names and sizes of the files. The directory appears once it is complete.
///
/// # Errors
/// If `destination` exists and is not empty or cannot be written, or if the model is invalid.
pub fn write_tokenizer(
    destination: &Path,
    trained: &Trained,
    positions: usize,
) -> Result<Vec<(String, u64)>> {
    StagedDirectory::check(destination)?;
    let directory = StagedDirectory::create(destination)?;
    let path = directory.path().join("spiece.model");
    let tokenizer = trained.tokenizer(&path)?;
    write(&path, &trained.spiece)?;
    add_missing(directory.path(), &tokenizer, positions)?;
    directory.finish()
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    std::fs::copy(source, target).map(drop).map_err(Error::io(source, "copy"))
}

fn copy_first(names: &[&str], source: &Path, target: &Path) -> Result<()> {
    match names.iter().map(|name| source.join(name)).find(|path| path.is_file()) {
        None => Ok(()),
        Some(path) => copy(&path, target),
    }
}

/// Returns true if the tokenizer uses BERT's special tokens.
fn is_bert(tokenizer: &Tokenizer) -> bool {
    matches!(tokenizer.kind(), TokenizerKind::WordPiece | TokenizerKind::Japanese)
}

fn special_tokens(tokenizer: &Tokenizer) -> Value {
    let mut map = Map::new();
    for (key, token) in [
        ("bos_token", tokenizer.cls_token()),
        ("cls_token", tokenizer.cls_token()),
        ("eos_token", tokenizer.sep_token()),
        ("pad_token", tokenizer.pad_token()),
        ("sep_token", tokenizer.sep_token()),
        ("unk_token", tokenizer.unk_token()),
    ] {
        // A BERT vocabulary has no begin-of-sequence and end-of-sequence tokens.
        let bert = is_bert(tokenizer) && matches!(key, "bos_token" | "eos_token");
        if let Some(token) = token.filter(|_| !bert) {
            map.insert(key.to_owned(), token.into());
        }
    }
    if let Some(mask) = tokenizer.mask_token() {
        let mask = if is_bert(tokenizer) {
            mask.into()
        } else {
            // The mask token includes the preceding space.
            json!({"content": mask, "lstrip": true, "normalized": false, "rstrip": false, "single_word": false})
        };
        map.insert("mask_token".to_owned(), mask);
    }
    Value::Object(map)
}

fn tokenizer_config(tokenizer: &Tokenizer, positions: usize) -> Value {
    let mut map = match special_tokens(tokenizer) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    if let Some(Value::Object(mask)) = map.get_mut("mask_token") {
        mask.insert("__type".to_owned(), "AddedToken".into());
    }
    // Unlike the other classes, `BertJapaneseTokenizer` does not lower-case by default.
    map.insert("do_lower_case".to_owned(), (tokenizer.kind() != TokenizerKind::Japanese).into());
    map.insert("model_max_length".to_owned(), positions.into());
    let usual = if is_bert(tokenizer) {
        "BertTokenizer"
    } else {
        map.insert("keep_accents".to_owned(), tokenizer.keeps_accents().into());
        map.insert("remove_space".to_owned(), true.into());
        "AlbertTokenizer"
    };
    map.insert("tokenizer_class".to_owned(), tokenizer.class().unwrap_or(usual).into());
    Value::Object(map)
}
