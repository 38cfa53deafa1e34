//! Selection of tokens to mask: n-grams of whole words.

use std::ops::Range;

use rand::{Rng, RngExt};

use super::options::InstanceOptions;
use super::pieces::PieceTable;

/// Appends the words of `ids[range]` to `words`. Special tokens do not belong to any word and end the word before them.
pub(super) fn find_words(ids: &[u32], range: Range<usize>, table: &PieceTable, words: &mut Vec<Word>) {
    let mut open = false;
    for at in range {
        let id = ids[at];
        if table.is_special(id) {
            open = false;
        } else if open && !table.starts_word(id) {
            if let Some(word) = words.last_mut() {
                word.pieces += 1;
            }
        } else {
            words.push(Word { start: at as u32, pieces: 1, continues: open });
            open = true;
        }
    }
}

/// The pieces of a word in an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: u32,
    pub(super) pieces: u32,
    /// True if the previous word belongs to the same text, so that an n-gram may contain both.
    pub(super) continues: bool,
}

/// Selects words to mask with at most `budget` pieces in total. Returns ascending indices into `words`.
///
/// Follows `create_masked_lm_predictions`: visits words in random order and takes the n-gram that starts there, with
/// p(n) proportional to 1/n for n up to `max_ngram` (section 3.1 of the paper; the script's `favor_shorter_ngram`, which
/// reverses the probabilities if it is off). Takes a shorter n-gram if the budget requires it, and none if one of its
/// words is already selected.
pub(super) fn choose_words(rng: &mut impl Rng, words: &[Word], budget: usize, max_ngram: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..words.len() as u32).collect();
    let mut chosen = vec![false; words.len()];
    let mut left = budget;
    for i in 0..order.len() {
        if left == 0 {
            break;
        }
        // An incremental shuffle: only a few elements are visited.
        order.swap(i, rng.random_range(i..words.len()));
        let first = order[i] as usize;
        let following = words[first + 1..].iter().take(max_ngram - 1).take_while(|word| word.continues);
        let mut n = ngram_length(rng, max_ngram).min(1 + following.count());
        let pieces =
            |n: usize| words[first..first + n].iter().map(|word| word.pieces as usize).sum::<usize>();
        while n > 0 && pieces(n) > left {
            n -= 1;
        }
        if n == 0 || chosen[first..first + n].contains(&true) {
            continue;
        }
        left -= pieces(n);
        chosen[first..first + n].fill(true);
    }
    (0..words.len() as u32).filter(|&i| chosen[i as usize]).collect()
}

/// Draws a length from 1 to `longest`: p(n) = (1/n) / (1 + 1/2 + ... + 1/longest).
fn ngram_length(rng: &mut impl Rng, longest: usize) -> usize {
    let total: f64 = (1..=longest).map(|n| 1.0 / n as f64).sum();
    let mut at = rng.random::<f64>() * total;
    for n in 1..longest {
        at -= 1.0 / n as f64;
        if at < 0.0 {
            return n;
        }
    }
    longest
}

/// Masks words of `ids` in place. Returns the positions, ascending, and the original tokens.
///
/// Each selected token independently becomes `mask` (80 %), becomes a random piece that is not special (10 %), or stays
/// (10 %).
pub(super) fn mask(
    rng: &mut impl Rng,
    ids: &mut [u32],
    words: &[Word],
    options: &InstanceOptions,
    table: &PieceTable,
    mask: u32,
) -> (Vec<u32>, Vec<u32>) {
    let chosen = choose_words(rng, words, options.predictions(ids.len()), options.max_ngram);
    let places = chosen.iter().map(|&i| words[i as usize]).flat_map(|w| w.start..w.start + w.pieces);
    let positions: Vec<u32> = places.collect();
    let labels = positions.iter().map(|&at| ids[at as usize]).collect();
    for &at in &positions {
        match rng.random_range(0..10) {
            0..8 => ids[at as usize] = mask,
            8 => ids[at as usize] = table.ordinary()[rng.random_range(0..table.ordinary().len())],
            _ => {}
        }
    }
    (positions, labels)
}

#[cfg(test)]
mod tests {
    use super::super::random::{Purpose, generator};
    use super::*;

    #[test]
    fn ngram_lengths_follow_the_paper() {
        let mut rng = generator(Purpose::Realize, &[1]);
        let draws = 110_000;
        let mut counts = [0i32; 4];
        for _ in 0..draws {
            counts[ngram_length(&mut rng, 3)] += 1;
        }
        // The paper's formula gives 6/11, 3/11 and 2/11; five standard deviations are at most 840.
        for (n, expected) in [(1, 60_000i32), (2, 30_000), (3, 20_000)] {
            assert!((counts[n] - expected).abs() < 840, "{counts:?}");
        }
        assert!((0..1000).all(|_| ngram_length(&mut rng, 1) == 1));
    }

    #[test]
    fn words_are_found() {
        // Id 0 is special; ids from 10 on continue a word.
        let pieces: Vec<String> =
            (0..20).map(|i| if i < 10 { format!("▁{i}") } else { "x".into() }).collect();
        let table =
            PieceTable::new(pieces.iter().map(String::as_str), super::super::PieceKind::SentencePiece, &[0]);
        let ids = [0, 1, 11, 12, 2, 0, 13, 3, 0, 14];
        let mut words = Vec::new();
        find_words(&ids, 1..8, &table, &mut words);
        let word = |start, pieces, continues| Word { start, pieces, continues };
        let expected = [word(1, 3, false), word(4, 1, true), word(6, 1, false), word(7, 1, true)];
        assert_eq!(words, expected);
        // A segment that starts inside a word.
        find_words(&ids, 9..10, &table, &mut words);
        assert_eq!(words[4..], [word(9, 1, false)]);
    }

    #[test]
    fn ngrams_stay_within_the_budget_and_their_text() {
        let mut rng = generator(Purpose::Realize, &[2]);
        let words: Vec<Word> =
            (0..40).map(|i| Word { start: 2 * i, pieces: 2, continues: i % 20 != 0 }).collect();
        for budget in 0..40 {
            let chosen = choose_words(&mut rng, &words, budget, 3);
            assert_eq!(chosen.len(), budget / 2);
            assert!(chosen.is_sorted_by(|a, b| a < b));
        }
        // No word fits the budget.
        assert_eq!(choose_words(&mut rng, &words, 1, 3), [0; 0]);
        // Two words with a special token between them do not form a bigram. With a budget of three of the four pieces, one of
        // the two-piece words is masked and never half of the other.
        let apart = [0, 3].map(|start| Word { start, pieces: 2, continues: false });
        assert!((0..200).all(|_| choose_words(&mut rng, &apart, 3, 3).len() == 1));
    }
}
