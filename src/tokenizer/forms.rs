//! Unicode normalization of characters that keep their positions in the original text.

use super::chars::Char;
use unicode_normalization::char::{
    canonical_combining_class, compose, decompose_canonical, decompose_compatible,
};

/// A normalization form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Canonical decomposition.
    Nfd,
    /// Canonical decomposition, followed by canonical composition.
    Nfc,
    /// Compatibility decomposition, followed by canonical composition.
    Nfkc,
}

/// Converts `chars` to a normalization form. Characters that a character decomposes into have its position. A composed
/// character spans the positions of its parts.
pub(super) fn normalize(chars: &[Char], form: Form) -> Vec<Char> {
    if chars.iter().all(|c| c.c.is_ascii()) {
        return chars.to_vec();
    }
    let mut out = Vec::with_capacity(chars.len());
    for &Char { c, start, end } in chars {
        let push = |c| out.push(Char { c, start, end });
        match form {
            Form::Nfd | Form::Nfc => decompose_canonical(c, push),
            Form::Nfkc => decompose_compatible(c, push),
        }
    }
    // Sort the marks that follow a letter by combining class.
    for marks in out.chunk_by_mut(|a, b| (class(a) == 0) == (class(b) == 0)) {
        if class(&marks[0]) != 0 {
            marks.sort_by_key(class);
        }
    }
    if form == Form::Nfd { out } else { composed(out) }
}

fn composed(chars: Vec<Char>) -> Vec<Char> {
    let mut out: Vec<Char> = Vec::with_capacity(chars.len());
    // The index of the letter that marks may combine with, and the combining class of the last character.
    let (mut letter, mut last) = (None, 0);
    for char in chars {
        let class = class(&char);
        if let Some(at) = letter {
            let first: Char = out[at];
            let is_next = at + 1 == out.len() || last < class;
            if let Some(c) = compose(first.c, char.c).filter(|_| is_next) {
                out[at] = Char { c, start: first.start.min(char.start), end: first.end.max(char.end) };
                continue;
            }
        }
        if class == 0 {
            letter = Some(out.len());
        }
        last = class;
        out.push(char);
    }
    out
}

fn class(char: &Char) -> u8 {
    canonical_combining_class(char.c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn chars(text: &str) -> Vec<Char> {
        (0..).zip(text.chars()).map(|(n, c)| Char { c, start: n, end: n + 1 }).collect()
    }

    fn text(chars: &[Char]) -> String {
        chars.iter().map(|c| c.c).collect()
    }

    #[test]
    fn as_the_crate_normalizes_strings() {
        let own = [
            "",
            "abc",
            "e\u{301}\u{323}x",
            "\u{323}\u{301}e",
            "한글 \u{1112}\u{1161}\u{11ab}",
            "カ\u{3099}ｶﾞ㍿…ﬁ",
        ];
        let all: String = (0..0x3_0000).filter_map(char::from_u32).collect();
        let mixed: String =
            all.chars().step_by(7).flat_map(|c| [c, '\u{301}', '\u{316}', '\u{3099}']).collect();
        for sample in own.into_iter().chain([all.as_str(), mixed.as_str()]) {
            let chars = chars(sample);
            assert_eq!(text(&normalize(&chars, Form::Nfd)), sample.nfd().collect::<String>());
            assert_eq!(text(&normalize(&chars, Form::Nfc)), sample.nfc().collect::<String>());
            assert_eq!(text(&normalize(&chars, Form::Nfkc)), sample.nfkc().collect::<String>());
        }
    }

    #[test]
    fn places_are_those_of_the_original() {
        let places = |text: &str, form| {
            normalize(&chars(text), form).iter().map(|c| (c.c, c.start, c.end)).collect::<Vec<_>>()
        };
        assert_eq!(places("xか\u{3099}", Form::Nfc), [('x', 0, 1), ('が', 1, 3)]);
        assert_eq!(places("が", Form::Nfd), [('か', 0, 1), ('\u{3099}', 0, 1)]);
        assert_eq!(places("㌔a", Form::Nfkc), [('キ', 0, 1), ('ロ', 0, 1), ('a', 1, 2)]);
    }
}
