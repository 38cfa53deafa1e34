//! Reads records: lines of bounded size, as text or as JSON objects, with their locations.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open_file::open_file;
use super::part::{Part, Section, Shard, not_a_file};
use super::queue::{Counted, Queue, ReadProgress};
use super::record::{InputFormat, Record, RecordBody, promises_json};
use super::record_channel::{RecordReceiver, record_channel};
use super::send::{Input, begin, send_arguments, send_records, send_table};
use super::tables::{Needed, TableColumns, TableInput, TableKind};
use crate::error::Result;

/// A source of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Texts from the command line.
    Arguments(Vec<String>),
    /// A file.
    File(PathBuf),
    /// Several files, in order. `-` is standard input.
    Files(Vec<PathBuf>),
    /// Standard input.
    Stdin,
}

impl Source {
    /// Returns the files if they can be read more than once, unlike pipes.
    pub fn files(&self) -> Option<&[PathBuf]> {
        let files = match self {
            Self::File(file) => std::slice::from_ref(file),
            Self::Files(files) => files,
            Self::Arguments(_) | Self::Stdin => return None,
        };
        files.iter().all(|file| file.is_file()).then_some(files)
    }
}

/// Records from a source. They are read in a separate thread, so that a slow pipe never delays work on records that have
/// already arrived.
pub struct RecordReader {
    queue: RecordReceiver,
    progress: ReadProgress,
    section: Option<Arc<Section>>,
    columns: Option<TableColumns>,
    /// The file of which a shard is read.
    shard_of: Option<(PathBuf, InputFormat)>,
    /// True if each line is read as JSON or as text by its first character.
    is_auto: bool,
}

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
    /// [`Error::Io`](crate::Error::Io) if a file cannot be opened; [`Error::InvalidOption`](crate::Error::InvalidOption)
    /// for a shard of anything other than a file of lines; [`Error::BadFile`](crate::Error::BadFile) for a table with an
    /// invalid header or without a needed column, and for tables whose columns differ.
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
        let (sender, queue) = record_channel();
        let mut progress = ReadProgress::default();
        let stdin = [PathBuf::from("-")];
        let paths = match source {
            Source::Arguments(texts) => {
                let texts = texts.clone();
                let sender = Queue::new(sender, part, progress.clone());
                std::thread::spawn(move || send_arguments(texts, &sender));
                return Ok(Self {
                    queue,
                    progress,
                    section: None,
                    columns: None,
                    shard_of: None,
                    is_auto: false,
                });
            }
            Source::File(path) => std::slice::from_ref(path),
            Source::Files(paths) => paths.as_slice(),
            Source::Stdin => &stdin,
        };
        // All files are opened once before the work, so that a bad one is reported immediately. They are opened again
        // when their turn comes, so that few are open at a time. The first one and standard input stay open.
        let mut open: Vec<Option<Input>> = Vec::with_capacity(paths.len());
        let mut columns = None;
        let mut total = Some(0);
        for (i, path) in paths.iter().enumerate() {
            // Only files that stay open are counted.
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
                        // The receiver may already have been dropped.
                        let _gone = sender.send(Err(e));
                        return;
                    }
                }
            }
        });
        Ok(Self { queue, progress, section: None, columns, shard_of: None, is_auto: is_auto(format) })
    }

    fn open_shard(path: &Path, format: InputFormat, part: Part, shard: Shard) -> Result<Self> {
        let (sender, queue) = record_channel();
        let file = open_file(path)?;
        let found = Section::find(path, &file, shard, |stream| Ok(begin(stream, format)?.1))?;
        let length = found.end - found.start;
        let mut progress = ReadProgress::default();
        progress.total = Some(length);
        let stream = Counted::new(file.take(length), progress.clone());
        let name: Arc<str> = path.display().to_string().into();
        let mut sender = Queue::new(sender, part, progress.clone());
        sender.starts_within = found.start > 0;
        let shard_of = (shard.count > 1).then(|| (path.to_owned(), format));
        let path = path.to_owned();
        std::thread::spawn(move || send_records(stream, &name, path, format, &sender));
        Ok(Self {
            queue,
            progress,
            section: Some(Arc::new(found)),
            columns: None,
            shard_of,
            is_auto: is_auto(format),
        })
    }

    fn open_table_shard(
        path: &Path,
        kind: TableKind,
        part: Part,
        shard: Shard,
        needed: &[Needed],
    ) -> Result<Self> {
        let (sender, queue) = record_channel();
        let mut progress = ReadProgress::default();
        let table = TableInput::open_shard(path, kind, shard, needed, progress.clone())?;
        let section = table.section.clone();
        let columns = Some(table.columns.clone());
        progress.total = table.bytes;
        let mut sender = Queue::new(sender, part, progress.clone());
        sender.starts_within = section.is_some();
        std::thread::spawn(move || send_table(table, &sender));
        Ok(Self { queue, progress, section, columns, shard_of: None, is_auto: false })
    }

    /// Returns a reader for all records of the file, if this reads a shard of a file without columns.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn whole(&self) -> Result<Option<Self>> {
        let open = |(path, format): &(PathBuf, InputFormat)| Self::open(&Source::File(path.clone()), *format);
        self.shard_of.as_ref().map(open).transpose()
    }

    /// Returns the columns of the input, if it consists of tables.
    pub fn columns(&self) -> Option<TableColumns> {
        self.columns.clone()
    }

    /// Waits for the next record; `None` at the end.
    pub fn wait(&self) -> Option<Result<Record>> {
        self.queue.wait()
    }

    /// Returns the next record, if it has already arrived.
    pub fn ready(&self) -> Option<Result<Record>> {
        self.queue.ready()
    }

    /// Returns how much of the input has been read.
    pub fn progress(&self) -> ReadProgress {
        self.progress.clone()
    }

    /// Returns true for a line of text in a file whose name promises JSON, unless the user named the format.
    pub fn is_unexpected_text(&self, record: &Record) -> bool {
        let is_text = matches!(&record.body, Ok(RecordBody::Text(text)) if !text.trim().is_empty());
        self.is_auto && is_text && promises_json(&record.source)
    }

    /// Returns the line number of a record in the file. For a shard, this counts the preceding lines.
    pub fn line(&self, record: &Record) -> u64 {
        record.line + self.section.as_ref().map_or(0, |section| section.lines_before())
    }

    /// Returns the location of a record without reading anything. In a shard, the line is relative to the shard.
    pub fn place(&self, record: &Record) -> (Arc<str>, u64) {
        let source = match &self.section {
            Some(section) => section.name(&record.source).into(),
            None => record.source.clone(),
        };
        (source, record.line)
    }
}
fn is_auto(format: InputFormat) -> bool {
    matches!(format, InputFormat::Auto | InputFormat::AutoOrSquad)
}
