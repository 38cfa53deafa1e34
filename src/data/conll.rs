//! Columns as in CoNLL: a word a line with its tag, a blank line after each sentence.
//!
//! * Columns stand between tabs if the line has any, else between spaces.
//! * The word is in the first column, the tag in the last (CoNLL-2003, WNUT-17). If the first column holds token
//!   ids, as in CoNLL-U and the `.iob2` files of Universal NER, the word is in the second and the tag in the
//!   third; lines that begin with `# ` are comments there, and ranges (`3-4`) and empty nodes (`5.1`) no words.
//! * `-DOCSTART-` ends a sentence and is no word.

use std::collections::HashSet;

use super::example::{Place, TokenExample};
use super::source::Source;
use super::tokens::TokenOptions;
use crate::error::Result;

/// The number of columns of CoNLL-U, which has no column for tags.
const CONLL_U: usize = 10;

/// A line that is not blank.
struct Line {
    place: Place,
    text: String,
    /// Whether a sentence begins here.
    first: bool,
}

impl Line {
    fn columns(&self) -> Vec<&str> {
        let text = self.text.trim_end_matches([' ', '\t']);
        if text.contains('\t') {
            text.split('\t').map(|column| column.trim_matches(' ')).collect()
        } else {
            text.split(' ').filter(|column| !column.is_empty()).collect()
        }
    }

    fn may_be_comment(&self) -> bool {
        self.text.starts_with("# ") || self.text.trim_end() == "#"
    }
}

/// Where words and tags stand, from 0; no tag where lines have none.
struct Layout {
    has_ids: bool,
    word: usize,
    tag: Option<usize>,
    /// The number of columns of every line, where that is fixed.
    width: Option<(usize, u64)>,
}

/// The sentences of a stream.
///
/// # Errors
/// [`crate::Error::Record`] with the line that has no tag, or another number of columns than those before;
/// [`crate::Error::Io`].
pub(super) fn sentences(source: Source, options: &TokenOptions) -> Result<Vec<TokenExample>> {
    let lines = lines(source)?;
    let has_ids = has_ids(&lines);
    let tags = if has_ids { HashSet::new() } else { tags_of_words(&lines) };
    let is_tag = |text: &str| tags.contains(text) || has_prefix(text);
    let is_comment = |line: &Line| {
        let last = || line.columns().get(1..).and_then(<[_]>::last).copied();
        line.may_be_comment() && (has_ids || !last().is_some_and(is_tag))
    };
    let Some(first) = lines.iter().find(|line| !is_comment(line)) else { return Ok(Vec::new()) };
    let layout = layout(first, has_ids, options)?;
    let mut sentences: Vec<TokenExample> = Vec::new();
    let mut begins = true;
    for line in &lines {
        begins |= line.first;
        if is_comment(line) {
            continue;
        }
        let Some((word, tag)) = word(line, &layout)? else { continue };
        if begins {
            sentences.push(TokenExample { place: line.place.clone(), words: Vec::new(), tags: Vec::new() });
            begins = false;
        }
        if let Some(sentence) = sentences.last_mut() {
            sentence.words.push(word.to_owned());
            sentence.tags.extend(tag.map(str::to_owned));
        }
    }
    Ok(sentences)
}

/// The lines that are not blank.
fn lines(source: Source) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let mut first = true;
    for line in source.lines() {
        let (place, text) = line?;
        if text.trim().is_empty() || text.starts_with("-DOCSTART-") {
            first = true;
        } else {
            lines.push(Line { place, text, first });
            first = false;
        }
    }
    Ok(lines)
}

