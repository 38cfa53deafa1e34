//! Tokenization: text to token ids and back.
//!
//! A [`Tokenizer`] comes from a `tokenizer.json`, a SentencePiece model or a BERT `vocab.txt`. For every source, pairs
//! have type ids 0 and 1, nothing is padded, texts are truncated only on request, special tokens are named by the files,
//! and offsets count Unicode code points of the original text.
//!
//! * A `tokenizer.json` is run as written, by the `tokenizers` crate. The files next to it add tokens and change the
//!   normalizer in the same way as the class that they name does in transformers 4.57: `BertTokenizerFast` applies
//!   `do_lower_case`, `strip_accents` and `tokenize_chinese_chars`, `AlbertTokenizerFast` does not.
//! * A SentencePiece model of any type (UNIGRAM, BPE, WORD, CHAR) gives the ids of the slow `AlbertTokenizer` of
//!   transformers 4.57, with which the ALBERT models were trained: the symbols `( ) " - . – £ €` are ordinary pieces
//!   (`U.S.A.` is `▁ u . s . a .`), and `1990,` is split before the comma. Today's converters to `tokenizer.json` put a
//!   word break around each symbol.
//! * A `vocab.txt` gives the ids and offsets of `BertTokenizerFast`.
//! * The files of `BertJapaneseTokenizer` give its ids, if it needs no dictionary.
//!
//! The tokenizer class that a directory names determines the meaning of its files. A class whose behavior is not
//! implemented is an error.
//!
//! Tokens that users added are searched for in texts before anything else, according to their `lstrip`, `rstrip`,
//! `single_word`, `normalized` and `special`. They come from `added_tokens_decoder` in `tokenizer_config.json`; without
//! that key, from `added_tokens.json` and the `added_tokens` of a `tokenizer.json`. Tokens of
//! `additional_special_tokens`, `extra_special_tokens` and of the roles (`mask_token`, ...) that are in no vocabulary get
//! the next ids.
//!
//! Deliberate differences from the references:
//!
//! * An empty second text forms a pair (`[CLS] a [SEP] [SEP]`). Fast tokenizers drop it.
//! * [`Tokenizer::encode_truncated`] truncates down to the special tokens alone. The slow tokenizer truncates nothing in
//!   this case.
//! * An entry of `added_tokens_decoder` that only repeats a user-defined symbol of the SentencePiece model (its id, and
//!   every attribute false) does not make it an added token: transformers lists all of them when it converts a model, and
//!   the models were trained with these as ordinary pieces. If it is named in `additional_special_tokens` or has any
//!   attribute, it is an added token.
//! * The default name of a special token that the vocabulary lacks does not exist; transformers gives it a new id. The
//!   same holds for a configured name that the vocabulary lacks if the vocabulary has a usual name for the role. Further
//!   tokens get their ids as if these existed.
//! * [`Tokenizer::tokens`] shows unknown text as the unknown token, like `convert_ids_to_tokens`.
//! * [`Tokenizer::decode`] skips ids beyond the vocabulary. The slow tokenizer fails.
//! * Characters newer than Unicode 14 are decomposed and lower-cased with newer tables than those of Python 3.11.
//! * A list in `extra_special_tokens`, as written by transformers 5, is read; 4.57 fails on it.
//! * [`Tokenizer::to_json`] of a SentencePiece model: added tokens with `normalized` are found whatever their case;
//!   combining marks of class 0 (vowel signs, keycaps, variation selectors) are dropped; lower-cased names of special
//!   tokens are not special; characters that the model's table changes within a grapheme may be normalized differently;
//!   and ties between equally good segmentations may be broken differently.

mod added;
mod basic;
mod bpe;
mod categories;
mod character;
mod chars;
mod charsmap;
mod classes;
mod encode;
mod encoding;
mod export;
mod forms;
mod in_text;
mod japanese;
mod json_tokenizer;
mod limits;
mod load;
mod named;
mod normalizer;
mod piece;
mod plan;
mod preprocess;
mod roles;
mod sentencepiece;
mod sentencepiece_added;
mod sentencepiece_tokenizer;
mod settings;
mod special_tokens;
mod spiece_proto;
mod tokens;
pub mod train;
mod trie;
mod truncate;
mod unicode;
mod unigram;
mod vocabulary;
mod word_cache;
mod wordpiece;

pub use tokenizers::AddedToken;

use crate::error::{Error, Result};
pub use encoding::Encoding;
use japanese::Japanese;
use json_tokenizer::{JsonTokenizer, Layout};
use limits::Limits;
pub use limits::TruncationSide;
use sentencepiece_tokenizer::SentencePieceTokenizer;
use settings::Settings;
use special_tokens::{Named, SpecialTokens};
use std::path::{Path, PathBuf};

