//! Writes records in input order, whatever the order in which they were finished.

use std::collections::VecDeque;
use std::sync::Arc;

use super::array::{ArrayLayout, Rows};
use super::complete::Complete;
use super::numbered::Numbered;
use super::output::{Format, OutputTarget};
use super::tables::{TableLayout, TableRow, TableWriter, each_row};
use crate::error::{Error, Result};

/// The output of a record.
pub enum Entry {
    /// A JSON value, a text block with its line end, a member of an object, or rows of an array. Nothing is written if it
    /// is empty.
    Bytes(Vec<u8>),
    /// A row of a table.
    Row(Box<TableRow>),
}

impl From<Vec<u8>> for Entry {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Writes the entries of a bounded window in input order, each as early as possible.
pub struct OrderedWriter {
    target: OutputTarget,
    format: Format,
    /// Entries starting with the first unwritten one. `None` marks unfinished ones.
    waiting: VecDeque<Option<Entry>>,
    /// Index of the first entry of `waiting`.
    next: u64,
    written: u64,
    /// The rows of an array.
    rows: Rows,
    table: Option<TableWriter>,
    /// The columns of a table that is being continued.
    header: Option<Arc<[String]>>,
    /// True if a CSV or TSV file starts with its first record instead of a header.
    without_header: bool,
    series: Option<Series>,
}

/// Files that are written in sequence.
struct Series {
    files: Numbered,
    /// The number of the current file.
    number: u64,
    /// The description of the run, written for each file.
    description: Option<Vec<u8>>,
}

impl OrderedWriter {
    /// Creates a writer for `target`.
    pub fn new(target: OutputTarget, format: Format) -> Self {
        // The header of an array is rewritten at the end.
        let target = if matches!(format, Format::Array(_)) { target.seekable() } else { target };
        Self {
            target,
            format,
            waiting: VecDeque::new(),
            next: 0,
            written: 0,
            rows: Rows::new(0),
            table: None,
            header: None,
            without_header: false,
            series: None,
        }
    }

    /// Omits the header of a CSV or TSV file, for shards other than the first.
    #[must_use]
    pub fn without_header(mut self) -> Self {
        self.without_header = true;
        self
    }

    /// Makes the target the file with this number in a sequence of files.
    #[must_use]
    pub fn in_files(mut self, files: Numbered, number: u64) -> Self {
        self.series = Some(Series { files, number, description: None });
        self
    }

    /// Continues the partial file of an interrupted run. Without complete records, it starts over. `description` is as in
    /// [`OutputTarget::start`].
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn start(&mut self, complete: &Complete, description: Option<&[u8]>) -> Result<()> {
        if let Some(series) = &mut self.series {
            series.description = description.map(<[u8]>::to_vec);
        }
        self.written = complete.records;
        self.rows = Rows::new(complete.records);
        self.header.clone_from(&complete.header);
        self.target.start(complete.bytes, description)
    }

    /// Starts the table of [`Format::Table`]. Must be called before its first row.
    ///
    /// # Errors
    /// [`crate::Error::Output`]; [`crate::Error::Input`] for names that the table cannot contain, and for a continued
    /// table with different columns.
    pub fn begin_table(&mut self, layout: TableLayout) -> Result<()> {
        if let Some(header) = self.header.take() {
            self.table = Some(TableWriter::continued(layout, &header, self.written).map_err(Error::Input)?);
            // Files after the first have the same columns.
            return if self.written == 0 { self.begin_again() } else { Ok(()) };
        }
        let mut out = Vec::new();
        let is_text = layout.kind.is_text();
        self.table = Some(TableWriter::new(layout, &mut out).map_err(Error::Input)?);
        if self.without_header && is_text {
            return Ok(());
        }
        self.target.write(&out)?;
        self.target.end_record();
        Ok(())
    }

    fn begin_again(&mut self) -> Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let mut out = Vec::new();
        table.again(&mut out).map_err(Error::Input)?;
        self.target.write(&out)?;
        self.target.end_record();
        Ok(())
    }

    /// Switches to the next file if this one has all of its records. The next file is created before this one is
    /// completed, so that an interrupted run always leaves a partial file.
    fn next_file(&mut self) -> Result<()> {
        let Some(series) = &mut self.series else { return Ok(()) };
        if self.written < series.files.records() {
            return Ok(());
        }
        series.number += 1;
        let mut next = series.files.open(series.number)?;
        next.start(0, series.description.as_deref())?;
        self.close()?;
        self.target.flush_records()?;
        std::mem::replace(&mut self.target, next).finish()?;
        self.written = 0;
        self.rows = Rows::new(0);
        self.begin_again()
    }

    /// Adds the entry with this index (from 0).
    ///
    /// # Errors
    /// [`crate::Error::Output`]; [`crate::Error::Input`] for a row that does not fit the table.
    pub fn put(&mut self, index: u64, entry: impl Into<Entry>) -> Result<()> {
        let place = index.saturating_sub(self.next) as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        self.waiting[place] = Some(entry.into());
        let mut any = false;
        while let Some(Some(_)) = self.waiting.front() {
            if let Some(Some(entry)) = self.waiting.pop_front() {
                self.write(entry)?;
                any = true;
            }
            self.next += 1;
        }
        if any { self.target.flush() } else { Ok(()) }
    }

