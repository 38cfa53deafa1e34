//! Aligns text in the columns of a terminal.

use unicode_width::UnicodeWidthStr;

/// Returns the number of columns that a text takes: 2 for a Chinese or Japanese character, 0 for a combining accent.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Returns the number of columns of the widest text; 0 if there is none.
pub fn widest(texts: impl IntoIterator<Item = impl AsRef<str>>) -> usize {
    texts.into_iter().map(|text| width(text.as_ref())).max().unwrap_or(0)
}

/// Appends spaces up to this number of columns.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Prepends spaces up to this number of columns.
pub fn right_aligned(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_a_terminal() {
        assert_eq!(["", "abc", "東京", "e\u{301}"].map(width), [0, 3, 4, 1]);
        assert_eq!(widest(["abc", "東京"]), 4);
        assert_eq!(padded("東京", 6), "東京  ");
        assert_eq!(right_aligned("東京", 6), "  東京");
        assert_eq!(padded("abc", 2), "abc");
    }
}
