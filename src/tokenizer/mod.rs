//! Tokenization: text to token ids and back.
//!
//! A [`Tokenizer`] comes from a `tokenizer.json`, a SentencePiece model or a BERT `vocab.txt`. For every source, pairs have type
//! ids 0 and 1, nothing is padded, texts are truncated only on request, special tokens are named by the files, and offsets count
//! Unicode code points of the original text.
//!
//! * `tokenizer.json` is run as it is written, by the `tokenizers` crate. The files next to it add tokens and change
//!   the normalizer as the class that they name does in transformers 4.57: `BertTokenizerFast` applies
//!   `do_lower_case`, `strip_accents` and `tokenize_chinese_chars`, `AlbertTokenizerFast` does not.
//! * A SentencePiece model of any type (UNIGRAM, BPE, WORD, CHAR) gives the ids of the slow `AlbertTokenizer` of transformers 4.57, with which the ALBERT
//!   models were trained: the symbols `( ) " - . – £ €` are ordinary pieces (`U.S.A.` is `▁ u . s . a .`), and
//!   `1990,` is cut before the comma. Today's converters to `tokenizer.json` put a word break around each symbol.
//! * A `vocab.txt` gives the ids and offsets of `BertTokenizerFast`.
//! * The files of `BertJapaneseTokenizer` give its ids, if it needs no dictionary.
//!
//! Which class of transformers a directory names decides what its files mean. A class that does something else with
//! them is an error.
//!
//! Tokens that users added are found in texts before anything else, with their `lstrip`, `rstrip`, `single_word`,
//! `normalized` and `special`. They come from `added_tokens_decoder` in `tokenizer_config.json`; without that key, from
//! `added_tokens.json` and the `added_tokens` of a `tokenizer.json`. Tokens of `additional_special_tokens`,
//! `extra_special_tokens` and of the roles (`mask_token`, ...) that are in no vocabulary get the next ids.
//!
//! Deliberate differences from the references:
//!
//! * An empty second text forms a pair (`[CLS] a [SEP] [SEP]`). Fast tokenizers drop it.
//! * [`Tokenizer::encode_max`] truncates down to the special tokens alone. The slow tokenizer truncates nothing in this case.
//! * An entry of `added_tokens_decoder` that only repeats a user-defined symbol of the SentencePiece model (its id, and
//!   every attribute false) does not make it an added token: transformers lists all of them when it converts a model,
//!   and the models were trained with these as ordinary pieces. Named in `additional_special_tokens`, or with any
//!   attribute, it is an added token.
//! * The default name of a special token that the vocabulary lacks does not exist; transformers gives it a new id.
//!   Neither does a configured name that the vocabulary lacks if the vocabulary has a usual name for the role. Further
//!   tokens get their ids as if these existed.
//! * [`Tokenizer::tokens`] shows unknown text as the unknown token, like `convert_ids_to_tokens`.
//! * [`Tokenizer::decode`] skips ids beyond the vocabulary. The slow tokenizer fails.
//! * Characters newer than Unicode 14 are decomposed and lower-cased with newer tables than those of Python 3.11.
//! * A list in `extra_special_tokens`, as transformers 5 writes it, is read; 4.57 fails on it.
//! * [`Tokenizer::to_json`] of a SentencePiece model: added tokens with `normalized` are found whatever their case, combining marks of class 0 (vowel signs, keycaps, variation
//!   selectors) are dropped there, lower-cased names of special tokens are not special, characters that the
//!   model's table changes within a grapheme may come out otherwise, and ties between equally good
//!   segmentations may fall otherwise.

mod added;
mod basic;
mod bpe;
mod categories;
mod character;
mod charsmap;
mod classes;
mod export;
mod fast;
mod forms;
mod in_text;
mod japanese;
mod limits;
mod load;
mod names;
mod plan;
mod prepare;
mod python;
mod roles;
mod sentencepiece;
mod settings;
mod slow;
mod slow_added;
mod spiece_proto;
pub mod train;
mod trie;
mod truncate;
mod unigram;
mod vocabulary;
mod word_cache;
mod wordpiece;

pub use tokenizers::AddedToken;

use crate::error::{Error, Result};
use fast::{Fast, Layout};
use japanese::Japanese;
use limits::Limits;
pub use limits::TruncationSide;
use names::{Named, Specials};
use sentencepiece::Piece;
use settings::Settings;
use slow::Slow;
use std::path::{Path, PathBuf};

