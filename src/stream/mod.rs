//! Running a task on a stream: windows of records are encoded in parallel, batched by length, and written in input order as
//! soon as possible. Memory is bounded by one window, however long the stream is.

mod finite;
mod rows;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::io::{
    Cell, Column, ColumnType, Entry, Fields, Format, OrderedWriter, Record, RecordBody, RecordReader,
    TableColumns, TableLayout, TableRow, columns_of_records,
};
use crate::tokenizer::Encoding;

pub use finite::{Finite, NOT_FINITE, check_finite};
pub use rows::{Done, run_rows};

/// Maximum number of records in a window.
const WINDOW_RECORDS: usize = 512;

/// Maximum bytes of text in a window.
const WINDOW_BYTES: usize = 2 << 20;

/// A task on records. A record becomes one or several rows, each of which is a sequence for the model. The rows of all records
/// in a window share batches.
pub trait Task: Sync {
    /// An encoded record.
    type Item: Send + Sync;
    /// The model's output for one row.
    type Output: Finite;
    /// The prediction for a record.
    type Prediction;

    /// The JSON field for a line of plain text in the output.
    fn text_field(&self) -> &str {
        "text"
    }

    /// Encodes a record.
    ///
    /// # Errors
    /// The problem with the record.
    fn encode(&self, body: &RecordBody) -> std::result::Result<Self::Item, String>;

    /// The sequences for the model; possibly none.
    fn rows<'a>(&self, item: &'a Self::Item) -> &'a [Encoding];

    /// Returns true if text was truncated.
    fn truncated(&self, item: &Self::Item) -> bool {
        self.rows(item).iter().any(|row| row.truncated)
    }

    /// Runs the model on one batch and returns one output per row.
    ///
    /// # Errors
    /// If the device fails.
    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Self::Output>>;

    /// Computes the prediction for a record from the outputs of its rows, in order.
    ///
    /// # Errors
    /// If decoding needs the model again and the device fails.
    fn decode(&self, item: &Self::Item, outputs: Vec<Self::Output>) -> Result<Self::Prediction>;

    /// The value of `predictions` in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn json(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<Box<RawValue>>;

    /// Additional fields of the record in JSON output.
    ///
    /// # Errors
    /// Errors of serde_json.
    fn more(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<More> {
        let _unused = (item, prediction);
        Ok(More::new())
    }

    /// The columns of predictions in a table.
    fn columns(&self) -> Vec<Column> {
        vec![Column::new("predictions", ColumnType::Json)]
    }

    /// The cells of [`Self::columns`] for a record.
    ///
    /// # Errors
    /// The reason why the prediction does not fit into them, which makes the record a failed one.
    fn cells(
        &self,
        item: &Self::Item,
        prediction: &Self::Prediction,
    ) -> std::result::Result<Vec<Cell>, String> {
        let json = self.json(item, prediction).map_err(|e| e.to_string())?;
        Ok(vec![Cell::Json(json.get().to_owned())])
    }

    /// Human-readable output, with ANSI colors if `color` is set.
    fn text(&self, item: &Self::Item, prediction: &Self::Prediction, color: bool) -> String;

    /// The record in a task-specific format: [`Format::Conll`], [`Format::Squad`], [`Format::Array`].
    fn own(&self, item: &Self::Item, prediction: &Self::Prediction) -> Vec<u8> {
        self.text(item, prediction, false).into_bytes()
    }

    /// The output for a failed record in a task-specific format; empty for none.
    fn own_failure(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Additional fields of a record, by name.
pub type More = Vec<(&'static str, Box<RawValue>)>;

/// The problem with a task that gives no prediction.
const NO_OUTPUT: &str = "the model gave no output";

/// Runs a task on one item, without a stream.
///
/// # Errors
/// Errors of [`Task::forward`] and [`Task::decode`].
pub fn predict<T: Task>(task: &T, item: &T::Item, batch_tokens: usize) -> Result<T::Prediction> {
    let mut predictions = predict_all(task, &[item], batch_tokens)?;
    predictions.pop().ok_or_else(|| Error::Input(NO_OUTPUT.to_owned()))
}

/// Runs a task on several items, without a stream. Rows of similar length share batches. Predictions come in the order of the
/// items.
///
/// # Errors
/// As [`predict`].
pub fn predict_all<T: Task>(task: &T, items: &[&T::Item], batch_tokens: usize) -> Result<Vec<T::Prediction>> {
    let mut predictions: Vec<Option<T::Prediction>> = items.iter().map(|_| None).collect();
    run_rows(
        task,
        items,
        batch_tokens,
        &mut |i, outputs| {
            if !outputs.iter().all(Finite::is_finite) {
                return Err(Error::Input(finite::NOT_FINITE.to_owned()));
            }
            predictions[i] = Some(task.decode(items[i], outputs)?);
            Ok(())
        },
        &mut || (),
    )?;
    let found = predictions.into_iter();
    found.map(|prediction| prediction.ok_or_else(|| Error::Input(NO_OUTPUT.to_owned()))).collect()
}

/// How to handle a record that cannot be processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Write everything before it and stop.
    #[default]
    Stop,
    /// Write an error in its place and continue.
    Skip,
}

/// Options of a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// Maximum padded tokens per forward pass.
    pub batch_tokens: usize,
    /// How to handle invalid records.
    pub on_error: OnError,
    /// The output format.
    pub format: Format,
    /// Color text output.
    pub color: bool,
}

/// Receives the progress of a stream. All methods are called from the working thread.
pub trait Observer {
    /// A record failed. `error` names its location.
    fn record_failed(&mut self, error: &Error);
    /// The text of a record was truncated to the model's length.
    fn record_truncated(&mut self, source: &str, line: u64);
    /// The number of records finished so far.
    fn finished(&mut self, records: u64);
}

/// Summary of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records with an output.
    pub records: u64,
    /// Records that failed.
    pub failed: u64,
    /// Records whose text was truncated.
    pub truncated: u64,
    /// True if an invalid record stopped the stream.
    pub stopped: bool,
}

