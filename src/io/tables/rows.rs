//! Reads the rows of a CSV or TSV stream in constant memory.

use std::io::{BufRead, ErrorKind};

use super::Delimited;
use crate::io::compressed::NOT_UTF8_ADVICE;
use crate::io::lines::MAX_LINE_BYTES;

/// Reads the rows of a stream.
pub(super) struct Rows<R> {
    stream: R,
    kind: Delimited,
    /// The last byte of a line end: a line feed, or a carriage return if the header ends with a carriage return alone.
    line_end: u8,
    /// True once the line end is known from the header.
    knows_line_end: bool,
    /// Line number of the next byte.
    line: u64,
    /// A byte that was read ahead.
    ahead: Option<u8>,
    /// Number of bytes before the next byte of the stream.
    position: u64,
}

/// A row: its first line, its first byte, and its cells or the problem with them.
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) start: u64,
    pub(super) cells: Result<Vec<String>, String>,
}

/// Why no more rows can be read.
#[derive(Debug)]
pub(super) enum Broken {
    /// The stream failed.
    Stream(std::io::Error),
    /// A quote is never closed, so that the ends of rows after it are unknown: the line of the row and the problem.
    Lost(u64, String),
}

/// The position of a byte in a row.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum At {
    CellStart,
    Cell,
    Quoted,
    /// After a quote inside a quoted cell, which is either its end or the first of two.
    Quote,
    /// After the carriage return that follows a quoted cell.
    QuoteReturn,
    /// In a row that cannot be read, up to its end.
    Bad,
}

impl At {
    /// Returns the position of the byte after `byte`.
    pub(super) fn after(self, byte: u8, line_end: u8, kind: Delimited) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::Quote,
            (Self::Quoted, _) | (Self::Quote, b'"') => Self::Quoted,
            (_, byte) if byte == line_end => Self::CellStart,
            (Self::Bad, _) => Self::Bad,
            (Self::CellStart, b'"') if kind.has_quotes() => Self::Quoted,
            (Self::CellStart | Self::Cell | Self::Quote, byte) if byte == kind.delimiter() => Self::CellStart,
            (Self::CellStart | Self::Cell, _) => Self::Cell,
            (Self::Quote, b'\r') => Self::QuoteReturn,
            (Self::Quote | Self::QuoteReturn, _) => Self::Bad,
        }
    }
}

const AFTER_QUOTE: &str = "text after the end of a quoted cell; quotes inside are written twice";

impl<R: BufRead> Rows<R> {
    /// Reads a stream that starts at this offset in a file.
    pub(super) fn new(stream: R, kind: Delimited, position: u64) -> Self {
        Self { stream, kind, line_end: b'\n', knows_line_end: false, line: 1, ahead: None, position }
    }

    /// Reads a stream that starts after the header of a file whose lines end with line feeds.
    pub(super) fn within(stream: R, kind: Delimited, position: u64) -> Self {
        Self { knows_line_end: true, ..Self::new(stream, kind, position) }
    }

    /// Returns false if lines end with a carriage return alone.
    pub(super) fn ends_lines_with_feeds(&self) -> bool {
        self.line_end == b'\n'
    }

    /// Returns the offset at which the next row starts.
    pub(super) fn position(&self) -> u64 {
        self.position - u64::from(self.ahead.is_some())
    }

