//! Formats and splits rows of CSV and TSV.

use std::borrow::Cow;

use super::rows::Rows;
use super::{Delimited, ERROR, PREFIX};

/// Appends a row to `out`. In CSV, cells are quoted if necessary. A cell that TSV cannot contain is left empty.
pub(super) fn push_row<'a>(kind: Delimited, cells: impl Iterator<Item = Cow<'a, str>>, out: &mut Vec<u8>) {
    let start = out.len();
    for (i, cell) in cells.enumerate() {
        if i > 0 {
            out.push(kind.delimiter());
        }
        match kind {
            Delimited::Csv | Delimited::Separated(_) => push_quoted(&cell, out),
            Delimited::Tsv if is_unfit(&cell) => {}
            Delimited::Tsv => out.extend_from_slice(cell.as_bytes()),
        }
    }
    // A row with a single empty cell would be a blank line.
    if out.len() == start && kind.has_quotes() {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}

fn push_quoted(cell: &str, out: &mut Vec<u8>) {
    if !cell.bytes().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        out.extend_from_slice(cell.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Returns the separator of a CSV file that begins with `text`: the one in Excel's line `sep=;`, otherwise the one in the header.
/// It is a comma unless the header has more semicolons, or has tabs or vertical bars and no comma, and the row after it has
/// them, too.
pub(crate) fn csv_separator(text: &[u8]) -> u8 {
    const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
    let start = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(text.len());
    let header = &text[start..];
    let after = header.strip_prefix(b"\"").unwrap_or(header).strip_prefix(b"sep=");
    if let Some(separator) = after.and_then(<[u8]>::first).filter(|byte| SEPARATORS.contains(byte)) {
        return *separator;
    }
    let (counts, rest) = separators(header, SEPARATORS);
    let start = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
    let (in_row, _) = separators(&rest[start..], SEPARATORS);
    let is_used = |i: usize| start == rest.len() || in_row[i] > 0;
    let [commas, semicolons, tabs, bars] = counts;
    let others = [(1, semicolons > commas), (2, commas == 0 && tabs > 0), (3, commas == 0 && bars > 0)];
    let likely = others.into_iter().filter(|(i, is_likely)| *is_likely && is_used(*i));
    likely.max_by_key(|(i, _)| (counts[*i], SEPARATORS.len() - i)).map_or(b',', |(i, _)| SEPARATORS[i])
}

/// Returns how often each separator occurs in the first row outside of quotes, and what follows the row.
fn separators(text: &[u8], kinds: [u8; 4]) -> ([usize; 4], &[u8]) {
    let mut counts = [0; 4];
    let mut quoted = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => return (counts, &text[at..]),
            _ if quoted => {}
            _ => {
                if let Some(found) = kinds.iter().position(|kind| kind == byte) {
                    counts[found] += 1;
                }
            }
        }
    }
    (counts, &[])
}

/// Returns true for the cells of Excel's line `sep=;`, which precedes the header.
pub(crate) fn is_separator_line<'a>(mut cells: impl Iterator<Item = &'a str>) -> bool {
    let (first, second, third) = (cells.next(), cells.next(), cells.next());
    match (first, second, third) {
        (Some("sep="), Some(""), None) => true,
        (Some(quoted), None, None) => quoted.strip_prefix("sep=").is_some_and(|rest| rest.len() == 1),
        _ => false,
    }
}

/// Returns the advice for a CSV row with too many cells.
pub(crate) fn separator_advice(separator: u8) -> &'static str {
    match separator {
        b';' => "a cell with semicolons needs quotes around it",
        b'\t' => "a cell with tabs needs quotes around it",
        b'|' => "a cell with vertical bars needs quotes around it",
        _ => "a cell with commas needs quotes around it",
    }
}

/// Returns true if a cell contains characters that end a cell or a row in TSV.
pub(super) fn is_unfit(cell: &str) -> bool {
    cell.bytes().any(|byte| matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// Returns true if the row is complete at the end of `line`. `closed` is the result for the preceding line, so that a row
/// of several lines is checked line by line.
pub(in crate::io) fn row_is_closed(line: &[u8], kind: Delimited, closed: bool) -> bool {
    // [`push_row`] doubles the quotes in a cell, so a complete row has an even number of quotes.
    let quotes = line.iter().filter(|byte| **byte == b'"').count();
    !kind.has_quotes() || closed == (quotes % 2 == 0)
}

/// Splits a text into complete rows.
pub(in crate::io) fn each_row(text: &[u8], kind: Delimited) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut closed = true;
        let mut end = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            closed = row_is_closed(line, kind, closed);
            end += line.len();
            if closed {
                break;
            }
        }
        let (row, after) = rest.split_at(end);
        rest = after;
        (!row.is_empty()).then_some(row)
    })
}

