//! Reading records: lines of bounded size, as text or as JSON objects, with their locations.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use super::array_records::read_array;
use super::compressed::decompressed;
use super::fields::Fields;
use super::lines::LineReader;
use super::open_file::open_file;
use super::part::{Part, Section, Shard, not_a_file};
use super::queue::{Counted, Queue, ReadProgress};
use super::shape::{Shape, look};
use super::squad::read_squad;
use super::tables::{Needed, TableColumns, TableInput, TableKind};
use crate::error::{Error, Result};

/// Maximum number of records buffered between the reading thread and the task.
const QUEUE: usize = 64;

/// How a stream becomes records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// A line whose first character that is not white space is `{` is JSON, any other is text. A stream that
    /// begins with `[` and `{` is one JSON array of records.
    #[default]
    Auto,
    /// Every line is text.
    Text,
    /// Every line is a JSON object.
    Jsonl,
    /// The whole is a SQuAD file, or its flat form, one record per question.
    Squad,
    /// A SQuAD file if it is one, else as [`InputFormat::Auto`].
    AutoOrSquad,
    /// A table.
    Table(TableKind),
}

impl InputFormat {
    /// The kind of table that a file is read as, if it is one.
    fn table(self, path: &Path) -> Option<TableKind> {
        match self {
            Self::Table(kind) => Some(kind),
            Self::Auto | Self::AutoOrSquad => TableKind::of(path),
            Self::Text | Self::Jsonl | Self::Squad => None,
        }
    }
}

/// Source of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Texts from the command line.
    Arguments(Vec<String>),
    /// A file.
    File(PathBuf),
    /// Several files, one after the other. `-` is standard input.
    Files(Vec<PathBuf>),
    /// Standard input.
    Stdin,
}

/// Content of a line.
#[derive(Clone, Debug)]
pub enum RecordBody {
    /// Plain text without its line end.
    Text(String),
    /// A JSON object.
    Object(Fields),
}

/// A record with its location. An invalid line has an error instead of a body.
#[derive(Debug)]
pub struct Record {
    /// The file's name, `<stdin>` or `<argument>`.
    pub source: Arc<str>,
    /// Line number, from 1.
    pub line: u64,
    /// The content of the line, or the problem with it.
    pub body: std::result::Result<RecordBody, String>,
}

/// Parses a line according to the input format.
fn parse(line: String, format: InputFormat) -> std::result::Result<RecordBody, String> {
    let json = match format {
        InputFormat::Text => None,
        InputFormat::Jsonl => Some(line.as_str()),
        InputFormat::Auto | InputFormat::Squad | InputFormat::AutoOrSquad | InputFormat::Table(_) => {
            // A byte order mark within a stream is left over from files that were joined.
            let rest = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            rest.starts_with('{').then_some(rest)
        }
    };
    let Some(json) = json else { return Ok(RecordBody::Text(line)) };
    let before = line.len() - json.len();
    match Fields::parse(json) {
        Ok(fields) => Ok(RecordBody::Object(fields)),
        Err(e) => {
            let advice = if format == InputFormat::Jsonl && json.trim_start().starts_with('[') {
                "; --input-format auto reads an array of objects"
            } else {
                ""
            };
            Err(format!("not a JSON object: {}{advice}", json_problem(&e, before)))
        }
    }
}

/// serde_json's message with the column only, since the line within a one-line text is always 1.
/// `before` bytes of the line come before what serde_json read.
fn json_problem(e: &serde_json::Error, before: usize) -> String {
    let text = e.to_string();
    let stem = text.split(" at line ").next().unwrap_or(&text);
    format!("{stem} (column {})", before + e.column())
}

/// Records from a source, read in a thread of their own, so that a slow pipe never delays work on records that have already
/// arrived.
pub struct RecordReader {
    queue: Receiver<Result<Record>>,
    progress: ReadProgress,
    section: Option<Arc<Section>>,
    columns: Option<TableColumns>,
    /// The file of which this reads a shard after the first.
    later_shard_of: Option<(PathBuf, InputFormat)>,
}

