//! Columns as in CoNLL: one word per line with its tag, and a blank line after each sentence.
//!
//! * Columns are separated by tabs if the line has any, otherwise by spaces.
//! * The word is in the first column, the tag in the last (CoNLL-2002 and 2003, WNUT-17, WikiANN). If the last of several
//!   columns holds numbers, such as probabilities, the only column with tags is used. If all words have the
//!   form `en:word` with the same language, the language is removed.
//! * If a column numbers the words (CoNLL-U, Universal NER, GermEval 2014), ranges (`3-4`) and empty nodes (`5.1`) are
//!   not words, and every line that starts with `#` is a comment. [`layout`] finds the tags.
//! * `# global.columns = ID FORM ...` (CoNLL-U Plus), or a first row of names, names the columns.
//! * Entities in brackets (CoNLL-2012) become tags with `B-` and `I-`.
//! * A column with a name such as `Sentence #` or `sentence_id` separates sentences, as blank lines do.
//! * `-DOCSTART-` ends a sentence and is not a word.
//!
//! Which of these applies is detected from the first 64 MiB of a file.

mod brackets;
mod layout;
mod line;
mod numbers;

use super::bad_records::BadRecords;
use super::example::{Loaded, Place, TokenExample};
use super::examples::Examples;
use super::source::Source;
use super::token_options::TokenOptions;
use crate::error::{Result, count};
use brackets::Brackets;
use layout::{Layout, Names, Rows, check_number, is_blank_tag};
use line::{Comments, Line, lines};
use numbers::{Numbering, is_special};

/// Number of bytes from which the form of a table is detected. Most files are smaller.
const HEAD: usize = 64 << 20;

/// Adds the sentences of a stream to `loaded`. The form of the table is detected from the first 64 MiB, which are kept in
/// memory.
///
/// # Errors
/// [`crate::Error::Record`] for a line without a tag, or with a different number of columns than those before, unless its
/// sentence is skipped; [`crate::Error::Record`] for a table whose columns are ambiguous; [`crate::Error::Io`].
pub(super) fn sentences(
    source: Source,
    options: &TokenOptions,
    loaded: &mut Loaded<impl Examples<TokenExample>>,
    bad: &mut BadRecords,
) -> Result<()> {
    sentences_with(HEAD, source, options, loaded, bad)
}

fn sentences_with(
    most: usize,
    source: Source,
    options: &TokenOptions,
    loaded: &mut Loaded<impl Examples<TokenExample>>,
    bad: &mut BadRecords,
) -> Result<()> {
    let path = source.path().to_owned();
    let mut lines = lines(source);
    let (mut head, mut bytes) = (Vec::<Line>::new(), 0);
    while bytes < most
        && let Some(line) = lines.next().transpose()?
    {
        bytes += line.text.len();
        head.push(line);
    }
    let table = Table::new(&head, options)?;
    let Some(layout) = &table.layout else { return Ok(()) };
    let mut sentence: Vec<Line> = Vec::new();
    // The number of the sentence, in a table with a column for it.
    let mut number = String::new();
    let mut add = |lines: &[Line]| -> Result<()> {
        let sentence = table.sentence(lines, layout, options);
        bad.check(sentence)?.flatten().map_or(Ok(()), |sentence| loaded.examples.add(sentence))
    };
    for line in head.iter().cloned().map(Ok).chain(lines) {
        let line = line?;
        let cell = layout.sentence.and_then(|column| line.columns().get(column).copied());
        let next = cell.filter(|cell| !cell.is_empty() && *cell != number).map(str::to_owned);
        let is_next = next.is_some();
        number = next.unwrap_or(number);
        if line.first || is_next {
            add(&sentence)?;
            sentence.clear();
        }
        sentence.push(line);
    }
    add(&sentence)?;
    let note = layout.note.as_ref().map(|note| format!("{}: {note}", path.display()));
    loaded.notes.extend(note);
    if let Some(language) = table.language {
        loaded.notes.push(format!("{}: the words are read without their \"{language}\"", path.display()));
    }
    Ok(())
}

/// The form of a table.
struct Table<'a> {
    names: Option<Names>,
    comments: Comments<'a>,
    /// The columns of word and tag; `None` for a table without words.
    layout: Option<Layout>,
    /// The language prefix of all words in WikiANN: `en:`.
    language: Option<&'a str>,
}

impl<'a> Table<'a> {
    fn new(lines: &'a [Line], options: &TokenOptions) -> Result<Self> {
        let first_word = lines.iter().position(|line| !line.has_mark()).unwrap_or(lines.len());
        let names = lines[..first_word].iter().find_map(Names::of_comment);
        let names = names.or_else(|| lines.get(first_word).and_then(Names::of_row));
        let body = match &names {
            Some(names) if names.is_row => &lines[first_word + 1..],
            _ => lines,
        };
        let numbering = if names.is_some() { Numbering::None } else { Numbering::find(body) };
        let has_ids = match &names {
            Some(names) => names.names.first().is_some_and(|name| name.eq_ignore_ascii_case("ID")),
            None => numbering != Numbering::None,
        };
        let comments = if has_ids { Comments::with_any_mark() } else { Comments::among_words(body) };
        let mut words = Vec::with_capacity(body.len());
        words.extend(body.iter().filter(|line| !comments.is_comment(line)));
        let rows = Rows::new(names.as_ref(), numbering, &words);
        let layout = if words.is_empty() { None } else { Some(rows.layout(options)?) };
        let plain = !has_ids && names.is_none();
        let language = if plain { language(&words) } else { None };
        Ok(Self { comments, layout, language, names })
    }

