//! Positions in a text, counted in Unicode code points as in Python.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// A text that can be sliced by code points.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    text: String,
    /// The byte offset of each code point, and the length of the text. Empty for ASCII text.
    bytes: Vec<usize>,
}

/// A range of code points.
pub(crate) type Span = (usize, usize);

impl Text {
    /// Indexes `text`.
    pub(crate) fn new(text: String) -> Self {
        let mut bytes = Vec::new();
        if !text.is_ascii() {
            bytes.extend(text.char_indices().map(|(at, _)| at));
            bytes.push(text.len());
        }
        Self { text, bytes }
    }

    /// Returns the number of code points.
    pub(crate) fn len(&self) -> usize {
        if self.bytes.is_empty() { self.text.len() } else { self.bytes.len() - 1 }
    }

    /// Returns the byte offset of code point `place`, or the length of the text for positions beyond it.
    fn byte(&self, place: usize) -> usize {
        if self.bytes.is_empty() {
            place.min(self.text.len())
        } else {
            self.bytes[place.min(self.bytes.len() - 1)]
        }
    }

    /// Returns the code point that contains byte `byte`.
    fn place(&self, byte: usize) -> usize {
        if self.bytes.is_empty() { byte } else { self.bytes.partition_point(|b| *b < byte) }
    }

    /// Returns the text between two positions, which are clamped to the text.
    pub(crate) fn slice(&self, (start, end): Span) -> &str {
        let (start, end) = (self.byte(start), self.byte(end));
        &self.text[start..end.max(start)]
    }

    /// Returns the range without white space at either end. If there is nothing else, returns an empty range at its end.
    pub(crate) fn trimmed(&self, (start, end): Span) -> Span {
        let end = end.min(self.len()).max(start.min(self.len()));
        let slice = self.slice((start, end));
        let rest = slice.trim_start();
        let start = end - rest.chars().count();
        (start, start + rest.trim_end().chars().count())
    }

    /// Extends the range by a white space character before it, if there is one.
    pub(crate) fn with_space_before(&self, (start, end): Span) -> Span {
        let space = start > 0 && self.slice((start - 1, start)).chars().all(char::is_whitespace);
        (start - usize::from(space), end)
    }

    /// Rounds `end` up to the end of a grapheme cluster (a character with its accents, or a joined emoji).
    pub(crate) fn character_end(&self, end: usize) -> usize {
        let byte = self.byte(end);
        if byte == 0 || byte >= self.text.len() {
            return end;
        }
        let mut cursor = GraphemeCursor::new(byte, self.text.len(), true);
        match cursor.is_boundary(&self.text, 0) {
            Ok(false) => match cursor.next_boundary(&self.text, 0) {
                Ok(Some(next)) => self.place(next),
                _ => self.len(),
            },
            _ => end,
        }
    }

    /// Returns the words and everything between them, in order and without gaps (Unicode Standard Annex 29).
    pub(crate) fn words(&self) -> Vec<Span> {
        places(self.text.split_word_bounds())
    }

    /// Returns the sentences, in order and without gaps (Unicode Standard Annex 29).
    pub(crate) fn sentences(&self) -> Vec<Span> {
        places(self.text.split_sentence_bounds())
    }
}

fn places<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<Span> {
    let mut at = 0;
    parts
        .map(|part| {
            let start = at;
            at += part.chars().count();
            (start, at)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        Text::new(text.to_owned())
    }

    #[test]
    fn code_points_not_bytes() {
        let t = text("aé😀b");
        assert_eq!(t.len(), 4);
        assert_eq!(t.slice((1, 3)), "é😀");
        assert_eq!(t.slice((2, 99)), "😀b");
        assert_eq!(t.slice((3, 1)), "");
        assert_eq!(text("abc").slice((1, 2)), "b");
        assert_eq!(text("").slice((0, 5)), "");
    }

    #[test]
    fn white_space_goes() {
        assert_eq!(text(" é\u{a0}x \n").trimmed((0, 6)), (1, 4));
        assert_eq!(text("a  b").trimmed((1, 3)), (3, 3));
        assert_eq!(text("ab").trimmed((1, 9)), (1, 2));
        assert_eq!(text("a  b").with_space_before((3, 4)), (2, 4));
        assert_eq!(text("é b").with_space_before((1, 3)), (1, 3));
        assert_eq!(text(" ").with_space_before((0, 1)), (0, 1));
    }

    #[test]
    fn accents_and_joined_emoji_stay_whole() {
        let t = text("Zoe\u{301} 👩\u{200d}👩\u{200d}👧!");
        assert_eq!(t.character_end(3), 4);
        assert_eq!(t.character_end(4), 4);
        assert_eq!(t.character_end(6), 10);
        assert_eq!(t.character_end(0), 0);
        assert_eq!(t.character_end(99), 99);
    }

    #[test]
    fn words_leave_no_gap() {
        let t = text("Zoe\u{301}'s U.S. 3.5€");
        let words: Vec<&str> = t.words().into_iter().map(|w| t.slice(w)).collect();
        assert_eq!(words, ["Zoe\u{301}'s", " ", "U.S", ".", " ", "3.5", "€"]);
    }
}
