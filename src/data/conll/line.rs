//! The lines of a table of words, their cells, and detection of comments.

use std::collections::HashSet;

use crate::data::example::Place;
use crate::data::source::Source;
use crate::error::Result;

/// A line that is not blank.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) text: String,
    /// True if a sentence starts here.
    pub(super) first: bool,
}

impl Line {
    /// Returns the cells, separated by tabs if there are any, otherwise by spaces.
    pub(super) fn columns(&self) -> Vec<&str> {
        let text = self.text.trim_end_matches([' ', '\t']);
        if text.contains('\t') {
            text.split('\t').map(|column| column.trim_matches(' ')).collect()
        } else {
            text.split(' ').filter(|column| !column.is_empty()).collect()
        }
    }

    /// Returns true if it starts with the comment mark.
    pub(super) fn has_mark(&self) -> bool {
        self.text.starts_with('#')
    }

    /// Returns true if the comment mark is followed by white space or nothing.
    fn has_mark_alone(&self) -> bool {
        self.text.strip_prefix('#').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
    }

    /// Returns true for `#begin document (bc/cctv/00/cctv_0000); part 000` and `#end document` of CoNLL-2011 and 2012.
    fn bounds_document(&self) -> bool {
        self.text.starts_with("#begin document") || self.text.starts_with("#end document")
    }
}

/// Returns the lines that are not blank.
pub(super) fn lines(source: Source) -> impl Iterator<Item = Result<Line>> {
    let mut first = true;
    source.lines().filter_map(move |line| match line {
        Ok((_, text)) if text.trim().is_empty() || text.starts_with("-DOCSTART-") => {
            first = true;
            None
        }
        Ok((place, text)) => {
            let line = Line { place, text, first };
            first = false;
            Some(Ok(line))
        }
        Err(error) => Some(Err(error)),
    })
}

/// Distinguishes comments from words that start with `#`.
pub(super) struct Comments<'a> {
    /// True if lines never start with a word.
    every_mark: bool,
    /// The tags of lines that are certainly not comments, and tags typical of a word `#`.
    tags: HashSet<&'a str>,
    /// The number of columns of such lines, and whether they are separated by tabs.
    form: Option<(usize, bool)>,
}

impl<'a> Comments<'a> {
    /// For a table whose lines never start with a word.
    pub(super) fn with_any_mark() -> Self {
        Self { every_mark: true, tags: HashSet::new(), form: None }
    }

    /// For a table whose lines start with words and end with tags.
    pub(super) fn among_words(lines: &'a [Line]) -> Self {
        let words = || lines.iter().filter(|line| !line.has_mark());
        let form = words().next().map(|line| (line.columns().len(), line.text.contains('\t')));
        let tags = words().filter_map(|line| line.columns().get(1..)?.last().copied());
        Self { every_mark: false, tags: tags.chain(["O", "#", "SYM"]).collect(), form }
    }

    /// Returns true for a comment: a line with the mark that has neither the columns nor the tag of a word.
    pub(super) fn is_comment(&self, line: &Line) -> bool {
        if !line.has_mark() || self.every_mark || line.bounds_document() {
            return line.has_mark();
        }
        let columns = line.columns();
        let form = (columns.len(), line.text.contains('\t'));
        let fits = self.form.is_none_or(|(width, _)| width == form.0);
        let last = columns.get(1..).and_then(<[_]>::last);
        let has_tag = last.is_some_and(|tag| self.tags.contains(tag) || has_prefix(tag));
        match (line.has_mark_alone(), has_tag) {
            (true, has_tag) => !(has_tag && fits),
            (false, true) => false,
            // A word without its tag is an error, as for other words. A tag for hashtags may occur only on these.
            (false, false) => columns.len() > 1 && self.form.is_some_and(|known| known != form),
        }
    }
}

/// Returns true for a tag such as `B-PER`.
pub(super) fn has_prefix(text: &str) -> bool {
    matches!(text.as_bytes(), [b'B' | b'I' | b'E' | b'S' | b'L' | b'U', b'-', _, ..])
}
