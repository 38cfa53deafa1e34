//! Writing records in input order, whatever order they were finished in.

use std::collections::VecDeque;

use super::array::ArrayLayout;
use super::output::{Format, OutputTarget};
use super::tables::{TableLayout, TableRow, TableWriter};
use crate::error::{Error, Result};

/// What is written for a record.
pub enum Entry {
    /// A JSON value, a text block with its line end, a member of an object, or rows of an array. Nothing is written if it is
    /// empty.
    Bytes(Vec<u8>),
    /// A row of a table.
    Row(Box<TableRow>),
}

impl From<Vec<u8>> for Entry {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Writes the entries of a bounded window in input order, each as soon as possible.
pub struct OrderedWriter {
    target: OutputTarget,
    format: Format,
    /// Entries starting with the first unwritten one; `None` for unfinished ones.
    waiting: VecDeque<Option<Entry>>,
    /// Index of the first entry of `waiting`.
    next: u64,
    written: u64,
    /// For arrays, the number of rows up to the end of each entry.
    ends: Vec<u64>,
    table: Option<TableWriter>,
}

impl OrderedWriter {
    /// Writes to `target`.
    pub fn new(target: OutputTarget, format: Format) -> Self {
        // The header of an array is written again at the end.
        let target = if matches!(format, Format::Array(_)) { target.seekable() } else { target };
        Self { target, format, waiting: VecDeque::new(), next: 0, written: 0, ends: vec![0], table: None }
    }

    /// Begins the table of [`Format::Table`], before its first row.
    ///
    /// # Errors
    /// [`crate::Error::Output`]; [`crate::Error::Input`] for names that the table cannot hold.
    pub fn begin_table(&mut self, layout: TableLayout) -> Result<()> {
        let mut out = Vec::new();
        self.table = Some(TableWriter::new(layout, &mut out).map_err(Error::Input)?);
        self.target.write(&out)
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

    fn write(&mut self, entry: Entry) -> Result<()> {
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
        Ok(())
    }

    fn write_row(&mut self, row: TableRow) -> Result<()> {
        let Some(table) = &mut self.table else { return Ok(()) };
        let mut out = Vec::new();
        let result = table.row(row, &mut out).map_err(Error::Input);
        self.target.write(&out)?;
        self.written += 1;
        result
    }

    fn write_rows(&mut self, layout: ArrayLayout, entry: &[u8]) -> Result<()> {
        if self.written == 0 {
            self.target.write(&layout.header(&[0]))?;
        }
        self.target.write(entry)?;
        self.written += 1;
        self.ends.push(self.ends.last().copied().unwrap_or(0) + layout.rows_in(entry));
        Ok(())
    }

    /// Number of entries written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Completes the output. See [`OutputTarget::finish`].
    ///
    /// # Errors
    /// [`crate::Error::Output`], [`crate::Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.close()?;
        self.target.finish()
    }

    /// Ends an interrupted output. See [`OutputTarget::keep_partial`].
    ///
    /// # Errors
    /// [`crate::Error::Output`], [`crate::Error::Io`].
    pub fn keep_partial(mut self) -> Result<Option<std::path::PathBuf>> {
        self.close()?;
        self.target.keep_partial()
    }

    fn close(&mut self) -> Result<()> {
        match (self.format, self.written) {
            (Format::Json, 0) => self.target.write(b"[]\n"),
            (Format::Json, _) => self.target.write(b"\n]\n"),
            (Format::Squad, 0) => self.target.write(b"{}\n"),
            (Format::Squad, _) => self.target.write(b"\n}\n"),
            (Format::Array(layout), written) => {
                if written == 0 {
                    self.target.write(&layout.header(&[0]))?;
                }
                self.target.write(&layout.trailer(&self.ends))?;
                self.target.write_over_start(&layout.header(&self.ends))
            }
            (Format::Table(_), _) => {
                let mut out = Vec::new();
                let result = self.table.as_mut().map_or(Ok(()), |table| table.end(&mut out));
                self.target.write(&out)?;
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