/// Whether the first of at least three columns holds ids: numbers that grow in each sentence.
fn has_ids(lines: &[Line]) -> bool {
    let mut before: Option<u64> = None;
    let mut any = false;
    for line in lines {
        if line.first {
            before = None;
        }
        if line.may_be_comment() {
            continue;
        }
        let columns = line.columns();
        let Some(number) = columns.first().and_then(|id| id_number(id)) else { return false };
        let is_whole = columns[0].bytes().all(|byte| byte.is_ascii_digit());
        if columns.len() < 3 || (is_whole && before.is_some_and(|before| number <= before)) {
            return false;
        }
        if is_whole {
            before = Some(number);
        }
        any = true;
    }
    any
}

/// The number an id begins with: `3`, `3-4`, `3.1`.
fn id_number(id: &str) -> Option<u64> {
    let end = id.find(['-', '.']).unwrap_or(id.len());
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let rest = id.get(end + 1..).unwrap_or("0");
    (is_number(&id[..end]) && is_number(rest)).then(|| id[..end].parse().ok()).flatten()
}

/// What stands in the last columns of lines that are certainly no comments.
fn tags_of_words(lines: &[Line]) -> HashSet<&str> {
    let words = lines.iter().filter(|line| !line.may_be_comment());
    words.filter_map(|line| line.columns().get(1..)?.last().copied()).chain(["O"]).collect()
}

/// Whether a text looks like a tag of an entity: `B-PER`.
fn has_prefix(text: &str) -> bool {
    matches!(text.as_bytes(), [b'B' | b'I' | b'E' | b'S' | b'L' | b'U', b'-', _, ..])
}

fn layout(first: &Line, has_ids: bool, options: &TokenOptions) -> Result<Layout> {
    let width = first.columns().len();
    let word = options.word_column.map_or(usize::from(has_ids), |column| column.saturating_sub(1));
    let tag = match options.tag_column {
        Some(column) => Some(column.saturating_sub(1)),
        None if has_ids && width == CONLL_U && options.unlabelled => None,
        None if has_ids && width == CONLL_U => {
            let problem = "CoNLL-U has no column for tags; --tag-column names the one to read";
            return Err(first.place.error(problem));
        }
        None if has_ids => Some(2),
        None if width < 2 && options.unlabelled => None,
        None => Some(width.saturating_sub(1).max(1)),
    };
    // Universal NER leaves the last columns out where nothing is said in them.
    Ok(Layout { has_ids, word, tag, width: (!has_ids).then_some((width, first.place.line)) })
}

