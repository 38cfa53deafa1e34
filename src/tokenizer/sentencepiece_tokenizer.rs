//! The slow `AlbertTokenizer` of transformers 4.57, for a SentencePiece model.

use super::charsmap::Charsmap;
use super::in_text::InText;
use super::piece::{Piece, SPACE};
use super::preprocess::{self, Options, Part};
use super::roles::Class;
use super::sentencepiece::{AddedTexts, SentencePiece};
use super::sentencepiece_added::SlowAdded;
use super::settings::Settings;
use super::special_tokens::SpecialTokens;
use super::spiece_proto::{ModelProto, Type};
use super::trie::Trie;
use super::unicode::is_space;
use super::unigram::{Unigram, Use};
use crate::error::{Error, Result};
use prost::Message;
use std::collections::HashMap;
use std::path::Path;

const AGAIN: &str = "copy the file again from where the model comes from";

/// The tokenizer of a `spiece.model`.
#[derive(Debug)]
pub(super) struct SentencePieceTokenizer {
    pub(super) model: SentencePiece,
    /// Text, score and type of each piece.
    pub(super) pieces: Vec<(String, f32, Type)>,
    /// The model's normalization table as stored.
    pub(super) table: Vec<u8>,
    pub(super) options: Options,
    pub(super) specials: SpecialTokens,
    pub(super) added: SlowAdded,
    /// Tokens that are recognized in texts. `in_plain_text` has those recognized in running text.
    in_text: InText,
    in_plain_text: Option<InText>,
}

impl SentencePieceTokenizer {
    /// Reads a SentencePiece model. `path` is used in errors.
    pub(super) fn new(bytes: &[u8], path: &Path, settings: &Settings) -> Result<Self> {
        let bad = |problem: String| Error::bad_file(path, problem);
        let proto = ModelProto::decode(bytes)
            .map_err(|e| bad(format!("not a complete SentencePiece model ({e}): {AGAIN}")))?;
        let trainer = proto.trainer_spec.unwrap_or_default();
        let spec = proto.normalizer_spec.unwrap_or_default();
        let table = spec.precompiled_charsmap.clone().unwrap_or_default();
        let charsmap = Charsmap::new(&table)
            .ok_or_else(|| bad(format!("the normalization table is damaged: {AGAIN}")))?;
        let pieces: Vec<_> =
            proto.pieces.iter().map(|p| (p.piece().to_owned(), p.score(), p.kind())).collect();
        let unknown = check(&pieces).map_err(|problem| bad(format!("{problem}: {AGAIN}")))?;
        let kinds = pieces.iter().map(|(text, score, kind)| {
            let used = match kind {
                Type::Normal => Use::Normal,
                Type::UserDefined => Use::Symbol,
                Type::Unused => Use::Unused,
                Type::Unknown | Type::Control | Type::Byte => Use::Reserved,
            };
            (text.as_str(), *score, used)
        });
        let unigram = Unigram::new(kinds, unknown);
        let symbols = (0..).zip(&pieces).filter(|(_, p)| p.2 == Type::UserDefined);
        let is_reserved = |kind| matches!(kind, Type::Control | Type::Unknown | Type::Byte);
        let reserved: HashMap<_, _> =
            (0..).zip(&pieces).filter(|(_, p)| is_reserved(p.2)).map(|(id, p)| (p.0.clone(), id)).collect();
        let model = SentencePiece {
            unigram,
            method: trainer.model_type(),
            reserved,
            charsmap,
            symbols: Trie::new(symbols.map(|(id, p)| (p.0.as_bytes(), id))),
            bytes: if trainer.byte_fallback() { byte_pieces(&pieces) } else { None },
            unknown,
            added: AddedTexts::default(),
            dummy_prefix: spec.add_dummy_prefix(),
            remove_extra_spaces: spec.remove_extra_whitespaces(),
            suffix: trainer.treat_whitespace_as_suffix(),
            space: if spec.escape_whitespaces() { SPACE } else { " " },
        };
        let id = |token: &str| model.id(token.as_bytes());
        let (mut added, mut named) = SlowAdded::new(settings, Class::Albert, &pieces, id);
        let specials = specials(&pieces, unknown, |token| added.id(token).or_else(|| id(token)), settings);
        added.add_found(&specials, &mut named);
        let in_text = InText::new(&added.tokens, added.keep_case(&named));
        let in_plain_text = added.in_plain_text();
        let model = SentencePiece { added: AddedTexts::new(&added.tokens, &model.unigram), ..model };
        let options = Options {
            lower: settings.do_lower_case.unwrap_or(true),
            keep_accents: settings.keep_accents.unwrap_or(false),
            remove_space: settings.remove_space.unwrap_or(true),
            raw: false,
        };
        Ok(Self { model, pieces, table, options, specials, added, in_text, in_plain_text })
    }

