//! EM training of a unigram model, and pruning of pieces (Kudo 2018, section 3.2; `unigram_model_trainer.cc` in SentencePiece).

use crate::tokenizer::trie::Trie;
use crate::tokenizer::unigram::width;
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};

/// Pieces with a smaller expected count are removed.
const LOWEST_COUNT: f64 = 0.5;
/// Number of partial sums. It is fixed, so that results do not depend on the number of threads.
const PARTS: usize = 16;

/// A piece and its log probability.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scored {
    pub text: String,
    pub score: f64,
}

impl Scored {
    /// Returns true for a single character. These are kept, so that every unit has a segmentation.
    fn is_character(&self) -> bool {
        self.text.chars().nth(1).is_none()
    }
}

/// The pieces, with a trie for lookups.
struct Model<'a> {
    trie: Trie,
    pieces: &'a [Scored],
}

/// An occurrence of a piece in a unit: bytes `start..end`.
#[derive(Clone, Copy)]
struct Edge {
    start: u32,
    end: u32,
    id: u32,
}

impl<'a> Model<'a> {
    fn new(pieces: &'a [Scored]) -> Self {
        let trie = Trie::new(pieces.iter().map(|piece| piece.text.as_bytes()).zip(0..));
        Self { trie, pieces }
    }

    /// Finds all pieces in `text`, ordered by start position.
    fn edges(&self, text: &[u8], edges: &mut Vec<Edge>) {
        edges.clear();
        let mut start = 0;
        while start < text.len() {
            let mut node = Trie::ROOT;
            for (n, &byte) in text[start..].iter().enumerate() {
                let Some((next, value)) = self.trie.step(node, byte) else { break };
                node = next;
                if let Some(id) = value {
                    edges.push(Edge { start: start as u32, end: (start + n + 1) as u32, id });
                }
            }
            start += width(text[start]);
        }
    }

    /// Returns the ids of the best segmentation of `text` without piece `not`, in reverse order, and its score.
    fn best(&self, text: &[u8], not: Option<u32>, scratch: &mut Scratch) -> (Vec<u32>, f64) {
        self.edges(text, &mut scratch.edges);
        let best = &mut scratch.best;
        best.clear();
        best.resize(text.len() + 1, (f64::NEG_INFINITY, 0, 0));
        best[0].0 = 0.0;
        for edge in &scratch.edges {
            let score = best[edge.start as usize].0 + self.pieces[edge.id as usize].score;
            let target = &mut best[edge.end as usize];
            if Some(edge.id) != not && score > target.0 {
                *target = (score, edge.start, edge.id);
            }
        }
        let score = best[text.len()].0;
        let mut ids = Vec::new();
        let mut end = text.len();
        while end > 0 && score > f64::NEG_INFINITY {
            let (_, start, id) = best[end];
            ids.push(id);
            end = start as usize;
        }
        (ids, score)
    }

    /// Adds `count` times the expected count of each piece in `text`.
    fn expect(&self, text: &[u8], count: f64, odds: &[f64], expected: &mut [f64], scratch: &mut Scratch) {
        self.edges(text, &mut scratch.edges);
        let (forward, backward) = (&mut scratch.forward, &mut scratch.backward);
        for sums in [&mut *forward, &mut *backward] {
            sums.clear();
            sums.resize(text.len() + 1, 0.0);
        }
        forward[0] = 1.0;
        backward[text.len()] = 1.0;
        for edge in &scratch.edges {
            forward[edge.end as usize] += forward[edge.start as usize] * odds[edge.id as usize];
        }
        for edge in scratch.edges.iter().rev() {
            backward[edge.start as usize] += backward[edge.end as usize] * odds[edge.id as usize];
        }
        let whole = forward[text.len()];
        // Units are short, so underflow is only possible for a unit of one very rare character.
        if whole <= f64::MIN_POSITIVE {
            return;
        }
        let weight = count / whole;
        for edge in &scratch.edges {
            let through = forward[edge.start as usize] * odds[edge.id as usize] * backward[edge.end as usize];
            expected[edge.id as usize] += through * weight;
        }
    }
}

/// Buffers that are reused for each unit.
#[derive(Default)]
struct Scratch {
    edges: Vec<Edge>,
    best: Vec<(f64, u32, u32)>,
    forward: Vec<f64>,
    backward: Vec<f64>,
}

/// Computes sums per piece over all units: first within parts, then over parts in order.
fn sums(
    units: &[(String, u64)],
    length: usize,
    add: impl Fn(&(String, u64), &mut [f64], &mut Scratch) + Sync,
) -> Vec<f64> {
    let size = units.len().div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f64>> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let (mut sums, mut scratch) = (vec![0.0; length], Scratch::default());
            for unit in units.iter().skip(part * size).take(size) {
                add(unit, &mut sums, &mut scratch);
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; length];
    for part in parts {
        for (total, sum) in total.iter_mut().zip(part) {
            *total += sum;
        }
    }
    total
}