/// The word of a line and its tag; `None` for a line of CoNLL-U that holds no word.
fn word<'a>(line: &'a Line, layout: &Layout) -> Result<Option<(&'a str, Option<&'a str>)>> {
    let columns = line.columns();
    if layout.has_ids && columns[0].contains(['-', '.']) {
        return Ok(None);
    }
    let count = |count: usize| if count == 1 { "1 column".to_owned() } else { format!("{count} columns") };
    if columns.len() == 1 && layout.tag.is_some() {
        return Err(line.place.error("1 column; expected a word and its tag, with a tab or a space between"));
    }
    if let Some((width, of)) = layout.width.filter(|(width, _)| *width != columns.len()) {
        return Err(line.place.error(format!("{}, but line {of} has {width}", count(columns.len()))));
    }
    let cell = |column: usize, what: &str| match columns.get(column) {
        Some(cell) if !cell.is_empty() => Ok(*cell),
        Some(_) => Err(line.place.error(format!("the {what} (column {}) is blank", column + 1))),
        None => Err(line.place.error(format!(
            "{}; expected the {what} in column {}",
            count(columns.len()),
            column + 1
        ))),
    };
    let tag = layout.tag.map(|column| cell(column, "tag")).transpose()?;
    Ok(Some((cell(layout.word, "word")?, tag)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::path::Path;

    fn show_with(text: &str, options: &TokenOptions) -> Vec<String> {
        let source = Source::new(Path::new("a"), Cursor::new(text.to_owned().into_bytes())).expect("opens");
        match sentences(source, options) {
            Err(error) => vec![error.to_string()],
            Ok(sentences) => sentences
                .iter()
                .map(|e| format!("{} {} {}", e.place.line, e.words.join("_"), e.tags.join("_")))
                .collect(),
        }
    }

    fn show(text: &str) -> Vec<String> {
        show_with(text, &TokenOptions::default())
    }

    #[test]
    fn conll_2003() {
        let text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\n. . O O\n-DOCSTART- -X- O O\n\
                    1 CD O O\n2 CD O O\r\n";
        assert_eq!(show(text), ["3 EU_rejects B-ORG_O", "7 . O", "9 1_2 O_O"]);
    }

    #[test]
    fn tabs_with_spaces_and_marks_of_all_kinds() {
        let text = "New York\tB-LOC\n#\tO\n#tag\tO\n \t\n\u{a0}\u{b4}\tO\n";
        assert_eq!(show(text), ["1 New York_#_#tag B-LOC_O_O", "5 \u{a0}\u{b4} O"]);
        assert_eq!(show("# O\na O\n# B-X\n# Y\n"), ["1 #_a_# O_O_B-X"]);
    }

    #[test]
    fn universal_ner() {
        let text = "# sent_id = 1\n# text = AP O\n1\tAP\tB-ORG\t-\tann\n2\tsays\tO\n\n# sent_id = 2\n1\t#\tO\t-\t-\n";
        assert_eq!(show(text), ["3 AP_says B-ORG_O", "7 # O"]);
        let missing = "1\ta\tO\n2\tb\tO\n3\tc\tO\n4\t\tO\n";
        assert_eq!(show(missing), ["a:4: the word (column 2) is blank"]);
    }

    #[test]
    fn conll_u() {
        let rest = "_\t_\t_\t_\t_\t_\t_";
        let text = format!(
            "# text = du\n1-2\tdu\t_\t{rest}\n1\tde\tO\t{rest}\n2\tle\tO\t{rest}\n2.1\tx\tO\t{rest}\n"
        );
        assert!(show(&text)[0].contains("--tag-column"), "{:?}", show(&text));
        let options = TokenOptions { tag_column: Some(3), ..TokenOptions::default() };
        assert_eq!(show_with(&text, &options), ["3 de_le O_O"]);
        let unlabelled = TokenOptions { unlabelled: true, ..TokenOptions::default() };
        assert_eq!(show_with(&text, &unlabelled), ["3 de_le "]);
    }

    #[test]
    fn comments_without_ids() {
        let text = "# id 12ab domain=en\nthe _ _ O\nbbc _ _ B-CORP\n\n# id 12ac domain=en\nx _ _ O\n";
        assert_eq!(show(text), ["2 the_bbc O_B-CORP", "6 x O"]);
    }

    #[test]
    fn columns_that_were_named() {
        let options = TokenOptions { word_column: Some(2), tag_column: Some(1), ..TokenOptions::default() };
        assert_eq!(show_with("O a x\nB-X b x\n", &options), ["1 a_b O_B-X"]);
        let beyond = TokenOptions { tag_column: Some(4), ..TokenOptions::default() };
        assert_eq!(show_with("O a x\n", &beyond), ["a:1: 3 columns; expected the tag in column 4"]);
    }

    #[test]
    fn lines_that_are_not_right() {
        assert_eq!(
            show("a O\nb\n"),
            ["a:2: 1 column; expected a word and its tag, with a tab or a space between"]
        );
        assert_eq!(
            show("b\n")[0],
            "a:1: 1 column; expected a word and its tag, with a tab or a space between"
        );
        assert_eq!(show("a O\nb c O\n"), ["a:2: 3 columns, but line 1 has 2"]);
        assert_eq!(show("a\tO\n\tO\n"), ["a:2: the word (column 1) is blank"]);
        assert_eq!(show("# only\n"), Vec::<String>::new());
        let unlabelled = TokenOptions { unlabelled: true, ..TokenOptions::default() };
        assert_eq!(show_with("a\nb\n\nc\n", &unlabelled), ["1 a_b ", "4 c "]);
    }
}
