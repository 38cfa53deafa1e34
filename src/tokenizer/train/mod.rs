//! Trains a unigram tokenizer like ALBERT's: lower case, without accents, special pieces first, then symbols that are
//! always separate pieces.
//!
//! The method is SentencePiece's (Kudo 2018, "Subword Regularization"): start with frequent substrings of words, fit
//! their probabilities with EM, and repeatedly prune a quarter of them. There are two differences: substrings are counted
//! with the frequency of their words (SentencePiece counts each distinct word once when it searches for seeds), and no
//! piece ends in a digit and a comma, which ALBERT's code would split again.

mod em;
mod seeds;
mod spiece;
mod words;

pub use words::WordCounts;

use unicode_normalization::char::is_combining_mark;

use super::sentencepiece_tokenizer::SentencePieceTokenizer;
use super::settings::Settings;
use super::unicode::is_digit;
use super::{Tokenizer, load};
use crate::error::{Error, Result};
use em::{Scored, fit, prune};
use std::path::Path;

/// The special pieces, in id order.
const SPECIAL: [&str; 5] = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"];
/// Symbols that are always separate pieces (`user_defined_symbols` of ALBERT's vocabulary).
const META_SYMBOLS: [char; 8] = ['(', ')', '"', '-', '.', '–', '£', '€'];

/// Maximum length of a piece in characters (SentencePiece's `max_sentencepiece_length`).
const MAX_PIECE: usize = 16;
/// Maximum length of a unit in characters.
const MAX_UNIT: usize = 48;
/// Number of seed pieces (SentencePiece's `seed_sentencepiece_size`).
const SEEDS: usize = 1_000_000;
/// Fraction of pieces kept in each round (SentencePiece's `shrinking_factor`).
const SHRINK: f64 = 0.75;
/// EM iterations per round (SentencePiece's `num_sub_iterations`).
const FITS: usize = 2;

/// Options of the training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainOptions {
    /// Vocabulary size, including special pieces and symbols.
    pub vocab_size: usize,
    /// Fraction of the characters in the text that the vocabulary covers. The rest is unknown.
    pub character_coverage: f64,
    /// True to keep accents and other combining marks. Languages whose vowels are signs need this.
    pub keep_accents: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self { vocab_size: 30_000, character_coverage: 0.99995, keep_accents: false }
    }
}

/// A trained tokenizer.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The SentencePiece model (`spiece.model`).
    pub spiece: Vec<u8>,
    /// Number of pieces, which may be smaller than requested.
    pub vocab_size: usize,
    /// Number of distinct characters that are pieces.
    pub characters: usize,
    /// True if accents are kept.
    pub keep_accents: bool,
    /// A warning if the text has vowel signs and accents are not kept.
    pub warning: Option<String>,
}

impl Trained {
    /// Opens the tokenizer. Messages call it `path`.
    ///
    /// # Errors
    /// If the model is invalid.
    pub(crate) fn tokenizer(&self, path: &Path) -> Result<Tokenizer> {
        load::bytes(&self.spiece, path, &settings(self.keep_accents))
    }
}