    /// Returns the pieces of `text`. Special tokens in it are recognized.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<Piece>> {
        check_length(text)?;
        let mut out = Vec::with_capacity(text.len() / 4 + 2);
        let mut word = 0;
        for part in preprocess::parts(text, Some(&self.in_text), &self.options) {
            let from = out.len();
            match part {
                Part::Token(id, place) => out.push(Piece { id, place, word: 0 }),
                Part::Text(chars) => self.model.encode(&chars, &mut out),
            }
            // Each part starts a word, and so does a piece with a preceding space.
            for (n, piece) in out.iter_mut().enumerate().skip(from) {
                let begins = n == from || piece.word == 1;
                word += u32::from(begins && n > 0);
                piece.word = word;
            }
        }
        Ok(out)
    }

    /// Appends the ids of the pieces of `text`, without recognizing special tokens.
    pub(super) fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        check_length(text)?;
        let mut pieces = Vec::with_capacity(text.len() / 4 + 2);
        for part in preprocess::parts(text, self.in_plain_text.as_ref(), &self.options) {
            match part {
                Part::Token(id, place) => pieces.push(Piece { id, place, word: 0 }),
                Part::Text(chars) => self.model.encode(&chars, &mut pieces),
            }
        }
        ids.extend(pieces.iter().map(|piece| piece.id));
        Ok(())
    }

    /// Returns the text that is segmented into pieces, without recognizing added tokens.
    pub(super) fn normalized(&self, text: &str) -> Result<String> {
        check_length(text)?;
        let parts = preprocess::parts(text, None, &self.options);
        let text = |part| match part {
            Part::Text(chars) => self.model.normalized(&chars),
            Part::Token(..) => String::new(),
        };
        Ok(parts.into_iter().map(text).collect())
    }

    /// Returns the id of a token, like `convert_tokens_to_ids`: added tokens first, then reserved ones, then pieces.
    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.added.id(token).or_else(|| self.model.id(token.as_bytes()))
    }

    /// Returns the text of a token.
    pub(super) fn token(&self, id: u32) -> Option<&str> {
        let piece = || self.pieces.get(id as usize).map(|p| p.0.as_str());
        self.added.token(id).map(|token| token.content.as_str()).or_else(piece)
    }

    /// Returns the number of tokens.
    pub(super) fn size(&self) -> usize {
        let new = self.added.tokens.iter().filter(|(id, _)| *id as usize >= self.pieces.len());
        self.pieces.len() + new.count()
    }

    /// Returns the largest id plus one.
    pub(super) fn id_bound(&self) -> usize {
        let largest = self.added.tokens.iter().map(|(id, _)| *id as usize + 1).max();
        largest.unwrap_or(0).max(self.pieces.len())
    }

    /// Decodes ids, like the reference's `decode`: keeps special tokens and joins the pieces between them. Skips ids
    /// beyond the vocabulary.
    pub(super) fn decode(&self, ids: &[u32], skip_special: bool) -> String {
        let specials: Vec<u32> = self.specials.all().iter().map(|s| s.0).collect();
        let is_special = |id: u32| specials.contains(&id) || self.added.is_special(id);
        // Tokens that are separated by a space on either side.
        let apart = |id: u32| {
            let is_late = id as usize >= self.pieces.len() && self.added.is_additional(id);
            self.added.token(id).is_some() && (!is_special(id) || is_late)
        };
        let mut texts = Vec::new();
        let mut run = Vec::new();
        for &id in ids {
            let Some(token) = self.token(id) else { continue };
            if skip_special && is_special(id) {
                continue;
            }
            if !apart(id) {
                run.push(id);
                continue;
            }
            if !run.is_empty() {
                texts.push(self.decode_run(&std::mem::take(&mut run), is_special));
            }
            texts.push(token.to_owned());
        }
        if !run.is_empty() {
            texts.push(self.decode_run(&run, is_special));
        }
        texts.retain(|text| !text.is_empty());
        texts.join(" ")
    }

    /// Decodes ids, like the reference's `convert_tokens_to_string`.
    fn decode_run(&self, ids: &[u32], is_special: impl Fn(u32) -> bool) -> String {
        let mut out = String::new();
        let (mut run, mut after_special) = (Vec::new(), false);
        for &id in ids {
            if !is_special(id) {
                run.push(id);
                after_special = false;
                continue;
            }
            if !std::mem::replace(&mut after_special, true) {
                out.push(' ');
            }
            out += &self.join(&run, "");
            out += self.token(id).unwrap_or_default();
            run.clear();
        }
        out += &self.join(&run, "");
        out.trim_matches(is_space).to_owned()
    }

    /// Decodes ids like SentencePiece itself, with `unknown` for the unknown piece.
    pub(super) fn join(&self, ids: &[u32], unknown: &str) -> String {
        let mut out = String::new();
        let mut bytes = Vec::new();
        let mut first_space_seen = false;
        for &id in ids {
            let Some((piece, _, kind)) = self.pieces.get(id as usize) else { continue };
            if let Some(byte) = (*kind == Type::Byte).then(|| byte_of(piece)).flatten() {
                bytes.push(byte);
                continue;
            }
            out += &String::from_utf8_lossy(&std::mem::take(&mut bytes));
            if matches!(kind, Type::Control | Type::Unknown) {
                out += if *kind == Type::Unknown { unknown } else { "" };
                continue;
            }
            let mut text = piece.as_str();
            let begins = out.is_empty() && !first_space_seen;
            if begins
                && (self.model.dummy_prefix || self.model.remove_extra_spaces)
                && let Some(rest) = text.strip_prefix(SPACE)
            {
                text = rest;
                first_space_seen = !self.model.remove_extra_spaces;
            }
            out += &text.replace(SPACE, " ");
        }
        out += &String::from_utf8_lossy(&bytes);
        out
    }
}