/// The `spiece.model` of the built-in model.
pub(crate) static EMBEDDED: &[u8] = include_bytes!("../../assets/spiece.model");

/// An encoded text or pair. All lists have one entry per token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// Vocabulary ids.
    pub ids: Vec<u32>,
    /// 0 for the first text and the special tokens around it, 1 for the second text and the `[SEP]` after it.
    pub type_ids: Vec<u32>,
    /// Start and end in code points of the token's own text (see `sequence_ids` for which one); (0, 0) for special
    /// tokens added by the template.
    pub offsets: Vec<(usize, usize)>,
    /// True for special tokens added by the template (not for a `[MASK]` in the text).
    pub special_tokens_mask: Vec<bool>,
    /// `None` for special tokens added by the template, `Some(0)` for the first text, `Some(1)` for the second.
    pub sequence_ids: Vec<Option<u8>>,
    /// Index of the token's word in its text: the parts between white space (a `tokenizer.json` may define words differently).
    /// `None` for special tokens added by the template.
    pub word_ids: Vec<Option<u32>>,
    /// True if tokens were truncated.
    pub truncated: bool,
}

/// Kind of a [`Tokenizer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A `tokenizer.json`.
    TokenizerJson,
    /// A SentencePiece model (`spiece.model`).
    SentencePiece,
    /// A BERT vocabulary (`vocab.txt`).
    WordPiece,
    /// The files of transformers' `BertJapaneseTokenizer`.
    Japanese,
}

impl std::fmt::Display for Kind {
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
    Fast(Box<Fast>),
    Slow(Box<Slow>),
    Japanese(Box<Japanese>),
}