/// Takes the records that are read.
type Sender = Queue<Record>;

impl RecordReader {
    /// Opens the source and starts reading.
    ///
    /// # Errors
    /// Those of [`Self::open_part`].
    pub fn open(source: &Source, format: InputFormat) -> Result<Self> {
        Self::open_part(source, format, Part::default(), &[])
    }

    /// Opens the source and starts reading a part of its records. A table must have the columns in `needed`.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be opened; [`Error::Usage`] for a shard of something else than a file of lines;
    /// [`Error::BadFile`] for a table without a sound header or without a needed column, and for tables whose columns differ.
    pub fn open_part(source: &Source, format: InputFormat, part: Part, needed: &[Needed]) -> Result<Self> {
        if let Some(shard) = part.shard {
            let path = match source {
                Source::Arguments(_) => return Err(not_a_file("arguments")),
                Source::Stdin => return Err(not_a_file("standard input")),
                Source::Files(_) => return Err(not_a_file("several files")),
                Source::File(path) => path,
            };
            return match format.table(path) {
                Some(kind) => Self::open_table_shard(path, kind, part, shard, needed),
                None => Self::open_shard(path, format, part, shard),
            };
        }
        let (sender, queue) = sync_channel(QUEUE);
        let mut progress = ReadProgress::default();
        let stdin = [PathBuf::from("-")];
        let paths = match source {
            Source::Arguments(texts) => {
                let texts = texts.clone();
                let sender = Queue::new(sender, part, progress.clone());
                std::thread::spawn(move || send_arguments(texts, &sender));
                return Ok(Self { queue, progress, section: None, columns: None, later_shard_of: None });
            }
            Source::File(path) => std::slice::from_ref(path),
            Source::Files(paths) => paths.as_slice(),
            Source::Stdin => &stdin,
        };
        // Files are opened once before the work, so that a bad one is reported immediately, and again in their turn, so that
        // few are open at a time. The first one and standard input stay open.
        let mut open: Vec<Option<Input>> = Vec::with_capacity(paths.len());
        let mut columns = None;
        let mut total = Some(0);
        for (i, path) in paths.iter().enumerate() {
            // Only what stays open is counted.
            let stays = i == 0 || path == Path::new("-");
            let counted = if stays { progress.clone() } else { ReadProgress::default() };
            let input = Input::open(path, format, needed, counted)?;
            if let (Some(Some(Input::Table(first))), Input::Table(other)) = (open.first(), &input) {
                first.check_same(other)?;
            }
            columns = if i == 0 { input.columns() } else { columns.filter(|_| input.columns().is_some()) };
            total = total.zip(input.size()).map(|(total, size)| total + size);
            open.push(stays.then_some(input));
        }
        progress.total = total;
        let inputs: Vec<(PathBuf, Option<Input>)> = paths.iter().cloned().zip(open).collect();
        let needed = needed.to_vec();
        let sender = Queue::new(sender, part, progress.clone());
        let counted = progress.clone();
        std::thread::spawn(move || {
            for (path, open) in inputs {
                if sender.is_full() {
                    return;
                }
                match open.map_or_else(|| Input::open(&path, format, &needed, counted.clone()), Ok) {
                    Ok(input) => input.send(format, &counted, &sender),
                    Err(e) => {
                        // The receiver may already be gone.
                        let _gone = sender.send(Err(e));
                        return;
                    }
                }
            }
        });
        Ok(Self { queue, progress, section: None, columns, later_shard_of: None })
    }

    fn open_shard(path: &Path, format: InputFormat, part: Part, shard: Shard) -> Result<Self> {
        let (sender, queue) = sync_channel(QUEUE);
        let file = open_file(path)?;
        let found = Section::find(path, &file, shard, |stream| Ok(begin(stream, format)?.1))?;
        let length = found.end - found.start;
        let mut progress = ReadProgress::default();
        progress.total = Some(length);
        let stream = Counted::new(file.take(length), progress.clone());
        let name: Arc<str> = path.display().to_string().into();
        let mut sender = Queue::new(sender, part, progress.clone());
        sender.starts_within = found.start > 0;
        let later_shard_of = (shard.index > 1).then(|| (path.to_owned(), format));
        let path = path.to_owned();
        std::thread::spawn(move || send_records(stream, &name, path, format, &sender));
        Ok(Self { queue, progress, section: Some(Arc::new(found)), columns: None, later_shard_of })
    }