/// The `spiece.model` of the built-in model.
pub(crate) static EMBEDDED: &[u8] = include_bytes!("../../assets/spiece.model");

/// Kind of a [`Tokenizer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenizerKind {
    /// A `tokenizer.json`.
    TokenizerJson,
    /// A SentencePiece model (`spiece.model`).
    SentencePiece,
    /// A BERT vocabulary (`vocab.txt`).
    WordPiece,
    /// The files of transformers' `BertJapaneseTokenizer`.
    Japanese,
}

impl std::fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TokenizerJson => "tokenizer.json",
            Self::SentencePiece => "SentencePiece",
            Self::WordPiece => "WordPiece",
            Self::Japanese => japanese::CLASS,
        })
    }
}

#[derive(Debug)]
enum Engine {
    JsonTokenizer(Box<JsonTokenizer>),
    SentencePieceTokenizer(Box<SentencePieceTokenizer>),
    Japanese(Box<Japanese>),
}

/// Converts text to token ids and back. Threads can share a tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    engine: Engine,
    kind: TokenizerKind,
    specials: SpecialTokens,
    single: Layout,
    pair: Layout,
    clean_up: bool,
    /// The class named by the configuration.
    class: Option<String>,
    /// True if every type id is 0.
    one_type: bool,
    limits: Limits,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, a SentencePiece model or a `vocab.txt`, which is detected from the extension or the content.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is of an unsupported kind.
    pub fn from_file(path: &Path) -> Result<Self> {
        load::file(path)
    }

    /// Reads the tokenizer of a checkpoint directory: `tokenizer.json`, otherwise `spiece.model`, `30k-clean.model`, a
    /// single other `*.model`, `vocab.txt`, or a single other word-piece vocabulary (`*.txt`), with the switches and
    /// names in `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// # Errors
    /// If none of these files exists, or the first one is unusable.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        load::dir(dir)
    }

    /// Reads a directory like [`Tokenizer::from_dir`], or a file like [`Tokenizer::from_file`].
    ///
    /// # Errors
    /// Those of these functions.
    pub fn from_path(path: &Path) -> Result<Self> {
        if path.is_dir() { Self::from_dir(path) } else { Self::from_file(path) }
    }

    /// Returns the file that [`Tokenizer::from_dir`] reads.
    ///
    /// # Errors
    /// If there is none, or several files are candidates.
    pub fn file_in(dir: &Path) -> Result<PathBuf> {
        load::find(dir)
    }

    /// Reads a `tokenizer.json` from memory. `name` is used in errors.
    ///
    /// # Errors
    /// If the bytes are not a usable `tokenizer.json`.
    pub fn from_json_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        load::json(bytes, name)
    }

    /// Reads any kind of tokenizer from memory, detected from the extension of `name` or the content.
    ///
    /// # Errors
    /// If the bytes are damaged or of an unsupported kind.
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self> {
        load::bytes(bytes, name, &Settings::default())
    }

    /// Returns true if a SentencePiece tokenizer keeps accents (`keep_accents`).
    pub(crate) fn keeps_accents(&self) -> bool {
        matches!(&self.engine, Engine::SentencePieceTokenizer(slow) if slow.options.keep_accents)
    }

    fn new(engine: Engine, kind: TokenizerKind, settings: &Settings) -> Self {
        let (specials, single, pair) = match &engine {
            Engine::JsonTokenizer(fast) => (fast.specials.clone(), fast.single.clone(), fast.pair.clone()),
            Engine::SentencePieceTokenizer(slow) => around(&slow.specials),
            Engine::Japanese(japanese) => around(&japanese.specials),
        };
        // It is only on by default for BertTokenizer.
        let clean_up = settings.clean_up_spaces.unwrap_or(kind == TokenizerKind::WordPiece);
        let mut limits = settings.limits;
        if let Engine::JsonTokenizer(fast) = &engine {
            limits.side = limits.side.or(fast.truncation_side);
        }
        Self { engine, kind, specials, single, pair, clean_up, class: None, one_type: false, limits }
    }

    /// Joins tokens to a text (transformers' `convert_tokens_to_string`): with the file's decoder, or by joining pieces
    /// and replacing `▁` by a space.
    ///
    /// # Errors
    /// If the decoder of a `tokenizer.json` fails.
    pub fn join(&self, tokens: &[String]) -> Result<String> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.join(tokens),
            Engine::Japanese(japanese) => Ok(japanese.join(tokens)),
            Engine::SentencePieceTokenizer(_) => {
                Ok(tokens.concat().replace(piece::SPACE, " ").trim().to_owned())
            }
        }
    }

    /// Returns the text of `ids`, without special tokens if `skip_special` is set. Ids beyond the vocabulary are skipped.
    ///
    /// Follows `decode` of transformers 4.57, with `clean_up_tokenization_spaces` from `tokenizer_config.json` (by
    /// default only for a `vocab.txt`).
    ///
    /// # Errors
    /// If the decoder of a `tokenizer.json` fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let text = match &self.engine {
            Engine::JsonTokenizer(fast) => fast.decode(ids, skip_special)?,
            Engine::SentencePieceTokenizer(slow) => slow.decode(ids, skip_special),
            Engine::Japanese(japanese) => japanese.decode(ids, skip_special),
        };
        Ok(if self.clean_up { clean_up(&text) } else { text })
    }

    /// Returns true if pieces inside words are marked (`##ing`) instead of pieces that start words.
    pub fn has_subword_prefix(&self) -> bool {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.has_subword_prefix(),
            Engine::SentencePieceTokenizer(_) => false,
            Engine::Japanese(japanese) => japanese.has_subword_prefix(),
        }
    }

    /// Returns the name of transformers' tokenizer class in the configuration, if any.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// Returns switches of a `tokenizer.json`'s normalizer that `tokenizer_config.json` changes, with their values, as in
    /// `BertTokenizerFast`.
    pub fn changed_switches(&self) -> &[String] {
        match &self.engine {
            Engine::JsonTokenizer(fast) => &fast.changed,
            Engine::SentencePieceTokenizer(_) | Engine::Japanese(_) => &[],
        }
    }

    /// Returns how a SentencePiece model segments text: `UNIGRAM`, `BPE`, `WORD` or `CHAR`. Returns `None` for other
    /// tokenizers.
    pub fn model_type(&self) -> Option<&'static str> {
        match &self.engine {
            Engine::SentencePieceTokenizer(slow) => Some(slow.model.method.name()),
            Engine::JsonTokenizer(_) | Engine::Japanese(_) => None,
        }
    }

    /// Returns the maximum sequence length in tokens, including special tokens: `model_max_length` of
    /// `tokenizer_config.json`. Returns `None` if there is no limit, which transformers also writes as a very large
    /// number.
    pub fn model_max_length(&self) -> Option<usize> {
        self.limits.max_length
    }

    /// Returns the side on which texts are truncated: `truncation_side` of `tokenizer_config.json`, otherwise the
    /// direction in the `truncation` section of a `tokenizer.json`, otherwise the right.
    pub fn truncation_side(&self) -> TruncationSide {
        self.limits.side.unwrap_or_default()
    }

    /// Returns the kind of this tokenizer.
    pub fn kind(&self) -> TokenizerKind {
        self.kind
    }

    /// Returns a `tokenizer.json` with the same ids (see the module documentation for texts that differ).
    ///
    /// # Errors
    /// If it cannot be written as JSON, or if no such file gives the same ids, for the reason in
    /// [`Tokenizer::json_obstacle`].
    pub fn to_json(&self) -> Result<String> {
        if let Some(obstacle) = self.json_obstacle() {
            return Err(Error::Input(format!("no tokenizer.json gives the same ids: {obstacle}")));
        }
        self.identity()
    }

    /// Returns the reason why no `tokenizer.json` gives the same ids; `None` if one does.
    pub fn json_obstacle(&self) -> Option<String> {
        match &self.engine {
            Engine::JsonTokenizer(_) => None,
            Engine::SentencePieceTokenizer(slow) => export::obstacle(slow),
            Engine::Japanese(_) => Some(format!("{} has no fast version", japanese::CLASS)),
        }
    }

    /// Returns a text that differs between tokenizers with different ids.
    ///
    /// # Errors
    /// If a `tokenizer.json` cannot be written as JSON again.
    pub fn identity(&self) -> Result<String> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.to_json(),
            Engine::SentencePieceTokenizer(slow) => Ok(slow.identity()),
            Engine::Japanese(japanese) => Ok(japanese.identity()),
        }
    }
}

/// Returns the special tokens with the layouts `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`.
fn around(specials: &SpecialTokens) -> (SpecialTokens, Layout, Layout) {
    let ids = |named: &Named| named.iter().map(|s| s.0).collect::<Vec<_>>();
    let (before, after) = (ids(&specials.cls), ids(&specials.sep));
    let single = Layout { before: before.clone(), between: Vec::new(), after: after.clone() };
    (specials.clone(), single, Layout { before, between: after.clone(), after })
}

/// Removes spaces like transformers' `clean_up_tokenization`.
fn clean_up(text: &str) -> String {
    let steps = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"];
    steps.iter().fold(text.to_owned(), |text, from| text.replace(from, from.trim()))
}
