//! Characters with their positions in the original text.

/// A character and its position: code points `start..end` of the original text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Char {
    pub c: char,
    pub start: u32,
    pub end: u32,
}