/// Trains a tokenizer on counted words. The result does not depend on the number of threads.
///
/// `progress` receives the number of completed rounds and the total. If it returns false, training is cancelled.
///
/// # Errors
/// If `words` is empty or has more distinct characters than the vocabulary can hold, or if training was cancelled.
pub fn train(
    words: &WordCounts,
    options: &TrainOptions,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<Trained> {
    let interrupted = || Error::Input("interrupted; nothing was written".to_owned());
    let reserved = SPECIAL.len() + META_SYMBOLS.len();
    let words = words.normalized(&normalizer(options.keep_accents)?)?;
    let alphabet = words::alphabet(&words, options.character_coverage);
    if alphabet.is_empty() {
        return Err(Error::Input("the corpus has no words to train a tokenizer on".to_owned()));
    }
    let Some(room) = options.vocab_size.checked_sub(reserved).filter(|room| *room > alphabet.len()) else {
        return Err(Error::InvalidOption {
            name: "vocab_size".to_owned(),
            problem: format!(
                "{} is too small: {reserved} pieces are special or symbols, and the corpus has {} different \
                 characters; take more than {}, or lower option character_coverage",
                options.vocab_size,
                alphabet.len(),
                reserved + alphabet.len()
            ),
        });
    };
    let units = words::units(words, &alphabet);
    let seeds = seeds::seeds(&units, &alphabet, SEEDS.max(2 * room));
    let total: f64 = seeds.iter().map(|(_, count)| count).sum();
    let mut pieces: Vec<Scored> =
        seeds.into_iter().map(|(text, count)| Scored { text, score: (count / total).ln() }).collect();
    // Keep a tenth more than requested: EM selects the last pieces better than the pruning loss does.
    let enough = room + room / 10;
    let rounds = ((pieces.len() as f64 / enough as f64).ln() / -SHRINK.ln()).ceil().max(0.0) as u64 + 1;
    for round in 0.. {
        for _ in 0..FITS {
            if !progress(round.min(rounds), rounds) {
                return Err(interrupted());
            }
            pieces = fit(pieces, &units);
        }
        if pieces.len() <= enough {
            break;
        }
        let size = enough.max((pieces.len() as f64 * SHRINK) as usize);
        pieces = prune(pieces, &units, size);
    }
    progress(rounds, rounds);
    let pieces = finalize(pieces, room);
    Ok(Trained {
        vocab_size: reserved + pieces.len(),
        characters: alphabet.len(),
        spiece: spiece::model(&pieces, options.character_coverage),
        keep_accents: options.keep_accents,
        warning: if options.keep_accents { None } else { vowel_signs(&alphabet) },
    })
}

/// Returns the best pieces, including all characters, in descending order of score.
fn finalize(mut pieces: Vec<Scored>, room: usize) -> Vec<Scored> {
    let by_score = |a: &Scored, b: &Scored| b.score.total_cmp(&a.score).then_with(|| a.text.cmp(&b.text));
    pieces.sort_by(by_score);
    let (mut kept, others): (Vec<_>, Vec<_>) =
        pieces.into_iter().partition(|piece| piece.text.chars().nth(1).is_none());
    let left = room.saturating_sub(kept.len());
    kept.extend(others.into_iter().take(left));
    kept.sort_by(by_score);
    kept
}

/// Returns true if characters may form a piece. ALBERT's code would split one that ends in a digit and a comma.
fn is_valid_piece(chars: impl Iterator<Item = char>) -> bool {
    let mut last = [None; 2];
    for c in chars {
        last = [last[1], Some(c)];
    }
    !(last[1] == Some(',') && last[0].is_some_and(is_digit))
}

/// Returns a warning if at least one character in a hundred is a vowel sign or another mark that is not an accent.
fn vowel_signs(alphabet: &[(char, u64)]) -> Option<String> {
    let count = |is_counted: fn(char) -> bool| -> u64 {
        alphabet.iter().filter(|(c, _)| is_counted(*c)).map(|(_, count)| count).sum()
    };
    let (signs, all) = (count(is_combining_mark), count(|_| true));
    let first = alphabet.iter().find(|(c, _)| is_combining_mark(*c)).filter(|_| 100 * signs >= all)?;
    Some(format!(
        "the corpus has vowel signs such as U+{:04X}; option keep_accents keeps them and the marks that belong to them",
        u32::from(first.0)
    ))
}

fn settings(keep_accents: bool) -> Settings {
    let mut settings = Settings::default();
    settings.keep_accents = Some(keep_accents);
    settings
}

/// Returns a tokenizer for preprocessing words.
fn normalizer(keep_accents: bool) -> Result<SentencePieceTokenizer> {
    let empty = spiece::model(&[], 1.0);
    SentencePieceTokenizer::new(&empty, Path::new("spiece.model"), &settings(keep_accents))
}
