//! Tables: CSV with quotes as in RFC 4180, and TSV without quotes, like GLUE's files.

use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Terminator};

use super::bad_records::BadRecords;
use super::example::Place;
use super::row::{Header, Row};
use super::source::{Source, not_utf8};
use crate::error::{Error, Result};
use crate::io::{
    MAX_LINE_BYTES, MISSING_CELLS, REPEATED_HEADER, csv_separator, is_separator_line, repeats_header,
    separator_advice,
};

/// Syntax of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Comma-separated, or separated as its header is ([`csv_separator`]). A quoted cell may contain commas, line breaks and
    /// doubled quotes.
    Csv,
    /// Tab-separated. Quotes are ordinary characters.
    Tsv,
}

/// Number of bytes at the beginning of a table from which its form is detected.
const HEAD: usize = 16 << 20;

/// Reads the rows of a table in order, including the header.
pub(super) struct Rows {
    name: Arc<str>,
    dialect: Dialect,
    /// The character between cells.
    delimiter: u8,
    /// The line terminator: a line feed, or a carriage return if there is no line feed. A carriage return is part of the
    /// line end before a line feed, and text elsewhere.
    line_end: u8,
    /// The first bytes, up to the end of a row if there are more.
    head: Arc<[u8]>,
    reader: csv::Reader<Recorded>,
    line: u64,
    /// True after an unterminated quote, when the ends of rows are unknown.
    is_lost: bool,
}

/// A stream that keeps what has been read, until it is dropped.
struct Recorded {
    stream: Box<dyn Read + Send>,
    kept: Vec<u8>,
    /// The offset of `kept` in the stream.
    offset: u64,
}

