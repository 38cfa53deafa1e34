//! The documents of a corpus, line by line.

use super::decode::{self, Bytes};
use super::files::{self, Input};
use super::lines::{Lines, MAX_LINE, Part, cut};
use super::report::CorpusReport;
use super::{Corpus, CorpusOptions};
use crate::error::{Error, Result};
use crate::io::{Fields, MAX_LINE_BYTES, Shape, TableKind, json_problem, shape, unreadable};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Elements of a corpus, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A sentence or a paragraph. Never blank, at most 256 KiB; longer lines are split.
    Line(String),
    /// The end of a document that contained lines.
    DocumentEnd,
}

/// Reads a corpus once, in memory that does not depend on its size.
pub struct CorpusReader {
    options: CorpusOptions,
    inputs: std::vec::IntoIter<Input>,
    current: Option<Stream>,
    /// Items of the current record.
    waiting: VecDeque<Item>,
    line: Vec<u8>,
    in_document: bool,
    report: CorpusReport,
    stored: Arc<AtomicU64>,
}

/// The file being read.
struct Stream {
    lines: Lines<Bytes>,
    name: String,
    jsonl: bool,
    number: u64,
    /// True if the previous line was split and this is its next part.
    inside: bool,
    /// True until the file has produced a line with text.
    blank: bool,
}

impl CorpusReader {
    pub(super) fn new(corpus: &Corpus) -> Self {
        Self {
            options: corpus.options.clone(),
            inputs: corpus.inputs.clone().into_iter(),
            current: None,
            waiting: VecDeque::new(),
            line: Vec::new(),
            in_document: false,
            report: CorpusReport { skipped_files: corpus.skipped, ..CorpusReport::default() },
            stored: Arc::default(),
        }
    }

