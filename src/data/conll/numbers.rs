//! Tables in which a column numbers the words of each sentence: CoNLL-U and related formats, CoNLL-2012.

use super::line::Line;

/// The content of a table's first columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// Words.
    None,
    /// The numbers of words.
    First,
    /// The numbers of words, after the name of a document and the number of a part.
    Third,
}

/// A word: true if it is the first of a sentence, and its cells.
type Word<'a> = (bool, Vec<&'a str>);

/// Minimum length of a sentence. Shorter ones might start with numbers by chance.
const FEWEST: usize = 3;

/// The number of columns of CoNLL-2012 before the variable part.
const CONLL_2012: usize = 12;

impl Numbering {
    /// Detects the column that numbers words.
    pub(super) fn find(lines: &[Line]) -> Self {
        let mut first = true;
        let mut words: Vec<Word<'_>> = Vec::new();
        for line in lines {
            // A sentence may start with a comment.
            first |= line.first;
            if !line.has_mark() {
                words.push((first, line.columns()));
                first = false;
            }
        }
        if words.is_empty() {
            return Self::None;
        }
        let are = |column: usize| {
            words.iter().all(|(_, columns)| columns.get(column).is_some_and(|cell| number(cell).is_some()))
        };
        let widest = words.iter().map(|(_, columns)| columns.len()).max().unwrap_or(0);
        let is_wide = words.iter().all(|(_, columns)| columns.len() >= CONLL_2012 - 1);
        if is_wide && are(1) && are(2) && !are(0) {
            return Self::Third;
        }
        if are(0) && widest > 2 {
            return Self::First;
        }
        let are_tags = words.iter().all(|(_, columns)| columns.last().is_some_and(|cell| is_tag(cell)));
        // With two columns, these may be numbers of words without tags, or words that happen to count.
        let is_bare = widest == 2 && are(0) && !are_tags && all_count(&words);
        // Lines without a number are then errors. A few numbers among words do not count.
        if is_bare || (widest > 2 && mostly_counts(&words)) { Self::First } else { Self::None }
    }
}

/// Returns true if at least three in four of the first cells are numbers, and if these count up in nine of ten cases.
fn mostly_counts(words: &[Word<'_>]) -> bool {
    let (mut numbers, mut pairs, mut steps) = (0, 0, 0);
    let mut before: Option<u64> = None;
    for (first, columns) in words {
        let found = columns.first().and_then(|cell| number(cell));
        numbers += usize::from(found.is_some());
        if let (Some(before), Some(found)) = (before.filter(|_| !first), found) {
            pairs += 1;
            steps += usize::from(before.checked_add(1) == Some(found));
        }
        before = found;
    }
    4 * numbers >= 3 * words.len() && steps >= FEWEST - 1 && 10 * steps >= 9 * pairs
}

fn is_tag(text: &str) -> bool {
    text == "O" || super::line::has_prefix(text)
}

/// Returns true if the first cells of every sentence of sufficient length count from 0 or 1.
fn all_count(words: &[Word<'_>]) -> bool {
    let (mut rest, mut any) = (words, false);
    while !rest.is_empty() {
        let end = rest.iter().skip(1).position(|(first, _)| *first).map_or(rest.len(), |at| at + 1);
        let (sentence, after) = rest.split_at(end);
        rest = after;
        if sentence.len() < FEWEST {
            continue;
        }
        let cells = sentence.iter().map(|(_, columns)| columns.first().copied().unwrap_or_default());
        let mut numbers = cells.filter(|cell| !is_special(cell)).map(number);
        let Some(start) = numbers.next().flatten().filter(|start| *start < 2) else { return false };
        if !numbers.zip(start + 1..).all(|(found, expected)| found == Some(expected)) {
            return false;
        }
        any = true;
    }
    any
}

/// Returns true for the number of a range (`3-4`) or of an empty node (`3.1`), which are not words.
pub(super) fn is_special(cell: &str) -> bool {
    cell.contains(['-', '.']) && number(cell).is_some()
}

/// Returns the number at the start of a cell: `3`, `3-4`, `3.1`.
pub(super) fn number(cell: &str) -> Option<u64> {
    let end = cell.find(['-', '.']).unwrap_or(cell.len());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = cell.get(end + 1..).unwrap_or("0");
    (is_number(&cell[..end]) && is_number(rest)).then(|| cell[..end].parse().ok()).flatten()
}
