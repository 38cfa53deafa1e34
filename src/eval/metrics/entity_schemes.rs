//! Entities in tag sequences: seqeval 1.2.2's lenient mode (`get_entities`) and its strict mode (`seqeval.scheme`).

use crate::error::{Error, Result};

/// A tagging scheme for strict mode, in which a sequence that violates the scheme is not an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntityScheme {
    /// "B-" only where an entity follows another of its type; "I-" elsewhere.
    Iob1,
    /// "B-" at the start of every entity, then "I-" (BIO).
    Iob2,
    /// "E-" only where another entity of the same type follows; "I-" elsewhere.
    Ioe1,
    /// "E-" at the end of every entity, "I-" before it.
    Ioe2,
    /// "B-", "I-" and "E-"; "S-" for an entity of one token.
    Iobes,
    /// "B-", "I-" and "L-"; "U-" for an entity of one token.
    Bilou,
}

/// An entity: its type, its first position and its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Span<'a> {
    /// The part of the entity's tags after the prefix.
    pub(super) kind: &'a str,
    /// Sentence and token at which it starts. In lenient mode, positions in the concatenation of all sentences.
    pub(super) start: (usize, usize),
    /// The last position.
    pub(super) end: usize,
}

/// seqeval's name for the missing type of a tag.
const NO_TYPE: &str = "_";

/// The entities of all sentences according to `seqeval.metrics.sequence_labeling.get_entities`, which accepts any tag
/// in any order.
///
/// It concatenates all sentences, with an "O" after each. An entity with an unknown prefix can therefore start at an
/// earlier position. The spans still equal seqeval's.
///
/// # Errors
/// [`Error::Input`] for an empty tag.
pub(super) fn lenient(sentences: &[Vec<String>]) -> Result<Vec<Span<'_>>> {
    let mut spans = Vec::new();
    let (mut previous, mut previous_kind, mut start) = ('O', "", 0);
    let mut place = 0;
    for (number, sentence) in sentences.iter().enumerate() {
        for tag in sentence.iter().map(String::as_str).chain(["O"]) {
            let (prefix, rest) = first_letter(tag).ok_or_else(|| empty_tag(number))?;
            let kind = or_no_type(rest.split_once('-').map_or(rest, |(_, kind)| kind));
            if ends(previous, prefix, previous_kind, kind) {
                // Never at position 0, because the sequence starts as if after an "O".
                spans.push(Span { kind: previous_kind, start: (0, start), end: place });
            }
            if starts(previous, prefix, previous_kind, kind) {
                start = place;
            }
            (previous, previous_kind) = (prefix, kind);
            place += 1;
        }
    }
    Ok(spans)
}

/// seqeval's `end_of_chunk`: returns true if an entity ends before this tag.
fn ends(previous: char, prefix: char, previous_kind: &str, kind: &str) -> bool {
    match previous {
        'E' | 'S' => true,
        'B' | 'I' if matches!(prefix, 'B' | 'S' | 'O') => true,
        'O' | '.' => false,
        _ => previous_kind != kind,
    }
}

/// seqeval's `start_of_chunk`: returns true if an entity starts with this tag.
fn starts(previous: char, prefix: char, previous_kind: &str, kind: &str) -> bool {
    match prefix {
        'B' | 'S' => true,
        'E' | 'I' if matches!(previous, 'E' | 'S' | 'O') => true,
        'O' | '.' => false,
        _ => previous_kind != kind,
    }
}

/// Splits a tag into its first letter and the remainder.
fn first_letter(tag: &str) -> Option<(char, &str)> {
    let mut letters = tag.chars();
    letters.next().map(|first| (first, letters.as_str()))
}

/// The type, or "_" if there is none.
fn or_no_type(kind: &str) -> &str {
    if kind.is_empty() { NO_TYPE } else { kind }
}

/// The error for an empty tag.
fn empty_tag(sentence: usize) -> Error {
    Error::Input(format!("sentence {}: an empty tag; tokens outside all entities have \"O\"", sentence + 1))
}

/// The entities of one sentence according to `seqeval.scheme.Tokens`. `sentence` counts from 0.
///
/// # Errors
/// [`Error::Input`] for a tag whose prefix is not part of the scheme.
pub(super) fn strict(sentence: usize, tags: &[String], scheme: EntityScheme) -> Result<Vec<Span<'_>>> {
    let rules = scheme.rules();
    let outside = Token { prefix: 'O', kind: NO_TYPE };
    let mut tokens = Vec::with_capacity(tags.len() + 1);
    for tag in tags {
        let (prefix, rest) = first_letter(tag).ok_or_else(|| empty_tag(sentence))?;
        if !rules.prefixes.contains(prefix) {
            return Err(Error::Input(format!(
                "sentence {}: tag \"{tag}\" does not start with one of the scheme's letters {}",
                sentence + 1,
                rules.prefixes
            )));
        }
        tokens.push(Token { prefix, kind: or_no_type(rest.trim_matches('-')) });
    }
    tokens.push(outside);

    let mut spans = Vec::new();
    let mut previous = outside;
    let mut place = 0;
    while let Some(&first) = tokens.get(place) {
        let start = place;
        place += 1;
        let begun = fits(rules.start, previous, first);
        previous = first;
        if !begun {
            continue;
        }
        while let Some(&next) = tokens.get(place).filter(|next| fits(rules.inside, previous, **next)) {
            previous = next;
            place += 1;
        }
        if tokens.get(place).is_some_and(|after| fits(rules.end, previous, *after)) {
            spans.push(Span { kind: first.kind, start: (sentence, start), end: place });
        }
    }
    Ok(spans)
}

