//! The work of every task over a stream: windows of records, encoded in parallel, batched by length,
//! written in input order as soon as their turn comes. Memory is bounded by one window, however long
//! the stream.

mod finite;
mod rows;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::io::{Fields, Format, OrderedWriter, Record, RecordBody, RecordReader};
use crate::tokenizer::Encoding;

pub use finite::{Finite, NOT_FINITE, check_finite};
pub use rows::{Done, run_rows};

/// Most records of one window.
const WINDOW_RECORDS: usize = 512;

/// Most bytes of text of one window.
const WINDOW_BYTES: usize = 2 << 20;

/// A task as the stream sees it. A record becomes one or several rows, each a sequence for the model; rows
/// of all records of a window share the batches.
pub trait Task: Sync {
    /// A record, encoded.
    type Item: Send + Sync;
    /// What the model says of one row.
    type Output: Finite;
    /// What the task makes of all rows of a record.
    type Prediction;

    /// The field that holds a line of plain text in JSON output.
    fn text_field(&self) -> &str {
        "text"
    }

    /// Takes what the task needs from a record and encodes it.
    ///
    /// # Errors
    /// What is wrong with the record.
    fn encode(&self, body: &RecordBody) -> std::result::Result<Self::Item, String>;

    /// The sequences that the model is to see; there may be none.
    fn rows<'a>(&self, item: &'a Self::Item) -> &'a [Encoding];

    /// True if text was cut off.
    fn truncated(&self, item: &Self::Item) -> bool {
        self.rows(item).iter().any(|row| row.truncated)
    }

    /// Runs the model on one batch; one output per row.
    ///
    /// # Errors
    /// The device's.
    fn forward(&self, rows: &[&Encoding]) -> Result<Vec<Self::Output>>;

    /// Makes the prediction of a record out of the outputs of its rows, in their order.
    ///
    /// # Errors
    /// The device's, where decoding needs the model again.
    fn decode(&self, item: &Self::Item, outputs: Vec<Self::Output>) -> Result<Self::Prediction>;

    /// The value of `predictions` in JSON output.
    ///
    /// # Errors
    /// serde_json's.
    fn json(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<Box<RawValue>>;

    /// Further fields of the record in JSON output.
    ///
    /// # Errors
    /// serde_json's.
    fn more(&self, item: &Self::Item, prediction: &Self::Prediction) -> serde_json::Result<More> {
        let _unused = (item, prediction);
        Ok(More::new())
    }

    /// The block of lines for eyes, with ANSI colours if they are wanted.
    fn text(&self, item: &Self::Item, prediction: &Self::Prediction, color: bool) -> String;

    /// The record in a format of the task's own: [`Format::Conll`], [`Format::Squad`], [`Format::Array`].
    fn own(&self, item: &Self::Item, prediction: &Self::Prediction) -> Vec<u8> {
        self.text(item, prediction, false).into_bytes()
    }

    /// What stands for a failed record in a format of the task's own; empty for nothing.
    fn own_failure(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Further fields of a record, by name.
pub type More = Vec<(&'static str, Box<RawValue>)>;

/// Runs a task on one item, without a stream.
///
/// # Errors
/// Those of [`Task::forward`] and [`Task::decode`].
pub fn predict<T: Task>(task: &T, item: &T::Item, batch_tokens: usize) -> Result<T::Prediction> {
    let mut prediction = None;
    run_rows(
        task,
        &[item],
        batch_tokens,
        &mut |_, outputs| {
            if !outputs.iter().all(Finite::is_finite) {
                return Err(Error::Input(finite::NOT_FINITE.to_owned()));
            }
            prediction = Some(task.decode(item, outputs)?);
            Ok(())
        },
        &mut || (),
    )?;
    prediction.ok_or_else(|| Error::Input("the model gave no output".to_owned()))
}

/// What to do about a record that cannot be processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// Write everything before it, then stop.
    #[default]
    Stop,
    /// Put an error in its place and go on.
    Skip,
}

/// How to run a stream.
#[derive(Clone, Copy, Debug)]
pub struct StreamOptions {
    /// Most padded tokens per forward pass.
    pub batch_tokens: usize,
    /// What to do about bad records.
    pub on_error: OnError,
    /// The output's form.
    pub format: Format,
    /// Colours in text output.
    pub color: bool,
}

/// Who wants to know how it goes. All methods are called from the working thread.
pub trait Observer {
    /// A record failed; `error` names its place.
    fn record_failed(&mut self, error: &Error);
    /// A record's text was cut to the model's length.
    fn record_truncated(&mut self, source: &str, line: u64);
    /// So many records are finished now.
    fn finished(&mut self, records: u64);
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records that have an output.
    pub records: u64,
    /// Records that failed.
    pub failed: u64,
    /// Records whose text was cut.
    pub truncated: u64,
    /// True if a bad record ended the work.
    pub stopped: bool,
}

/// A writer that an interrupt handler can close: whoever takes it out has the last word.
#[derive(Clone)]
pub struct SharedWriter(Arc<Mutex<Option<OrderedWriter>>>);

impl SharedWriter {
    /// Shares `writer`.
    pub fn new(writer: OrderedWriter) -> Self {
        Self(Arc::new(Mutex::new(Some(writer))))
    }

    /// Takes the writer out; `None` when somebody did already.
    pub fn take(&self) -> Option<OrderedWriter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, index: u64, entry: Vec<u8>) -> Result<()> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(writer) => writer.put(index, entry),
            None => Ok(()),
        }
    }
}