/// Converts text to token ids and back. Threads can share a tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    engine: Engine,
    kind: Kind,
    specials: Specials,
    single: Layout,
    pair: Layout,
    clean_up: bool,
    /// The class that the configuration names.
    class: Option<String>,
    /// Every type id is 0.
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

    /// Reads the tokenizer of a checkpoint directory: `tokenizer.json`, else `spiece.model`, `30k-clean.model`, a
    /// single other `*.model`, `vocab.txt`, a single other word-piece vocabulary (`*.txt`); with the switches and names
    /// in `tokenizer_config.json` and `special_tokens_map.json`.
    ///
    /// # Errors
    /// If none of these files exists, or the first one is unusable.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        load::dir(dir)
    }

    /// Reads a directory as [`Tokenizer::from_dir`] does, or a file as [`Tokenizer::from_file`] does.
    ///
    /// # Errors
    /// As these.
    pub fn from_path(path: &Path) -> Result<Self> {
        if path.is_dir() { Self::from_dir(path) } else { Self::from_file(path) }
    }

    /// The file that [`Tokenizer::from_dir`] reads.
    ///
    /// # Errors
    /// If there is none, or several could be meant.
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

    fn new(engine: Engine, kind: Kind, settings: &Settings) -> Self {
        let (specials, single, pair) = match &engine {
            Engine::Fast(fast) => (fast.specials.clone(), fast.single.clone(), fast.pair.clone()),
            Engine::Slow(slow) => around(&slow.specials),
            Engine::Japanese(japanese) => around(&japanese.specials),
        };
        // Only for BertTokenizer it is on by default.
        let clean_up = settings.clean_up_spaces.unwrap_or(kind == Kind::WordPiece);
        let mut limits = settings.limits;
        if let Engine::Fast(fast) = &engine {
            limits.side = limits.side.or(fast.truncation_side);
        }
        Self { engine, kind, specials, single, pair, clean_up, class: None, one_type: false, limits }
    }

    /// Encodes a text or a pair with special tokens, without truncation.
    ///
    /// # Errors
    /// If the text is longer than 1 GB, or the tokenizer file is damaged.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Encoding> {
        let first = self.pieces(text)?;
        let second = pair.map(|text| self.pieces(text)).transpose()?;
        Ok(self.assemble(&first, second.as_deref(), false))
    }

    /// Encodes a text or a pair with its special tokens, cut to at most `max_length` tokens in all: the longer text
    /// loses tokens first (`longest_first`), at its [`Tokenizer::truncation_side`].
    ///
    /// # Errors
    /// If the special tokens alone exceed `max_length`; errors of [`Tokenizer::encode`].
    pub fn encode_max(&self, text: &str, pair: Option<&str>, max_length: usize) -> Result<Encoding> {
        let special = self.num_special(pair.is_some());
        let room = max_length.checked_sub(special).ok_or_else(|| {
            let what = if pair.is_some() { "a pair of texts" } else { "a text" };
            Error::Input(format!(
                "a maximum length of {max_length} tokens is too small: {what} has {special} special tokens already"
            ))
        })?;
        let first = self.pieces(text)?;
        let second = pair.map(|text| self.pieces(text)).transpose()?;
        let slow = matches!(self.kind, Kind::SentencePiece | Kind::Japanese);
        let (a, b) = truncate::lengths(first.len(), second.as_ref().map(Vec::len), room, slow);
        let truncated = a + b < first.len() + second.as_ref().map_or(0, Vec::len);
        let side = self.truncation_side();
        let second = second.as_ref().map(|s| &s[side.kept(s.len(), b)]);
        Ok(self.assemble(&first[side.kept(first.len(), a)], second, truncated))
    }

    /// Encodes a text without special tokens around it.
    ///
    /// # Errors
    /// Same as [`Tokenizer::encode`].
    pub fn encode_plain(&self, text: &str) -> Result<Encoding> {
        let pieces = self.pieces(text)?;
        let mut out = Encoding::with_capacity(pieces.len());
        self.push_text(&mut out, &pieces, 0);
        Ok(out)
    }

    /// Appends the token ids of running text to `ids` and computes nothing else. Adds no special tokens and recognizes none (`[MASK]`
    /// in a text is brackets and letters; a `tokenizer.json` still finds `<pad>` if it is one of its pieces, because it is in lower
    /// case).
    ///
    /// # Errors
    /// Same as [`Tokenizer::encode`].
    pub fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        match &self.engine {
            Engine::Fast(fast) => fast.encode_ids(text, ids),
            Engine::Slow(slow) => slow.encode_ids(text, ids),
            Engine::Japanese(japanese) => japanese.encode_ids(text, ids),
        }
    }

    /// Encodes pre-split words without special tokens. Each word is encoded independently, and offsets refer to the word
    /// (transformers' `is_split_into_words`).
    ///
    /// # Errors
    /// Same as [`Tokenizer::encode`].
    pub fn encode_words(&self, words: &[String]) -> Result<Encoding> {
        let mut out = Encoding::default();
        for (number, word) in (0..).zip(words) {
            for piece in self.pieces(word)? {
                self.push(&mut out, Piece { word: number, ..piece }, 0, Some(0));
            }
        }
        Ok(out)
    }

    /// Adds special tokens to tokens that were encoded without any, like [`Tokenizer::encode`].
    pub fn with_special(&self, first: &Encoding, second: Option<&Encoding>) -> Encoding {
        let layout = if second.is_some() { &self.pair } else { &self.single };
        let length = first.ids.len() + second.map_or(0, |s| s.ids.len()) + self.num_special(second.is_some());
        let mut out = Encoding::with_capacity(length);
        self.push_special(&mut out, &layout.before, 0);
        out.append(first, 0, 0);
        self.push_special(&mut out, &layout.between, 0);
        if let Some(second) = second {
            out.append(second, 1, u32::from(!self.one_type));
        }
        self.push_special(&mut out, &layout.after, u8::from(second.is_some()));
        out
    }

    /// The number of special tokens that [`Tokenizer::encode`] adds to a text or a pair.
    pub fn num_special(&self, pair: bool) -> usize {
        let layout = if pair { &self.pair } else { &self.single };
        layout.before.len() + layout.between.len() + layout.after.len()
    }

    fn pieces(&self, text: &str) -> Result<Vec<Piece>> {
        match &self.engine {
            Engine::Fast(fast) => fast.encode(text),
            Engine::Slow(slow) => slow.encode(text),
            Engine::Japanese(japanese) => japanese.encode(text),
        }
    }

    fn assemble(&self, first: &[Piece], second: Option<&[Piece]>, truncated: bool) -> Encoding {
        let layout = if second.is_some() { &self.pair } else { &self.single };
        let length = first.len() + second.map_or(0, <[_]>::len) + self.num_special(second.is_some());
        let mut out = Encoding::with_capacity(length);
        self.push_special(&mut out, &layout.before, 0);
        self.push_text(&mut out, first, 0);
        self.push_special(&mut out, &layout.between, 0);
        if let Some(second) = second {
            self.push_text(&mut out, second, 1);
        }
        self.push_special(&mut out, &layout.after, u8::from(second.is_some()));
        out.truncated = truncated;
        out
    }

    fn push_text(&self, out: &mut Encoding, pieces: &[Piece], sequence: u8) {
        for piece in pieces {
            self.push(out, *piece, sequence, Some(sequence));
        }
    }

    fn push_special(&self, out: &mut Encoding, ids: &[u32], sequence: u8) {
        for &id in ids {
            self.push(out, Piece { id, place: (0, 0), word: 0 }, sequence, None);
        }
    }

    fn push(&self, out: &mut Encoding, piece: Piece, type_id: u8, sequence: Option<u8>) {
        out.ids.push(piece.id);
        out.type_ids.push(if self.one_type { 0 } else { type_id.into() });
        out.offsets.push(piece.place);
        out.special_tokens_mask.push(sequence.is_none());
        out.sequence_ids.push(sequence);
        out.word_ids.push(sequence.map(|_| piece.word));
    }

    /// The vocabulary pieces of the tokens of `encoding`.
    pub fn tokens(&self, encoding: &Encoding) -> Vec<String> {
        encoding.ids.iter().map(|id| self.id_to_token(*id).unwrap_or_default()).collect()
    }

    /// Joins tokens to a text (transformers' `convert_tokens_to_string`): with the file's decoder, or by joining pieces and replacing
    /// `▁` with a space.
    ///
    /// # Errors
    /// If the decoder of a `tokenizer.json` fails.
    pub fn join(&self, tokens: &[String]) -> Result<String> {
        match &self.engine {
            Engine::Fast(fast) => fast.join(tokens),
            Engine::Japanese(japanese) => Ok(japanese.join(tokens)),
            Engine::Slow(_) => Ok(tokens.concat().replace(sentencepiece::SPACE, " ").trim().to_owned()),
        }
    }

    /// The text of `ids`, without special tokens if `skip_special` is set. Ids beyond the vocabulary are skipped.
    ///
    /// Follows `decode` of transformers 4.57, with `clean_up_tokenization_spaces` from `tokenizer_config.json` (by default only for a
    /// `vocab.txt`).
    ///
    /// # Errors
    /// If the decoder of a `tokenizer.json` fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        let text = match &self.engine {
            Engine::Fast(fast) => fast.decode(ids, skip_special)?,
            Engine::Slow(slow) => slow.decode(ids, skip_special),
            Engine::Japanese(japanese) => japanese.decode(ids, skip_special),
        };
        Ok(if self.clean_up { clean_up(&text) } else { text })
    }

    /// The token of an id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        match &self.engine {
            Engine::Fast(fast) => fast.token(id),
            Engine::Slow(slow) => slow.token(id).map(str::to_owned),
            Engine::Japanese(japanese) => japanese.token(id).map(str::to_owned),
        }
    }

    /// The id of a token.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        match &self.engine {
            Engine::Fast(fast) => fast.id(token),
            Engine::Slow(slow) => slow.id(token),
            Engine::Japanese(japanese) => japanese.id(token),
        }
    }

    /// The number of tokens in the vocabulary, special and added ones included.
    pub fn vocab_size(&self) -> usize {
        match &self.engine {
            Engine::Fast(fast) => fast.size(),
            Engine::Slow(slow) => slow.size(),
            Engine::Japanese(japanese) => japanese.size(),
        }
    }

    /// The number of rows that a table for all ids needs: one more than the largest id.
    pub fn id_bound(&self) -> usize {
        match &self.engine {
            Engine::Fast(fast) => fast.id_bound(),
            Engine::Slow(slow) => slow.id_bound(),
            Engine::Japanese(japanese) => japanese.id_bound(),
        }
    }

    /// The tokens that are looked for in a text before it is cut into pieces, with their ids, in the order of these:
    /// special tokens, tokens that users added, and symbols that a `tokenizer.json` lists.
    pub fn added_tokens(&self) -> Vec<(u32, &AddedToken)> {
        match &self.engine {
            Engine::Fast(fast) => fast.added(),
            Engine::Slow(slow) => slow.added.by_id(),
            Engine::Japanese(japanese) => japanese.added.by_id(),
        }
    }

    /// The [`Tokenizer::added_tokens`] that the model of the tokenizer itself does not have.
    pub fn tokens_beyond_model(&self) -> Vec<(u32, &AddedToken)> {
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| !self.is_of_model(*id, &token.content));
        tokens
    }

    /// The [`Tokenizer::added_tokens`] that users added: new tokens, and special ones that have no role.
    pub fn user_tokens(&self) -> Vec<(u32, &AddedToken)> {
        let roles = self.specials.all();
        let mut tokens = self.added_tokens();
        tokens.retain(|(id, token)| {
            roles.iter().all(|role| role.0 != *id)
                && (token.special || !self.is_of_model(*id, &token.content))
        });
        tokens
    }

    /// The special tokens without a role, by id: transformers' `additional_special_tokens`.
    pub fn additional_special_tokens(&self) -> Vec<&str> {
        let is_special = |id: u32, token: &AddedToken| match &self.engine {
            Engine::Fast(_) => token.special,
            // The attribute alone does not keep a token's case there.
            Engine::Slow(slow) => slow.added.is_special(id),
            Engine::Japanese(japanese) => japanese.added.is_special(id),
        };
        let users = self.user_tokens().into_iter();
        users.filter(|(id, token)| is_special(*id, token)).map(|(_, token)| token.content.as_str()).collect()
    }

    fn is_of_model(&self, id: u32, token: &str) -> bool {
        match &self.engine {
            Engine::Fast(fast) => fast.is_of_model(token),
            Engine::Slow(slow) => slow.pieces.get(id as usize).is_some_and(|piece| piece.0 == token),
            Engine::Japanese(japanese) => (id as usize) < japanese.own_size(),
        }
    }

    /// True if files next to the tokenizer's own add tokens to it or change them.
    pub fn is_extended(&self) -> bool {
        match &self.engine {
            Engine::Fast(fast) if self.kind == Kind::TokenizerJson => fast.extended,
            Engine::Fast(_) => !self.user_tokens().is_empty(),
            // A piece of the model may be an added token for its attributes alone.
            Engine::Slow(slow) => {
                slow.added.tokens.iter().any(|(id, _)| self.specials.all().iter().all(|role| role.0 != *id))
            }
            Engine::Japanese(_) => !self.user_tokens().is_empty(),
        }
    }

    /// Returns true if pieces inside words are marked (`##ing`) instead of pieces that start words.
    pub fn has_subword_prefix(&self) -> bool {
        match &self.engine {
            Engine::Fast(fast) => fast.has_subword_prefix(),
            Engine::Slow(_) => false,
            Engine::Japanese(japanese) => japanese.has_subword_prefix(),
        }
    }

    /// The tokenizer class of transformers that the configuration names, if any.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// How a SentencePiece model cuts text: `UNIGRAM`, `BPE`, `WORD` or `CHAR`. `None` for other tokenizers.
    pub fn model_type(&self) -> Option<&'static str> {
        match &self.engine {
            Engine::Slow(slow) => Some(slow.model.method.name()),
            Engine::Fast(_) | Engine::Japanese(_) => None,
        }
    }

    /// Longest sequence in tokens, special tokens included: `model_max_length` of `tokenizer_config.json`. `None` where
    /// there is no such limit, or a very large one, which is what transformers writes for none.
    pub fn model_max_length(&self) -> Option<usize> {
        self.limits.max_length
    }

    /// Where texts are cut: `truncation_side` of `tokenizer_config.json`, else the direction in the `truncation` section
    /// of a `tokenizer.json`, else the right.
    pub fn truncation_side(&self) -> TruncationSide {
        self.limits.side.unwrap_or_default()
    }

    /// The kind of this tokenizer.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A `tokenizer.json` with the same ids (see the module documentation for texts that differ).
    ///
    /// # Errors
    /// If it cannot be written as JSON, or [`Tokenizer::json_obstacle`] says why no such file gives the same ids.
    pub fn to_json(&self) -> Result<String> {
        if let Some(obstacle) = self.json_obstacle() {
            return Err(Error::Input(format!("no tokenizer.json gives the same ids: {obstacle}")));
        }
        self.identity()
    }

    /// Why no `tokenizer.json` gives the same ids; `None` if one does.
    pub fn json_obstacle(&self) -> Option<String> {
        match &self.engine {
            Engine::Fast(_) => None,
            Engine::Slow(slow) => export::obstacle(slow),
            Engine::Japanese(_) => Some(format!("{} has no fast version", japanese::CLASS)),
        }
    }

    /// A text that differs for tokenizers that give different ids.
    ///
    /// # Errors
    /// If a `tokenizer.json` cannot be written as JSON again.
    pub fn identity(&self) -> Result<String> {
        match &self.engine {
            Engine::Fast(fast) => fast.to_json(),
            Engine::Slow(slow) => Ok(slow.identity()),
            Engine::Japanese(japanese) => Ok(japanese.identity()),
        }
    }

    /// The id of the mask token (`[MASK]`), if the vocabulary has one.
    pub fn mask_id(&self) -> Option<u32> {
        id_of(&self.specials.mask)
    }

    /// The id of the token before a text (`[CLS]`), if the vocabulary has one.
    pub fn cls_id(&self) -> Option<u32> {
        id_of(&self.specials.cls)
    }

    /// The id of the token after a text (`[SEP]`), if the vocabulary has one.
    pub fn sep_id(&self) -> Option<u32> {
        id_of(&self.specials.sep)
    }

    /// The id of the padding token (`<pad>`), if the vocabulary has one.
    pub fn pad_id(&self) -> Option<u32> {
        id_of(&self.specials.pad)
    }

    /// The id of the unknown token (`<unk>`), if the vocabulary has one.
    pub fn unk_id(&self) -> Option<u32> {
        id_of(&self.specials.unk)
    }

    /// The mask token as written in a text.
    pub fn mask_token(&self) -> Option<&str> {
        text_of(&self.specials.mask)
    }

    /// The token before a text.
    pub fn cls_token(&self) -> Option<&str> {
        text_of(&self.specials.cls)
    }

    /// The token after a text.
    pub fn sep_token(&self) -> Option<&str> {
        text_of(&self.specials.sep)
    }

    /// The padding token.
    pub fn pad_token(&self) -> Option<&str> {
        text_of(&self.specials.pad)
    }

    /// The unknown token.
    pub fn unk_token(&self) -> Option<&str> {
        text_of(&self.specials.unk)
    }
}

