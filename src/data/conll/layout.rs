//! Determines which columns of a table contain the words and their tags.
//!
//! If the words come first, tags are in the last column, as in CoNLL-2003. In tables that number the words or name their
//! columns, tags may be in any column. It is used if its name or its cells identify it; otherwise the user must choose
//! it.

use super::brackets::{is_bracketed, opened};
use super::line::{Line, has_prefix};
use super::numbers::{Numbering, is_special, number};
use crate::data::example::Place;
use crate::data::shortened::shortened;
use crate::data::token_options::TokenOptions;
use crate::error::Result;

/// The number of columns of CoNLL-U, none of which is for entities.
const CONLL_U: usize = 10;

/// The columns of CoNLL-U that do not contain tags from a fixed set.
const OPEN_COLUMNS: [&str; 7] = ["ID", "FORM", "LEMMA", "FEATS", "HEAD", "DEPS", "MISC"];

/// The columns of the word and the entity in CoNLL-2012, counted from 0.
const WORD_2012: usize = 3;
const ENTITY_2012: usize = 10;

/// Names of columns that number the sentences, as letters and digits in lower case.
const SENTENCE_NAMES: [&str; 9] = [
    "sentence",
    "sentences",
    "sentenceid",
    "sentenceidx",
    "sentenceno",
    "sentencenumber",
    "sent",
    "sentid",
    "sentno",
];

/// Names of columns with words, in lower case.
const WORD_NAMES: [&str; 7] = ["form", "word", "words", "token", "tokens", "text", "wordform"];

/// Parts of names of columns with entity tags, in lower case.
const TAG_NAMES: [&str; 20] = [
    "ner", "ne", "nes", "nertag", "nertags", "netag", "iob", "iob1", "iob2", "bio", "iobes", "bioes",
    "bilou", "ent", "entity", "entities", "tag", "tags", "label", "labels",
];

/// Parts of names of columns with other tags.
const OTHER_NAMES: [&str; 8] = ["pos", "upos", "xpos", "postag", "chunk", "chunks", "morph", "dep"];

/// Column names, and the line that contains them.
pub(super) struct Names {
    pub(super) names: Vec<String>,
    pub(super) line: u64,
    /// True if the line is a row of the table, not a comment.
    pub(super) is_row: bool,
}

impl Names {
    /// Returns the names in `# global.columns = ID FORM ...`, the first line of a CoNLL-U Plus file.
    pub(super) fn of_comment(line: &Line) -> Option<Self> {
        let rest = line.text.strip_prefix('#')?.trim_start().strip_prefix("global.columns")?;
        let names = rest.trim_start().strip_prefix('=')?.split_whitespace().map(str::to_owned).collect();
        Some(Self { names, line: line.place.line, is_row: false })
    }

    /// Returns the names in a first row such as `token`, `label`.
    pub(super) fn of_row(line: &Line) -> Option<Self> {
        let names: Vec<String> = line.columns().into_iter().map(str::to_owned).collect();
        let words = names.iter().filter(|name| is_word_name(name)).count();
        let tags = names.iter().filter(|name| is_tag_name(name)).count();
        (words == 1 && tags > 0).then_some(Self { names, line: line.place.line, is_row: true })
    }

    /// Returns the column that numbers the sentences, such as `Sentence #` or `sentence_id`.
    fn sentence(&self) -> Option<usize> {
        let letters = |name: &String| -> String {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        self.names.iter().position(|name| SENTENCE_NAMES.contains(&letters(name).as_str()))
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other.eq_ignore_ascii_case(name))
    }
}

fn is_word_name(name: &str) -> bool {
    WORD_NAMES.contains(&name.to_lowercase().as_str())
}

fn is_tag_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_part_of =
        |known: &[&str]| lower.split(|c: char| !c.is_alphanumeric()).any(|part| known.contains(&part));
    is_part_of(&TAG_NAMES) && !is_part_of(&OTHER_NAMES)
}

/// The columns of a table, counted from 0.
#[derive(Debug)]
pub(super) struct Layout {
    /// The column that numbers the words.
    pub(super) ids: Option<usize>,
    /// The column that numbers the sentences. A new value starts a sentence; an empty cell continues it.
    pub(super) sentence: Option<usize>,
    pub(super) word: usize,
    /// `None` if lines have no tag.
    pub(super) tag: Option<usize>,
    /// The number of columns that every line must have, if it is fixed, and what determines it.
    pub(super) width: Option<(usize, String)>,
    /// True if a blank cell (`_`, `*`, `-`) stands for `O`.
    pub(super) has_blank_tags: bool,
    /// True if tags are entities in brackets.
    pub(super) has_brackets: bool,
    /// A note for the user.
    pub(super) note: Option<String>,
}

/// The words of a table, without comments and other lines that are not words.
pub(super) struct Rows<'a> {
    pub(super) names: Option<&'a Names>,
    pub(super) numbering: Numbering,
    pub(super) words: Vec<(&'a Place, Vec<&'a str>)>,
}

