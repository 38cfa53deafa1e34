//! Running a task on a stream: windows of records are encoded in parallel, batched by length, and written in input order as
//! soon as possible. Memory is bounded by one window, however long the stream is.

mod entry;
mod finite;
mod predict;
mod render;
mod rows;
mod shared_writer;
mod task;
mod window;

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::io::{Format, RecordReader, TableLayout};
use entry::columns_of_complete_file;
use window::{Window, WindowLimits, next_window};

pub use finite::{Finite, NOT_FINITE, check_finite};
pub use predict::{predict, predict_all};
pub use render::{ExtraFields, Render};
pub use rows::{Done, run_rows};
pub use shared_writer::SharedWriter;
pub use task::Task;

/// How to handle a record that cannot be processed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum OnError {
    /// Write everything before it and stop.
    #[default]
    #[cfg_attr(feature = "cli", value(help = "Write all earlier results, report the location, exit with 1"))]
    Stop,
    /// Write an error in its place and continue.
    #[cfg_attr(
        feature = "cli",
        value(help = "Write {\"error\": ...} in its place, continue, exit with 1 at the end")
    )]
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
    /// Rewrites an error message before it is written in the place of a record; `str::to_owned` leaves it unchanged.
    pub rephrase_error: fn(&str) -> String,
}

/// Receives the progress of a stream. All methods are called from the working thread.
pub trait Observer {
    /// A record failed. `error` names its location.
    fn record_failed(&mut self, error: &Error);
    /// A field of the input is replaced by one of the output with the same name.
    fn field_replaced(&mut self, source: &str, line: u64, name: &str) {
        let _unused = (source, line, name);
    }

    /// A line of a file whose name promises JSON was read as text.
    fn unexpected_text(&mut self, source: &str, line: u64) {
        let _unused = (source, line);
    }
    /// The text of a record was truncated to the model's length. `is_marked` is true if its output says so.
    fn record_truncated(&mut self, source: &str, line: u64, is_marked: bool);
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

/// Runs `task` on all records of `reader`. The writer stays open, and its owner must finish it.
///
/// # Errors
/// Errors of reading, of the device and of writing. Invalid records are counted and not returned as errors.
pub fn run<T: Render>(
    task: &T,
    reader: &RecordReader,
    writer: &SharedWriter,
    options: StreamOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut keys = HashSet::new();
    let table = match options.format {
        Format::Table(kind) => Some(TableLayout {
            kind,
            input: match reader.columns() {
                None => columns_of_complete_file(task, reader)?,
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
    let limits = WindowLimits::new(task.rows_per_record(), options.batch_tokens);
    while let Some(window) = next_window(reader, limits) {
        let (records, broken) = window;
        Window {
            task,
            reader,
            writer,
            options,
            table: table.as_ref(),
            observer: &mut *observer,
            outcome: &mut outcome,
            keys: &mut keys,
            failed: None,
        }
        .run(records)?;
        // A finished window must survive, however the process ends later.
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
