//! Entities of tagged words in seqeval's strict mode: only what a scheme allows is an entity (seqeval 1.2.2, `scheme.py`).

use std::collections::BTreeSet;

/// A way of tagging entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityScheme {
    /// `B-` only where an entity follows another of its type.
    Iob1,
    /// Every entity begins with `B-`.
    Iob2,
    /// `E-` only where an entity is followed by another of its type.
    Ioe1,
    /// Every entity ends with `E-`.
    Ioe2,
    /// `B-` begins, `I-` goes on, `E-` ends, `S-` is alone.
    Iobes,
    /// `B-` begins, `I-` goes on, `L-` ends, `U-` is alone.
    Bilou,
}

/// Whether the type of a tag is that of the one before.
#[derive(Clone, Copy, PartialEq)]
enum Types {
    Same,
    Other,
    Any,
}
use Types::{Any, Other, Same};

/// Prefixes of the tag before, prefixes of the tag, types.
type Pattern = (&'static str, &'static str, Types);

/// All prefixes that there are.
const ALL: &str = "IOBESUL";

struct Rules {
    allowed: &'static str,
    start: &'static [Pattern],
    inside: &'static [Pattern],
    end: &'static [Pattern],
}

const IOB1: Rules = Rules {
    allowed: "IOB",
    start: &[("O", "I", Any), ("I", "I", Other), ("B", "I", Any), ("I", "B", Same), ("B", "B", Same)],
    inside: &[("B", "I", Same), ("I", "I", Same)],
    end: &[
        ("I", "I", Other),
        ("I", "O", Any),
        ("I", "B", Any),
        ("B", "O", Any),
        ("B", "I", Other),
        ("B", "B", Same),
    ],
};
const IOB2: Rules = Rules {
    allowed: "IOB",
    start: &[(ALL, "B", Any)],
    inside: &[("B", "I", Same), ("I", "I", Same)],
    end: &[
        ("I", "O", Any),
        ("I", "I", Other),
        ("I", "B", Any),
        ("B", "O", Any),
        ("B", "I", Other),
        ("B", "B", Any),
    ],
};
const IOE1: Rules = Rules {
    allowed: "IOE",
    start: &[("O", "I", Any), ("I", "I", Other), ("E", "I", Any), ("E", "E", Same)],
    inside: &[("I", "I", Same), ("I", "E", Same)],
    end: &[("I", "I", Other), ("I", "O", Any), ("I", "E", Other), ("E", "I", Same), ("E", "E", Same)],
};
const IOE2: Rules = Rules {
    allowed: "IOE",
    start: &[
        ("O", "I", Any),
        ("O", "E", Any),
        ("E", "I", Any),
        ("E", "E", Any),
        ("I", "I", Other),
        ("I", "E", Other),
    ],
    inside: &[("I", "E", Same), ("I", "I", Same)],
    end: &[("E", ALL, Any)],
};
const IOBES: Rules = Rules {
    allowed: "IOBES",
    start: &[(ALL, "BS", Any)],
    inside: &[("BI", "IE", Same)],
    end: &[("SE", ALL, Any)],
};
const BILOU: Rules = Rules {
    allowed: "BILOU",
    start: &[(ALL, "BU", Any)],
    inside: &[("BI", "IL", Same)],
    end: &[("UL", ALL, Any)],
};

/// A tag in its parts.
struct Tag<'a> {
    prefix: char,
    kind: &'a str,
}

impl EntityScheme {
    fn rules(self) -> &'static Rules {
        match self {
            Self::Iob1 => &IOB1,
            Self::Iob2 => &IOB2,
            Self::Ioe1 => &IOE1,
            Self::Ioe2 => &IOE2,
            Self::Iobes => &IOBES,
            Self::Bilou => &BILOU,
        }
    }

    /// The entities of a sentence: type, first word, and the word after the last.
    ///
    /// # Errors
    /// Naming a tag that the scheme does not have.
    pub fn entities(self, tags: &[String]) -> Result<BTreeSet<(String, usize, usize)>, String> {
        let rules = self.rules();
        let outside = "O".to_owned();
        let mut all: Vec<Tag> = Vec::with_capacity(tags.len() + 1);
        for tag in tags.iter().chain([&outside]) {
            let prefix = tag.chars().next().filter(|prefix| ALL.contains(*prefix));
            let prefix = prefix.ok_or_else(|| unknown(tag, rules))?;
            let kind = tag[prefix.len_utf8()..].trim_matches('-');
            all.push(Tag { prefix, kind: if kind.is_empty() { "_" } else { kind } });
        }
        let first = Tag { prefix: 'O', kind: "_" };
        let mut found = BTreeSet::new();
        let mut i = 0;
        while i < all.len() {
            let before = if i == 0 { &first } else { &all[i - 1] };
            let tag = &all[i];
            if !rules.allowed.contains(tag.prefix) {
                return Err(unknown(tags.get(i).unwrap_or(&outside), rules));
            }
            if !fits(rules.start, before, tag) {
                i += 1;
                continue;
            }
            let mut end = i + 1;
            while end < all.len() && fits(rules.inside, &all[end - 1], &all[end]) {
                end += 1;
            }
            // As there: what reaches the end without an end is none.
            if end >= all.len() {
                end = tags.len().saturating_sub(1).max(i + 1);
            }
            if all.get(end).is_some_and(|tag| fits(rules.end, &all[end - 1], tag)) {
                found.insert((tag.kind.to_owned(), i, end));
            }
            i = end;
        }
        Ok(found)
    }
}

fn unknown(tag: &str, rules: &Rules) -> String {
    let allowed: Vec<String> = rules.allowed.chars().map(String::from).collect();
    format!("tag \"{tag}\" is none of the scheme, whose tags begin with {}", allowed.join(", "))
}

fn fits(patterns: &[Pattern], before: &Tag, tag: &Tag) -> bool {
    patterns.iter().any(|(first, second, types)| {
        first.contains(before.prefix)
            && second.contains(tag.prefix)
            && match types {
                Any => true,
                Same => before.kind == tag.kind,
                Other => before.kind != tag.kind,
            }
    })
}
