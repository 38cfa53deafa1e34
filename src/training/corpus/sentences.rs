//! Sentence segmentation: Unicode's boundaries (UAX #29), except after abbreviations.

use unicode_segmentation::UnicodeSegmentation;

/// How lines are split into sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sentences {
    /// Split each line into sentences.
    #[default]
    Split,
    /// Each line is one sentence.
    Lines,
}

/// Words, in lower case, that do not end a sentence even if a full stop follows them.
#[rustfmt::skip]
const ABBREVIATIONS: &[&str] = &[
    "adm", "al", "apr", "art", "assn", "aug", "ave", "bros", "brig", "c", "ca", "capt", "cf", "ch", "cmdr", "co", "col",
    "corp", "cpl", "dec", "dept", "dist", "dr", "ed", "eds", "e.g", "eq", "esp", "est", "et", "feb", "fig", "figs", "ft",
    "gen", "gov", "hon", "i.e", "inc", "jan", "jr", "jul", "jun", "lt", "ltd", "maj", "messrs", "mlle", "mme", "mr", "mrs",
    "ms", "mt", "no", "nos", "nov", "oct", "op", "p", "pp", "ph.d", "pres", "prof", "pt", "pvt", "rep", "reps", "rev",
    "sec", "sen", "sens", "sep", "sept", "sgt", "sr", "st", "univ", "v", "viz", "vol", "vols", "vs",
];

/// The abbreviations that do end a sentence unless a digit or a lower-case letter follows.
const BEFORE_NUMBERS: &[&str] =
    &["art", "ch", "eq", "fig", "figs", "no", "nos", "op", "p", "pp", "pt", "sec", "vol", "vols"];

/// The abbreviations that end a sentence if a common sentence starter follows.
#[rustfmt::skip]
const OFTEN_LAST: &[&str] = &["al", "assn", "bros", "co", "corp", "dept", "ft", "inc", "jr", "ltd", "ph.d", "sr", "univ"];

/// Words that commonly start a sentence.
#[rustfmt::skip]
const BEGINNINGS: &[&str] = &[
    "A", "After", "All", "Although", "An", "And", "As", "At", "But", "By", "For", "From", "He", "Her", "His", "How",
    "However", "I", "If", "In", "It", "Its", "No", "Of", "On", "Our", "She", "Since", "So", "Some", "Such", "That",
    "The", "Their", "Then", "There", "These", "They", "This", "Those", "To", "Today", "Under", "We", "What", "When",
    "Where", "While", "With", "You",
];

/// Calls `each` with every sentence of `line`, trimmed and never empty.
pub fn split_sentences<'a>(line: &'a str, each: &mut dyn FnMut(&'a str)) {
    let mut start = 0;
    let mut end = 0;
    for part in line.split_sentence_bounds() {
        if end > start && is_boundary(&line[start..end], part) {
            give(&line[start..end], each);
            start = end;
        }
        end += part.len();
    }
    give(&line[start..], each);
}

fn give<'a>(sentence: &'a str, each: &mut dyn FnMut(&'a str)) {
    let sentence = sentence.trim();
    if !sentence.is_empty() {
        each(sentence);
    }
}

/// Returns true if a sentence may end between `before` and `after`.
fn is_boundary(before: &str, after: &str) -> bool {
    // Stray quotes and brackets do not form a sentence.
    if !after.chars().any(char::is_alphanumeric) {
        return false;
    }
    let before = before.trim_end();
    let Some(stem) = before.strip_suffix('.') else { return true };
    let word = stem.rsplit(|c: char| c.is_whitespace() || "([\"'“‘".contains(c)).next().unwrap_or(stem);
    // "1." is a numbering of the text that follows.
    if word.len() == stem.trim_start().len() && word.chars().all(|c| c.is_ascii_digit()) {
        return false;
    }
    let next = after.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default();
    let begins = BEGINNINGS.contains(&next);
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        // An initial: "J. Smith". "I" ends sentences too.
        (Some(letter), None) if letter.is_uppercase() => return letter == 'I' || begins,
        _ => {}
    }
    // "U.S. Army"
    if word.contains('.') && word.split('.').all(|part| part.chars().count() == 1) && !begins {
        return false;
    }
    let low = word.to_lowercase();
    let low = low.as_str();
    if BEFORE_NUMBERS.contains(&low) {
        return !next.starts_with(|c: char| c.is_numeric());
    }
    !ABBREVIATIONS.contains(&low) || (OFTEN_LAST.contains(&low) && begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<&str> {
        let mut out = Vec::new();
        split_sentences(line, &mut |sentence| out.push(sentence));
        out
    }

    #[test]
    fn ends_of_sentences() {
        assert_eq!(split("One.  Two! Three? Four"), ["One.", "Two!", "Three?", "Four"]);
        assert_eq!(split("He said \"Go.\" She went."), ["He said \"Go.\"", "She went."]);
        assert_eq!(split("It cost 3.50 dollars. Yes."), ["It cost 3.50 dollars.", "Yes."]);
        assert_eq!(split("你好。再见。"), ["你好。", "再见。"]);
        assert_eq!(split("So did I. And you."), ["So did I.", "And you."]);
        assert_eq!(split("  \t "), Vec::<&str>::new());
        assert_eq!(split(""), Vec::<&str>::new());
    }

    #[test]
    fn abbreviations_are_not_ends() {
        for line in [
            "Mr. Smith met Dr. J. R. Jones of St. Paul.",
            "The U.S. Army won.",
            "See Fig. 3 and No. 5 on p. 7.",
            "1. Introduction",
            "Smith v. Jones, et al. 1990, e.g. This.",
            "It ended. \"",
        ] {
            assert_eq!(split(line), [line]);
        }
        assert_eq!(split("He left the U.S. The army stayed."), ["He left the U.S.", "The army stayed."]);
        assert_eq!(split("I say no. Why not?"), ["I say no.", "Why not?"]);
        assert_eq!(split("It is Apple Inc. The rest."), ["It is Apple Inc.", "The rest."]);
        assert_eq!(split("It was 1990. Then."), ["It was 1990.", "Then."]);
    }
}
