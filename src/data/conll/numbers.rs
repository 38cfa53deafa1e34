//! Tables in which a column counts the words of each sentence: CoNLL-U and its relatives, CoNLL-2012.

use super::line::Line;

/// The contents of the first columns of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// Words.
    None,
    /// The numbers of words.
    First,
    /// The numbers of words, after the name of a document and the number of a part.
    Third,
}

/// True for the first word of a sentence, and the cells of a word.
type Word<'a> = (bool, Vec<&'a str>);

/// Sentences shorter than this could begin with numbers by chance.
const FEWEST: usize = 3;

/// The columns of CoNLL-2012 before those whose number varies.
const CONLL_2012: usize = 12;

impl Numbering {
    /// Looks for the column that counts words.
    pub(super) fn find(lines: &[Line]) -> Self {
        let mut first = true;
        let mut words: Vec<Word<'_>> = Vec::new();
        for line in lines {
            // A sentence may begin with a comment.
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
        if is_wide && are(1) && are(2) && !are(0) && counting(&words, 2) == Counting::All {
            return Self::Third;
        }
        if are(0) && widest > 2 {
            return Self::First;
        }
        let is_number = |(_, columns): &&Word<'_>| columns.first().is_some_and(|cell| number(cell).is_some());
        let numbers = words.iter().filter(is_number).count();
        let are_tags = words.iter().all(|(_, columns)| columns.last().is_some_and(|cell| is_tag(cell)));
        match counting(&words, 0) {
            // Lines without a number are errors then; a few numbers among words are none.
            Counting::All | Counting::Most if widest > 2 && 4 * numbers >= 3 * words.len() => Self::First,
            // Two columns: numbers of words without tags, or words that happen to count.
            Counting::All if are(0) && !are_tags => Self::First,
            _ => Self::None,
        }
    }
}

fn is_tag(text: &str) -> bool {
    text == "O" || super::line::has_prefix(text)
}

#[derive(PartialEq, Eq)]
enum Counting {
    /// Every sentence of some length counts from 0 or 1.
    All,
    /// More than half of them do.
    Most,
    Few,
}

/// In how many sentences a column counts the words.
fn counting(words: &[Word<'_>], column: usize) -> Counting {
    let (mut counted, mut long) = (0, 0);
    let mut rest = words;
    let mut any = false;
    while !rest.is_empty() {
        let end = rest.iter().skip(1).position(|(first, _)| *first).map_or(rest.len(), |at| at + 1);
        let (sentence, after) = rest.split_at(end);
        rest = after;
        let mut numbers = sentence
            .iter()
            .map(|(_, columns)| columns.get(column).copied().unwrap_or_default())
            .filter(|cell| !(is_special(cell)));
        let start = numbers.next().and_then(number).filter(|start| *start < 2);
        let counts = start.is_some_and(|start| {
            numbers.zip(start + 1..).all(|(cell, expected)| number(cell) == Some(expected))
        });
        any |= counts;
        if sentence.len() >= FEWEST {
            long += 1;
            counted += usize::from(counts);
        }
    }
    match (counted, long) {
        (0, 0) if any && words.iter().all(|(_, columns)| columns.len() >= CONLL_2012 - 1) => Counting::All,
        (0, _) => Counting::Few,
        (counted, long) if counted == long => Counting::All,
        (counted, long) if 2 * counted > long => Counting::Most,
        _ => Counting::Few,
    }
}

/// True for the number of a range (`3-4`) or of an empty node (`3.1`), which are not words.
pub(super) fn is_special(cell: &str) -> bool {
    cell.contains(['-', '.']) && number(cell).is_some()
}

/// The number that a cell begins with: `3`, `3-4`, `3.1`.
pub(super) fn number(cell: &str) -> Option<u64> {
    let end = cell.find(['-', '.']).unwrap_or(cell.len());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = cell.get(end + 1..).unwrap_or("0");
    (is_number(&cell[..end]) && is_number(rest)).then(|| cell[..end].parse().ok()).flatten()
}
