//! The reading thread: sends the records of an input to a queue, in order.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::array_records::read_array;
use super::compressed::{decompressed, unreadable};
use super::fields::Fields;
use super::lines::LineReader;
use super::open_file::open_file;
use super::queue::{Counted, Queue, ReadProgress};
use super::record::{InputFormat, Record, RecordBody, parse};
use super::shape::{Shape, look};
use super::squad::read_squad;
use super::tables::{Needed, TableColumns, TableInput};
use crate::error::{Error, Result};

/// Receives the records that are read.
pub(super) type Sender = Queue;

/// An open input.
pub(super) enum Input {
    Table(TableInput),
    File(std::fs::File, PathBuf),
    Stdin,
}

impl Input {
    pub(super) fn open(
        path: &Path,
        format: InputFormat,
        needed: &[Needed],
        counted: ReadProgress,
    ) -> Result<Self> {
        let stdin = path == Path::new("-");
        match format.table(path) {
            None if stdin => Ok(Self::Stdin),
            None => Ok(Self::File(open_file(path)?, path.to_owned())),
            Some(kind) => TableInput::open(path, kind, needed, counted).map(Self::Table),
        }
    }

    pub(super) fn columns(&self) -> Option<TableColumns> {
        match self {
            Self::Table(table) => Some(table.columns.clone()),
            Self::File(..) | Self::Stdin => None,
        }
    }

    /// Returns the size of the file in bytes, if its reading is counted.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::File(file, _) => file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len()),
            Self::Table(table) => table.bytes,
            Self::Stdin => None,
        }
    }

    pub(super) fn send(self, format: InputFormat, progress: &ReadProgress, sender: &Sender) {
        match self {
            Self::Table(table) => send_table(table, sender),
            Self::Stdin => {
                send_records(std::io::stdin(), &"<stdin>".into(), "<stdin>".into(), format, sender);
            }
            Self::File(file, path) => {
                let name: Arc<str> = path.display().to_string().into();
                send_records(Counted::new(file, progress.clone()), &name, path, format, sender);
            }
        }
    }
}

pub(super) fn send_arguments(texts: Vec<String>, sender: &Sender) {
    let source: Arc<str> = "<argument>".into();
    for (i, text) in texts.into_iter().enumerate() {
        let record = Record { source: source.clone(), line: i as u64 + 1, body: Ok(RecordBody::Text(text)) };
        if sender.send(Ok(record)).is_err() {
            return;
        }
    }
}

pub(super) fn send_table(table: TableInput, sender: &Sender) {
    let source: Arc<str> = table.name().into();
    let result = table.read(&mut |line, fields| {
        let body = fields.map(RecordBody::Object);
        sender.send(Ok(Record { source: source.clone(), line, body })).is_ok()
    });
    if let Err(e) = result {
        // The receiver may already have been dropped.
        let _gone = sender.send(Err(e));
    }
}

pub(super) fn send_records(
    stream: impl Read + Send + 'static,
    source: &Arc<str>,
    path: PathBuf,
    format: InputFormat,
    sender: &Sender,
) {
    let opened = decompressed(BufReader::with_capacity(1 << 16, stream)).and_then(|stream| {
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        if !sender.starts_within
            && let Some(problem) = unreadable(stream.fill_buf()?)
        {
            return Ok(Err(problem));
        }
        // A shard is always read as a file of lines, whatever its first bytes.
        let begin = if sender.is_shard() { (Vec::new(), Shape::Lines) } else { begin(&mut stream, format)? };
        Ok(Ok((stream, begin)))
    });
    let (stream, (head, shape)) = match opened {
        Ok(Ok(found)) => found,
        other => {
            let error = match other {
                Err(e) => Error::io(path, "read")(e),
                Ok(problem) => Error::bad_file(path, problem.err().unwrap_or_default()),
            };
            // The receiver may already have been dropped.
            let _gone = sender.send(Err(error));
            return;
        }
    };
    let mut stream = Cursor::new(head).chain(stream);
    if shape != Shape::Lines && stream.fill_buf().is_ok_and(|start| start.starts_with("\u{feff}".as_bytes()))
    {
        stream.consume('\u{feff}'.len_utf8());
    }
    match shape {
        Shape::Lines => send_lines(stream, source, path, format, sender),
        Shape::Array => send_array(stream, source, path, sender),
        Shape::Questions => send_squad(stream, source, path, sender),
    }
}

/// Returns the shape of a stream, and the bytes read to detect it.
pub(super) fn begin(stream: &mut impl BufRead, format: InputFormat) -> std::io::Result<(Vec<u8>, Shape)> {
    match format {
        InputFormat::Squad => Ok((Vec::new(), Shape::Questions)),
        InputFormat::Text | InputFormat::Jsonl | InputFormat::Table(_) => Ok((Vec::new(), Shape::Lines)),
        InputFormat::Auto | InputFormat::AutoOrSquad => look(stream, format == InputFormat::AutoOrSquad),
    }
}

/// Sends the records of a document. Their numbers serve as line numbers.
struct Numbered<'a> {
    source: Arc<str>,
    number: u64,
    sender: &'a Sender,
}

impl<'a> Numbered<'a> {
    fn new(source: &str, what: &str, sender: &'a Sender) -> Self {
        Self { source: format!("{source}: {what}").into(), number: 0, sender }
    }

    /// Sends a record. Returns false if no more records are wanted.
    fn send(&mut self, fields: std::result::Result<Fields, String>) -> bool {
        self.number += 1;
        let body = fields.map(RecordBody::Object);
        self.sender.send(Ok(Record { source: self.source.clone(), line: self.number, body })).is_ok()
    }

    fn end(self, path: PathBuf, result: std::result::Result<(), String>) {
        if let Err(problem) = result {
            // The receiver may already have been dropped.
            let _gone = self.sender.send(Err(Error::bad_file(path, problem)));
        }
    }
}

fn send_array(stream: impl BufRead, source: &Arc<str>, path: PathBuf, sender: &Sender) {
    let mut records = Numbered::new(source, "record", sender);
    let result = read_array(stream, &mut |fields| records.send(fields));
    records.end(path, result);
}

fn send_squad(stream: impl BufRead, source: &Arc<str>, path: PathBuf, sender: &Sender) {
    let mut questions = Numbered::new(source, "question", sender);
    let result = read_squad(stream, &mut |fields| questions.send(Ok(fields)));
    questions.end(path, result);
}

fn send_lines(
    mut stream: impl BufRead,
    source: &Arc<str>,
    path: PathBuf,
    format: InputFormat,
    sender: &Sender,
) {
    let mut number = 0;
    while sender.skips() {
        match stream.skip_until(b'\n') {
            Ok(0) => {
                sender.undo_skip();
                return;
            }
            Ok(_) => number += 1,
            Err(e) => {
                // The receiver may already have been dropped.
                let _gone = sender.send(Err(Error::io(path, "read")(e)));
                return;
            }
        }
    }
    let mut lines = LineReader::new(stream);
    while !sender.is_full() {
        let record = match lines.next_line() {
            Ok(None) => return,
            Ok(Some(line)) => {
                number += 1;
                // Some editors add a byte order mark.
                let line = match line {
                    Ok(text) if number == 1 && !sender.starts_within => {
                        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
                    }
                    other => other,
                };
                let body = line.and_then(|line| parse(line, format));
                Ok(Record { source: source.clone(), line: number, body })
            }
            Err(e) => {
                // The receiver may already have been dropped.
                let _gone = sender.send(Err(Error::io(path, "read")(e)));
                return;
            }
        };
        if sender.send(record).is_err() {
            return;
        }
    }
}
