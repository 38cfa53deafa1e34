//! Reading records: lines with a size cap, as text or as JSON objects, with their place.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::fields::Fields;
use super::squad::{looks_like_squad, read_squad};
use crate::error::{Error, Result};

/// A line longer than this is an error of that line; the rest of it is skipped, not stored.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// How many records may wait between the reading thread and the work.
const QUEUE: usize = 64;

/// How lines become records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputFormat {
    /// A line that begins with `{` is JSON, any other is text.
    #[default]
    Auto,
    /// Every line is text.
    Text,
    /// Every line is a JSON object.
    Jsonl,
    /// The whole is a SQuAD file, a record a question.
    Squad,
    /// A SQuAD file if it begins like one, else as [`InputFormat::Auto`].
    AutoOrSquad,
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Texts from the command line.
    Arguments(Vec<String>),
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// What a line holds.
#[derive(Clone, Debug)]
pub enum RecordBody {
    /// Plain text, without its line end.
    Text(String),
    /// A JSON object.
    Object(Fields),
}

/// One record with its place. A line that is no record has an error instead of a body.
#[derive(Debug)]
pub struct Record {
    /// The file's name, `<stdin>` or `<argument>`.
    pub source: Arc<str>,
    /// From 1.
    pub line: u64,
    /// What the line holds, or why it holds nothing.
    pub body: std::result::Result<RecordBody, String>,
}

/// Lines of a stream, each at most [`MAX_LINE_BYTES`] long.
pub struct LineReader<R> {
    stream: R,
}

impl<R: BufRead> LineReader<R> {
    /// Reads lines from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream }
    }

    /// The next line without its `\n` or `\r\n`; `None` at the end of the stream. The inner error is
    /// that of the line alone: too long, or not UTF-8.
    ///
    /// # Errors
    /// The stream's.
    pub fn next_line(&mut self) -> std::io::Result<Option<std::result::Result<String, String>>> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES as u64 + 2;
        let read = self.stream.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if read as u64 == limit {
            self.skip_line()?;
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Ok(Some(Err(format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20))));
        }
        Ok(Some(
            String::from_utf8(bytes).map_err(|e| {
                format!("not valid UTF-8 (byte {} of the line)", e.utf8_error().valid_up_to() + 1)
            }),
        ))
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            match buffer.iter().position(|b| *b == b'\n') {
                Some(end) => {
                    self.stream.consume(end + 1);
                    return Ok(());
                }
                None => {
                    let all = buffer.len();
                    self.stream.consume(all);
                }
            }
        }
    }
}

/// Parses one line by the input format.
fn parse(line: String, format: InputFormat) -> std::result::Result<RecordBody, String> {
    let json = match format {
        InputFormat::Text => false,
        InputFormat::Jsonl => true,
        InputFormat::Auto | InputFormat::Squad | InputFormat::AutoOrSquad => line.starts_with('{'),
    };
    if !json {
        return Ok(RecordBody::Text(line));
    }
    match Fields::parse(&line) {
        Ok(fields) => Ok(RecordBody::Object(fields)),
        Err(e) => Err(format!("not a JSON object: {}", json_problem(&e))),
    }
}

/// serde_json's message with the column alone: the line within a one-line text is always 1.
fn json_problem(e: &serde_json::Error) -> String {
    let text = e.to_string();
    let stem = text.split(" at line ").next().unwrap_or(&text);
    format!("{stem} (column {})", e.column())
}

/// Records from a source, read by a thread of their own so that a slow pipe never holds up work
/// that could be done.
pub struct RecordReader {
    queue: Receiver<Result<Record>>,
}

impl RecordReader {
    /// Opens the source and begins to read.
    ///
    /// # Errors
    /// [`Error::Io`] when a file cannot be opened.
    pub fn open(source: &Source, format: InputFormat) -> Result<Self> {
        let (sender, queue) = sync_channel(QUEUE);
        match source {
            Source::Arguments(texts) => {
                let texts = texts.clone();
                std::thread::spawn(move || send_arguments(texts, &sender));
            }
            Source::File(path) => {
                let file = open_file(path)?;
                let name: Arc<str> = path.display().to_string().into();
                let path = path.clone();
                std::thread::spawn(move || send_records(file, &name, path, format, &sender));
            }
            Source::Stdin => {
                std::thread::spawn(move || {
                    send_records(std::io::stdin(), &"<stdin>".into(), "<stdin>".into(), format, &sender);
                });
            }
        }
        Ok(Self { queue })
    }

    /// The next record, waiting for it; `None` at the end.
    pub fn wait(&self) -> Option<Result<Record>> {
        self.queue.recv().ok()
    }

    /// The next record if it is there already.
    pub fn ready(&self) -> Option<Result<Record>> {
        self.queue.try_recv().ok()
    }
}