    /// Returns the next row after blank lines; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Row>, Broken> {
        loop {
            let Some((row, quoted)) = self.read()? else { return Ok(None) };
            let blank = row.cells.as_ref().is_ok_and(|cells| cells.len() == 1 && cells[0].is_empty());
            if !blank || quoted {
                return Ok(Some(row));
            }
        }
    }

    fn byte(&mut self) -> Result<Option<u8>, Broken> {
        if let Some(byte) = self.ahead.take() {
            return Ok(Some(byte));
        }
        loop {
            match self.stream.fill_buf() {
                Ok(buffer) => {
                    let byte = buffer.first().copied();
                    self.stream.consume(usize::from(byte.is_some()));
                    self.position += u64::from(byte.is_some());
                    return Ok(byte);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Broken::Stream(e)),
            }
        }
    }

    /// Reads bytes that are certainly text, up to the next one that may be special.
    fn take_text(&mut self, text: &mut Vec<u8>, quoted: bool) -> Result<(), Broken> {
        if self.ahead.is_some() {
            return Ok(());
        }
        let delimiter = self.kind.delimiter();
        let Ok(buffer) = self.stream.fill_buf() else { return Ok(()) };
        let special = |byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || (!quoted && *byte == delimiter);
        let length = buffer.iter().position(special).unwrap_or(buffer.len());
        text.extend_from_slice(&buffer[..length]);
        self.stream.consume(length);
        self.position += length as u64;
        Ok(())
    }

    /// Reads the next row, including blank lines. Also returns whether it has quoted cells.
    fn read(&mut self) -> Result<Option<(Row, bool)>, Broken> {
        let mut raw = Raw { line: self.line, start: self.position(), ..Raw::default() };
        let mut problem: Option<String> = None;
        let mut at = At::CellStart;
        let mut any = false;
        loop {
            match at {
                At::Cell => self.take_text(&mut raw.text, false)?,
                At::Quoted => self.take_text(&mut raw.text, true)?,
                _ => {}
            }
            if raw.text.len() + raw.ends.len() > MAX_LINE_BYTES {
                let limit = || format!("the row is longer than {} MiB", MAX_LINE_BYTES >> 20);
                problem.get_or_insert_with(limit);
                raw.text.clear();
                raw.ends.clear();
            }
            let Some(byte) = self.byte()? else {
                return match at {
                    At::Quoted => {
                        Err(Broken::Lost(raw.line, "a quote of this row is never closed".to_owned()))
                    }
                    _ if !any => Ok(None),
                    _ => Ok(Some(raw.finish(problem, at == At::Cell, self.line_end))),
                };
            };
            any = true;
            if byte == b'\r' && !self.knows_line_end && at != At::Quoted {
                let next = self.byte()?;
                if next.is_some_and(|next| next != b'\n') {
                    self.line_end = b'\r';
                }
                self.knows_line_end = true;
                self.ahead = next;
            }
            if byte == self.line_end {
                self.line += 1;
                if at != At::Quoted {
                    self.knows_line_end = true;
                    return Ok(Some(raw.finish(problem, at == At::Cell, self.line_end)));
                }
            }
            let next = at.after(byte, self.line_end, self.kind);
            match (at, next) {
                (At::CellStart, At::Quoted) => raw.quoted = true,
                (_, At::Quoted | At::Cell) => raw.text.push(byte),
                (_, At::CellStart) => raw.ends.push(raw.text.len()),
                (At::Quote | At::QuoteReturn, At::Bad) => {
                    problem.get_or_insert_with(|| AFTER_QUOTE.to_owned());
                }
                (_, At::Quote | At::QuoteReturn | At::Bad) => {}
            }
            at = next;
        }
    }
}

/// A row as raw bytes.
#[derive(Default)]
struct Raw {
    line: u64,
    start: u64,
    /// The concatenated cells, without their quotes.
    text: Vec<u8>,
    /// The end of each cell except the last.
    ends: Vec<usize>,
    /// True if any cell is quoted.
    quoted: bool,
}

impl Raw {
    /// Returns the row with its cells. A carriage return before a line feed is part of the line end, unless it is quoted.
    fn finish(mut self, problem: Option<String>, unquoted_end: bool, line_end: u8) -> (Row, bool) {
        if unquoted_end && line_end == b'\n' && self.text.last() == Some(&b'\r') {
            self.text.pop();
        }
        let (line, start, quoted) = (self.line, self.start, self.quoted);
        (Row { line, start, cells: problem.map_or_else(|| self.split(), Err) }, quoted)
    }