/// Runs one EM iteration.
pub(super) fn fit(pieces: Vec<Scored>, units: &[(String, u64)]) -> Vec<Scored> {
    let model = Model::new(&pieces);
    let odds: Vec<f64> = pieces.iter().map(|piece| piece.score.exp()).collect();
    let expected = sums(units, pieces.len(), |(text, count), sums, scratch| {
        model.expect(text.as_bytes(), *count as f64, &odds, sums, scratch);
    });
    drop(model);
    let mut kept: Vec<Scored> = Vec::with_capacity(pieces.len());
    let mut total = 0.0;
    for (piece, count) in pieces.into_iter().zip(expected) {
        if count < LOWEST_COUNT && !piece.is_character() {
            continue;
        }
        let count = count.max(LOWEST_COUNT);
        total += count;
        kept.push(Scored { score: count, ..piece });
    }
    // Use a sparse prior instead of plain log frequencies ("Bayesianified" EM, as in SentencePiece).
    let total = digamma(total);
    for piece in &mut kept {
        piece.score = digamma(piece.score) - total;
    }
    kept
}

/// Removes the pieces whose removal reduces the likelihood least, until `size` pieces remain.
pub(super) fn prune(pieces: Vec<Scored>, units: &[(String, u64)], size: usize) -> Vec<Scored> {
    let model = Model::new(&pieces);
    let frequency = sums(units, pieces.len(), |(text, count), sums, scratch| {
        for id in model.best(text.as_bytes(), None, scratch).0 {
            sums[id as usize] += *count as f64;
        }
    });
    let total: f64 = frequency.iter().sum();
    let losses: Vec<Option<f64>> = (0..pieces.len() as u32)
        .collect::<Vec<_>>()
        .par_iter()
        .map_init(Scratch::default, |scratch, &id| {
            let piece = &pieces[id as usize];
            let own = frequency[id as usize];
            if piece.is_character() {
                return Some(f64::INFINITY);
            }
            if own == 0.0 {
                return None;
            }
            let (others, score) = model.best(piece.text.as_bytes(), Some(id), scratch);
            if score > piece.score {
                // The best segmentation of its own text does not use the piece.
                return Some(0.0);
            }
            // Its occurrences go to the alternative pieces, which changes the total.
            let after = (total + own * (others.len() as f64 - 1.0)).ln();
            let of_others: f64 =
                others.iter().map(|other| (frequency[*other as usize] + own).ln() - after).sum();
            Some(own / total * (own.ln() - total.ln() - of_others))
        })
        .collect();
    drop(model);
    let mut ranked: Vec<(f64, Scored)> =
        pieces.into_iter().zip(losses).filter_map(|(piece, loss)| Some((loss?, piece))).collect();
    // The sort is stable, so equal losses keep their order.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.truncate(size);
    ranked.into_iter().map(|(_, piece)| piece).collect()
}

/// Computes the digamma function for positive arguments.
fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 7.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    x -= 0.5;
    let x2 = 1.0 / (x * x);
    sum + x.ln() + x2 * (1.0 / 24.0 - x2 * (7.0 / 960.0 - x2 * (31.0 / 8064.0 - x2 * 127.0 / 30720.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(pieces: &[(&str, f64)]) -> Vec<Scored> {
        pieces.iter().map(|(text, p)| Scored { text: (*text).to_owned(), score: p.ln() }).collect()
    }

    #[test]
    fn digamma_as_in_tables() {
        // Abramowitz and Stegun, table 6.1.
        for (x, expected) in
            [(1.0, -0.5772156649), (2.0, 0.4227843351), (0.5, -1.9635100260), (10.0, 2.2517525890)]
        {
            assert!((digamma(x) - expected).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn expected_counts_of_all_segmentations() {
        let pieces = scored(&[("a", 0.25), ("b", 0.25), ("ab", 0.5)]);
        let model = Model::new(&pieces);
        let odds = [0.25, 0.25, 0.5];
        let mut expected = [0.0; 3];
        model.expect(b"ab", 9.0, &odds, &mut expected, &mut Scratch::default());
        // "ab" has probability 1/2 and "a" "b" has 1/16: 8/9 and 1/9.
        assert_eq!(expected, [1.0, 1.0, 8.0]);
    }

    #[test]
    fn the_best_segmentation_with_and_without_a_piece() {
        let pieces = scored(&[("a", 0.1), ("b", 0.1), ("ab", 0.2), ("ba", 0.6)]);
        let model = Model::new(&pieces);
        let mut scratch = Scratch::default();
        assert_eq!(model.best(b"aba", None, &mut scratch).0, [3, 0]);
        assert_eq!(model.best(b"aba", Some(3), &mut scratch).0, [0, 2]);
        assert_eq!(model.best(b"x", None, &mut scratch).0, Vec::<u32>::new());
    }

    #[test]
    fn useless_pieces_go_first_and_characters_stay() {
        let units = [("abab".to_owned(), 10), ("ba".to_owned(), 1)];
        let mut pieces = scored(&[("a", 0.1), ("b", 0.1), ("ab", 0.3), ("ba", 0.3), ("abab", 0.2)]);
        for _ in 0..3 {
            pieces = fit(pieces, &units);
        }
        let kept: Vec<String> = prune(pieces, &units, 3).into_iter().map(|piece| piece.text).collect();
        assert_eq!(kept, ["a", "b", "abab"]);
    }
}
