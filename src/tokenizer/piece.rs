//! Pieces of text, and the character that represents a space in them.

/// The character that represents a space in pieces.
pub(super) const SPACE: &str = "▁";

/// A piece: its id and its offsets in the original text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub id: u32,
    pub place: (usize, usize),
    /// The index of its word in the text. In the output of
    /// [`SentencePiece::encode`](super::sentencepiece::SentencePiece::encode): 1 if the piece starts a word, otherwise 0.
    pub word: u32,
}
