//! SentencePiece's unigram segmentation, with the paths and the arithmetic of its "optimized" encoder (0.2.3).

use super::trie::Trie;

/// How far the score of an unknown character is below the lowest score.
const UNKNOWN_PENALTY: f32 = 10.0;

/// Score of a user-defined symbol per byte after the first, which is higher than that of any ordinary piece.
///
/// The value of SentencePiece 0.2.3 was determined by experiment. It only matters if two segmentations are equally good
/// (`00 0`, `0 00`) and rounding decides. Earlier releases use -0.1 and round differently.
const SYMBOL_SCORE: f32 = 0.1;

/// Larger sums of scores are rebased to zero.
const LARGEST_SCORE: f32 = 100_000.0;

/// How a piece is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// An ordinary piece with a score.
    Normal,
    /// A user-defined symbol, which is always chosen.
    Symbol,
    /// In the vocabulary, but never produced by segmentation.
    Unused,
    /// Control, unknown and byte pieces, which match no text.
    Reserved,
}

/// The pieces and their scores.
#[derive(Debug)]
pub(super) struct Unigram {
    trie: Trie,
    /// Score and use of each id.
    pieces: Vec<(f32, Use)>,
    lowest: f32,
    unknown: u32,
}

/// A piece of a segmentation: its byte range in the normalized text and its id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub id: u32,
}

/// The best path to a position.
#[derive(Clone, Copy)]
struct Best {
    score: f32,
    start: u32,
    id: u32,
}

const UNREACHED: Best = Best { score: 0.0, start: u32::MAX, id: 0 };

impl Unigram {
    /// Creates the model from text, score and use of each piece, in id order.
    pub(super) fn new<'a>(pieces: impl Iterator<Item = (&'a str, f32, Use)>, unknown: u32) -> Self {
        let (mut keys, mut table) = (Vec::new(), Vec::new());
        let mut lowest = f32::MAX;
        for (id, (text, score, used)) in pieces.enumerate() {
            if used == Use::Normal {
                lowest = lowest.min(score);
            }
            if used != Use::Reserved {
                keys.push((text.as_bytes(), id as u32));
            }
            table.push((score, used));
        }
        Self { trie: Trie::new(keys), pieces: table, lowest, unknown }
    }

    /// Returns the id of a piece that can match text.
    pub(super) fn id(&self, piece: &[u8]) -> Option<u32> {
        self.trie.get(piece)
    }

    /// Returns the score and use of the piece `id`, as returned by [`Self::id`].
    pub(super) fn piece(&self, id: u32) -> (f32, Use) {
        self.pieces[id as usize]
    }

    /// Returns the best segmentation of `text` (UTF-8, shorter than 4 GiB).
    pub(super) fn segment(&self, text: &[u8]) -> Vec<Span> {
        let mut best = vec![UNREACHED; text.len() + 1];
        let unknown_score = self.lowest - UNKNOWN_PENALTY;
        let (mut start, mut furthest) = (0, 0);
        while start < text.len() {
            if best[start].score.abs() > LARGEST_SCORE {
                // Like SentencePiece, so that sums over long texts keep their precision.
                let base = best[start].score;
                for reached in &mut best[start..=furthest] {
                    if reached.start != u32::MAX {
                        reached.score -= base;
                    }
                }
            }
            let here = best[start].score;
            let width = width(text[start]).min(text.len() - start);
            let (mut node, mut alone) = (Trie::ROOT, false);
            for (n, &byte) in text[start..].iter().enumerate() {
                let Some((next, value)) = self.trie.step(node, byte) else { break };
                node = next;
                let Some(id) = value else { continue };
                let length = n + 1;
                let score = match self.pieces[id as usize] {
                    (_, Use::Unused | Use::Reserved) => continue,
                    (_, Use::Symbol) => SYMBOL_SCORE * (length as f32 - 1.0),
                    (score, Use::Normal) => score,
                };
                furthest = furthest.max(start + length);
                let target = &mut best[start + length];
                let candidate = score + here;
                if target.start == u32::MAX || candidate > target.score {
                    *target = Best { score: candidate, start: start as u32, id };
                }
                alone |= length == width;
            }
            if !alone {
                furthest = furthest.max(start + width);
                let target = &mut best[start + width];
                let candidate = unknown_score + here;
                if target.start == u32::MAX || candidate > target.score {
                    *target = Best { score: candidate, start: start as u32, id: self.unknown };
                }
            }
            start += width;
        }
        let mut spans = Vec::with_capacity(text.len() / 4 + 1);
        let mut end = text.len();
        while end > 0 {
            let Best { start, id, .. } = best[end];
            // Every reachable position has a predecessor.
            let start = (start as usize).min(end - 1);
            spans.push(Span { start, end, id });
            end = start;
        }
        spans.reverse();
        spans
    }
}

/// Returns the length of the UTF-8 character that starts with `byte`.
pub(super) fn width(byte: u8) -> usize {
    match byte {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut<'a>(model: &Unigram, text: &'a str) -> Vec<(&'a str, u32)> {
        model.segment(text.as_bytes()).iter().map(|s| (&text[s.start..s.end], s.id)).collect()
    }

    #[test]
    fn best_path_unknowns_symbols_and_unused() {
        let pieces = [
            ("<unk>", 0.0, Use::Reserved),
            ("a", -2.0, Use::Normal),
            ("b", -2.0, Use::Normal),
            ("ab", -3.0, Use::Normal),
            ("-", 0.0, Use::Symbol),
            ("b-", -0.01, Use::Unused),
            ("aab", -4.9, Use::Normal),
        ];
        let model = Unigram::new(pieces.into_iter(), 0);
        assert_eq!(cut(&model, "ab"), [("ab", 3)]);
        assert_eq!(cut(&model, "aab"), [("aab", 6)]);
        assert_eq!(cut(&model, "ab-"), [("ab", 3), ("-", 4)]);
        assert_eq!(cut(&model, "aéb"), [("a", 1), ("é", 0), ("b", 2)]);
        assert_eq!(cut(&model, ""), []);
        assert_eq!(model.id(b"b-"), Some(5));
        assert_eq!(model.id(b"<unk>"), None);
    }
}
