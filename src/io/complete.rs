//! Counts the complete records in an interrupted output.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use super::array::{ArrayKind, ArrayLayout, Rows};
use super::fields::Fields;
use super::lines::MAX_LINE_BYTES;
use super::output::{Format, OutputTarget};
use super::tables::{Delimited, ends_empty, has_errors, row_is_closed, split_row};
use crate::error::{Error, Result};

/// The complete part of an interrupted output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// Number of complete records.
    pub records: u64,
    /// Length in bytes up to the end of the last complete record.
    pub bytes: u64,
    /// Number of records with an error, or rows of NaN in an array, instead of predictions.
    pub failed: u64,
    /// The columns of a table.
    pub header: Option<Arc<[String]>>,
}

/// The first row of an interrupted CSV or TSV file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRow {
    /// It contains the names of the columns.
    Present,
    /// It is a record, because the file belongs to a shard other than the first.
    Absent {
        /// True if the last column contains the errors of failed records.
        with_errors: bool,
    },
}

impl Complete {
    /// Returns true if the records of an interrupted output in this format can be counted.
    pub fn is_known(format: Format) -> bool {
        match format {
            Format::Jsonl => true,
            Format::Array(layout) => layout.kind == ArrayKind::Npy && !layout.ragged,
            Format::Table(kind) => kind.delimited().is_some(),
            Format::Text | Format::Json | Format::Conll | Format::Squad => false,
        }
    }

    /// Counts the records in the partial file that an interrupted run left for `target`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(target: &OutputTarget, format: Format, header: HeaderRow) -> Result<Self> {
        let Some(leftover) = target.leftover() else { return Ok(Self::default()) };
        Self::of_file(&leftover.path, format, header)
    }

    /// Counts the records in a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of_file(path: &Path, format: Format, header: HeaderRow) -> Result<Self> {
        File::open(path).and_then(|file| Self::in_file(file, format, header)).map_err(Error::io(path, "read"))
    }

    fn in_file(file: File, format: Format, header: HeaderRow) -> std::io::Result<Self> {
        match format {
            Format::Jsonl => lines(BufReader::with_capacity(1 << 18, file)),
            Format::Table(kind) => match kind.delimited() {
                Some(kind) => rows(BufReader::with_capacity(1 << 18, file), kind, header),
                None => Ok(Self::default()),
            },
            Format::Array(layout) if Self::is_known(format) => {
                let header = layout.header(&Rows::new(0)).len();
                array_rows(BufReader::with_capacity(1 << 18, file), header, layout)
            }
            _ => Ok(Self::default()),
        }
    }
}

/// Counts lines up to the first incomplete one. After a power failure, a disk may contain zeros in place of data.
fn lines(mut stream: impl BufRead) -> std::io::Result<Complete> {
    let mut complete = Complete::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = stream.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') || line.contains(&0) {
            return Ok(complete);
        }
        let Ok(text) = std::str::from_utf8(&line) else { return Ok(complete) };
        complete.records += 1;
        complete.bytes += length as u64;
        complete.failed += u64::from(text.contains("\"error\":") && is_failure(text));
    }
}

/// Counts rows after the header, up to the first incomplete one.
fn rows(mut stream: impl BufRead, kind: Delimited, first: HeaderRow) -> std::io::Result<Complete> {
    let mut complete = Complete::default();
    let mut with_errors = matches!(first, HeaderRow::Absent { with_errors: true });
    let mut in_header = first == HeaderRow::Present;
    let mut bytes = 0;
    let mut row = Vec::new();
    let mut closed = true;
    loop {
        // A line break may be inside quotes.
        let start = row.len();
        let length = stream.read_until(b'\n', &mut row)?;
        let line = &row[start..];
        if line.last() != Some(&b'\n') || line.contains(&0) || row.len() > MAX_LINE_BYTES {
            return Ok(complete);
        }
        closed = row_is_closed(line, kind, closed);
        bytes += length as u64;
        if !closed {
            continue;
        }
        if in_header {
            let Some(header) = split_row(&row, kind) else { return Ok(complete) };
            with_errors = has_errors(&header);
            complete.header = Some(header.into());
            in_header = false;
        } else if std::str::from_utf8(&row).is_err() {
            return Ok(complete);
        } else {
            complete.records += 1;
            complete.bytes = bytes;
            complete.failed += u64::from(with_errors && !ends_empty(&row, kind));
        }
        row.clear();
    }
}

