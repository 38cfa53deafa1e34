//! Records that are processed together.

use std::cell::RefCell;
use std::collections::HashSet;

use rayon::prelude::*;

use super::entry::{object, raw, table_row, unwritable};
use super::{Finite, NOT_FINITE, Observer, OnError, Outcome, Render, SharedWriter, StreamOptions, run_rows};
use crate::error::{Error, Result};
use crate::io::{Entry, Format, Record, RecordBody, RecordReader, TableLayout};

/// Maximum number of records in a window.
const MOST_RECORDS: usize = 8192;

/// Maximum number of rows in a window of a task with several rows per record.
const MOST_ROWS: usize = 4096;

/// Maximum bytes of text in a window.
const MOST_BYTES: usize = 2 << 20;

/// Number of batches that a window should fill, so that batches have rows of similar length and none is nearly empty.
/// Larger windows use more memory, delay the output of their first records, and lose more work when a run is interrupted.
const BATCHES: usize = 4;

/// Average number of bytes per token in English text.
const BYTES_PER_TOKEN: usize = 4;

/// The maximum size of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowLimits {
    records: usize,
    bytes: usize,
}

impl WindowLimits {
    /// Returns the limits for a task with about `rows` rows per record, and batches of `batch_tokens` tokens.
    pub(super) fn new(rows: usize, batch_tokens: usize) -> Self {
        let rows = rows.max(1);
        let bytes = batch_tokens.saturating_mul(BATCHES * BYTES_PER_TOKEN).min(MOST_BYTES);
        let records = if rows > 1 { MOST_ROWS / rows } else { MOST_RECORDS };
        Self { records: records.max(1), bytes: bytes / rows }
    }
}

/// Waits for a record and takes all records that are already available, up to a window. Also returns the error that ended
/// reading, if any. Returns `None` at the end.
pub(super) fn next_window(
    reader: &RecordReader,
    limits: WindowLimits,
) -> Option<(Vec<Record>, Option<Error>)> {
    let mut records = Vec::new();
    let mut bytes = 0;
    let mut next = reader.wait();
    loop {
        match next {
            None => break,
            Some(Err(error)) => return Some((records, Some(error))),
            Some(Ok(record)) => {
                bytes += record.size();
                records.push(record);
            }
        }
        if records.len() >= limits.records || bytes >= limits.bytes {
            break;
        }
        next = reader.ready();
    }
    if records.is_empty() { None } else { Some((records, None)) }
}

/// A window of records in progress.
pub(super) struct Window<'a, T: Render> {
    pub(super) task: &'a T,
    pub(super) reader: &'a RecordReader,
    pub(super) writer: &'a SharedWriter,
    pub(super) options: StreamOptions,
    pub(super) table: Option<&'a TableLayout>,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) outcome: &'a mut Outcome,
    /// The keys of all records so far, in a format that has keys.
    pub(super) keys: &'a mut HashSet<String>,
    /// The first record that failed after encoding, with its problem, if such a failure stops the stream.
    pub(super) failed: Option<(usize, String)>,
}