/// A writer that an interrupt handler can take over. Only the owner that takes it out can finish it.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<Option<OrderedWriter>>>);

impl SharedWriter {
    /// Shares `writer`.
    pub fn new(writer: OrderedWriter) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    /// Takes the writer out. Returns `None` if it was already taken.
    pub fn take(&self) -> Option<OrderedWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn begin_table(&self, layout: TableLayout) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.begin_table(layout),
            None => Ok(()),
        }
    }

    fn put(&self, index: u64, entry: Entry) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.put(index, entry),
            None => Ok(()),
        }
    }

    fn flush(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map_or(Ok(()), OrderedWriter::flush)
    }
}

/// Runs `task` on all records of `reader`. The writer stays open, and its owner must finish it.
///
/// # Errors
/// Errors of reading, of the device and of writing. Invalid records are counted and not returned as errors.
pub fn run<T: Task>(
    task: &T,
    reader: &RecordReader,
    writer: &SharedWriter,
    options: StreamOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let table = match options.format {
        Format::Table(kind) => Some(TableLayout {
            kind,
            input: match reader.columns() {
                None => columns_of_first_shard(task, reader)?,
                columns => columns,
            },
            predictions: task.columns(),
            with_errors: options.on_error == OnError::Skip,
        }),
        _ => None,
    };
    if let Some(layout) = &table {
        writer.begin_table(layout.clone())?;
    }
    while let Some(window) = next_window(reader) {
        let (records, broken) = window;
        Window {
            task,
            reader,
            writer,
            options,
            table: table.as_ref(),
            observer: &mut *observer,
            outcome: &mut outcome,
            failed: None,
        }
        .run(records)?;
        // Whatever ends the process later, a window that is finished stays.
        writer.flush()?;
        if let Some(error) = broken {
            return Err(error);
        }
        if outcome.stopped {
            break;
        }
    }
    Ok(outcome)
}

/// Waits for a record and takes all records that are already available, up to a window. Also returns the error that ended
/// reading, if any. Returns `None` at the end.
fn next_window(reader: &RecordReader) -> Option<(Vec<Record>, Option<Error>)> {
    let mut records = Vec::new();
    let mut bytes = 0;
    let mut next = reader.wait();
    loop {
        match next {
            None => break,
            Some(Err(error)) => return Some((records, Some(error))),
            Some(Ok(record)) => {
                bytes += size(&record);
                records.push(record);
            }
        }
        if records.len() >= WINDOW_RECORDS || bytes >= WINDOW_BYTES {
            break;
        }
        next = reader.ready();
    }
    if records.is_empty() { None } else { Some((records, None)) }
}

fn size(record: &Record) -> usize {
    match &record.body {
        Ok(RecordBody::Text(text)) => text.len(),
        Ok(RecordBody::Object(fields)) => fields.size(),
        Err(_) => 0,
    }
}

/// A window of records in progress.
struct Window<'a, T: Task> {
    task: &'a T,
    reader: &'a RecordReader,
    writer: &'a SharedWriter,
    options: StreamOptions,
    table: Option<&'a TableLayout>,
    observer: &'a mut dyn Observer,
    outcome: &'a mut Outcome,
    /// The first record that failed after it was encoded, where that stops the work, and its problem.
    failed: Option<(usize, String)>,
}