    fn split(self) -> Result<Vec<String>, String> {
        let text = String::from_utf8(self.text).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            let column = self.ends.iter().filter(|end| **end <= at).count() + 1;
            format!("not valid UTF-8 (cell {column}){NOT_UTF8_ADVICE}")
        })?;
        let mut start = 0;
        let ends = self.ends.iter().copied().chain([text.len()]);
        // A cell never ends within a character, because delimiters are ASCII characters.
        Ok(ends
            .map(|end| {
                let cell = text.get(start..end).unwrap_or_default().to_owned();
                start = end;
                cell
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows as `line: cells` or `line! problem`, followed by the error of the stream.
    fn rows(text: &[u8], kind: Delimited) -> Vec<String> {
        // A buffer of one byte must not change the result.
        let single = std::io::BufReader::with_capacity(1, text);
        let (found, again) = (all(Rows::new(text, kind, 0)), all(Rows::new(single, kind, 0)));
        assert_eq!(found, again);
        found
    }

    fn all(mut rows: Rows<impl BufRead>) -> Vec<String> {
        let mut out = Vec::new();
        loop {
            match rows.next() {
                Ok(None) => return out,
                Ok(Some(Row { line, cells: Ok(cells), .. })) => {
                    out.push(format!("{line}: {}", cells.join("|")));
                }
                Ok(Some(Row { line, cells: Err(problem), .. })) => out.push(format!("{line}! {problem}")),
                Err(Broken::Lost(line, problem)) => {
                    out.push(format!("{line}? {problem}"));
                    return out;
                }
                Err(Broken::Stream(e)) => panic!("{e}"),
            }
        }
    }

    fn csv(text: &str) -> Vec<String> {
        rows(text.as_bytes(), Delimited::Csv)
    }

    #[test]
    fn quotes_and_lines_of_csv() {
        assert_eq!(csv(""), [""; 0]);
        assert_eq!(csv("a,b"), ["1: a|b"]);
        assert_eq!(csv("a,b\r\n\r\n\n1,\"2\"\r\n"), ["1: a|b", "4: 1|2"]);
        assert_eq!(
            csv("a,b\n\"x, \"\"y\"\"\",1\n\"two\nlines\r\n\",2\nz,\n,5\" disk"),
            ["1: a|b", "2: x, \"y\"|1", "3: two\nlines\r\n|2", "6: z|", "7: |5\" disk"]
        );
        assert_eq!(csv("a\n\"\"\n\nx\n"), ["1: a", "2: ", "4: x"]);
        assert_eq!(csv("a,b\rx,\"y\rz\"\r\rv,w"), ["1: a|b", "2: x|y\rz", "5: v|w"]);
        assert_eq!(csv("a,b\r\nx\rx,\"y\r\"\r\n"), ["1: a|b", "2: x\rx|y\r"]);
    }

    #[test]
    fn quotes_are_letters_in_tsv() {
        let text = b"a\tb\r\n\"x\t1\r\n\r\ny\"\t\"2\"\n\tz\rz\n";
        assert_eq!(rows(text, Delimited::Tsv), ["1: a|b", "2: \"x|1", "4: y\"|\"2\"", "5: |z\rz"]);
    }

    #[test]
    fn a_bad_row_leaves_its_neighbours_alone() {
        let found = csv("a,b\n1,\"2\" x,\"\n3,4\n");
        assert_eq!(found, ["1: a|b".to_owned(), format!("2! {AFTER_QUOTE}"), "3: 3|4".to_owned()]);
        let found = rows(b"a,b\n1,\xff\n3,4\n", Delimited::Csv);
        assert_eq!(found, ["1: a|b", &format!("2! not valid UTF-8 (cell 2){NOT_UTF8_ADVICE}"), "3: 3|4"]);
    }

    #[test]
    fn a_long_row_ends_where_its_cells_end() {
        let long = "y".repeat(MAX_LINE_BYTES + 1);
        let quoted = "y\n".repeat(MAX_LINE_BYTES);
        let after = 3 + MAX_LINE_BYTES;
        for (row, next) in [
            (long.clone(), 3),
            (format!("{long},\"z\n\""), 4),
            (format!("\"{quoted}\""), after),
            (format!("\"{quoted}\"\"\",\"{quoted}\""), after + MAX_LINE_BYTES),
            (format!("1,\"{quoted}\" z"), after),
        ] {
            let found = all(Rows::new(format!("a,b\n{row}\nx,y\n").as_bytes(), Delimited::Csv, 0));
            assert_eq!(found, ["1: a|b", "2! the row is longer than 16 MiB", &format!("{next}: x|y")]);
        }
    }

    #[test]
    fn an_open_quote_ends_the_table() {
        assert_eq!(csv("a\n1\n\"2\n3\n"), ["1: a", "2: 1", "3? a quote of this row is never closed"]);
        let long = format!("a\n\"{}", "y\n".repeat(MAX_LINE_BYTES));
        let found = all(Rows::new(long.as_bytes(), Delimited::Csv, 0));
        assert_eq!(found, ["1: a", "2? a quote of this row is never closed"]);
    }

    #[test]
    fn rows_are_those_of_the_csv_crate() {
        let pieces = ["a", "\"", "\"\"", ",", "\n", "\r\n", " ", "é", "\"b,\nc\"", ",\"x\","];
        let mut state = 7u64;
        let mut compared = 0;
        for _ in 0..20_000 {
            let mut text = "h,h\n".to_owned();
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let found = csv(&text);
            // The crate accepts misplaced quotes.
            if found.iter().any(|row| row.contains('!') || row.contains('?')) {
                continue;
            }
            let mut reader =
                ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<String> = reader
                .records()
                .map(|record| record.expect("reads").iter().collect::<Vec<_>>().join("|"))
                .collect();
            let found: Vec<&str> = found.iter().filter_map(|row| row.split_once(": ")).map(|r| r.1).collect();
            assert_eq!(found, expected, "{text:?}");
            compared += 1;
        }
        assert!(compared > 5_000, "{compared}");
    }
}
