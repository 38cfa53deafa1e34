//! Finds the start of a row in the middle of a CSV file, without reading everything before it.
//!
//! A line feed either ends a row or is part of a quoted cell. Which of these is true after a given line feed depends on
//! all preceding quotes. However, a reader that assumes the former and a reader that assumes the latter soon agree on the
//! start of a row: the wrong one sees the content of a cell as text after a closing quote, and both then skip to the end
//! of the line. Compare Ge et al. 2019, "Speculative Distributed CSV Data Parsing for Big Data Analytics".

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};

use super::Delimited;
use super::rows::{At, Broken, Rows};
use crate::io::lines::MAX_LINE_BYTES;

const BUFFER: usize = 1 << 16;

/// Number of bytes within which the two readers should agree. A row is rarely longer, so the start that they find later
/// may be far from `from`.
const FARTHEST: u64 = MAX_LINE_BYTES as u64;

/// Finds the start of a row at or after `from`, the first byte of a line. `rows` is the offset of the first row after the
/// header. If there is no such row, returns `length`, the size of the file in bytes. The result depends on nothing else,
/// so two parts of a file that meet at `from` agree.
///
/// For most files, this reads a few lines; without quotes, everything after `from`. If the two readers do not agree within
/// 16 MiB, because there are almost no quotes or all quoted cells are empty or contain only commas and line breaks, reads
/// the file from its beginning.
///
/// # Errors
/// Those of [`Rows::next`].
pub(super) fn row_start(
    file: &File,
    kind: Delimited,
    rows: u64,
    from: u64,
    length: u64,
) -> Result<u64, Broken> {
    if from == 0 || from >= length {
        return Ok(from.min(length));
    }
    if from <= rows {
        return Ok(rows);
    }
    match agreed(file, kind, from).map_err(Broken::Stream)? {
        Some(start) => Ok(start),
        None => from_beginning(file, kind, rows, from, length),
    }
}

/// Returns the offset at which both readers start a row; `None` if they do not agree.
fn agreed(mut file: &File, kind: Delimited, from: u64) -> std::io::Result<Option<u64>> {
    file.seek(SeekFrom::Start(from))?;
    let mut stream = BufReader::with_capacity(BUFFER, file);
    let (mut outside, mut inside) = (At::CellStart, At::Quoted);
    let (mut position, mut quotes) = (from, false);
    loop {
        let buffer = match stream.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            // Without a quote, a quoted cell around `from` would never be closed.
            return Ok(if quotes { None } else { Some(from) });
        }
        if quotes && position - from > FARTHEST {
            return Ok(None);
        }
        let read = buffer.len();
        if !quotes && !buffer.contains(&b'"') {
            let last = buffer[read - 1];
            outside = if last == b'\n' || last == kind.delimiter() { At::CellStart } else { At::Cell };
            position += read as u64;
            stream.consume(read);
            continue;
        }
        for byte in buffer {
            position += 1;
            quotes |= *byte == b'"';
            outside = outside.after(*byte, b'\n', kind);
            inside = inside.after(*byte, b'\n', kind);
            if *byte == b'\n' && outside == inside && outside != At::Quoted {
                return Ok((position - from <= FARTHEST).then_some(position));
            }
        }
        stream.consume(read);
    }
}

/// Returns the start of the first row at or after `from`, found by reading all rows before it.
fn from_beginning(
    mut file: &File,
    kind: Delimited,
    rows: u64,
    from: u64,
    length: u64,
) -> Result<u64, Broken> {
    file.seek(SeekFrom::Start(rows)).map_err(Broken::Stream)?;
    let mut rows = Rows::within(BufReader::with_capacity(BUFFER, file), kind, rows);
    while let Some(row) = rows.next()? {
        if row.start >= from {
            return Ok(row.start);
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8], from: u64) -> Result<u64, Broken> {
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&path, text).expect("writes");
        row_start(&File::open(&path).expect("opens"), Delimited::Csv, 0, from, text.len() as u64)
    }

    /// Returns the starts of all rows, and the end; `None` if a quote is never closed.
    fn starts(text: &[u8]) -> Option<Vec<u64>> {
        let mut rows = Rows::new(text, Delimited::Csv, 0);
        let mut starts = Vec::new();
        loop {
            match rows.next() {
                Ok(Some(row)) => starts.push(row.start),
                Ok(None) => break,
                Err(_) => return None,
            }
        }
        starts.push(text.len() as u64);
        Some(starts)
    }

    #[test]
    fn a_row_begins_there_whatever_comes_before() {
        let pieces =
            ["a", "\"", "\"\"", ",", "\n", "\r\n", " ", "\"b,\nc\"", ",\"x\",", "\n\"\"\n", "\",\"\n"];
        let (mut state, mut compared) = (11u64, 0);
        for _ in 0..3_000 {
            let mut text = "h,h\n".to_owned();
            for _ in 0..16 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
            }
            let text = text.as_bytes();
            let Some(starts) = starts(text) else { continue };
            for (i, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let start = found(text, i as u64 + 1).expect("reads");
                // Blank lines between rows belong to no row.
                let row = starts.iter().find(|row| **row >= start).expect("the end is one");
                let between = &text[start as usize..*row as usize];
                assert!(between.iter().all(|byte| b"\r\n".contains(byte)), "{start} in {text:?}");
                compared += 1;
            }
        }
        assert!(compared > 1_000, "{compared}");
    }

    #[test]
    fn a_few_lines_are_enough_where_cells_have_text() {
        let text = b"id,text\n1,\"a\n2,b\n3,c\"\n4,\"d\"\n5,e\n";
        assert_eq!(found(text, 13).expect("reads"), 22, "after the line in which the quote is closed");
        assert_eq!(found(text, 17).expect("reads"), 22);
        assert_eq!(found(b"a\n1\n2\n3\n", 4).expect("reads"), 4, "no quotes");
    }

    #[test]
    fn a_cell_may_be_longer_than_any_accepted_row() {
        let text = "a\n".repeat(MAX_LINE_BYTES);
        let plain = format!("{text}\"x\"\n");
        assert_eq!(found(plain.as_bytes(), 2).expect("reads"), 2, "rows without quotes");
        let long = format!("\"{text}\"\n\"x\"\n");
        let next = long.len() as u64 - 4;
        assert_eq!(found(long.as_bytes(), 3).expect("reads"), next, "within a long cell");
    }

    #[test]
    fn cells_without_letters_are_read_from_the_beginning() {
        let text = b"a,b\n1,\"\"\n2,\"\"\n\"\",\",\n\"\n";
        assert_eq!(found(text, 9).expect("reads"), 9);
        assert_eq!(found(text, 19).expect("reads"), text.len() as u64);
    }
}