/// Counts the rows of an array after its header.
fn array_rows(mut stream: impl BufRead, header: usize, layout: ArrayLayout) -> std::io::Result<Complete> {
    let mut complete = Complete::default();
    let mut row = vec![0; header];
    let mut bytes = 0;
    loop {
        match stream.read_exact(&mut row) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(complete),
            Err(e) => return Err(e),
        }
        if bytes > 0 {
            complete.records += 1;
            complete.bytes = bytes + row.len() as u64;
            complete.failed += u64::from(layout.is_failed(&row));
        }
        bytes += row.len() as u64;
        row.resize(layout.row_bytes().max(1), 0);
    }
}

/// Returns true for a record with an error in place of predictions.
fn is_failure(line: &str) -> bool {
    Fields::parse(line.trim_end())
        .is_ok_and(|fields| fields.raw("error").is_some() && fields.raw("predictions").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::TableKind;
    use std::io::{Seek, Write};

    fn complete(bytes: &[u8], format: Format) -> (u64, u64, u64) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).and_then(|()| file.rewind()).expect("writes");
        let found = Complete::in_file(file, format, HeaderRow::Present).expect("reads");
        (found.records, found.bytes, found.failed)
    }

    #[test]
    fn lines_count_up_to_the_first_that_is_not_complete() {
        let of = |text: &[u8]| complete(text, Format::Jsonl);
        assert_eq!(of(b""), (0, 0, 0));
        assert_eq!(of(b"{}\n{}"), (1, 3, 0));
        assert_eq!(of(b"{}\n{\"error\":\"x\"}\n{\"error\":1,\"predictions\":[]}\n{"), (3, 46, 1));
        assert_eq!(of(b"{}\n{\"text\":\"\\\"error\\\":\",\"predictions\":[]}\n"), (2, 42, 0));
        assert_eq!(of(b"{}\n\0\0\0\0\n{}\n"), (1, 3, 0));
        assert_eq!(of(b"{}\n\xff\n{}\n"), (1, 3, 0));
    }

    #[test]
    fn rows_of_a_table_count_up_to_the_first_that_is_not_complete() {
        let csv = |text: &[u8]| complete(text, Format::Table(TableKind::Csv));
        assert_eq!(csv(b""), (0, 0, 0));
        assert_eq!(csv(b"text,label\n"), (0, 0, 0));
        assert_eq!(csv(b"text,label\na,x\nb,"), (1, 15, 0));
        // Line breaks and quotes inside cells.
        assert_eq!(csv(b"text,label\n\"a\n\"\"b\"\"\n\",x\n\"c\n"), (1, 24, 0));
        assert_eq!(csv(b"\"te\nxt\",label,error\na,x,\nb,,\"bad, bad\"\nc,\"x,\",\n"), (3, 47, 1));
        assert_eq!(csv(b"text,label\na,x\n\0\0\n"), (1, 15, 0));
        assert_eq!(csv(b"text,label\na,x\n\xff,y\n"), (1, 15, 0));
        let shard = |with_errors| {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(b"a,x,\nb,,bad\n").and_then(|()| file.rewind()).expect("writes");
            let format = Format::Table(TableKind::Csv);
            Complete::in_file(file, format, HeaderRow::Absent { with_errors }).expect("reads")
        };
        assert_eq!((shard(true).records, shard(true).failed, shard(false).failed), (2, 1, 0));
        let tsv = |text: &[u8]| complete(text, Format::Table(TableKind::Tsv));
        assert_eq!(tsv(b"text\tlabel\talbert_error\n\"a\tx\t\nb\t\tbad\nc"), (2, 37, 1));
    }

    #[test]
    fn rows_of_an_array_are_counted() {
        let layout = ArrayLayout { kind: ArrayKind::Npy, columns: 2, ragged: false, half: false };
        let of = |length: usize, layout| complete(&vec![1; length], Format::Array(layout));
        assert_eq!(of(0, layout), (0, 0, 0));
        assert_eq!(of(100, layout), (0, 0, 0));
        assert_eq!(of(128 + 7, layout), (0, 0, 0));
        assert_eq!(of(128 + 8 + 8 + 3, layout), (2, 144, 0));
        assert_eq!(of(128 + 8 + 8 + 3, ArrayLayout { half: true, ..layout }), (4, 144, 0));
        // 0xffff is NaN in both types.
        let mut rows = vec![1; 128 + 24];
        rows[136..144].fill(0xff);
        assert_eq!(complete(&rows, Format::Array(layout)), (3, 152, 1));
        assert_eq!(complete(&rows, Format::Array(ArrayLayout { half: true, ..layout })), (6, 152, 2));
        assert!(!Complete::is_known(Format::Array(ArrayLayout { ragged: true, ..layout })));
    }
}
