//! Renders entities as human-readable text and as CoNLL.

use std::fmt::Write;

use anstyle::AnsiColor;

use crate::tasks::Entity;
use crate::tasks::text::{Span, Text};

/// Colors of entity types, in order of their first appearance.
const COLORS: [AnsiColor; 6] = [
    AnsiColor::Green,
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Red,
];

impl Entity {
    fn label(&self) -> &str {
        self.entity_group.as_deref().or(self.entity.as_deref()).unwrap_or_default()
    }
}

/// Returns the text with its entities highlighted or in brackets, with type and probability.
pub(super) fn marked(text: &Text, entities: &[Entity], color: bool) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut at = 0;
    for entity in entities {
        // Entities are ordered and do not overlap, except in odd cases of transformers' pipeline.
        let start = entity.start.max(at);
        let end = entity.end.max(start);
        let label = entity.label();
        let kind = seen.iter().position(|l| *l == label).unwrap_or_else(|| {
            seen.push(label);
            seen.len() - 1
        });
        out.push_str(text.slice((at, start)));
        let word = text.slice((start, end));
        let percent = entity.score * 100.0;
        let _infallible = if color {
            let style = COLORS[kind % COLORS.len()].on_default();
            write!(out, "{bold}{word}{bold:#}{style} {label} {percent:.0} %{style:#}", bold = style.bold())
        } else {
            write!(out, "[{word}]({label} {percent:.0} %)")
        };
        at = end;
    }
    out.push_str(text.slice((at, text.len())));
    out.push('\n');
    out
}

/// Returns the words and punctuation marks of running text.
pub(super) fn visible_words(text: &Text) -> Vec<Span> {
    text.words().into_iter().filter(|word| !text.slice(*word).trim().is_empty()).collect()
}

/// Formats one word and its tag per line, followed by a blank line. White space inside a word is replaced by `_`, because
/// it separates columns.
pub(super) fn conll(text: &Text, words: &[Span], entities: &[Entity], prefixes: bool) -> String {
    let mut out = String::new();
    let mut entities = entities.iter().peekable();
    // The entity of the previous word.
    let mut before: Option<Span> = None;
    for word in words {
        while entities.next_if(|e| e.end <= word.0).is_some() {}
        let entity = entities.peek().filter(|e| e.start < word.1.max(word.0 + 1));
        let tag = match entity {
            None => "O".to_owned(),
            Some(e) if e.entity.is_some() || !prefixes => e.label().to_owned(),
            Some(e) if before == Some((e.start, e.end)) => format!("I-{}", e.label()),
            Some(e) => format!("B-{}", e.label()),
        };
        before = entity.map(|e| (e.start, e.end));
        let shown: String =
            text.slice(*word).chars().map(|c| if c.is_whitespace() { '_' } else { c }).collect();
        let _infallible = writeln!(out, "{} {tag}", if shown.is_empty() { "_" } else { &shown });
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(group: &str, start: usize, end: usize, text: &Text) -> Entity {
        Entity {
            entity: None,
            entity_group: Some(group.to_owned()),
            score: 0.5,
            index: None,
            word: text.slice((start, end)).to_owned(),
            start,
            end,
            start_token: None,
            end_token: None,
        }
    }

    #[test]
    fn entities_are_marked_in_the_sentence() {
        let text = Text::new("Zoé met Anna Lee.".to_owned());
        let found = [entity("PER", 0, 3, &text), entity("PER", 8, 16, &text)];
        assert_eq!(marked(&text, &found, false), "[Zoé](PER 50 %) met [Anna Lee](PER 50 %).\n");
        assert!(marked(&text, &found, true).contains("\u{1b}[1m\u{1b}[32mZoé"));
        assert_eq!(marked(&text, &[], true), "Zoé met Anna Lee.\n");
    }

    #[test]
    fn a_line_per_word() {
        let text = Text::new("Zoé met Anna Lee.".to_owned());
        let found = [entity("PER", 0, 3, &text), entity("PER", 8, 16, &text)];
        let words = visible_words(&text);
        assert_eq!(conll(&text, &words, &found, true), "Zoé B-PER\nmet O\nAnna B-PER\nLee I-PER\n. O\n\n");
        assert_eq!(conll(&text, &words[..1], &found, false), "Zoé PER\n\n");
        assert_eq!(conll(&Text::default(), &[], &[], true), "\n");
    }
}