    /// Passes all finished entries to the operating system, so that they are kept however the process ends.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn flush(&mut self) -> Result<()> {
        self.target.flush_records()
    }

    fn write(&mut self, entry: Entry) -> Result<()> {
        self.next_file()?;
        let entry = match entry {
            Entry::Bytes(bytes) => bytes,
            Entry::Row(row) => return self.write_row(*row),
        };
        let entry = entry.as_slice();
        if let Format::Array(layout) = self.format {
            return self.write_rows(layout, entry);
        }
        if entry.is_empty() {
            return Ok(());
        }
        match self.format {
            Format::Text | Format::Conll | Format::Array(_) | Format::Table(_) => self.target.write(entry)?,
            Format::Jsonl => {
                self.target.write(entry)?;
                self.target.write(b"\n")?;
            }
            Format::Json => {
                self.target.write(if self.written == 0 { b"[\n" } else { b",\n" })?;
                self.target.write(entry)?;
            }
            Format::Squad => {
                self.target.write(if self.written == 0 { b"{\n" } else { b",\n" })?;
                self.target.write(entry)?;
            }
        }
        self.written += 1;
        self.target.end_record();
        Ok(())
    }

    fn write_row(&mut self, row: TableRow) -> Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let mut out = Vec::new();
        let result = table.row(row, &mut out).map_err(Error::Input);
        self.write_table(&out)?;
        self.written += 1;
        result
    }

    /// Writes rows, one per record.
    fn write_table(&mut self, rows: &[u8]) -> Result<()> {
        let Format::Table(kind) = self.format else { return Ok(()) };
        let Some(kind) = kind.delimited() else {
            self.target.write(rows)?;
            self.target.end_record();
            return Ok(());
        };
        for row in each_row(rows, kind) {
            self.target.write(row)?;
            self.target.end_record();
        }
        Ok(())
    }

    fn write_rows(&mut self, layout: ArrayLayout, entry: &[u8]) -> Result<()> {
        if self.written == 0 {
            self.target.write(&layout.header(&self.rows))?;
        }
        self.target.write(&layout.stored(entry))?;
        self.written += 1;
        self.rows.add(&layout, layout.rows_in(entry));
        self.target.end_record();
        Ok(())
    }

    /// Returns the number of entries written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Completes the output. See [`OutputTarget::finish`]. If that fails, complete records are kept as in
    /// [`Self::keep_partial`].
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        match self.close().and_then(|()| self.target.flush_records()) {
            Ok(()) => self.target.finish(),
            Err(error) => Err(match (error, self.keep_partial()) {
                (Error::Output { name, source }, Ok(Some(partial))) => {
                    let problem = format!("{source}; finished records are in {}", partial.display());
                    Error::Output { name, source: std::io::Error::new(source.kind(), problem) }
                }
                (error, _) => error,
            }),
        }
    }

    /// Ends an interrupted output: truncates it after the last complete record and closes open syntax. See
    /// [`OutputTarget::keep_partial`].
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn keep_partial(mut self) -> Result<Option<std::path::PathBuf>> {
        // After an error the buffer is empty, and the file may end within a record.
        let _failed = self.target.flush_records();
        self.cut();
        // A partial output without entries need not be closed.
        if self.written > 0 && self.close().and_then(|()| self.target.flush_records()).is_err() {
            self.cut();
        }
        self.target.keep_partial()
    }

    /// Truncates the output after the last complete record.
    fn cut(&mut self) {
        if let (Some(length), Format::Array(layout)) = (self.target.cut(), self.format) {
            self.rows.cut(&layout, length);
        }
    }

    fn close(&mut self) -> Result<()> {
        match (self.format, self.written) {
            (Format::Json, 0) => self.target.write(b"[]\n"),
            (Format::Json, _) => self.target.write(b"\n]\n"),
            (Format::Squad, 0) => self.target.write(b"{}\n"),
            (Format::Squad, _) => self.target.write(b"\n}\n"),
            (Format::Array(layout), written) => {
                if written == 0 {
                    self.target.write(&layout.header(&self.rows))?;
                }
                self.target.write(&layout.trailer(&self.rows))?;
                self.target.rewrite_header(&layout.header(&self.rows))
            }
            (Format::Table(_), _) => {
                let mut out = Vec::new();
                let result = self.table.as_mut().map_or(Ok(()), |table| table.end(&mut out));
                self.write_table(&out)?;
                result.map_err(Error::Input)
            }
            (Format::Text | Format::Conll | Format::Jsonl, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, puts: &[(u64, &str)]) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        let mut writer = OrderedWriter::new(OutputTarget::open(Some(&path)).expect("opens"), format);
        for (index, entry) in puts {
            writer.put(*index, entry.as_bytes().to_vec()).expect("writes");
        }
        writer.finish().expect("finishes");
        std::fs::read_to_string(path).expect("reads")
    }

    #[test]
    fn entries_leave_in_order() {
        assert_eq!(written(Format::Jsonl, &[(2, "c"), (0, "a"), (1, "b"), (3, "d")]), "a\nb\nc\nd\n");
    }

    #[test]
    fn one_array_for_json() {
        assert_eq!(written(Format::Json, &[(1, "2"), (0, "1")]), "[\n1,\n2\n]\n");
        assert_eq!(written(Format::Json, &[]), "[]\n");
        assert_eq!(written(Format::Squad, &[(0, "\"a\": \"b\"")]), "{\n\"a\": \"b\"\n}\n");
        assert_eq!(written(Format::Squad, &[]), "{}\n");
    }

    #[test]
    fn a_file_that_broke_off_does_not_take_the_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        let mut writer = OrderedWriter::new(OutputTarget::open(Some(&path)).expect("opens"), Format::Jsonl);
        writer.put(0, b"a".to_vec()).expect("writes");
        let partial = writer.keep_partial().expect("keeps").expect("a file");
        assert!(!path.exists());
        assert_eq!(std::fs::read_to_string(partial).expect("reads"), "a\n");
    }
}
