//! The slow `AlbertTokenizer`'s preprocessing before SentencePiece. Characters keep their original positions.
//!
//! In order: lower-casing of single characters (except in special tokens), splitting at added tokens, then for each part:
//! collapsing white space, unifying quotes, NFKD without accents, lower-casing again.

use super::chars::Char;
use super::in_text::{Cut, InText};
use super::unicode::is_space;
use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

/// Options of the reference tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Options {
    pub lower: bool,
    pub keep_accents: bool,
    pub remove_space: bool,
    /// If true, texts are only lower-cased and split at special tokens.
    pub raw: bool,
}

/// A part of a text.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// The id and position of an added token.
    Token(u32, (usize, usize)),
    /// Preprocessed text.
    Text(Vec<Char>),
}

/// Splits `text` at the added tokens and preprocesses the rest. `text` must have fewer than 2^32 code points.
pub(super) fn parts(text: &str, in_text: Option<&InText>, options: &Options) -> Vec<Part> {
    let chars = lowered(text, in_text, options.lower);
    let cuts = match in_text {
        Some(in_text) => in_text.cut(chars),
        None => vec![Cut::Text(chars)],
    };
    let part = |cut| match cut {
        Cut::Token(id, chars) => {
            let place = |c: Option<&Char>, end: fn(&Char) -> u32| c.map_or(0, end) as usize;
            Part::Token(id, (place(chars.first(), |c| c.start), place(chars.last(), |c| c.end)))
        }
        Cut::Text(mut chars) => {
            prepare(&mut chars, options);
            Part::Text(chars)
        }
    };
    cuts.into_iter().map(part).filter(|part| !matches!(part, Part::Text(chars) if chars.is_empty())).collect()
}

/// Lower-cases each character on its own (without final sigma), except in tokens that keep their case.
fn lowered(text: &str, in_text: Option<&InText>, lower: bool) -> Vec<Char> {
    let mut chars = Vec::with_capacity(text.len());
    let mut keep = 0;
    for (n, (byte, c)) in text.char_indices().enumerate() {
        let (start, end) = (n as u32, n as u32 + 1);
        if keep == 0 && lower {
            keep = in_text.map_or(0, |in_text| in_text.kept(&text[byte..]));
        }
        if keep > 0 || !lower {
            keep = keep.saturating_sub(1);
            chars.push(Char { c, start, end });
        } else if c.is_ascii() {
            chars.push(Char { c: c.to_ascii_lowercase(), start, end });
        } else {
            chars.extend(c.to_lowercase().map(|c| Char { c, start, end }));
        }
    }
    chars
}

/// Applies the reference's `preprocess_text`.
pub(super) fn prepare(chars: &mut Vec<Char>, options: &Options) {
    if options.raw {
        return;
    }
    if options.remove_space {
        join_spaces(chars);
    }
    for mark in ['`', '\''] {
        unify_quotes(chars, mark);
    }
    if !options.keep_accents && chars.iter().any(|c| !c.c.is_ascii()) {
        let mut out = Vec::with_capacity(chars.len() + 8);
        for &Char { c, start, end } in chars.iter() {
            if c.is_ascii() {
                out.push(Char { c, start, end });
            } else {
                // The order of combining marks does not matter, because all of them are dropped.
                decompose_compatible(c, |c| {
                    if canonical_combining_class(c) == 0 {
                        out.push(Char { c, start, end });
                    }
                });
            }
        }
        *chars = out;
    }
    if options.lower && !options.keep_accents {
        lower_again(chars);
    }
}

/// Replaces runs of white space with one space and trims.
fn join_spaces(chars: &mut Vec<Char>) {
    let mut after_space = true;
    chars.retain_mut(|c| {
        if !is_space(c.c) {
            after_space = false;
            return true;
        }
        c.c = ' ';
        !std::mem::replace(&mut after_space, true)
    });
    if chars.last().is_some_and(|c| c.c == ' ') {
        chars.pop();
    }
}

/// Replaces two consecutive `mark` characters by one `"`.
fn unify_quotes(chars: &mut Vec<Char>, mark: char) {
    if !chars.windows(2).any(|two| two[0].c == mark && two[1].c == mark) {
        return;
    }
    let mut out: Vec<Char> = Vec::with_capacity(chars.len());
    let mut rest = chars.iter().copied().peekable();
    while let Some(mut char) = rest.next() {
        if char.c == mark
            && let Some(second) = rest.next_if(|next| next.c == mark)
        {
            char = Char { c: '"', start: char.start, end: second.end };
        }
        out.push(char);
    }
    *chars = out;
}

/// Lower-cases again like Python's `str.lower` (with final sigma), because NFKD can produce capitals.
fn lower_again(chars: &mut Vec<Char>) {
    if chars.iter().any(|c| c.c == 'Σ') {
        let text: String = chars.iter().map(|c| c.c).collect();
        let low = text.to_lowercase();
        let mut low = low.chars();
        let places = std::mem::take(chars);
        for char in places {
            for _ in 0..char.c.to_lowercase().count() {
                chars.extend(low.next().map(|c| Char { c, ..char }));
            }
        }
        return;
    }
    if chars.iter().all(|c| is_lower_case(c.c)) {
        return;
    }
    *chars = chars.iter().flat_map(|&char| char.c.to_lowercase().map(move |c| Char { c, ..char })).collect();
}

/// Returns true if lower-casing changes nothing.
fn is_lower_case(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_uppercase();
    }
    let mut low = c.to_lowercase();
    low.next() == Some(c) && low.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::AddedToken;

    const ALL: Options = Options { lower: true, keep_accents: false, remove_space: true, raw: false };

    fn mask() -> InText {
        let mask = AddedToken { lstrip: true, ..AddedToken::from("[MASK]", true) };
        InText::new(&[(4, mask)], ["[MASK]"].into_iter())
    }

    fn show(text: &str, options: &Options) -> Vec<String> {
        let show = |part| match part {
            Part::Token(id, place) => format!("{id} {place:?}"),
            Part::Text(chars) => chars.iter().map(|c| c.c).collect(),
        };
        parts(text, Some(&mask()), options).into_iter().map(show).collect()
    }

    #[test]
    fn the_steps_of_the_reference() {
        assert_eq!(show("  A\t\u{a0} b\x1c``C'' ", &ALL), ["a b \"c\""]);
        assert_eq!(show("Café ﬁ Å İ", &ALL), ["cafe fi a i"]);
        assert_eq!(show("ΑΣ 𝚨𝚺 𝚺𝚨", &ALL), ["ασ ας σα"]);
        assert_eq!(show("A [MASK] B", &ALL), ["a", "4 (2, 8)", "b"]);
        assert_eq!(show("[mask]", &ALL), ["[mask]"]);
        assert_eq!(show("É  B", &Options { keep_accents: true, ..ALL }), ["é b"]);
        assert_eq!(show("É  B", &Options { lower: false, remove_space: false, ..ALL }), ["E  B"]);
    }

    #[test]
    fn characters_keep_their_places() {
        let Some(Part::Text(chars)) = parts(" ﬁ''x", None, &ALL).pop() else { panic!("text") };
        let places: Vec<_> = chars.iter().map(|c| (c.c, c.start, c.end)).collect();
        assert_eq!(places, [('f', 1, 2), ('i', 1, 2), ('"', 2, 4), ('x', 4, 5)]);
    }
}
