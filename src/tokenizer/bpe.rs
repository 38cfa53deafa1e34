//! SentencePiece's byte-pair encoding, with the same merges in the same order as its `bpe_model.cc` (0.2.3).

use super::trie::Trie;
use super::unigram::{Span, Unigram, Use, width};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// Marks a missing neighbor.
const NONE: u32 = u32::MAX;

/// Maximum depth to which SentencePiece splits unused pieces.
const MOST_SPLITS: usize = 100;

/// A range of bytes that has been merged so far. Empty once it has been merged into its left neighbor.
struct Symbol {
    start: u32,
    end: u32,
    previous: u32,
    next: u32,
    /// True for a user-defined symbol, which is never merged.
    frozen: bool,
}

/// Two neighbors that form a piece.
struct Pair {
    score: f32,
    left: u32,
    right: u32,
    /// The combined length in bytes when the pair was proposed. It reveals whether either symbol has changed since.
    size: u32,
}

impl Ord for Pair {
    /// Orders pairs by score (highest first), then from left to right.
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Pair {}

/// The state of merging one text.
struct Merges<'a> {
    vocabulary: &'a Unigram,
    text: &'a [u8],
    symbols: Vec<Symbol>,
    agenda: BinaryHeap<Pair>,
    /// For each unused piece, the length of its left part when it was last proposed.
    splits: HashMap<u32, u32>,
}

/// Segments `text` (UTF-8, shorter than 4 GiB) into pieces of `vocabulary`. `symbols` are the user-defined symbols. Text
/// that is not a piece gets the id `unknown`.
pub(super) fn segment(vocabulary: &Unigram, symbols: &Trie, unknown: u32, text: &[u8]) -> Vec<Span> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut merges = Merges {
        vocabulary,
        text,
        symbols: characters(symbols, text),
        agenda: BinaryHeap::new(),
        splits: HashMap::new(),
    };
    for right in 1..merges.symbols.len() as u32 {
        merges.propose(right - 1, right);
    }
    while let Some(pair) = merges.agenda.pop() {
        merges.apply(&pair);
    }
    merges.spans(unknown)
}

/// Creates one symbol per character or user-defined symbol.
fn characters(symbols: &Trie, text: &[u8]) -> Vec<Symbol> {
    let mut out: Vec<Symbol> = Vec::with_capacity(text.len());
    let mut start = 0;
    while start < text.len() {
        let (length, frozen) = match symbols.longest(&text[start..]) {
            Some(length) => (length, true),
            None => (width(text[start]).min(text.len() - start), false),
        };
        let end = start + length;
        let (here, last) = (out.len() as u32, end == text.len());
        out.push(Symbol {
            start: start as u32,
            end: end as u32,
            previous: here.checked_sub(1).unwrap_or(NONE),
            next: if last { NONE } else { here + 1 },
            frozen,
        });
        start = end;
    }
    out
}