    /// Returns the sentence in these lines, if they contain words.
    fn sentence(
        &self,
        lines: &[Line],
        layout: &Layout,
        options: &TokenOptions,
    ) -> Result<Option<TokenExample>> {
        let mut sentence: Option<TokenExample> = None;
        let mut brackets = Brackets::default();
        let mut before = None;
        let names_in_row = self.names.as_ref().is_some_and(|names| names.is_row);
        let is_counted = !names_in_row && (options.word_column.is_none() || options.tag_column.is_none());
        for line in lines {
            if self.is_header(line)? || self.comments.is_comment(line) {
                continue;
            }
            if let Some(id) = layout.ids {
                let cell = line.columns().get(id).copied().unwrap_or_default();
                if is_special(cell) {
                    continue;
                }
                if is_counted {
                    check_number(&mut before, cell, id).map_err(|problem| line.place.error(problem))?;
                }
            }
            let (word, tag) = word(line, layout)?;
            let word = self.language.map_or(word, |language| word.strip_prefix(language).unwrap_or(word));
            if word.is_empty() {
                return Err(blank(&line.place, "word", layout.word));
            }
            let tag = match tag {
                Some(cell) if layout.has_brackets => {
                    Some(brackets.tag(cell).map_err(|problem| line.place.error(problem))?)
                }
                Some(cell) if layout.has_blank_tags && is_blank_tag(cell) => Some("O".to_owned()),
                cell => cell.map(str::to_owned),
            };
            let sentence = sentence.get_or_insert_with(|| TokenExample {
                place: line.place.clone(),
                words: Vec::new(),
                tags: Vec::new(),
            });
            sentence.words.push(word.to_owned());
            sentence.tags.extend(tag);
        }
        if let Some(sentence) = &sentence {
            brackets.finish().map_err(|problem| sentence.place.error(problem))?;
        }
        Ok(sentence)
    }

    /// Returns true for the line that names the columns.
    ///
    /// # Errors
    /// [`crate::Error::Record`] if the line names different columns than the first such line.
    fn is_header(&self, line: &Line) -> Result<bool> {
        let Some(names) = &self.names else { return Ok(false) };
        // Concatenated files repeat the row of names.
        let repeats = || {
            names.is_row
                && names.names.first().is_some_and(|first| line.text.starts_with(first.as_str()))
                && line.columns().into_iter().eq(names.names.iter().map(String::as_str))
        };
        if line.place.line == names.line || repeats() {
            return Ok(true);
        }
        match Names::of_comment(line) {
            Some(other) if other.names != names.names => {
                let problem =
                    format!("names other columns than line {}; read the files one by one", names.line);
                Err(line.place.error(problem))
            }
            other => Ok(other.is_some()),
        }
    }
}

/// Returns the language prefix of all words, as in WikiANN: `en:`.
fn language<'a>(words: &[&'a Line]) -> Option<&'a str> {
    let prefix = |line: &'a Line| {
        let word = line.columns().first().copied()?;
        let (language, _) = word.split_once(':')?;
        let is_language = (2..=12).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        is_language.then(|| &word[..=language.len()])
    };
    let first = prefix(words.first()?)?;
    (words.len() > 1 && words.iter().all(|line| prefix(line) == Some(first))).then_some(first)
}

/// Returns the word of a line and its tag.
fn word<'a>(line: &'a Line, layout: &Layout) -> Result<(&'a str, Option<&'a str>)> {
    let columns = line.columns();
    let Some(tag) = layout.tag else {
        return Ok((cell(&columns, line, layout.word, "word")?, None));
    };
    if columns.len() == 1 {
        let problem = if line.text.starts_with([' ', '\t']) {
            "the word is blank; remove the line, or leave it entirely blank where a sentence ends"
        } else {
            "1 column; expected a word and its tag, with a tab or a space between"
        };
        return Err(line.place.error(problem));
    }
    if let Some((width, origin)) = layout.width.as_ref().filter(|(width, _)| *width != columns.len()) {
        let is_blank = line.text.starts_with(' ') && columns.len() + 1 == *width;
        let advice = if is_blank { "; its word seems to be blank" } else { "" };
        return Err(line
            .place
            .error(format!("{}, but {origin} {width}{advice}", count(columns.len(), "column"))));
    }
    Ok((cell(&columns, line, layout.word, "word")?, Some(cell(&columns, line, tag, "tag")?)))
}

fn cell<'a>(columns: &[&'a str], line: &Line, column: usize, what: &str) -> Result<&'a str> {
    match columns.get(column) {
        Some(cell) if !cell.is_empty() => Ok(cell),
        Some(_) => Err(blank(&line.place, what, column)),
        None => {
            let s = if columns.len() == 1 { "" } else { "s" };
            Err(line.place.error(format!(
                "{} column{s}; expected the {what} in column {}",
                columns.len(),
                column + 1
            )))
        }
    }
}

/// Returns the error for a blank cell.
fn blank(place: &Place, what: &str, column: usize) -> crate::Error {
    let advice = if what == "word" {
        "; remove the line, or leave it entirely blank where a sentence ends"
    } else {
        "; write O for a word outside of all entities"
    };
    place.error(format!("the {what} (column {}) is blank{advice}", column + 1))
}

#[cfg(test)]
mod tests;
