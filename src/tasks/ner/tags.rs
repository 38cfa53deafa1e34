//! Tagging schemes: the meaning of label prefixes.

/// Position of a token in an entity, according to its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// The first token of an entity.
    Begin,
    /// Any token, or a subsequent one.
    Inside,
    /// The last of several tokens.
    End,
    /// The only token.
    Single,
}

/// Tagging scheme of the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `B-` and `I-` (IOB1, IOB2); other labels are plain.
    Bio,
    /// Also `E-` (or `L-`) for the last and `S-` (or `U-`) for the only token; `M-` for the middle.
    Bioes,
}

impl Scheme {
    /// Detects the scheme of a model's labels. It is BIOES (or BILOU, BMES) only if every label except the one for no
    /// entity has such a prefix, and at least one prefix is unknown in BIO.
    pub(crate) fn of(labels: &[String]) -> Self {
        let tagged: Vec<&str> = labels.iter().map(String::as_str).filter(|l| *l != "O").collect();
        let prefix = |label: &str| match label.as_bytes() {
            [first, b'-', _, ..] => Some(*first),
            _ => None,
        };
        let all = tagged.iter().all(|l| prefix(l).is_some_and(|p| b"BIESLUM".contains(&p)));
        let more = tagged.iter().any(|l| prefix(l).is_some_and(|p| b"ESLU".contains(&p)));
        let begins = tagged.iter().any(|l| prefix(l) == Some(b'B'));
        if all && more && begins { Self::Bioes } else { Self::Bio }
    }

    /// Returns the position and type of a label. A label without a prefix of the scheme is a type of its own; adjacent
    /// tokens with it are merged (transformers' `get_tag`).
    pub(crate) fn parse(self, label: &str) -> (Position, &str) {
        let rest = label.get(2..).filter(|_| label.as_bytes().get(1) == Some(&b'-'));
        match (label.as_bytes().first(), rest, self) {
            (Some(b'B'), Some(rest), _) => (Position::Begin, rest),
            (Some(b'I'), Some(rest), _) | (Some(b'M'), Some(rest), Self::Bioes) => (Position::Inside, rest),
            (Some(b'E' | b'L'), Some(rest), Self::Bioes) => (Position::End, rest),
            (Some(b'S' | b'U'), Some(rest), Self::Bioes) => (Position::Single, rest),
            _ => (Position::Inside, label),
        }
    }

    /// Returns true if a token labelled `label` continues the entity of the previous token, labelled `before`.
    pub(crate) fn continues(self, before: &str, label: &str) -> bool {
        let (last, last_type) = self.parse(before);
        let (position, kind) = self.parse(label);
        kind == last_type
            && matches!(position, Position::Inside | Position::End)
            && matches!(last, Position::Begin | Position::Inside)
    }

    /// Returns the entity type of a label. As in transformers, this is the part after the first hyphen. With BIOES, only
    /// prefixes of the scheme are removed.
    pub(crate) fn group(self, label: &str) -> &str {
        match self {
            Self::Bio => label.split_once('-').map_or(label, |(_, rest)| rest),
            Self::Bioes => self.parse(label).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(labels: &[&str]) -> Scheme {
        Scheme::of(&labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_scheme_shows_in_the_labels() {
        assert_eq!(scheme(&["O", "B-PER", "I-PER"]), Scheme::Bio);
        assert_eq!(scheme(&["O", "B-PER", "I-PER", "E-PER", "S-PER"]), Scheme::Bioes);
        assert_eq!(scheme(&["O", "B-PER", "I-PER", "L-PER", "U-PER"]), Scheme::Bioes);
        assert_eq!(scheme(&["O", "E-MAIL", "S-BAHN", "PER"]), Scheme::Bio);
        assert_eq!(scheme(&["O", "PER", "LOC"]), Scheme::Bio);
        assert_eq!(scheme(&[]), Scheme::Bio);
    }

    #[test]
    fn entities_end_where_the_scheme_says() {
        use Scheme::{Bio, Bioes};
        assert!(Bio.continues("B-PER", "I-PER"));
        assert!(Bio.continues("I-PER", "I-PER"));
        assert!(!Bio.continues("I-PER", "B-PER"));
        assert!(!Bio.continues("B-PER", "I-LOC"));
        assert!(Bio.continues("PER", "PER"));
        assert!(Bio.continues("O", "O"));
        assert!(Bioes.continues("B-PER", "E-PER"));
        assert!(!Bioes.continues("E-PER", "I-PER"));
        assert!(!Bioes.continues("S-PER", "S-PER"));
        assert!(!Bioes.continues("B-PER", "S-PER"));
    }

    #[test]
    fn groups_are_named_without_the_prefix() {
        assert_eq!(Scheme::Bio.group("B-PER"), "PER");
        assert_eq!(Scheme::Bio.group("B-creative-work"), "creative-work");
        assert_eq!(Scheme::Bio.group("E-MAIL"), "MAIL");
        assert_eq!(Scheme::Bioes.group("E-PER"), "PER");
        assert_eq!(Scheme::Bioes.group("O"), "O");
        assert_eq!(Scheme::Bio.parse("é-x"), (Position::Inside, "é-x"));
    }
}