/// Returns true if the last column contains the errors of failed records.
pub(in crate::io) fn has_errors(header: &[String]) -> bool {
    header.last().is_some_and(|name| name.trim_start_matches(PREFIX) == ERROR)
}

/// Returns true if the last of several cells of a complete row is empty.
pub(in crate::io) fn ends_empty(row: &[u8], kind: Delimited) -> bool {
    matches!(row, [.., last, b'\n'] if *last == kind.delimiter())
}

/// Returns the cells of a complete row.
pub(in crate::io) fn split_row(row: &[u8], kind: Delimited) -> Option<Vec<String>> {
    Rows::new(row, kind, 0).next().ok()??.cells.ok()
}

/// Returns the cell for a JSON value: a string without its quotes, nothing for null, any other value as written.
pub(super) fn plain(json: &str) -> Cow<'_, str> {
    match json.as_bytes() {
        b"null" => Cow::Borrowed(""),
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Cow::Borrowed(&json[1..json.len() - 1]),
        // A string that is not Unicode text stays as written.
        [b'"', ..] => serde_json::from_str::<String>(json).map_or(Cow::Borrowed(json), Cow::Owned),
        _ => Cow::Borrowed(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kind: Delimited, cells: &[&str]) -> String {
        let mut out = Vec::new();
        push_row(kind, cells.iter().map(|cell| Cow::Borrowed(*cell)), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn separators_of_headers() {
        for (text, separator) in [
            ("a;b", b';'),
            ("a;b\n1,2;3", b';'),
            ("\r\n\na;\"b, c\"\r\n", b';'),
            ("\"a\";\"b\n,\"\n", b';'),
            ("id;review, english;label\n", b';'),
            ("sep=;\na,b\n", b';'),
            ("\"sep=|\"\r\na,b\n", b'|'),
            ("\ttext\tlabel\n0\tx, y, z\t1\n", b'\t'),
            ("\"text\"\t\"label, or not\"\n", b'\t'),
            ("a|b\n", b'|'),
            ("", b','),
            ("a", b','),
            ("a,b;c", b','),
            ("sep=x\na;b", b','),
            ("\"a;b\",c", b','),
            ("\"a;b\"\n;", b','),
            ("a\n1;2", b','),
            ("Temperature (C|F|K),text\n3,hi\n", b','),
            ("text (a;b)\nhello\n", b','),
            ("a;b\n1;2\n", b';'),
            ("a;b\n\n", b';'),
        ] {
            assert_eq!(csv_separator(text.as_bytes()), separator, "{text:?}");
        }
        assert!(is_separator_line(["sep=", ""].into_iter()) && is_separator_line(["sep=|"].into_iter()));
        assert!(!is_separator_line(["sep="].into_iter()) && !is_separator_line(["sep=", "", ""].into_iter()));
    }

    #[test]
    fn cells_survive_the_csv_crate() {
        let cells = ["a", "", "b,c", "\"quoted\"", "two\nlines", "\r", " x ", "5\" disk", "é\u{feff}"];
        let mut text = row(Delimited::Csv, &["h"; 9]);
        text += &row(Delimited::Csv, &cells);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let found = reader.records().next().expect("a row").expect("reads");
        assert_eq!(found.iter().collect::<Vec<_>>(), cells);
        assert_eq!(row(Delimited::Csv, &["a", "b"]), "a,b\n");
        assert_eq!(row(Delimited::Csv, &[""]), "\"\"\n");
        assert_eq!(row(Delimited::Csv, &["", ""]), ",\n");
    }

    #[test]
    fn rows_come_one_after_the_other() {
        let rows = |text: &str, kind| {
            let rows = each_row(text.as_bytes(), kind);
            rows.map(|row| String::from_utf8_lossy(row).into_owned()).collect::<Vec<_>>()
        };
        let text = "a,\"b\n\"\"\n\"\nc,d\n\"e";
        assert_eq!(rows(text, Delimited::Csv), ["a,\"b\n\"\"\n\"\n", "c,d\n", "\"e"]);
        assert_eq!(rows("\"a\n\tb\n", Delimited::Tsv), ["\"a\n", "\tb\n"]);
        assert_eq!(rows("", Delimited::Csv), [""; 0]);
    }

    #[test]
    fn tsv_has_no_quotes() {
        assert_eq!(row(Delimited::Tsv, &["a, b", "\"c\"", "", "d\te", "f\n"]), "a, b\t\"c\"\t\t\t\n");
    }

    #[test]
    fn json_values_in_cells() {
        for (json, cell) in [
            ("\"a b\"", "a b"),
            ("\"a\\n\\\"b\\u00e9\"", "a\n\"bé"),
            ("\"\"", ""),
            ("null", ""),
            ("1.10", "1.10"),
            ("true", "true"),
            ("{\"a\":[1]}", "{\"a\":[1]}"),
            ("\"\\ud83d\"", "\"\\ud83d\""),
        ] {
            assert_eq!(plain(json), cell, "{json}");
        }
    }
}
