//! Finds seed pieces: substrings that occur more than once, using a suffix array (Kudo 2018, 3.2).

use super::{MAX_PIECE, is_valid_piece};
use rayon::slice::ParallelSliceMut;
use std::cmp::Ordering;
use std::collections::HashMap;

/// A suffix of a unit.
#[derive(Clone, Copy)]
struct Suffix {
    /// The ids of its first four characters, 16 bits each.
    key: u64,
    /// Its start in the text.
    start: u32,
    /// The end of its unit.
    unit: u32,
}

/// A substring of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// Frequency times length.
    score: u64,
    start: u32,
    length: u8,
}

/// All units, concatenated, as character ids starting at 1.
struct Text {
    codes: Vec<u16>,
    ends: Vec<u32>,
    counts: Vec<u64>,
}

impl Text {
    fn suffix(&self, suffix: &Suffix) -> &[u16] {
        let end = self.ends[suffix.unit as usize].min(suffix.start + MAX_PIECE as u32);
        &self.codes[suffix.start as usize..end as usize]
    }
}

/// Returns the characters of the alphabet with their frequencies, followed by up to `most` longer substrings with the
/// highest product of frequency and length, with that product.
pub(super) fn seeds(units: &[(String, u64)], alphabet: &[(char, u64)], most: usize) -> Vec<(String, f64)> {
    let numbers: HashMap<char, u16> = alphabet.iter().map(|(c, _)| *c).zip(1..).collect();
    let mut text = Text { codes: Vec::new(), ends: Vec::new(), counts: Vec::new() };
    for (unit, count) in units {
        // There are fewer than 4 billion characters in the retained words.
        text.codes.extend(unit.chars().filter_map(|c| numbers.get(&c)));
        text.ends.push(text.codes.len() as u32);
        text.counts.push(*count);
    }
    let suffixes = sorted_suffixes(&text);
    let mut candidates = candidates(&text, &suffixes, |codes| {
        is_valid_piece(codes.iter().map(|code| alphabet[usize::from(*code) - 1].0))
    });
    drop(suffixes);
    // In descending order of score. Ties are ordered by position, for reproducibility.
    candidates.par_sort_unstable_by_key(|c| (std::cmp::Reverse(c.score), c.start, c.length));
    candidates.truncate(most);
    let singles = alphabet.iter().map(|(c, count)| (c.to_string(), *count as f64));
    let longer = candidates.iter().map(|candidate| {
        let start = candidate.start as usize;
        let codes = &text.codes[start..start + usize::from(candidate.length)];
        (codes.iter().map(|code| alphabet[usize::from(*code) - 1].0).collect(), candidate.score as f64)
    });
    singles.chain(longer).collect()
}

fn sorted_suffixes(text: &Text) -> Vec<Suffix> {
    let mut suffixes = Vec::with_capacity(text.codes.len());
    let mut start = 0;
    for (unit, &end) in (0..).zip(&text.ends) {
        while start < end {
            let first = &text.codes[start as usize..end.min(start + 4) as usize];
            let key = (0..4).fold(0, |key, n| key << 16 | u64::from(first.get(n).copied().unwrap_or(0)));
            suffixes.push(Suffix { key, start, unit });
            start += 1;
        }
    }
    suffixes.par_sort_unstable_by(|a, b| match a.key.cmp(&b.key) {
        Ordering::Equal => text.suffix(a).cmp(text.suffix(b)).then(a.start.cmp(&b.start)),
        other => other,
    });
    suffixes
}

/// An open branch of the suffix tree during the traversal of the suffixes.
struct Branch {
    length: usize,
    /// The start of a suffix below it.
    start: u32,
    /// Number of occurrences of its string.
    count: u64,
}

/// Finds substrings of at least two characters that occur more than once: at branches of the suffix tree, and suffixes of
/// units.
fn candidates(text: &Text, suffixes: &[Suffix], valid: impl Fn(&[u16]) -> bool) -> Vec<Candidate> {
    let mut out = Vec::new();
    let mut close = |branch: &Branch| {
        let start = branch.start as usize;
        let codes = &text.codes[start..start + branch.length];
        if branch.length > 1 && branch.count > 1 && valid(codes) {
            let score = branch.count.saturating_mul(branch.length as u64);
            out.push(Candidate { score, start: branch.start, length: branch.length as u8 });
        }
    };
    let mut open: Vec<Branch> = vec![Branch { length: 0, start: 0, count: 0 }];
    for (n, suffix) in suffixes.iter().enumerate() {
        let codes = text.suffix(suffix);
        let common = match n.checked_sub(1).map(|before| text.suffix(&suffixes[before])) {
            None => 0,
            Some(before) => codes.iter().zip(before).take_while(|(a, b)| a == b).count(),
        };
        // Branches longer than the common prefix end here.
        let mut below = 0;
        while let Some(last) = open.pop_if(|last| last.length > common) {
            let branch = Branch { count: last.count + below, ..last };
            close(&branch);
            below = branch.count;
            if open.last().is_some_and(|next| next.length < common) {
                open.push(Branch { length: common, start: branch.start, count: 0 });
            }
        }
        if let Some(last) = open.last_mut() {
            last.count += below;
        }
        let count = text.counts[suffix.unit as usize];
        match open.last_mut() {
            Some(last) if last.length == codes.len() => last.count += count,
            _ => open.push(Branch { length: codes.len(), start: suffix.start, count }),
        }
    }
    let mut below = 0;
    while let Some(last) = open.pop() {
        let branch = Branch { count: last.count + below, ..last };
        close(&branch);
        below = branch.count;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_with_its_count() {
        let units = [("▁banana".to_owned(), 2), ("▁ban".to_owned(), 3)];
        let alphabet = [('▁', 5), ('b', 5), ('a', 9), ('n', 7)];
        let mut found = seeds(&units, &alphabet, 100);
        let singles: Vec<_> = found.drain(..4).collect();
        assert_eq!(singles[0], ("▁".to_owned(), 5.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let found: Vec<_> = found.iter().map(|(piece, score)| (piece.as_str(), *score)).collect();
        let expected = [
            // "an" occurs twice in "banana" and once in "ban".
            ("an", 14.0),
            ("ana", 12.0),
            ("anana", 10.0),
            ("ban", 15.0),
            ("banana", 12.0),
            ("na", 8.0),
            ("nana", 8.0),
            ("▁ban", 20.0),
            ("▁banana", 14.0),
        ];
        assert_eq!(found, expected);
        assert_eq!(seeds(&units, &alphabet, 1).len(), 5);
        assert_eq!(seeds(&[], &[], 1), []);
    }
}