impl<T: Render> Window<'_, T> {
    pub(super) fn run(mut self, mut records: Vec<Record>) -> Result<()> {
        let first = self.outcome.records + self.outcome.failed;
        if let Some(record) = records.iter().find(|record| self.reader.is_unexpected_text(record)) {
            let (source, line) = self.reader.place(record);
            self.observer.unexpected_text(&source, line);
        }
        let mut items: Vec<std::result::Result<T::Item, String>> = records
            .par_iter()
            .map(|record| match &record.body {
                Ok(body) => self.task.encode(body),
                Err(problem) => Err(problem.clone()),
            })
            .collect();
        if self.options.format == Format::Squad {
            self.refuse_repeated_keys(&mut items);
        }
        if self.options.on_error == OnError::Stop
            && let Some(bad) = items.iter().position(std::result::Result::is_err)
        {
            items.truncate(bad + 1);
            records.truncate(bad + 1);
        }

        let good: Vec<(usize, &T::Item)> = items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| item.as_ref().ok().map(|item| (i, item)))
            .collect();
        let mut bad: Vec<(usize, &String)> =
            items.iter().enumerate().filter_map(|(i, item)| item.as_ref().err().map(|e| (i, e))).collect();
        let stopping = self.options.on_error == OnError::Stop;
        if !stopping {
            for (i, problem) in bad.drain(..) {
                self.fail(first, i, &mut records[i], problem)?;
            }
        }
        self.predict(first, &good, &mut records)?;
        if let Some((i, problem)) = self.failed.take() {
            self.outcome.stopped = true;
            self.outcome.failed += 1;
            let error = self.error(&records[i], &problem);
            self.observer.record_failed(&error);
            return Ok(());
        }
        for (i, problem) in bad {
            self.outcome.stopped = true;
            self.outcome.failed += 1;
            self.observer.record_failed(&self.error(&records[i], problem));
        }
        Ok(())
    }

    /// Replaces items whose key has occurred before by an error: a reader of the file would keep only one of them.
    fn refuse_repeated_keys(&mut self, items: &mut [std::result::Result<T::Item, String>]) {
        for item in items {
            let key = item.as_ref().ok().and_then(|item| self.task.native_key(item));
            if let Some(key) = key
                && !self.keys.insert(key.clone())
            {
                *item = Err(format!("{key} was answered before; this format has one answer per id"));
            }
        }
    }

    /// Reports a field of the input that the output replaces.
    fn note_replaced(&mut self, record: &Record, name: &str) {
        if matches!(&record.body, Ok(RecordBody::Object(fields)) if fields.raw(name).is_some()) {
            let (source, line) = self.reader.place(record);
            self.observer.field_replaced(&source, line, name);
        }
    }

    /// Runs the rows of all valid records through the model. A record is finished as soon as its last row is.
    fn predict(&mut self, first: u64, good: &[(usize, &T::Item)], records: &mut [Record]) -> Result<()> {
        let (task, batch_tokens) = (self.task, self.options.batch_tokens);
        let items: Vec<&T::Item> = good.iter().map(|(_, item)| *item).collect();
        let this = RefCell::new(self);
        run_rows(
            task,
            &items,
            batch_tokens,
            &mut |g, outputs| {
                let (i, item) = good[g];
                this.borrow_mut().finish(first, i, &mut records[i], item, outputs)
            },
            &mut || {
                let mut this = this.borrow_mut();
                let records = this.outcome.records;
                this.observer.finished(records);
            },
        )
    }

    fn finish(
        &mut self,
        first: u64,
        i: usize,
        record: &mut Record,
        item: &T::Item,
        outputs: Vec<T::Output>,
    ) -> Result<()> {
        // The writer receives no entry for the record that stops the stream, so it holds back the records after it.
        if self.failed.as_ref().is_some_and(|(stop, _)| *stop <= i) {
            return Ok(());
        }
        if !outputs.iter().all(Finite::is_finite) {
            return self.fail_late(first, i, record, NOT_FINITE);
        }
        let prediction = self.task.decode(item, outputs)?;
        let row = match self.table {
            Some(layout) => {
                let cells = match self.task.cells(item, &prediction) {
                    Ok(cells) => cells,
                    Err(problem) => return self.fail_late(first, i, record, &problem),
                };
                let row = table_row(record, self.task.text_field(), Ok(cells))?;
                match row.reason_unsupported(layout) {
                    None => Some(row),
                    Some(problem) => {
                        record.body = Ok(RecordBody::Object(row.fields));
                        return self.fail_late(first, i, record, &problem);
                    }
                }
            }
            None => None,
        };
        let truncated = self.task.truncated(item);
        if truncated {
            self.outcome.truncated += 1;
            let (source, line) = self.reader.place(record);
            let is_marked = matches!(self.options.format, Format::Json | Format::Jsonl);
            self.observer.record_truncated(&source, line, is_marked);
        }
        self.outcome.records += 1;
        if let Some(row) = row {
            return self.writer.put(first + i as u64, Entry::Row(Box::new(row)));
        }
        let entry = match self.options.format {
            Format::Text => self.task.text(item, &prediction, self.options.color).into_bytes(),
            Format::Json | Format::Jsonl => {
                let mut extra = vec![("predictions", self.task.json(item, &prediction).map_err(unwritable)?)];
                extra.extend(self.task.extra_fields(item, &prediction).map_err(unwritable)?);
                if truncated {
                    extra.push(("truncated", raw(&true)?));
                }
                self.note_replaced(record, "predictions");
                object(record, self.task.text_field(), extra)?
            }
            Format::Conll | Format::Squad | Format::Array(_) | Format::Table(_) => {
                self.task.native(item, &prediction)
            }
        };
        self.writer.put(first + i as u64, entry.into())
    }

    /// Handles the failure of a record that was encoded and has no output yet.
    fn fail_late(&mut self, first: u64, i: usize, record: &mut Record, problem: &str) -> Result<()> {
        if self.options.on_error == OnError::Skip {
            return self.fail(first, i, record, problem);
        }
        self.failed = Some((i, problem.to_owned()));
        Ok(())
    }

    fn error(&self, record: &Record, problem: &str) -> Error {
        Error::Record {
            source_name: record.source.to_string(),
            line: self.reader.line(record),
            problem: problem.to_owned(),
        }
    }

    fn fail(&mut self, first: u64, i: usize, record: &mut Record, problem: &str) -> Result<()> {
        self.observer.record_failed(&self.error(record, problem));
        self.outcome.failed += 1;
        record.line = self.reader.line(record);
        let problem = (self.options.rephrase_error)(problem);
        if self.table.is_some() {
            let row = table_row(record, self.task.text_field(), Err(problem))?;
            return self.writer.put(first + i as u64, Entry::Row(Box::new(row)));
        }
        let entry = match self.options.format {
            Format::Text => Vec::new(),
            Format::Json | Format::Jsonl => {
                self.note_replaced(record, "error");
                object(record, self.task.text_field(), vec![("error", raw(&problem)?)])?
            }
            Format::Conll | Format::Squad | Format::Array(_) | Format::Table(_) => self.task.native_failure(),
        };
        self.writer.put(first + i as u64, entry.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{InputFormat, Source};

    #[test]
    fn windows_hold_several_batches() {
        let limits = |rows, batch_tokens| {
            let WindowLimits { records, bytes } = WindowLimits::new(rows, batch_tokens);
            (records, bytes)
        };
        assert_eq!(limits(1, 512), (MOST_RECORDS, 512 * BATCHES * BYTES_PER_TOKEN));
        assert_eq!(limits(1, usize::MAX), (MOST_RECORDS, MOST_BYTES));
        assert_eq!(limits(8, 16_384), (512, 2048 * BATCHES * BYTES_PER_TOKEN));
        assert_eq!(limits(100_000, 512), (1, 0));
    }

    #[test]
    fn windows_are_bounded_and_complete() {
        let text = "one two three four five six seven".to_owned();
        for (limits, most) in [
            (WindowLimits::new(1, 512), 249),
            (WindowLimits::new(500, 1 << 16), 8),
            (WindowLimits::new(1, 0), 1),
        ] {
            let source = Source::Arguments(vec![text.clone(); 1000]);
            let reader = RecordReader::open(&source, InputFormat::Text).expect("opens");
            let mut sizes = Vec::new();
            while let Some((records, problem)) = next_window(&reader, limits) {
                assert!(problem.is_none());
                sizes.push(records.len());
            }
            assert!(sizes.iter().all(|size| (1..=most).contains(size)), "{limits:?} {sizes:?}");
            assert_eq!(sizes.iter().sum::<usize>(), 1000);
        }
    }
}
