//! SWAG (Zellers et al. 2018): CSV files with a context and four endings.
//!
//! As in transformers' `run_swag.py`, the first text of a pair is `sent1`, and the second one is `sent2` with an ending.

use super::bad_records::BadRecords;
use super::choice_checks::{check_count, in_range};
use super::example::ChoiceExample;
use super::row::{Header, Row};
use super::shortened::shortened;
use super::source::Source;
use super::table::{Dialect, Rows};
use crate::error::{Result, listed};

/// Returns true if a file starts like a SWAG file.
pub(super) fn looks_like_swag(head: &[u8]) -> bool {
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |name: &[u8]| first_line.windows(name.len()).any(|part| part == name);
    has(b"sent1") && has(b"ending0")
}

/// The indices of the columns.
struct Columns {
    sent1: usize,
    sent2: usize,
    endings: Vec<usize>,
    label: Option<usize>,
    id: Vec<usize>,
}

impl Columns {
    fn find(header: &Header, unlabelled: bool) -> std::result::Result<Self, String> {
        let need = |name: &str| {
            header.index(name).ok_or_else(|| {
                let advice = match header.index("sent1") {
                    Some(_) => "",
                    None => "; write other tables of choices as JSON lines with prompt, choices and label",
                };
                let names = listed(header.names());
                format!("column \"{name}\" of SWAG is missing; the table has {names}{advice}")
            })
        };
        need("ending1")?;
        let endings = (0..).map_while(|i| header.index(&format!("ending{i}"))).collect();
        let label = if unlabelled { header.index("label") } else { Some(need("label")?) };
        let own = ["video-id", "fold-ind"].into_iter().filter_map(|name| header.index(name));
        let mut id: Vec<usize> = own.collect();
        if id.is_empty() {
            id.extend(header.index("id"));
        }
        Ok(Self { sent1: need("sent1")?, sent2: need("sent2")?, endings, label, id })
    }
}

/// Passes the examples of a stream to `add`.
///
/// # Errors
/// [`crate::Error::Record`] for the first invalid row, unless such rows are skipped; [`crate::Error::Io`]; errors from
/// `add`.
pub(super) fn examples(
    source: Source,
    unlabelled: bool,
    bad: &mut BadRecords,
    mut add: impl FnMut(ChoiceExample) -> Result<()>,
) -> Result<()> {
    let mut rows = Rows::open(source, Dialect::Csv)?;
    let Some(first) = rows.next()? else { return Ok(()) };
    let header = Header::new(&first);
    let columns = Columns::find(&header, unlabelled).map_err(|problem| first.place.error(problem))?;
    check_count(columns.endings.len()).map_err(|problem| first.place.error(problem))?;
    while let Some(row) = rows.next_row(&header, bad)? {
        let example = example(&row, &columns, unlabelled).map_err(|problem| row.place.error(problem));
        bad.check(example)?.map_or(Ok(()), &mut add)?;
    }
    Ok(())
}

fn example(row: &Row, columns: &Columns, unlabelled: bool) -> std::result::Result<ChoiceExample, String> {
    let sent2 = row.cell(columns.sent2);
    let mut choices = Vec::with_capacity(columns.endings.len());
    for (i, column) in columns.endings.iter().enumerate() {
        let ending = row.cell(*column);
        if ending.trim().is_empty() {
            return Err(format!("column \"ending{i}\" is blank"));
        }
        let space = if sent2.is_empty() { "" } else { " " };
        choices.push(format!("{sent2}{space}{ending}"));
    }
    let label = match columns.label.map(|column| row.cell(column).trim()) {
        None => None,
        Some("") if unlabelled => None,
        Some(cell) => {
            let shown = shortened(cell);
            let number = cell.parse().map_err(|_| format!("label \"{shown}\" is not a number from 0"))?;
            Some(in_range(number, choices.len(), &format!("label \"{shown}\""))?)
        }
    };
    let id: Vec<&str> = columns.id.iter().map(|column| row.cell(*column)).collect();
    Ok(ChoiceExample {
        place: row.place.clone(),
        id: (!id.is_empty()).then(|| id.join("-")),
        context: None,
        prompt: row.cell(columns.sent1).to_owned(),
        choices,
        label,
        group: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::path::Path;

    const HEADER: &str =
        ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label";

    fn all(source: Source, unlabelled: bool) -> Result<Vec<ChoiceExample>> {
        let mut all = Vec::new();
        examples(source, unlabelled, &mut BadRecords::new(None), |example| {
            all.push(example);
            Ok(())
        })?;
        Ok(all)
    }

    fn read(rows: &str, unlabelled: bool) -> Result<Vec<ChoiceExample>> {
        let text = format!("{HEADER}\n{rows}");
        let source = Source::new(Path::new("a.csv"), Cursor::new(text.into_bytes()))?;
        all(source, unlabelled)
    }

    fn problem(rows: &str) -> String {
        read(rows, false).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn rows_become_examples() {
        let rows = "0,v1,17,\"A, b. She\",\"A, b.\",She,gold,runs.,\"sits, then\nruns.\",flies.,sings.,2\n\
                    1,v2,18,C.,C.,,gen,a,b,c,d,0\n";
        let examples = read(rows, false).expect("reads");
        assert_eq!(examples[0].prompt, "A, b.");
        assert_eq!(examples[0].choices, ["She runs.", "She sits, then\nruns.", "She flies.", "She sings."]);
        assert_eq!((examples[0].label, examples[0].id.as_deref()), (Some(2), Some("v1-17")));
        assert_eq!((examples[1].place.line, examples[1].choices[0].as_str()), (4, "a"));
        assert!(looks_like_swag(HEADER.as_bytes()) && !looks_like_swag(b"text,label\nsent1,ending0"));
    }

    #[test]
    fn rows_that_are_not_right() {
        let row = |end: &str| format!("0,v,1,,A.,B,gold,a,b,c,{end}\n");
        assert_eq!(problem(&row("d,4")), "a.csv:2: label \"4\", beyond the 4 choices (0 to 3, A to D)");
        assert_eq!(problem(&row("d,A")), "a.csv:2: label \"A\" is not a number from 0");
        assert_eq!(problem(&row("d,")), "a.csv:2: label \"\" is not a number from 0");
        assert_eq!(problem(&row(" ,1")), "a.csv:2: column \"ending3\" is blank");
        assert!(problem(&row("d")).contains("11 columns, but the header (line 1) has 12"));
        assert!(read(&row("d,"), true).is_ok_and(|examples| examples[0].label.is_none()));
        let source = Source::new(Path::new("a.csv"), Cursor::new("sent1,ending0,ending1\n"));
        let error = source.and_then(|source| all(source, true)).err().map(|e| e.to_string());
        assert_eq!(
            error.as_deref(),
            Some("a.csv:1: column \"sent2\" of SWAG is missing; the table has sent1, ending0, ending1")
        );
    }
}