impl Merges<'_> {
    /// Adds two neighbors to the agenda if they form a piece.
    fn propose(&mut self, left: u32, right: u32) {
        if left == NONE || right == NONE {
            return;
        }
        let (first, second) = (&self.symbols[left as usize], &self.symbols[right as usize]);
        if first.frozen || second.frozen {
            return;
        }
        let text = &self.text[first.start as usize..second.end as usize];
        let Some(id) = self.vocabulary.id(text) else { return };
        let (score, used) = self.vocabulary.piece(id);
        if used == Use::Unused {
            self.splits.insert(id, first.end - first.start);
        }
        self.agenda.push(Pair { score, left, right, size: text.len() as u32 });
    }

    /// Merges a pair, unless one of the two has changed since it was proposed.
    fn apply(&mut self, pair: &Pair) {
        let (left, right) = (&self.symbols[pair.left as usize], &self.symbols[pair.right as usize]);
        let is_empty = left.start == left.end || right.start == right.end;
        if is_empty || (left.end - left.start) + (right.end - right.start) != pair.size {
            return;
        }
        let (end, next) = (right.end, right.next);
        self.symbols[pair.right as usize].start = end;
        let left = &mut self.symbols[pair.left as usize];
        left.end = end;
        left.next = next;
        let previous = left.previous;
        if let Some(next) = self.symbols.get_mut(next as usize) {
            next.previous = pair.left;
        }
        self.propose(previous, pair.left);
        self.propose(pair.left, next);
    }

    /// Returns the remaining pieces. Unused pieces are split into the parts that they were merged from.
    fn spans(&self, unknown: u32) -> Vec<Span> {
        let mut out = Vec::with_capacity(self.symbols.len() / 2 + 1);
        let mut work = Vec::new();
        let mut at = 0;
        while let Some(symbol) = self.symbols.get(at as usize) {
            work.push((symbol.start as usize, symbol.end as usize, 0));
            while let Some((start, end, depth)) = work.pop() {
                let id = self.vocabulary.id(&self.text[start..end]);
                let is_unused = id.is_some_and(|id| self.vocabulary.piece(id).1 == Use::Unused);
                let split = id.filter(|_| is_unused).and_then(|id| self.splits.get(&id));
                let id = match (id, split) {
                    (Some(id), _) if !is_unused || depth > MOST_SPLITS => id,
                    (Some(_), Some(&length)) => {
                        let middle = start + length as usize;
                        work.push((middle, end, depth + 1));
                        work.push((start, middle, depth + 1));
                        continue;
                    }
                    _ => unknown,
                };
                out.push(Span { start, end, id });
            }
            at = symbol.next;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments a text with the pieces `<unk>` and `pieces`, whose scores start at -1 and decrease by 1. `unused` are
    /// never produced.
    fn cut(pieces: &[&str], unused: &[&str], symbols: &[&str], text: &str) -> Vec<String> {
        let kind = |piece: &str| match piece {
            piece if unused.contains(&piece) => Use::Unused,
            piece if symbols.contains(&piece) => Use::Symbol,
            _ => Use::Normal,
        };
        let all = [("<unk>", 0.0, Use::Reserved)];
        let own = pieces.iter().enumerate().map(|(n, piece)| (*piece, -1.0 - n as f32, kind(piece)));
        let vocabulary = Unigram::new(all.into_iter().chain(own), 0);
        let frozen = Trie::new(symbols.iter().map(|s| (s.as_bytes(), 1)));
        let spans = segment(&vocabulary, &frozen, 0, text.as_bytes());
        let shown = |s: &Span| format!("{}{}", &text[s.start..s.end], if s.id == 0 { "?" } else { "" });
        spans.iter().map(shown).collect()
    }

    #[test]
    fn merges_by_score_then_from_the_left() {
        let pieces = ["bc", "ab", "aa", "a", "b", "c"];
        assert_eq!(cut(&pieces, &[], &[], "abc"), ["a", "bc"]);
        assert_eq!(cut(&pieces, &[], &[], "aaaaa"), ["aa", "aa", "a"]);
        assert_eq!(cut(&pieces, &[], &[], "aéb"), ["a", "é?", "b"]);
        assert_eq!(cut(&["ab", "abc", "a", "b", "c"], &[], &[], "abcab"), ["abc", "ab"]);
        assert!(cut(&pieces, &[], &[], "").is_empty());
    }

    #[test]
    fn unused_pieces_fall_apart_and_symbols_stay_whole() {
        let pieces = ["ab", "abc", "abcd", "a", "b", "c", "d"];
        assert_eq!(cut(&pieces, &["abc"], &[], "abc"), ["ab", "c"]);
        assert_eq!(cut(&pieces, &["abc", "ab"], &[], "abc"), ["a", "b", "c"]);
        assert_eq!(cut(&pieces, &["abc"], &[], "abcd"), ["abcd"]);
        assert_eq!(cut(&pieces, &["a"], &[], "a"), ["a?"]);
        assert_eq!(cut(&["ab", "b-", "a", "b", "-"], &[], &["-"], "ab-"), ["ab", "-"]);
    }

    #[test]
    fn a_long_word_takes_no_quadratic_time() {
        let pieces = ["aa", "aaaa", "aaaaaaaa", "a", "b"];
        let text = "a".repeat(1 << 20);
        assert_eq!(cut(&pieces, &[], &[], &text).len(), 1 << 17);
        assert_eq!(cut(&pieces, &["aaaaaaaa"], &[], &text).len(), 1 << 18);
    }
}
