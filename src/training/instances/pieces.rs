//! Properties of vocabulary pieces that masking depends on.

use unicode_normalization::char::is_combining_mark;

use crate::tokenizer::{Tokenizer, TokenizerKind};

/// How pieces mark word boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceKind {
    /// Pieces that start a word are marked: `▁word`.
    SentencePiece,
    /// Pieces inside a word are marked: `##piece`.
    WordPiece,
}

/// Which ids start a word, which ids are special, and a list of all ids that are not special.
#[derive(Clone, Debug)]
pub struct PieceTable {
    flags: Vec<u8>,
    ordinary: Vec<u32>,
}

const STARTS_WORD: u8 = 1;
const SPECIAL: u8 = 2;

impl PieceTable {
    /// The table of a vocabulary in id order. The ids in `special` are never masked and never used as a random
    /// replacement: `[CLS]`, `[SEP]`, `[MASK]`, padding, the unknown token.
    pub fn new<'a>(pieces: impl IntoIterator<Item = &'a str>, kind: PieceKind, special: &[u32]) -> Self {
        let starts = |piece| match kind {
            PieceKind::SentencePiece => starts_word(piece),
            PieceKind::WordPiece => !piece.starts_with("##"),
        };
        let mut flags: Vec<u8> =
            pieces.into_iter().map(|piece| if starts(piece) { STARTS_WORD } else { 0 }).collect();
        for &id in special {
            if let Some(flags) = flags.get_mut(id as usize) {
                *flags = STARTS_WORD | SPECIAL;
            }
        }
        let ordinary = (0u32..).zip(&flags).filter(|&(_, &f)| f & SPECIAL == 0).map(|(id, _)| id).collect();
        Self { flags, ordinary }
    }

    /// The table of a tokenizer's vocabulary.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let ids = 0..tokenizer.id_bound() as u32;
        let mut pieces: Vec<String> = ids.map(|id| tokenizer.id_to_token(id).unwrap_or_default()).collect();
        let kind = match tokenizer.kind() {
            TokenizerKind::WordPiece | TokenizerKind::Japanese => PieceKind::WordPiece,
            TokenizerKind::SentencePiece | TokenizerKind::TokenizerJson => PieceKind::SentencePiece,
        };
        let users = tokenizer.user_tokens();
        if matches!(kind, PieceKind::SentencePiece) {
            // An added token is a word.
            for (id, _) in &users {
                pieces[*id as usize].insert(0, '▁');
            }
        }
        let roles = [
            tokenizer.cls_id(),
            tokenizer.sep_id(),
            tokenizer.mask_id(),
            tokenizer.pad_id(),
            tokenizer.unk_id(),
        ];
        let special = users.iter().filter(|(_, token)| token.special).map(|(id, _)| *id);
        let special: Vec<u32> = roles.into_iter().flatten().chain(special).collect();
        Self::new(pieces.iter().map(String::as_str), kind, &special)
    }

    /// Returns true if this piece starts a word, which includes ids beyond the vocabulary.
    pub fn starts_word(&self, id: u32) -> bool {
        self.flags.get(id as usize).is_none_or(|flags| flags & STARTS_WORD != 0)
    }

    /// Returns true if the piece is a special token.
    pub fn is_special(&self, id: u32) -> bool {
        self.flags.get(id as usize).is_some_and(|flags| flags & SPECIAL != 0)
    }

    /// The ids of ordinary pieces, ascending.
    pub fn ordinary(&self) -> &[u32] {
        &self.ordinary
    }
}

/// Returns true if a SentencePiece piece starts a word: if it is marked, is a single punctuation mark, or contains
/// characters other than letters and punctuation.
///
/// Follows `_is_start_piece_sp` of `create_pretraining_data.py`, which treats every non-English letter as a word. Here
/// only letters of scripts written without spaces are words.
fn starts_word(piece: &str) -> bool {
    let mut chars = piece.chars();
    let single = chars.next().is_some_and(|c| c.is_ascii_punctuation()) && chars.next().is_none();
    piece.starts_with(['▁', '<'])
        || single
        || !piece.chars().all(|c| c.is_ascii_punctuation() || continues(c))
}

/// Letters, with their marks, of scripts that separate words with spaces.
fn continues(c: char) -> bool {
    c.is_ascii_alphabetic()
        || (!c.is_ascii() && (c.is_alphabetic() || is_combining_mark(c)) && !is_unspaced(c))
}

/// Thai, Lao, Tibetan, Myanmar, Khmer and related scripts, Chinese and Japanese.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x109f | 0x1780..=0x17ff | 0x1950..=0x1aaf | 0x2e80..=0x312f | 0x3190..=0xa4cf
        | 0xa9e0..=0xa9ff | 0xaa60..=0xaadf | 0xf900..=0xfaff | 0xff00..=0xff9f | 0x1aff0..=0x1b16f
        | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentencepiece_words() {
        // Results of `_is_start_piece_sp` for English pieces.
        for piece in ["▁", "▁the", "<unk>", ".", "-", "1", "a1", "2.", "…", "…a"] {
            assert!(starts_word(piece), "{piece}");
        }
        for piece in ["ing", "'s", "Ing", "s.", "...", "e-", ""] {
            assert!(!starts_word(piece), "{piece}");
        }
        // Results for other languages.
        for piece in ["über", "ность", "ि", "한국"] {
            assert!(!starts_word(piece), "{piece}");
        }
        for piece in ["中", "の", "ไทย", "a中"] {
            assert!(starts_word(piece), "{piece}");
        }
    }

    #[test]
    fn tables() {
        let table =
            PieceTable::new(["[PAD]", "[CLS]", "play", "##ing", "##s"], PieceKind::WordPiece, &[0, 1, 99]);
        assert_eq!(
            (0..6).map(|id| table.starts_word(id)).collect::<Vec<_>>(),
            [true, true, true, false, false, true]
        );
        assert_eq!((0..6).filter(|&id| table.is_special(id)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(table.ordinary(), [2, 3, 4]);
    }
}