impl Read for Recorded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.kept.len() > MAX_LINE_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let count = self.stream.read(buffer)?;
        self.kept.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Rows {
    /// Opens the rows of a stream.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub(super) fn open(source: Source, dialect: Dialect) -> Result<Self> {
        let (name, path) = (source.name(), source.path().to_owned());
        let mut stream = source.stream();
        let mut head = Vec::new();
        stream.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
        let head: Arc<[u8]> = head.into();
        let line_end = if head.contains(&b'\n') { b'\n' } else { b'\r' };
        let all = Cursor::new(head.clone()).chain(stream);
        Ok(Self::new(name, dialect, line_end, head, Box::new(all)))
    }

    fn new(
        name: Arc<str>,
        dialect: Dialect,
        line_end: u8,
        head: Arc<[u8]>,
        stream: Box<dyn Read + Send>,
    ) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.has_headers(false).flexible(true).terminator(Terminator::Any(line_end));
        let delimiter = match dialect {
            Dialect::Csv => csv_separator(&head),
            Dialect::Tsv => b'\t',
        };
        builder.delimiter(delimiter).quoting(dialect == Dialect::Csv);
        let reader = builder.from_reader(Recorded { stream, kept: Vec::new(), offset: 0 });
        Self { name, dialect, delimiter, line_end, head, reader, line: 1, is_lost: false }
    }

    /// Returns the rows in the first 16 MiB, from the beginning. The last one may be incomplete.
    pub(super) fn beginning(&self) -> Self {
        let stream = Box::new(Cursor::new(self.head.clone()));
        Self::new(self.name.clone(), self.dialect, self.line_end, self.head.clone(), stream)
    }

    /// Returns the next row after blank lines; `None` at the end.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for a row that is too long, is not UTF-8 or has unbalanced quotes; [`crate::Error::Io`].
    pub(super) fn next(&mut self) -> Result<Option<Row>> {
        let mut cells = ByteRecord::new();
        loop {
            let more = self.reader.read_byte_record(&mut cells);
            let mut raw = self.passed(more.is_err());
            // The reader includes preceding blank lines in a row.
            let blank = raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.line += self.count_breaks(&raw[..blank]);
            let raw = raw.split_off(blank);
            let place = Place { source: self.name.clone(), line: self.line };
            self.line += self.count_breaks(&raw);
            if raw.len() > MAX_LINE_BYTES {
                self.is_lost = true;
                let problem = format!("the row is longer than {} MiB", MAX_LINE_BYTES >> 20);
                return Err(place.error(format!("{problem}; is a quote left open?")));
            }
            match more {
                Err(error) => return Err(self.failed(error, &place)),
                Ok(false) => return Ok(None),
                Ok(true) => {}
            }
            let row = raw.strip_suffix(&[self.line_end]).unwrap_or(&raw);
            if let Err(error) = std::str::from_utf8(row) {
                return Err(not_utf8(&place, &row[..error.valid_up_to()], self.line_end));
            }
            let cells = StringRecord::from_byte_record_lossy(cells.clone());
            let (row, cells) = match row.strip_suffix(b"\r") {
                Some(row) => (row, without_return(&cells)),
                None => (row, cells),
            };
            let breaks = self.count_breaks(row);
            if self.dialect == Dialect::Csv
                && let Err(problem) = check_quotes(row, self.delimiter)
            {
                self.is_lost = breaks > 0;
                return Err(place.error(problem));
            }
            let is_blank = cells.len() == 1 && cells[0].trim().is_empty();
            if is_blank || (place.line == 1 && is_separator_line(cells.iter())) {
                continue;
            }
            return Ok(Some(Row { place, cells, breaks }));
        }
    }

    /// Removes the bytes of the last row, or everything read after an error, from the kept bytes and returns them.
    fn passed(&mut self, all: bool) -> Vec<u8> {
        let end = if all { u64::MAX } else { self.reader.position().byte() };
        let recorded = self.reader.get_mut();
        let count = (end.saturating_sub(recorded.offset) as usize).min(recorded.kept.len());
        recorded.offset += count as u64;
        recorded.kept.drain(..count).collect()
    }

    fn failed(&self, error: csv::Error, place: &Place) -> Error {
        match error.into_kind() {
            csv::ErrorKind::Io(source) => {
                Error::Io { path: PathBuf::from(&*self.name), action: "read", source }
            }
            other => place.error(format!("{other:?}")),
        }
    }

    /// Returns the next row, which must have as many columns as the header.
    ///
    /// # Errors
    /// Those of [`Self::next`]; also for a row with a different number of columns.
    pub(super) fn next_like(&mut self, header: &Header) -> Result<Option<Row>> {
        let Some(row) = self.next()? else { return Ok(None) };
        if row.width() != header.width() {
            return Err(self.width_error(&row, header));
        }
        if repeats_header(row.cells().map(str::trim), header.names()) {
            return Err(row.place.error(REPEATED_HEADER));
        }
        Ok(Some(row))
    }

    /// Returns the next row with the header's number of columns that `bad` does not skip.
    ///
    /// # Errors
    /// Those of [`Self::next_like`], for rows that are not skipped and for an unterminated quote.
    pub(super) fn next_row(&mut self, header: &Header, bad: &mut BadRecords) -> Result<Option<Row>> {
        self.first_good(bad, |rows| rows.next_like(header))
    }

    /// Returns the next row of any width that `bad` does not skip.
    ///
    /// # Errors
    /// Those of [`Self::next_row`].
    pub(super) fn next_ragged(&mut self, bad: &mut BadRecords) -> Result<Option<Row>> {
        self.first_good(bad, Self::next)
    }

    fn first_good(
        &mut self,
        bad: &mut BadRecords,
        mut next: impl FnMut(&mut Self) -> Result<Option<Row>>,
    ) -> Result<Option<Row>> {
        loop {
            let row = next(self);
            if self.is_lost {
                return row;
            }
            if let Some(row) = bad.check(row)? {
                return Ok(row);
            }
        }
    }

    /// Returns the error of a row whose number of columns differs from the header.
    pub(super) fn width_error(&self, row: &Row, header: &Header) -> crate::Error {
        let (found, expected) = (row.width(), header.width());
        let names: Vec<String> = header.names().map(|name| format!("\"{name}\"")).collect();
        let advice = match (self.dialect, row.breaks) {
            (Dialect::Tsv, _) | (_, 0) if found < expected => format!("; {MISSING_CELLS}"),
            (Dialect::Tsv, _) => {
                "; in TSV, quotes are ordinary characters, and no cell holds a tab or a line break".to_owned()
            }
            (Dialect::Csv, 0) => format!("; {}", separator_advice(self.delimiter)),
            (Dialect::Csv, breaks) => {
                format!("; the row continues to line {}: is a quote left open?", row.place.line + breaks)
            }
        };
        row.place.error(format!(
            "{found} column{}, but {} has {expected}: {}{advice}",
            if found == 1 { "" } else { "s" },
            header.origin,
            names.join(", ")
        ))
    }

    fn count_breaks(&self, bytes: &[u8]) -> u64 {
        bytes.iter().filter(|byte| **byte == self.line_end).count() as u64
    }
}