impl<'a> Rows<'a> {
    /// Creates the rows of a table.
    pub(super) fn new(names: Option<&'a Names>, numbering: Numbering, lines: &[&'a Line]) -> Self {
        let words = lines.iter().map(|line| (&line.place, line.columns())).collect();
        Self { names, numbering, words }
    }

    /// Returns the column that numbers the words.
    fn ids(&self) -> Option<usize> {
        match (self.names.and_then(|names| names.position("ID")), self.numbering) {
            (Some(id), _) => Some(id),
            (None, _) if self.names.is_some() => None,
            (None, Numbering::First) => Some(0),
            (None, Numbering::Third) => Some(2),
            (None, Numbering::None) => None,
        }
    }

    /// Determines the columns.
    ///
    /// # Errors
    /// [`crate::Error::Record`] if the column to read is ambiguous.
    pub(super) fn layout(&self, options: &TokenOptions) -> Result<Layout> {
        let ids = self.ids();
        let named_word = options.word_column.map(|column| column.saturating_sub(1));
        let named_tag = options.tag_column.map(|column| column.saturating_sub(1));
        let word = match (named_word, self.names, self.numbering) {
            (Some(word), _, _) => word,
            (None, Some(names), _) => {
                let mut found = names.names.iter().enumerate().filter(|(_, name)| is_word_name(name));
                let form = names.position("FORM").or_else(|| found.next().map(|(column, _)| column));
                form.ok_or_else(|| self.error("no column is named FORM", "word_column"))?
            }
            (None, None, Numbering::Third) => WORD_2012,
            (None, None, Numbering::First) => 1,
            (None, None, Numbering::None) => 0,
        };
        let (tag, why) = match named_tag {
            Some(tag) => (Some(tag), None),
            None if ids.is_none() && self.names.is_none() && !self.ends_with_numbers() => {
                (self.last_column(options), None)
            }
            None => self.find_tag(ids, word, options)?,
        };
        let cells = tag.map(|tag| Cells::new(self, ids, tag)).unwrap_or_default();
        let width = match (self.names, ids, self.words.first()) {
            (Some(names), _, _) => {
                Some((names.names.len(), format!("the header (line {}) names", names.line)))
            }
            (None, None, Some((place, columns))) => Some((columns.len(), format!("line {} has", place.line))),
            // Universal NER omits empty columns at the end of a line.
            _ => None,
        };
        Ok(Layout {
            ids,
            sentence: self.names.and_then(Names::sentence),
            word,
            tag,
            width,
            has_blank_tags: (ids.is_some() || self.names.is_some()) && cells.has_blank_tags(),
            has_brackets: cells.are_bracketed(),
            note: tag.zip(why).map(|(tag, why)| format!("tags are read from {}, {why}", self.name(tag))),
        })
    }

    /// Returns true if the last of three or more columns holds numbers, such as offsets or probabilities.
    fn ends_with_numbers(&self) -> bool {
        let is_number = |columns: &Vec<&str>| columns.last().is_some_and(|cell| cell.parse::<f64>().is_ok());
        self.words.iter().all(|(_, columns)| columns.len() > 2 && is_number(columns))
    }

    fn last_column(&self, options: &TokenOptions) -> Option<usize> {
        let width = self.words.first().map_or(0, |(_, columns)| columns.len());
        if width < 2 && options.unlabelled { None } else { Some(width.saturating_sub(1).max(1)) }
    }

    /// Returns the column with the tags in a table that numbers its words or names its columns, and the reason for
    /// choosing it.
    fn find_tag(
        &self,
        ids: Option<usize>,
        word: usize,
        options: &TokenOptions,
    ) -> Result<(Option<usize>, Option<String>)> {
        let width = self.words.iter().map(|(_, columns)| columns.len()).max().unwrap_or(0);
        let width = self.names.map_or(width, |names| names.names.len());
        let others: Vec<usize> =
            (0..width).filter(|column| Some(*column) != ids && *column != word).collect();
        let cells = |column: usize| Cells::new(self, ids, column);
        if self.names.is_none() && self.numbering == Numbering::Third {
            if cells(ENTITY_2012).are_bracketed() {
                return Ok((Some(ENTITY_2012), Some("the entities of CoNLL-2012, in brackets".to_owned())));
            }
            return Err(self.error(
                "this looks like CoNLL-2012, but its column 11 does not hold entities in brackets such as (ORG* and *)",
                "tag_column",
            ));
        }
        let named: Vec<usize> = match self.names {
            Some(names) => {
                others.iter().copied().filter(|column| is_tag_name(&names.names[*column])).collect()
            }
            None => Vec::new(),
        };
        if let [column] = named[..] {
            return Ok((Some(column), Some("chosen by its name".to_owned())));
        }
        let pool = if named.is_empty() { &others } else { &named };
        // A column of CoNLL-U that contains only O may be a lemma or a part of speech.
        let is_plain = self.names.is_none() && width == CONLL_U;
        let are_tags = |cells: Cells| cells.are_tags() && (!is_plain || cells.prefixed > 0);
        let found: Vec<usize> = pool.iter().copied().filter(|column| are_tags(cells(*column))).collect();
        match found[..] {
            [column] => {
                return Ok((Some(column), Some("the only column with tags".to_owned())));
            }
            // GermEval 2014, and its successors with nested entities.
            [2, 3]
                if self.names.is_none()
                    && width == 4
                    && (cells(2).prefixed > 0 || cells(3).prefixed == 0) =>
            {
                let why = "the outer entities of GermEval 2014 (option tag_column=4 reads the inner ones)";
                return Ok((Some(2), Some(why.to_owned())));
            }
            _ => {}
        }
        let is_open = |column: usize| {
            let name = self.names.and_then(|names| names.names.get(column));
            name.is_none_or(|name| {
                OPEN_COLUMNS.iter().any(|open| name.eq_ignore_ascii_case(open)) || name == "_"
            })
        };
        match others[..] {
            [column] if found.is_empty() && !is_open(column) => {
                return Ok((Some(column), Some("the only column besides the words".to_owned())));
            }
            _ if options.unlabelled && found.is_empty() => return Ok((None, None)),
            _ => {}
        }
        let problem = match found.len() {
            0 if is_plain => "CoNLL-U has no column for tags",
            0 => "cannot tell which column holds the tags",
            _ => "several columns could hold the tags",
        };
        Err(self.error(problem, "tag_column"))
    }

    /// Returns the error for a table, which lists its columns.
    fn error(&self, problem: &str, option: &str) -> crate::Error {
        let empty = Vec::new();
        let (place, row) = match self.words.first() {
            Some((place, columns)) => ((*place).clone(), columns),
            None => (Place { source: "".into(), line: 0 }, &empty),
        };
        let width = self.names.map_or(row.len(), |names| names.names.len().max(row.len()));
        let shown: Vec<String> = (0..width)
            .map(|column| {
                let name = self.names.and_then(|names| names.names.get(column));
                let name = name.map_or(String::new(), |name| format!(" {name}"));
                let cell = row.get(column).map_or(String::new(), |cell| format!(" \"{}\"", shortened(cell)));
                format!("{}{name}{cell}", column + 1)
            })
            .collect();
        place.error(format!("{problem}; choose one with option {option}: {}", shown.join(", ")))
    }

    fn name(&self, column: usize) -> String {
        match self.names.and_then(|names| names.names.get(column)) {
            Some(name) => format!("column {} ({name})", column + 1),
            None => format!("column {}", column + 1),
        }
    }
}