/// Runs `task` over all records of `reader`. The writer stays open: its owner finishes it.
///
/// # Errors
/// Those of reading, of the device and of writing; bad records are counted, not returned.
pub fn run<T: Task>(
    task: &T,
    reader: &RecordReader,
    writer: &SharedWriter,
    options: StreamOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    while let Some(window) = next_window(reader) {
        let (records, broken) = window;
        Window { task, writer, options, observer: &mut *observer, outcome: &mut outcome, not_finite: None }
            .run(records)?;
        if let Some(error) = broken {
            return Err(error);
        }
        if outcome.stopped {
            break;
        }
    }
    Ok(outcome)
}

/// Waits for one record and takes those that are there already, up to a window; also why reading
/// ended, if it did not end well. `None` at the end.
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

/// One window of records on its way through.
struct Window<'a, T: Task> {
    task: &'a T,
    writer: &'a SharedWriter,
    options: StreamOptions,
    observer: &'a mut dyn Observer,
    outcome: &'a mut Outcome,
    /// The first record that the model gave no numbers for, where that stops the work.
    not_finite: Option<usize>,
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
        if let Some(i) = self.not_finite {
            self.outcome.stopped = true;
            self.outcome.failed += 1;
            self.observer.record_failed(&record_error(&records[i], finite::NOT_FINITE));
            return Ok(());
        }
        for (i, problem) in bad {
            self.outcome.stopped = true;
            self.outcome.failed += 1;
            self.observer.record_failed(&record_error(&records[i], problem));
        }
        Ok(())
    }

    /// Runs the rows of all good records through the model; a record is finished as soon as its last row is.
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
        if self.not_finite.is_some_and(|stop| stop <= i) {
            return Ok(());
        }
        if !outputs.iter().all(Finite::is_finite) {
            if self.options.on_error == OnError::Skip {
                return self.fail(first, i, record, finite::NOT_FINITE);
            }
            self.not_finite = Some(i);
            return Ok(());
        }
        let prediction = self.task.decode(item, outputs)?;
        let truncated = self.task.truncated(item);
        if truncated {
            self.outcome.truncated += 1;
            self.observer.record_truncated(&record.source, record.line);
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
            Format::Conll | Format::Squad | Format::Array(_) => self.task.own(item, &prediction),
        };
        self.outcome.records += 1;
        self.writer.put(first + i as u64, entry)
    }

    fn fail(&mut self, first: u64, i: usize, record: &mut Record, problem: &str) -> Result<()> {
        self.observer.record_failed(&record_error(record, problem));
        self.outcome.failed += 1;
        let entry = match self.options.format {
            Format::Text => Vec::new(),
            Format::Json | Format::Jsonl => {
                object(record, self.task.text_field(), vec![("error", raw(&problem)?)])?
            }
            Format::Conll | Format::Squad | Format::Array(_) => self.task.own_failure(),
        };
        self.writer.put(first + i as u64, entry)
    }
}

fn unwritable(e: serde_json::Error) -> Error {
    Error::Output { name: "a record".to_owned(), source: e.into() }
}

fn raw<V: serde::Serialize>(value: &V) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value).map_err(unwritable)
}

fn record_error(record: &Record, problem: &str) -> Error {
    Error::Record { source_name: record.source.to_string(), line: record.line, problem: problem.to_owned() }
}

/// The output object of a record: its own fields (`text_field` for a line of text, `line` for a line that
/// could not be read), then `extra`.
fn object(record: &mut Record, text_field: &str, extra: More) -> Result<Vec<u8>> {
    let body = std::mem::replace(&mut record.body, Err(String::new()));
    let mut fields = match body {
        Ok(RecordBody::Object(fields)) => fields,
        Ok(RecordBody::Text(text)) => {
            let mut fields = Fields::default();
            fields.set(text_field, raw(&text)?);
            fields
        }
        Err(_) => {
            let mut fields = Fields::default();
            fields.set("line", raw(&record.line)?);
            fields
        }
    };
    for (name, value) in extra {
        fields.set(name, value);
    }
    fields.to_json().map_err(unwritable)
}