/// A parsed tag.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    /// The first letter of the tag.
    prefix: char,
    /// The entity type.
    kind: &'a str,
}

/// Condition of a pattern on the types of two adjacent tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Types {
    /// Any types.
    Any,
    /// Equal types.
    Same,
    /// Different types.
    Different,
}
use Types::{Any, Different, Same};

/// Allowed letters of the previous tag, allowed letters of this tag, and the condition on their types.
type Pattern = (&'static str, &'static str, Types);

/// Returns true if one of the patterns matches.
fn fits(patterns: &[Pattern], previous: Token<'_>, token: Token<'_>) -> bool {
    patterns.iter().any(|(before, now, types)| {
        let types = match types {
            Any => true,
            Same => previous.kind == token.kind,
            Different => previous.kind != token.kind,
        };
        types && before.contains(previous.prefix) && now.contains(token.prefix)
    })
}

/// Definition of a scheme: the class attributes of seqeval's `Token` classes.
struct Rules {
    /// First letters of the scheme's tags.
    prefixes: &'static str,
    /// Patterns in which an entity starts with this tag.
    start: &'static [Pattern],
    /// Patterns in which this tag continues an entity.
    inside: &'static [Pattern],
    /// Patterns in which an entity ends before this tag. Without a match, there is no entity.
    end: &'static [Pattern],
}

impl EntityScheme {
    /// The patterns of seqeval 1.2.2, verbatim. Its IOE1 patterns are known to be incomplete.
    fn rules(self) -> &'static Rules {
        match self {
            Self::Iob1 => &Rules {
                prefixes: "IOB",
                start: &[("OB", "I", Any), ("I", "I", Different), ("IB", "B", Same)],
                inside: &[("BI", "I", Same)],
                end: &[("IB", "I", Different), ("IB", "O", Any), ("I", "B", Any), ("B", "B", Same)],
            },
            Self::Iob2 => &Rules {
                prefixes: "IOB",
                start: &[("IOB", "B", Any)],
                inside: &[("BI", "I", Same)],
                end: &[("IB", "OB", Any), ("IB", "I", Different)],
            },
            Self::Ioe1 => &Rules {
                prefixes: "IOE",
                start: &[("OE", "I", Any), ("I", "I", Different), ("E", "E", Same)],
                inside: &[("I", "IE", Same)],
                end: &[("I", "IE", Different), ("I", "O", Any), ("E", "IE", Same)],
            },
            Self::Ioe2 => &Rules {
                prefixes: "IOE",
                start: &[("OE", "IE", Any), ("I", "IE", Different)],
                inside: &[("I", "IE", Same)],
                end: &[("E", "IOE", Any)],
            },
            Self::Iobes => &Rules {
                prefixes: "IOBES",
                start: &[("IOBES", "BS", Any)],
                inside: &[("BI", "IE", Same)],
                end: &[("SE", "IOBES", Any)],
            },
            Self::Bilou => &Rules {
                prefixes: "BILOU",
                start: &[("BILOU", "BU", Any)],
                inside: &[("BI", "IL", Same)],
                end: &[("UL", "BILOU", Any)],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn found(line: &str, scheme: EntityScheme) -> Vec<(String, usize, usize)> {
        let tags = tags(line);
        let spans = strict(0, &tags, scheme).unwrap();
        spans.iter().map(|s| (s.kind.to_owned(), s.start.1, s.end)).collect()
    }

    #[test]
    fn a_strict_entity_must_start_and_end_as_its_scheme_says() {
        assert_eq!(found("I-PER I-PER O B-LOC", EntityScheme::Iob2), [("LOC".to_owned(), 3, 4)]);
        assert_eq!(found("B-PER I-PER O S-LOC", EntityScheme::Iobes), [("LOC".to_owned(), 3, 4)]);
        assert_eq!(found("I-PER E-PER I-LOC", EntityScheme::Ioe2), [("PER".to_owned(), 0, 2)]);
    }

    #[test]
    fn lenient_mode_accepts_any_start() {
        let sentences = [tags("I-PER E-PER E-PER"), tags("I-LOC X-LOC B-a-b")];
        let spans = lenient(&sentences).unwrap();
        let kinds: Vec<&str> = spans.iter().map(|s| s.kind).collect();
        assert_eq!(kinds, ["PER", "PER", "LOC", "a-b"]);
    }

    #[test]
    fn a_letter_that_the_scheme_lacks_is_an_error() {
        for tag in ["S-PER", "", "x", "é-PER"] {
            let error = strict(1, &[tag.to_owned()], EntityScheme::Iob2).unwrap_err().to_string();
            assert!(error.starts_with("sentence 2: "), "{error}");
        }
        assert!(lenient(&[vec![String::new()]]).is_err());
    }
}