fn open_file(path: &Path) -> Result<std::fs::File> {
    let file = std::fs::File::open(path).map_err(Error::io(path, "read"))?;
    if file.metadata().is_ok_and(|m| m.is_dir()) {
        return Err(Error::bad_file(path, "is a directory; --input takes a file"));
    }
    Ok(file)
}

fn send_arguments(texts: Vec<String>, sender: &SyncSender<Result<Record>>) {
    let source: Arc<str> = "<argument>".into();
    for (i, text) in texts.into_iter().enumerate() {
        let record = Record { source: source.clone(), line: i as u64 + 1, body: Ok(RecordBody::Text(text)) };
        if sender.send(Ok(record)).is_err() {
            return;
        }
    }
}

fn send_records(
    stream: impl Read,
    source: &Arc<str>,
    path: PathBuf,
    format: InputFormat,
    sender: &SyncSender<Result<Record>>,
) {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let squad = match format {
        InputFormat::Squad => true,
        // An error here comes again with the first line.
        InputFormat::AutoOrSquad => stream.fill_buf().is_ok_and(looks_like_squad),
        InputFormat::Auto | InputFormat::Text | InputFormat::Jsonl => false,
    };
    if squad {
        send_squad(stream, source, path, sender)
    } else {
        send_lines(stream, source, path, format, sender)
    }
}

/// Records of a SQuAD file; their number stands for the line.
fn send_squad(
    mut stream: impl BufRead,
    source: &Arc<str>,
    path: PathBuf,
    sender: &SyncSender<Result<Record>>,
) {
    let source: Arc<str> = format!("{source}, question").into();
    if stream.fill_buf().is_ok_and(|start| start.starts_with("\u{feff}".as_bytes())) {
        stream.consume('\u{feff}'.len_utf8());
    }
    let mut number = 0;
    let result = read_squad(stream, &mut |fields| {
        number += 1;
        let body = Ok(RecordBody::Object(fields));
        sender.send(Ok(Record { source: source.clone(), line: number, body })).is_ok()
    });
    if let Err(problem) = result {
        // The other end need not be listening any more.
        let _gone = sender.send(Err(Error::bad_file(path, problem)));
    }
}

fn send_lines(
    stream: impl BufRead,
    source: &Arc<str>,
    path: PathBuf,
    format: InputFormat,
    sender: &SyncSender<Result<Record>>,
) {
    let mut lines = LineReader::new(stream);
    let mut number = 0;
    loop {
        let record = match lines.next_line() {
            Ok(None) => return,
            Ok(Some(line)) => {
                number += 1;
                // A byte order mark, as some editors leave at the beginning of a file.
                let line = match line {
                    Ok(text) if number == 1 => {
                        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
                    }
                    other => other,
                };
                let body = line.and_then(|line| parse(line, format));
                Ok(Record { source: source.clone(), line: number, body })
            }
            Err(e) => {
                // The other end need not be listening any more.
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

    fn lines(bytes: &[u8]) -> Vec<std::result::Result<String, String>> {
        let mut reader = LineReader::new(bytes);
        std::iter::from_fn(|| reader.next_line().expect("reads")).collect()
    }

    #[test]
    fn blank_lines_are_records_and_line_ends_are_not_text() {
        assert_eq!(lines(b"a\r\n\nb"), [Ok("a".to_owned()), Ok(String::new()), Ok("b".to_owned())]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_bad_line_leaves_its_neighbours_alone() {
        let mut bytes = b"a\n\xff\xfe\n".to_vec();
        bytes.extend(vec![b'x'; MAX_LINE_BYTES + 10]);
        bytes.extend(b"\nb\n");
        let got = lines(&bytes);
        assert_eq!(got.len(), 4);
        assert_eq!(got[1], Err("not valid UTF-8 (byte 1 of the line)".to_owned()));
        assert_eq!(got[2], Err("the line is longer than 16 MiB".to_owned()));
        assert_eq!(got[3], Ok("b".to_owned()));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_fine() {
        let mut bytes = vec![b'x'; MAX_LINE_BYTES];
        bytes.extend(b"\r\nb");
        let got = lines(&bytes);
        assert_eq!(got[0].as_ref().map(String::len), Ok(MAX_LINE_BYTES));
        assert_eq!(got[1], Ok("b".to_owned()));
    }

    #[test]
    fn json_is_told_from_text_by_its_first_character() {
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Auto), Ok(RecordBody::Object(_))));
        assert!(matches!(parse("{\"text\":\"a\"}".into(), InputFormat::Text), Ok(RecordBody::Text(_))));
        assert_eq!(
            parse("{\"text\":".into(), InputFormat::Auto).map(|_| ()),
            Err("not a JSON object: EOF while parsing a value (column 8)".to_owned())
        );
        assert!(parse("plain".into(), InputFormat::Jsonl).is_err());
    }
}