impl<T: Task> Window<'_, T> {
    fn run(mut self, mut records: Vec<Record>) -> Result<()> {
        let first = self.outcome.records + self.outcome.failed;
        let mut items: Vec<std::result::Result<T::Item, String>> = records
            .par_iter()
            .map(|record| match &record.body {
                Ok(body) => self.task.encode(body),
                Err(problem) => Err(problem.clone()),
            })
            .collect();
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
        // The writer gets no entry of a record that stops the work, and so holds back those behind it.
        if self.failed.as_ref().is_some_and(|(stop, _)| *stop <= i) {
            return Ok(());
        }
        if !outputs.iter().all(Finite::is_finite) {
            return self.fail_late(first, i, record, finite::NOT_FINITE);
        }
        let prediction = self.task.decode(item, outputs)?;
        let row = match self.table {
            Some(layout) => {
                let cells = match self.task.cells(item, &prediction) {
                    Ok(cells) => cells,
                    Err(problem) => return self.fail_late(first, i, record, &problem),
                };
                let row = table_row(record, self.task.text_field(), Ok(cells))?;
                match row.unfit(layout) {
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
            self.observer.record_truncated(&source, line);
        }
        self.outcome.records += 1;
        if let Some(row) = row {
            return self.writer.put(first + i as u64, Entry::Row(Box::new(row)));
        }
        let entry = match self.options.format {
            Format::Text => self.task.text(item, &prediction, self.options.color).into_bytes(),
            Format::Json | Format::Jsonl => {
                let mut extra = vec![("predictions", self.task.json(item, &prediction).map_err(unwritable)?)];
                extra.extend(self.task.more(item, &prediction).map_err(unwritable)?);
                if truncated {
                    extra.push(("truncated", raw(&true)?));
                }
                object(record, self.task.text_field(), extra)?
            }
            Format::Conll | Format::Squad | Format::Array(_) | Format::Table(_) => {
                self.task.own(item, &prediction)
            }
        };
        self.writer.put(first + i as u64, entry.into())
    }

    /// A failure of a record that was encoded, and of which nothing was written.
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
        if self.table.is_some() {
            let row = table_row(record, self.task.text_field(), Err(problem.to_owned()))?;
            return self.writer.put(first + i as u64, Entry::Row(Box::new(row)));
        }
        let entry = match self.options.format {
            Format::Text => Vec::new(),
            Format::Json | Format::Jsonl => {
                record.line = self.reader.line(record);
                object(record, self.task.text_field(), vec![("error", raw(&problem)?)])?
            }
            Format::Conll | Format::Squad | Format::Array(_) | Format::Table(_) => self.task.own_failure(),
        };
        self.writer.put(first + i as u64, entry.into())
    }
}

fn unwritable(e: serde_json::Error) -> Error {
    Error::Output { name: "a record".to_owned(), source: e.into() }
}

fn raw<V: serde::Serialize>(value: &V) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(unwritable)
}

/// The output object of a record: its own fields (`text_field` for a line of text, `line` for a line that could not be
/// parsed), then `extra`.
fn object(record: &mut Record, text_field: &str, extra: More) -> Result<Vec<u8>> {
    let line = raw(&record.line)?;
    let mut fields = match own_fields(record, text_field)? {
        Some(fields) => fields,
        None => {
            let mut fields = Fields::default();
            fields.set("line", line);
            fields
        }
    };
    for (name, value) in extra {
        fields.set(name, value);
    }
    fields.to_json().map_err(unwritable)
}

/// The row of a record in a table. The error of a line that could not be parsed says which it is.
fn table_row(
    record: &mut Record,
    text_field: &str,
    cells: std::result::Result<Vec<Cell>, String>,
) -> Result<TableRow> {
    let is_text = matches!(record.body, Ok(RecordBody::Text(_)));
    let line = record.line;
    Ok(match own_fields(record, text_field)? {
        Some(fields) => TableRow { fields, cells, is_text },
        None => {
            let cells = cells.map_err(|problem| format!("line {line}: {problem}"));
            TableRow { fields: Fields::default(), cells, is_text }
        }
    })
}

/// The columns of a table that the first shard makes of records without columns, which the other shards have, too.
fn columns_of_first_shard<T: Task>(task: &T, reader: &RecordReader) -> Result<Option<TableColumns>> {
    let Some(first) = reader.of_first_shard()? else { return Ok(None) };
    let rows = std::iter::from_fn(|| first.wait()).map_while(Result::ok);
    let rows = rows.map_while(|mut record| table_row(&mut record, task.text_field(), Ok(Vec::new())).ok());
    Ok(Some(columns_of_records(rows)))
}

/// The fields of a record, which lose their place in it; `None` if it could not be parsed.
fn own_fields(record: &mut Record, text_field: &str) -> Result<Option<Fields>> {
    Ok(match std::mem::replace(&mut record.body, Err(String::new())) {
        Ok(RecordBody::Object(fields)) => Some(fields),
        Ok(RecordBody::Text(text)) => {
            let mut fields = Fields::default();
            fields.set(text_field, raw(&text)?);
            Some(fields)
        }
        Err(_) => None,
    })
}