impl Encoding {
    fn with_capacity(length: usize) -> Self {
        Self {
            ids: Vec::with_capacity(length),
            type_ids: Vec::with_capacity(length),
            offsets: Vec::with_capacity(length),
            special_tokens_mask: Vec::with_capacity(length),
            sequence_ids: Vec::with_capacity(length),
            word_ids: Vec::with_capacity(length),
            truncated: false,
        }
    }

    /// Some of the tokens.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            ids: self.ids[range.clone()].to_vec(),
            type_ids: self.type_ids[range.clone()].to_vec(),
            offsets: self.offsets[range.clone()].to_vec(),
            special_tokens_mask: self.special_tokens_mask[range.clone()].to_vec(),
            sequence_ids: self.sequence_ids[range.clone()].to_vec(),
            word_ids: self.word_ids[range].to_vec(),
            truncated: false,
        }
    }

    /// Adds the tokens of `other` as those of text `sequence`, with `type_id`.
    fn append(&mut self, other: &Self, sequence: u8, type_id: u32) {
        let length = other.ids.len();
        self.ids.extend_from_slice(&other.ids);
        self.type_ids.extend(std::iter::repeat_n(type_id, length));
        self.offsets.extend_from_slice(&other.offsets);
        self.special_tokens_mask.extend_from_slice(&other.special_tokens_mask);
        self.sequence_ids.extend(std::iter::repeat_n(Some(sequence), length));
        self.word_ids.extend_from_slice(&other.word_ids);
    }
}

/// The special tokens with `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`.
fn around(specials: &Specials) -> (Specials, Layout, Layout) {
    let ids = |named: &Named| named.iter().map(|s| s.0).collect::<Vec<_>>();
    let (before, after) = (ids(&specials.cls), ids(&specials.sep));
    let single = Layout { before: before.clone(), between: Vec::new(), after: after.clone() };
    (specials.clone(), single, Layout { before, between: after.clone(), after })
}

fn id_of(named: &Named) -> Option<u32> {
    named.as_ref().map(|n| n.0)
}

fn text_of(named: &Named) -> Option<&str> {
    named.as_ref().map(|n| n.1.as_str())
}

/// transformers' `clean_up_tokenization`.
fn clean_up(text: &str) -> String {
    let steps = [" .", " ?", " !", " ,", " ' ", " n't", " 'm", " 's", " 've", " 're"];
    steps.iter().fold(text.to_owned(), |text, from| text.replace(from, from.trim()))
}
