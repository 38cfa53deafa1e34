//! Encodes texts: pieces, special tokens around them, and truncation.

use super::encoding::Encoding;
use super::piece::Piece;
use super::{Engine, Tokenizer, TokenizerKind, truncate};
use crate::error::{Error, Result, count};

impl Tokenizer {
    /// Encodes a text or a pair with special tokens, without truncation.
    ///
    /// # Errors
    /// If the text is longer than 1 GB, or the tokenizer file is damaged.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Encoding> {
        let first = self.pieces(text)?;
        let second = pair.map(|text| self.pieces(text)).transpose()?;
        Ok(self.assemble(&first, second.as_deref(), false))
    }

    /// Encodes a text or a pair with its special tokens, truncated to at most `max_length` tokens in total: the longer
    /// text loses tokens first (`longest_first`), at its [`Tokenizer::truncation_side`].
    ///
    /// # Errors
    /// If the special tokens alone exceed `max_length`; errors from [`Tokenizer::encode`].
    pub fn encode_truncated(&self, text: &str, pair: Option<&str>, max_length: usize) -> Result<Encoding> {
        let special = self.num_special_tokens(pair.is_some());
        let room = max_length.checked_sub(special).ok_or_else(|| {
            let what = if pair.is_some() { "a pair of texts" } else { "a text" };
            Error::Input(format!(
                "a maximum length of {} is too small; the minimum is {special}, since {what} has {}",
                count(max_length, "token"),
                count(special, "special token")
            ))
        })?;
        let first = self.pieces(text)?;
        let second = pair.map(|text| self.pieces(text)).transpose()?;
        let slow = matches!(self.kind, TokenizerKind::SentencePiece | TokenizerKind::Japanese);
        let (a, b) = truncate::lengths(first.len(), second.as_ref().map(Vec::len), room, slow);
        let truncated = a + b < first.len() + second.as_ref().map_or(0, Vec::len);
        let side = self.truncation_side();
        let second = second.as_ref().map(|s| &s[side.kept(s.len(), b)]);
        Ok(self.assemble(&first[side.kept(first.len(), a)], second, truncated))
    }

    /// Encodes a text without special tokens around it.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn encode_without_special_tokens(&self, text: &str) -> Result<Encoding> {
        let pieces = self.pieces(text)?;
        let mut out = Encoding::with_capacity(pieces.len());
        self.push_text(&mut out, &pieces, 0);
        Ok(out)
    }

    /// Appends the token ids of running text to `ids` and computes nothing else. Adds no special tokens and recognizes
    /// none: `[MASK]` in a text is brackets and letters. (A `tokenizer.json` still finds `<pad>` if it is one of its
    /// pieces, because it is in lower case.)
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn encode_ids(&self, text: &str, ids: &mut Vec<u32>) -> Result<()> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.encode_ids(text, ids),
            Engine::SentencePieceTokenizer(slow) => slow.encode_ids(text, ids),
            Engine::Japanese(japanese) => japanese.encode_ids(text, ids),
        }
    }

    /// Encodes pre-split words without special tokens. Each word is encoded independently, and offsets refer to the word
    /// (transformers' `is_split_into_words`).
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
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
        let length =
            first.ids.len() + second.map_or(0, |s| s.ids.len()) + self.num_special_tokens(second.is_some());
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

    /// Returns the number of special tokens that [`Tokenizer::encode`] adds to a text or a pair.
    pub fn num_special_tokens(&self, pair: bool) -> usize {
        let layout = if pair { &self.pair } else { &self.single };
        layout.before.len() + layout.between.len() + layout.after.len()
    }

    fn pieces(&self, text: &str) -> Result<Vec<Piece>> {
        match &self.engine {
            Engine::JsonTokenizer(fast) => fast.encode(text),
            Engine::SentencePieceTokenizer(slow) => slow.encode(text),
            Engine::Japanese(japanese) => japanese.encode(text),
        }
    }

    fn assemble(&self, first: &[Piece], second: Option<&[Piece]>, truncated: bool) -> Encoding {
        let layout = if second.is_some() { &self.pair } else { &self.single };
        let length = first.len() + second.map_or(0, <[_]>::len) + self.num_special_tokens(second.is_some());
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
}