    fn open_table_shard(
        path: &Path,
        kind: TableKind,
        part: Part,
        shard: Shard,
        needed: &[Needed],
    ) -> Result<Self> {
        let (sender, queue) = sync_channel(QUEUE);
        let mut progress = ReadProgress::default();
        let (table, section) = TableInput::open_shard(path, kind, shard, needed, progress.clone())?;
        let columns = Some(table.columns.clone());
        progress.total = table.bytes;
        let mut sender = Queue::new(sender, part, progress.clone());
        sender.starts_within = section.is_some();
        std::thread::spawn(move || send_table(table, &sender));
        Ok(Self { queue, progress, section: section.map(Arc::new), columns, later_shard_of: None })
    }

    /// The records of the whole file, if this reads a shard after the first of a file without columns.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn of_first_shard(&self) -> Result<Option<Self>> {
        let open = |(path, format): &(PathBuf, InputFormat)| Self::open(&Source::File(path.clone()), *format);
        self.later_shard_of.as_ref().map(open).transpose()
    }

    /// The columns of the input, if it is a table, or several.
    pub fn columns(&self) -> Option<TableColumns> {
        self.columns.clone()
    }

    /// Waits for the next record; `None` at the end.
    pub fn wait(&self) -> Option<Result<Record>> {
        self.queue.recv().ok()
    }

    /// The next record, if it has already arrived.
    pub fn ready(&self) -> Option<Result<Record>> {
        self.queue.try_recv().ok()
    }

    /// How much of the input has been read.
    pub fn progress(&self) -> ReadProgress {
        self.progress.clone()
    }

    /// The number of a record's line in the file. In a shard, this counts the lines before it.
    pub fn line(&self, record: &Record) -> u64 {
        record.line + self.section.as_ref().map_or(0, |section| section.lines_before())
    }

    /// The location of a record, without reading anything: in a shard, the line is that of the shard.
    pub fn place(&self, record: &Record) -> (Arc<str>, u64) {
        let source = match &self.section {
            Some(section) => section.name(&record.source).into(),
            None => record.source.clone(),
        };
        (source, record.line)
    }
}

/// One input that is open.
enum Input {
    Table(TableInput),
    File(std::fs::File, PathBuf),
    Stdin,
}

impl Input {
    fn open(path: &Path, format: InputFormat, needed: &[Needed], counted: ReadProgress) -> Result<Self> {
        let stdin = path == Path::new("-");
        match format.table(path) {
            None if stdin => Ok(Self::Stdin),
            None => Ok(Self::File(open_file(path)?, path.to_owned())),
            Some(kind) => TableInput::open(path, kind, needed, counted).map(Self::Table),
        }
    }

    fn columns(&self) -> Option<TableColumns> {
        match self {
            Self::Table(table) => Some(table.columns.clone()),
            Self::File(..) | Self::Stdin => None,
        }
    }

    /// Bytes of the file, if its reading is counted.
    fn size(&self) -> Option<u64> {
        match self {
            Self::File(file, _) => file.metadata().ok().filter(std::fs::Metadata::is_file).map(|m| m.len()),
            Self::Table(table) => table.bytes,
            Self::Stdin => None,
        }
    }

