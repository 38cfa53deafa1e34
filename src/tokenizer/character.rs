//! Segmentation for SentencePiece models of type CHAR and WORD: each character, or each word, is a piece or unknown.

use super::piece::SPACE;
use super::trie::Trie;
use super::unigram::{Span, Unigram, Use, width};

/// Returns one piece per character or user-defined symbol of `text`.
pub(super) fn characters(vocabulary: &Unigram, symbols: &Trie, unknown: u32, text: &[u8]) -> Vec<Span> {
    let mut out = Vec::with_capacity(text.len());
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let end = start + symbols.longest(rest).unwrap_or_else(|| width(rest[0]).min(rest.len()));
        out.push(Span { start, end, id: id(vocabulary, &text[start..end], unknown) });
        start = end;
    }
    out
}

/// Returns one piece per word of `text`. Every `▁` starts a word, even in models with `▁` as a suffix.
pub(super) fn words(vocabulary: &Unigram, unknown: u32, text: &[u8]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let mut end = start + width(text[start]).min(text.len() - start);
        while end < text.len() && !text[end..].starts_with(SPACE.as_bytes()) {
            end += width(text[end]).min(text.len() - end);
        }
        out.push(Span { start, end, id: id(vocabulary, &text[start..end], unknown) });
        start = end;
    }
    out
}

/// Returns the id of a piece. Unused pieces are unknown.
fn id(vocabulary: &Unigram, piece: &[u8], unknown: u32) -> u32 {
    vocabulary.id(piece).filter(|id| vocabulary.piece(*id).1 != Use::Unused).unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Unigram {
        let pieces = [
            ("<unk>", 0.0, Use::Reserved),
            ("▁", -1.0, Use::Normal),
            ("a", -2.0, Use::Normal),
            ("b", -3.0, Use::Unused),
            ("<x>", 0.0, Use::Symbol),
            ("▁ab", -4.0, Use::Normal),
        ];
        Unigram::new(pieces.into_iter(), 0)
    }

    fn show<'a>(spans: &[Span], text: &'a str) -> Vec<(&'a str, u32)> {
        spans.iter().map(|s| (&text[s.start..s.end], s.id)).collect()
    }

    #[test]
    fn each_character_or_symbol() {
        let symbols = Trie::new([("<x>".as_bytes(), 4)]);
        let text = "▁ab<x>é";
        let spans = characters(&vocabulary(), &symbols, 0, text.as_bytes());
        assert_eq!(show(&spans, text), [("▁", 1), ("a", 2), ("b", 0), ("<x>", 4), ("é", 0)]);
        assert!(characters(&vocabulary(), &symbols, 0, b"").is_empty());
    }

    #[test]
    fn each_word() {
        let text = "▁ab▁▁abc";
        let spans = words(&vocabulary(), 0, text.as_bytes());
        assert_eq!(show(&spans, text), [("▁ab", 5), ("▁", 1), ("▁abc", 0)]);
        let text = "a▁ab";
        assert_eq!(show(&words(&vocabulary(), 0, text.as_bytes()), text), [("a", 2), ("▁ab", 5)]);
    }
}