pub(super) fn check_length(text: &str) -> Result<()> {
    if text.len() >= (u32::MAX / 4) as usize {
        return Err(Error::Input("a text of more than 1 GB: cut it into smaller ones".to_owned()));
    }
    Ok(())
}

/// Checks SentencePiece's own requirements. Returns the id of the unknown piece.
fn check(pieces: &[(String, f32, Type)]) -> std::result::Result<u32, String> {
    let mut seen = std::collections::HashSet::with_capacity(pieces.len());
    let mut unknown = None;
    for (id, (text, score, kind)) in (0u32..).zip(pieces) {
        if text.is_empty() || text.contains('\0') {
            return Err(format!("piece {id} is empty or holds a NUL character"));
        }
        if score.is_nan() {
            return Err(format!("the score of piece {id} (\"{text}\") is not a number"));
        }
        let reserved = matches!(kind, Type::Control | Type::Unknown | Type::Byte);
        if !seen.insert((reserved, text.as_str())) {
            return Err(format!("piece \"{text}\" occurs twice"));
        }
        if *kind == Type::Unknown && unknown.replace(id).is_some() {
            return Err("there are two unknown pieces".to_owned());
        }
    }
    if pieces.is_empty() {
        return Err("not a SentencePiece model: it has no pieces".to_owned());
    }
    unknown.ok_or_else(|| "not a SentencePiece model: it has no unknown piece".to_owned())
}

/// Finds special tokens by configured and usual names, otherwise among similar control pieces.
fn specials(
    pieces: &[(String, f32, Type)],
    unknown: u32,
    id: impl Fn(&str) -> Option<u32>,
    settings: &Settings,
) -> SpecialTokens {
    let mut found = SpecialTokens::find(settings, id);
    let taken: Vec<u32> = found.all().iter().map(|s| s.0).collect();
    let like = |part: &str| {
        let mut control = (0u32..).zip(pieces).filter(|(id, p)| p.2 == Type::Control && !taken.contains(id));
        control.find(|(_, p)| p.0.to_lowercase().contains(part)).map(|(id, p)| (id, p.0.clone()))
    };
    found.cls = found.cls.take().or_else(|| like("cls")).or_else(|| like("bos"));
    found.sep = found.sep.take().or_else(|| like("sep")).or_else(|| like("eos"));
    found.mask = found.mask.take().or_else(|| like("mask"));
    found.pad = found.pad.take().or_else(|| like("pad"));
    found.unk = pieces.get(unknown as usize).map(|p| (unknown, p.0.clone()));
    found
}

/// Returns the byte of a byte piece: `<0x41>` is byte 0x41.
fn byte_of(piece: &str) -> Option<u8> {
    u8::from_str_radix(piece.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// Returns the ids of the 256 byte pieces, if all of them exist.
fn byte_pieces(pieces: &[(String, f32, Type)]) -> Option<Vec<u32>> {
    let mut ids = vec![None; 256];
    for (id, (text, _, kind)) in (0u32..).zip(pieces) {
        if *kind == Type::Byte
            && let Some(byte) = byte_of(text)
        {
            ids[byte as usize] = Some(id);
        }
    }
    ids.into_iter().collect()
}