/// Removes the carriage return of a line that ends in `\r\n`.
fn without_return(cells: &StringRecord) -> StringRecord {
    let last = cells.len().saturating_sub(1);
    let strip = |(i, cell): (usize, &'_ str)| -> String {
        (if i == last { cell.strip_suffix('\r').unwrap_or(cell) } else { cell }).to_owned()
    };
    cells.iter().enumerate().map(strip).collect()
}

/// Checks that each quoted cell ends with its closing quote. Otherwise several rows could silently become one.
fn check_quotes(row: &[u8], delimiter: u8) -> std::result::Result<(), &'static str> {
    #[derive(PartialEq)]
    enum At {
        CellStart,
        Cell,
        Quoted,
        /// After a quote inside a quoted cell, which is either its end or the first of two.
        Quote,
    }
    let mut at = At::CellStart;
    for byte in row {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) | (At::CellStart | At::Quote, b'"') => At::Quoted,
            (_, byte) if *byte == delimiter => At::CellStart,
            (At::Quote, _) => {
                return Err("text after the end of a quoted cell; quotes inside are written twice");
            }
            (At::CellStart | At::Cell, _) => At::Cell,
        };
    }
    if at == At::Quoted { Err("a quote of this row is never closed") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use std::path::Path;

    /// Returns the rows as `line: cells`, followed by the error if there is one.
    fn rows(text: &'static str, dialect: Dialect) -> Vec<String> {
        let source = Source::new(Path::new("t"), Cursor::new(text)).expect("opens");
        let mut rows = Rows::open(source, dialect).expect("opens");
        let mut out = Vec::new();
        let header = match rows.next() {
            Ok(Some(row)) => Header::new(&row),
            Ok(None) => return out,
            Err(error) => return vec![error.to_string()],
        };
        loop {
            match rows.next_like(&header) {
                Ok(None) => return out,
                Ok(Some(row)) => {
                    let cells: Vec<&str> = row.cells().collect();
                    out.push(format!("{}: {}", row.place.line, cells.join("|")));
                }
                Err(error) => {
                    out.push(error.to_string());
                    return out;
                }
            }
        }
    }

    #[test]
    fn quotes_and_lines_of_csv() {
        assert_eq!(rows("a,b\rx,\"y\rz\"\r\rv,w", Dialect::Csv), ["2: x|y\rz", "5: v|w"]);
        assert_eq!(rows("a,b\r\nx\rx,\"y\r\"\r\n", Dialect::Csv), ["2: x\rx|y\r"]);
        let text = "a,b\r\n\"x, \"\"y\"\"\",1\r\n\"two\nlines\n\",2\r\n\r\n\nz,3\n5\" disk,4";
        assert_eq!(
            rows(text, Dialect::Csv),
            ["2: x, \"y\"|1", "3: two\nlines\n|2", "8: z|3", "9: 5\" disk|4"]
        );
    }

    #[test]
    fn semicolons_of_spreadsheets() {
        let text = "sep=;\r\na;b\r\n1,5;\"x; \"\"y\"\"\r\n\"\r\n;3\r\n";
        assert_eq!(rows(text, Dialect::Csv), ["3: 1,5|x; \"y\"\r\n", "5: |3"]);
        assert_eq!(rows("sep=,\na,b\n1,2\n", Dialect::Csv), ["3: 1|2"]);
        let wide = rows("a;b\n1;2;3\n", Dialect::Csv);
        assert!(wide[0].ends_with("a cell with semicolons needs quotes around it"), "{wide:?}");
    }

    #[test]
    fn quotes_are_letters_in_tsv() {
        let text = "a\tb\r\n\"x\t1\r\n\r\n \ny\"\t\"2\"\n\tz\rz\n";
        assert_eq!(rows(text, Dialect::Tsv), ["2: \"x|1", "5: y\"|\"2\"", "6: |z\rz"]);
    }

    #[test]
    fn rows_of_another_width_are_errors_with_both_widths() {
        assert_eq!(
            rows("a\tb\n1\t2\n3\n", Dialect::Tsv)[1],
            "t:3: 1 column, but the header (line 1) has 2: \"a\", \"b\"; every row needs all cells, even empty ones"
        );
        assert_eq!(
            rows("a\tb\n1\t2\n3\t4\t5\n", Dialect::Tsv)[1],
            "t:3: 3 columns, but the header (line 1) has 2: \"a\", \"b\"; in TSV, quotes are ordinary characters, and no cell \
             holds a tab or a line break"
        );
        let csv = rows("\na,b\n1,2,3\n", Dialect::Csv);
        assert!(csv[0].starts_with("t:3: 3 columns, but the header (line 2) has 2"), "{csv:?}");
        let open = rows("a,b\n1,2\n\"3,4\n5,6\n\",8,9\n", Dialect::Csv);
        assert!(open[1].ends_with("the row continues to line 5: is a quote left open?"), "{open:?}");
    }

    #[test]
    fn quotes_that_are_not_in_order() {
        for text in ["a,b\n1,2\n3,\"4\n5,6\n", "a,b\n1,2\n3,\"", "a,b\n1,2\n3,\"\"\"4\"\"\n"] {
            assert_eq!(rows(text, Dialect::Csv)[1], "t:3: a quote of this row is never closed", "{text}");
        }
        assert_eq!(rows("a,b\n1,\"2\"\n", Dialect::Csv), ["2: 1|2"]);
        for text in ["a,b\n1,\"2\" x\n", "a,b\n\"1,2\n3,4\n\"5\",6\n"] {
            let shown = rows(text, Dialect::Csv);
            assert!(shown[0].starts_with("t:2: text after the end of a quoted cell"), "{shown:?}");
        }
    }

    #[test]
    fn text_that_is_not_utf_8_is_an_error_with_its_line() {
        let bytes = b"a,b\n1,2\n\n\"x\ny\xff\",3\n4,5\n".to_vec();
        let source = Source::new(Path::new("t"), Cursor::new(bytes)).expect("opens");
        let mut rows = Rows::open(source, Dialect::Csv).expect("opens");
        assert_eq!(rows.beginning().next().expect("reads").expect("a row").width(), 2);
        let lines: Vec<String> = std::iter::from_fn(|| match rows.next() {
            Ok(row) => row.map(|row| row.place.to_string()),
            Err(error) => Some(error.to_string()),
        })
        .collect();
        assert!(lines[2].starts_with("t:5: not valid UTF-8 (byte 2 of the line); convert"), "{lines:?}");
        assert_eq!([&lines[0], &lines[1], &lines[3]], ["t:1", "t:2", "t:6"]);
    }

    #[test]
    fn rows_beyond_the_limit() {
        let text = format!("a,b\n1,\"{}\"\n", "x\n".repeat(MAX_LINE_BYTES / 2));
        let source = Source::new(Path::new("t"), Cursor::new(text.into_bytes())).expect("opens");
        let mut rows = Rows::open(source, Dialect::Csv).expect("opens");
        assert!(rows.next().is_ok_and(|row| row.is_some()));
        let error = rows.next().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("t:2: the row is longer than 16 MiB"), "{error}");
    }
}
