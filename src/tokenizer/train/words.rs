//! Counts the words of a corpus, and splits them into units.

use super::{MAX_UNIT, META_SYMBOLS};
use crate::error::Result;
use crate::tokenizer::piece::SPACE;
use crate::tokenizer::sentencepiece_tokenizer::SentencePieceTokenizer;
use crate::tokenizer::unicode::is_space;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use tokenizers::pre_tokenizers::unicode_scripts::UnicodeScripts;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

/// Maximum number of distinct words. If it is exceeded, the rarest words are dropped until half of it remains.
const MOST_WORDS: usize = 4_000_000;

/// Word counts of a corpus. Words are separated by white space and kept as written.
#[derive(Clone, Debug, Default)]
pub struct WordCounts {
    counts: HashMap<String, u64>,
    dropped: u64,
}

impl WordCounts {
    /// Counts the words of a line with a weight.
    pub fn add_line(&mut self, line: &str, weight: u64) {
        for word in line.split(is_space).filter(|word| !word.is_empty()) {
            match self.counts.get_mut(word) {
                Some(count) => *count = count.saturating_add(weight),
                None => {
                    self.counts.insert(word.to_owned(), weight);
                }
            }
        }
    }

    /// Adds the counts of another part of the corpus.
    pub fn merge(&mut self, other: Self) {
        for (word, count) in other.counts {
            match self.counts.entry(word) {
                Entry::Occupied(mut entry) => {
                    *entry.get_mut() = entry.get().saturating_add(count);
                }
                Entry::Vacant(entry) => {
                    entry.insert(count);
                }
            }
        }
        self.dropped += other.dropped;
        self.drop_rare(MOST_WORDS);
    }

    /// Limits memory use: drops words seen once, then those seen at most twice, then at most four times, and so on.
    fn drop_rare(&mut self, most: usize) {
        if self.counts.len() <= most {
            return;
        }
        let mut threshold = 1;
        while self.counts.len() > most / 2 {
            let before = self.counts.len();
            self.counts.retain(|_, count| *count > threshold);
            self.dropped += (before - self.counts.len()) as u64;
            threshold *= 2;
        }
    }

    /// Returns the number of distinct words.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Returns true if no word was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns the normalized words in order, each preceded by `▁`.
    pub(super) fn normalized(&self, normalizer: &SentencePieceTokenizer) -> Result<Vec<(String, u64)>> {
        let mut words: HashMap<String, u64> = HashMap::with_capacity(self.counts.len());
        for (word, count) in &self.counts {
            let text = normalizer.normalized(word)?;
            for part in text.split(SPACE).filter(|part| !part.is_empty()) {
                let slot = words.entry(format!("{SPACE}{part}")).or_default();
                *slot = slot.saturating_add(*count);
            }
        }
        let mut words: Vec<_> = words.into_iter().collect();
        words.sort_unstable();
        Ok(words)
    }
}

/// Returns the most frequent characters, which cover `coverage` of the text.
pub(super) fn alphabet(words: &[(String, u64)], coverage: f64) -> Vec<(char, u64)> {
    let mut counts: HashMap<char, u64> = HashMap::new();
    for (word, count) in words {
        for c in word.chars().filter(|c| !META_SYMBOLS.contains(c)) {
            *counts.entry(c).or_default() += count;
        }
    }
    let total: f64 = counts.values().map(|count| *count as f64).sum();
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(c, count)| (std::cmp::Reverse(*count), *c));
    let mut covered = 0.0;
    let enough = counts.iter().take_while(|(_, count)| {
        let more = covered < coverage * total;
        covered += *count as f64;
        more
    });
    // Character ids have 16 bits in the search for seeds.
    let length = enough.count().min(usize::from(u16::MAX) - 1);
    counts.truncate(length);
    counts
}

/// Splits words at positions that no piece may span: at symbols, at characters outside the alphabet, and at changes of
/// script (SentencePiece's `split_by_unicode_script`).
pub(super) fn units(words: Vec<(String, u64)>, alphabet: &[(char, u64)]) -> Vec<(String, u64)> {
    let known: std::collections::HashSet<char> = alphabet.iter().map(|(c, _)| *c).collect();
    let mut units: HashMap<String, u64> = HashMap::new();
    let mut add = |unit: &str, count: u64| match units.get_mut(unit) {
        Some(sum) => *sum = sum.saturating_add(count),
        None => {
            units.insert(unit.to_owned(), count);
        }
    };
    for (word, count) in words {
        for run in word.split(|c: char| !known.contains(&c)).filter(|run| !run.is_empty()) {
            if run.is_ascii() && run.bytes().all(|b| b.is_ascii_alphabetic()) {
                add_parts(run, count, &mut add);
                continue;
            }
            for unit in scripts(run) {
                add_parts(&unit, count, &mut add);
            }
        }
    }
    let mut units: Vec<_> = units.into_iter().collect();
    units.sort_unstable();
    units
}

/// Adds parts of bounded length of a unit.
fn add_parts(unit: &str, count: u64, add: &mut impl FnMut(&str, u64)) {
    let mut rest = unit;
    while let Some((at, _)) = rest.char_indices().nth(MAX_UNIT) {
        let (part, after) = rest.split_at(at);
        add(part, count);
        rest = after;
    }
    add(rest, count);
}

/// Splits text into runs of one script. A leading `▁` belongs to any script.
fn scripts(run: &str) -> Vec<String> {
    let (prefix, rest) = run.strip_prefix(SPACE).map_or(("", run), |rest| (SPACE, rest));
    let mut text = PreTokenizedString::from(rest);
    if rest.is_empty() || UnicodeScripts.pre_tokenize(&mut text).is_err() {
        return vec![run.to_owned()];
    }
    let parts = text.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
    let mut parts: Vec<String> = parts.into_iter().map(|(part, _, _)| part.to_owned()).collect();
    if let Some(first) = parts.first_mut() {
        first.insert_str(0, prefix);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarest_words_go_first() {
        let mut counts = WordCounts::default();
        counts.add_line("a a a b b c d", 1);
        counts.drop_rare(3);
        assert_eq!((counts.len(), counts.dropped), (1, 3));
        assert_eq!(counts.counts.get("a"), Some(&3));
    }

    #[test]
    fn units_end_at_scripts_symbols_and_unknown_characters() {
        let words =
            vec![("▁don't".to_owned(), 2), ("▁x-1,000%y☃".to_owned(), 1), ("▁カタかな漢".to_owned(), 1)];
        let alphabet = alphabet(&words, 1.0);
        let known: Vec<_> = alphabet.into_iter().filter(|(c, _)| *c != '☃').collect();
        let units: Vec<_> = units(words, &known).into_iter().map(|(unit, _)| unit).collect();
        assert_eq!(units, ["'", "1,000%", "t", "y", "▁don", "▁x", "▁カタかな漢"]);
    }

    #[test]
    fn rare_characters_are_left_out() {
        let words = vec![("aaaaaaaaab".to_owned(), 1)];
        assert_eq!(alphabet(&words, 0.9), [('a', 9)]);
        assert_eq!(alphabet(&words, 0.95), [('a', 9), ('b', 1)]);
    }
}