    /// The number of bytes read so far, as stored. Other threads may watch it.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        self.stored.clone()
    }

    /// Counts and problems so far.
    pub fn report(&self) -> &CorpusReport {
        &self.report
    }

    /// Returns the next line or document end, or `None` at the end of the corpus.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be opened or read. Damaged content is not an error: see the report.
    pub fn next_item(&mut self) -> Result<Option<Item>> {
        loop {
            if let Some(item) = self.waiting.pop_front() {
                self.count(&item);
                return Ok(Some(item));
            }
            let Some(stream) = &mut self.current else {
                let Some(input) = self.inputs.next() else { return Ok(None) };
                self.current = self.open(&input)?;
                continue;
            };
            let limit = if stream.jsonl { MAX_LINE_BYTES } else { MAX_LINE };
            match stream.lines.next(&mut self.line, limit) {
                Ok(Some(part)) => self.take_line(part)?,
                Ok(None) => self.close(None),
                Err(error) if decode::is_damage(&error) => self.close(Some(&error)),
                Err(error) => return Err(Error::io(&stream.name, "read")(error)),
            }
        }
    }

    fn count(&mut self, item: &Item) {
        match item {
            Item::Line(line) => {
                self.report.lines += 1;
                self.report.bytes += line.len() as u64;
            }
            Item::DocumentEnd => self.report.documents += 1,
        }
    }

    /// Opens a file, or returns `None` if nothing in it can be read.
    fn open(&mut self, input: &Input) -> Result<Option<Stream>> {
        self.report.files += 1;
        let name = input.name();
        let mut bytes = decode::open(input, self.stored.clone())?;
        let start = match bytes.fill_buf() {
            Ok(start) => start,
            Err(error) if decode::is_damage(&error) => {
                self.damaged(&name, 0, &error);
                return Ok(None);
            }
            Err(error) => return Err(Error::io(&name, "read")(error)),
        };
        if let Some(problem) = unreadable(start) {
            self.report.damaged_files += 1;
            self.report.add(&name, 0, format!("{problem}; left out"));
            return Ok(None);
        }
        let by_name = match input {
            Input::File { path, .. } => files::is_jsonl(path),
            Input::Stdin => None,
        };
        if by_name.is_none() && shape(start, false, false) == Some(Shape::Array) {
            self.report.damaged_files += 1;
            let problem =
                "a JSON array, left out; write one record per line (jq -c '.[]' makes lines of an array)";
            self.report.add(&name, 0, problem);
            return Ok(None);
        }
        if matches!(input, Input::File { path, .. } if TableKind::of(path).is_some()) {
            let problem =
                "a table, read as text with its header and separators; extract the column of texts instead";
            self.report.add(&name, 0, problem);
        }
        let jsonl = by_name.unwrap_or_else(|| decode::looks_like_jsonl(start));
        let lines = Lines::new(bytes);
        Ok(Some(Stream { lines, name, jsonl, number: 0, inside: false, blank: true }))
    }

    /// Ends the file, and with it the current document.
    fn close(&mut self, damage: Option<&io::Error>) {
        let Some(stream) = self.current.take() else { return };
        if let Some(error) = damage {
            self.damaged(&stream.name, stream.number, error);
        } else if stream.blank {
            self.report.empty_files += 1;
        }
        self.end_document();
    }

    fn damaged(&mut self, name: &str, line: u64, error: &io::Error) {
        self.report.damaged_files += 1;
        let problem =
            format!("the compressed file is truncated or damaged ({error}); it was read up to that point");
        self.report.add(name, line, problem);
    }

    fn end_document(&mut self) {
        if std::mem::take(&mut self.in_document) {
            self.waiting.push_back(Item::DocumentEnd);
        }
    }

    fn take_line(&mut self, part: Part) -> Result<()> {
        let Some(stream) = &mut self.current else { return Ok(()) };
        let begins = !std::mem::replace(&mut stream.inside, part == Part::Cut && !stream.jsonl);
        stream.number += u64::from(begins);
        if begins && part == Part::Cut {
            self.report.long_lines += u64::from(!stream.jsonl);
            let problem = if stream.jsonl {
                "a record longer than 16 MiB; left out"
            } else {
                "a line longer than 256 KiB; read as several"
            };
            self.report.add(&stream.name, stream.number, problem);
        }
        if stream.jsonl && part == Part::Cut {
            self.report.bad_records += 1;
            let (name, lines) = (&stream.name, &mut stream.lines);
            return match lines.skip_line() {
                Err(error) if decode::is_damage(&error) => {
                    self.close(Some(&error));
                    Ok(())
                }
                other => other.map_err(Error::io(name, "read")),
            };
        }
        let mut text = decoded(&self.line, stream, begins, &mut self.report);
        if stream.number == 1
            && begins
            && let Some(rest) = text.strip_prefix('\u{feff}')
        {
            text = Cow::Owned(rest.to_owned());
        }
        let is_blank = text.trim().is_empty();
        stream.blank &= is_blank;
        if stream.jsonl {
            if !is_blank {
                let record = record_text(&text, &self.options.text_field);
                self.take_record(record);
            }
        } else if !is_blank {
            self.in_document = true;
            self.waiting.push_back(Item::Line(text.into_owned()));
        } else if begins && part == Part::End {
            self.end_document();
        }
        Ok(())
    }

    /// Reads a record, which is one document.
    fn take_record(&mut self, record: std::result::Result<String, String>) {
        let Some(stream) = &self.current else { return };
        match record {
            Err(problem) => {
                self.report.bad_records += 1;
                self.report.add(&stream.name, stream.number, format!("{problem}; left out"));
            }
            Ok(text) => {
                if text.contains('\0') {
                    self.report.nul_lines += 1;
                    self.report.add(&stream.name, stream.number, "holds NUL characters, read as spaces");
                }
                let text = text.replace('\0', " ");
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    if line.len() > MAX_LINE {
                        self.report.long_lines += 1;
                        let problem = "a line longer than 256 KiB in the text; read as several";
                        self.report.add(&stream.name, stream.number, problem);
                    }
                    let mut rest = line;
                    while rest.len() > MAX_LINE {
                        let (part, after) = rest.split_at(cut(rest.as_bytes(), MAX_LINE));
                        self.waiting.push_back(Item::Line(part.to_owned()));
                        rest = after;
                    }
                    self.waiting.push_back(Item::Line(rest.to_owned()));
                    self.in_document = true;
                }
                self.end_document();
            }
        }
    }
}

/// The line as text. NULs and invalid UTF-8 are replaced, and counted once per line.
fn decoded<'a>(line: &'a [u8], stream: &Stream, begins: bool, report: &mut CorpusReport) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(line);
    if matches!(text, Cow::Owned(_)) {
        report.bad_utf8 += u64::from(begins);
        report.add(&stream.name, stream.number, "not valid UTF-8; bad bytes were read as U+FFFD");
    }
    if !text.contains('\0') {
        return text;
    }
    report.nul_lines += u64::from(begins);
    report.add(&stream.name, stream.number, "holds NUL characters, read as spaces");
    Cow::Owned(text.replace('\0', " "))
}

/// The text of a JSON record.
fn record_text(line: &str, field: &str) -> std::result::Result<String, String> {
    let fields = Fields::parse(line).map_err(|error| json_problem(&error, line, 0))?;
    fields.string(field)?.ok_or_else(|| match fields.raw(field) {
        Some(_) => format!("field \"{field}\" is null; expected a string"),
        None => format!("has no field \"{field}\" (option text_field names another)"),
    })
}

impl std::fmt::Debug for CorpusReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let read = self.stored.load(Ordering::Relaxed);
        f.debug_struct("CorpusReader").field("bytes_read", &read).field("report", &self.report).finish()
    }
}
