//! The Python `BasicTokenizer` of transformers 4.57 without its special treatment of Chinese characters, as used by
//! `BertJapaneseTokenizer`. Each character keeps its position in the original text.

use super::categories::{is_blank, is_nonspacing, is_other, is_punctuation};
use super::chars::Char;
use super::forms::{Form, normalize};
use super::unicode::is_space;
use std::collections::HashSet;

/// Splits `chars` into words: at white space and around punctuation, without control characters, in NFC. `lower` removes
/// case and accents. Words in `never_split` stay unchanged.
pub(super) fn words(chars: &[Char], lower: bool, never_split: &HashSet<String>) -> Vec<Vec<Char>> {
    let clean: Vec<Char> = chars.iter().filter_map(|&char| cleaned(char)).collect();
    let mut out = Vec::new();
    for word in normalize(&clean, Form::Nfc).split(|c| is_space(c.c)).filter(|word| !word.is_empty()) {
        let mut word = word.to_vec();
        if lower && !is_among(&word, never_split) {
            word = without_case_and_accents(&word);
        }
        if is_among(&word, never_split) {
            out.push(word);
        } else {
            out.extend(cut_at_punctuation(&word));
        }
    }
    out
}

/// Replaces white space by a space. Returns `None` for control characters.
fn cleaned(char: Char) -> Option<Char> {
    match char.c {
        '\0' | '\u{fffd}' => None,
        c if is_blank(c) => Some(Char { c: ' ', ..char }),
        c if is_other(c) => None,
        _ => Some(char),
    }
}

fn without_case_and_accents(word: &[Char]) -> Vec<Char> {
    let low = word.iter().flat_map(|&char| char.c.to_lowercase().map(move |c| Char { c, ..char }));
    let mut word = normalize(&low.collect::<Vec<_>>(), Form::Nfd);
    word.retain(|c| !is_nonspacing(c.c));
    word
}

fn cut_at_punctuation(word: &[Char]) -> Vec<Vec<Char>> {
    let together = |a: &Char, b: &Char| !is_punctuation(a.c) && !is_punctuation(b.c);
    word.chunk_by(together).map(<[Char]>::to_vec).collect()
}

fn is_among(word: &[Char], never_split: &HashSet<String>) -> bool {
    !never_split.is_empty() && never_split.contains(&word.iter().map(|c| c.c).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, lower: bool, never_split: &[&str]) -> Vec<String> {
        let chars: Vec<Char> =
            (0..).zip(text.chars()).map(|(n, c)| Char { c, start: n, end: n + 1 }).collect();
        let never_split = never_split.iter().map(|s| (*s).to_owned()).collect();
        words(&chars, lower, &never_split).iter().map(|word| word.iter().map(|c| c.c).collect()).collect()
    }

    #[test]
    fn white_space_punctuation_and_control_characters() {
        assert_eq!(
            cut("  これは、ペン\u{3000}です。\u{200b}\0 a\u{2028}b", false, &[]),
            ["これは", "、", "ペン", "です", "。", "a", "b"]
        );
        assert!(cut(" \t\u{200b}", false, &[]).is_empty());
    }

    #[test]
    fn case_and_accents_go_together() {
        assert_eq!(cut("Éか\u{3099} Ab", false, &[]), ["Éが", "Ab"]);
        assert_eq!(cut("Éが Ab \u{301}", true, &[]), ["eか", "ab"]);
        assert_eq!(cut("Ab-C D-e", true, &["Ab-C"]), ["Ab-C", "d", "-", "e"]);
    }
}