/// Counts of the cells of a column, by form.
#[derive(Default)]
struct Cells {
    /// Number of words with a cell in the column.
    count: usize,
    /// Number of words.
    words: usize,
    outside: usize,
    prefixed: usize,
    blank: usize,
    bracketed: usize,
    opened: usize,
}

impl Cells {
    fn new(rows: &Rows<'_>, ids: Option<usize>, column: usize) -> Self {
        let mut cells = Self::default();
        for (_, columns) in &rows.words {
            if ids.is_some_and(|id| columns.get(id).is_some_and(|id| is_special(id))) {
                continue;
            }
            cells.words += 1;
            let Some(cell) = columns.get(column) else { continue };
            cells.count += 1;
            cells.outside += usize::from(*cell == "O");
            cells.prefixed += usize::from(has_prefix(cell));
            cells.blank += usize::from(is_blank_tag(cell));
            cells.bracketed += usize::from(is_bracketed(cell));
            cells.opened += usize::from(opened(cell).is_some());
        }
        cells
    }

    /// Returns true if nine in ten cells are tags, or all are in brackets.
    fn are_tags(&self) -> bool {
        let tags = self.prefixed + self.outside + if self.has_blank_tags() { self.blank } else { 0 };
        self.are_bracketed() || (tags > 0 && 10 * tags >= 9 * self.words)
    }

    fn has_blank_tags(&self) -> bool {
        self.outside == 0 && self.prefixed > 0 && self.blank > 0
    }

    fn are_bracketed(&self) -> bool {
        self.opened > 0 && self.bracketed == self.count
    }
}

/// Returns true for a cell that CoNLL-U and related formats write for a missing value.
pub(super) fn is_blank_tag(cell: &str) -> bool {
    matches!(cell, "_" | "*" | "-")
}

/// Checks that the numbers of words increase within a sentence.
pub(super) fn check_number(
    before: &mut Option<u64>,
    cell: &str,
    column: usize,
) -> std::result::Result<(), String> {
    let Some(found) = number(cell) else {
        return Err(format!(
            "column {} numbers the words in other lines, but has \"{}\" here",
            column + 1,
            shortened(cell)
        ));
    };
    if is_special(cell) {
        return Ok(());
    }
    if let Some(previous) = before.filter(|previous| found <= *previous) {
        return Err(format!(
            "word {found} follows word {previous} of the same sentence; a blank line ends a sentence (if these are \
             not numbers of words, option word_column and option tag_column name the columns)"
        ));
    }
    *before = Some(found);
    Ok(())
}