    fn send(self, format: InputFormat, progress: &ReadProgress, sender: &Sender) {
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

fn send_arguments(texts: Vec<String>, sender: &Sender) {
    let source: Arc<str> = "<argument>".into();
    for (i, text) in texts.into_iter().enumerate() {
        let record = Record { source: source.clone(), line: i as u64 + 1, body: Ok(RecordBody::Text(text)) };
        if sender.send(Ok(record)).is_err() {
            return;
        }
    }
}

fn send_table(table: TableInput, sender: &Sender) {
    let source: Arc<str> = table.name().into();
    let result = table.read(&mut |line, fields| {
        let body = fields.map(RecordBody::Object);
        sender.send(Ok(Record { source: source.clone(), line, body })).is_ok()
    });
    if let Err(e) = result {
        // The receiver may already be gone.
        let _gone = sender.send(Err(e));
    }
}

fn send_records(
    stream: impl Read + Send + 'static,
    source: &Arc<str>,
    path: PathBuf,
    format: InputFormat,
    sender: &Sender,
) {
    let opened = decompressed(BufReader::with_capacity(1 << 16, stream)).and_then(|stream| {
        let mut stream = BufReader::with_capacity(1 << 16, stream);
        // A shard is of a file of lines, whatever it begins with.
        let begin = if sender.is_shard() { (Vec::new(), Shape::Lines) } else { begin(&mut stream, format)? };
        Ok((stream, begin))
    });
    let (stream, (head, shape)) = match opened {
        Ok(found) => found,
        Err(e) => {
            // The receiver may already be gone.
            let _gone = sender.send(Err(Error::io(path, "read")(e)));
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

/// The shape of a stream, and the bytes that it was told by.
fn begin(stream: &mut impl BufRead, format: InputFormat) -> std::io::Result<(Vec<u8>, Shape)> {
    match format {
        InputFormat::Squad => Ok((Vec::new(), Shape::Questions)),
        InputFormat::Text | InputFormat::Jsonl | InputFormat::Table(_) => Ok((Vec::new(), Shape::Lines)),
        InputFormat::Auto | InputFormat::AutoOrSquad => look(stream, format == InputFormat::AutoOrSquad),
    }
}

/// Sends the records of a document. Their number stands for the line.
struct Numbered<'a> {
    source: Arc<str>,
    number: u64,
    sender: &'a Sender,
}

impl<'a> Numbered<'a> {
    fn new(source: &str, what: &str, sender: &'a Sender) -> Self {
        Self { source: format!("{source}, {what}").into(), number: 0, sender }
    }

    /// Sends a record; false if nobody listens any more.
    fn send(&mut self, fields: std::result::Result<Fields, String>) -> bool {
        self.number += 1;
        let body = fields.map(RecordBody::Object);
        self.sender.send(Ok(Record { source: self.source.clone(), line: self.number, body })).is_ok()
    }

    fn end(self, path: PathBuf, result: std::result::Result<(), String>) {
        if let Err(problem) = result {
            // The receiver may already be gone.
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
                sender.did_not_skip();
                return;
            }
            Ok(_) => number += 1,
            Err(e) => {
                // The receiver may already be gone.
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
                // A byte order mark, which some editors add.
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
                // The receiver may already be gone.
                let _gone = sender.send(Err(Error::io(path, "read")(e)));
                return;
            }
        };
        if sender.send(record).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_text_by_its_first_character() {
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Auto), Ok(RecordBody::Object(_))));
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Text), Ok(RecordBody::Text(_))));
        assert_eq!(
            parse("{\"text\":".into(), InputFormat::Auto).map(|_| ()),
            Err("not a JSON object: EOF while parsing a value (column 8)".to_owned())
        );
        assert!(parse("plain".into(), InputFormat::Jsonl).is_err());
        let object = |line: &str| matches!(parse(line.into(), InputFormat::Auto), Ok(RecordBody::Object(_)));
        assert!(
            object("  {\"text\":\"a\"}") && object("\t {}") && object("\u{feff} {}") && object("\u{a0}{}")
        );
        assert!(!object(" a {}") && !object("[{}]") && !object(""));
        assert_eq!(
            parse(" {\"text\":".into(), InputFormat::Auto).map(|_| ()),
            Err("not a JSON object: EOF while parsing a value (column 9)".to_owned())
        );
        assert!(parse("[{}]".into(), InputFormat::Jsonl).is_err_and(|e| e.contains("--input-format auto")));
    }
}
