//! Where output goes: standard output, a device, or a file that appears only when it is complete.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;

use super::array::ArrayLayout;
use super::destination::Destination;
use super::file_output::FileOutput;
use super::tables::TableKind;
use crate::error::{Error, Result};

/// Output format of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Human-readable.
    Text,
    /// One JSON array.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// One word and its tag per line, a blank line between records.
    Conll,
    /// SQuAD's predictions file: one JSON object.
    Squad,
    /// A binary array file.
    Array(ArrayLayout),
    /// A table.
    Table(TableKind),
}

/// An output destination.
///
/// A path is followed through symbolic links, which stay as they are. A regular file is written next to its
/// place and replaces what is there when it is complete, with the same mode, owner and names. A device, a pipe, or a descriptor
/// such as `/dev/stdout` is written to as it is, and is never replaced.
pub enum OutputTarget {
    /// Standard output, flushed after every finished record.
    Stdout(BufWriter<std::io::Stdout>),
    /// A file, written next to its destination and renamed at the end.
    File(Box<FileOutput>),
    /// A device, a pipe or a descriptor, written to as it is.
    Special(PathBuf, BufWriter<File>),
    /// Output that is complete before any of it goes to a device.
    Spooled(PathBuf, Spool),
}

/// Output that waits for a device, in memory or, if it is long, in a temporary file.
pub struct Spool {
    waiting: SpooledTempFile,
    device: BufWriter<File>,
}

/// The content of a partial file that an interrupted run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The partial file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The content of `<path>.json`, if it is a description.
    pub description: Option<Vec<u8>>,
}

/// Output that waits for a device stays in memory up to this size.
const SPOOL_BYTES: usize = 16 << 20;

impl OutputTarget {
    /// Opens standard output or the file `path`. A bad path fails here, before any work.
    ///
    /// # Errors
    /// [`Error::Io`] when the file could not be made in its directory, or must not be written; [`Error::BadFile`] for a
    /// directory, and for links that lead in a circle.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        Self::open_as(path, FileOutput::create)
    }

    /// As [`Self::open`], for an output of records that takes long. A file is written under the name `<path>.partial`, where
    /// the next run finds it however this one ends. What an earlier run left there stays until [`Self::start`] or the first
    /// write.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::BadFile`] if another run writes the same output.
    pub fn open_records(path: Option<&Path>) -> Result<Self> {
        Self::open_as(path, FileOutput::claim)
    }

    fn open_as(
        path: Option<&Path>,
        file: fn(&Path, PathBuf, Option<&Metadata>) -> Result<FileOutput>,
    ) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(std::io::stdout()))) };
        let directory = || Err(Error::bad_file(path, "is a directory; option output takes a file"));
        match Destination::of(path)? {
            Destination::Directory(_) => directory(),
            Destination::New(place) if ends_with_a_separator(&place) => directory(),
            Destination::New(place) => Ok(Self::File(Box::new(file(path, place, None)?))),
            Destination::File(place, existing) => {
                Ok(Self::File(Box::new(file(path, place, Some(&existing))?)))
            }
            Destination::Stream(stream) => {
                let file = stream.open().map_err(Error::io(path, "open"))?;
                Ok(Self::Special(path.to_owned(), BufWriter::new(file)))
            }
        }
    }

    /// Itself, so that the beginning can be written last.
    pub(super) fn seekable(self) -> Self {
        match self {
            Self::Special(path, device) => {
                Self::Spooled(path, Spool { waiting: SpooledTempFile::new(SPOOL_BYTES), device })
            }
            other => other,
        }
    }

    /// The name used in messages.
    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "<stdout>".to_owned(),
            Self::File(file) => file.name(),
            Self::Special(path, _) | Self::Spooled(path, _) => path.display().to_string(),
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File(file) => file.write(bytes),
            Self::Special(_, out) => out.write_all(bytes),
            Self::Spooled(_, spool) => spool.waiting.write_all(bytes),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// The partial file, with the content that an interrupted run left; `None` if this output has no such file.
    pub fn leftover(&self) -> Option<Leftover> {
        let Self::File(file) = self else { return None };
        let partial = file.partial()?;
        Some(Leftover {
            path: partial.path().to_owned(),
            bytes: partial.left(),
            description: partial.description(),
        })
    }

    /// Starts to write: behind the first `keep` bytes of what an interrupted run left, or from the beginning. `description` is
    /// the new content of `<path>.partial.json`: a JSON object whose first key is `albert`.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`] for the description.
    pub fn start(&mut self, keep: u64, description: Option<&[u8]>) -> Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        file.start(keep).map_err(|source| Error::Output { name: file.name(), source })?;
        if keep == 0 { file.describe(description) } else { Ok(()) }
    }

    /// Marks the end of a record. What is written after the last one is cut off if a write fails.
    pub(super) fn end_record(&mut self) {
        if let Self::File(file) = self {
            file.end_record();
        }
    }

    /// Hands everything written so far to the operating system.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub(super) fn flush_records(&mut self) -> Result<()> {
        let result = match self {
            Self::File(file) => file.flush(),
            _ => return self.flush(),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// Cuts a file after its last complete record. Returns its length.
    pub(super) fn cut(&mut self) -> Option<u64> {
        match self {
            Self::File(file) => file.cut().ok(),
            _ => None,
        }
    }

    /// Overwrites the beginning of a file with `bytes`.
    ///
    /// # Errors
    /// [`Error::Output`], including for destinations that cannot seek.
    pub fn rewrite_header(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match self {
            Self::File(file) => file.rewrite_header(bytes),
            Self::Spooled(_, Spool { waiting, .. }) => waiting
                .rewind()
                .and_then(|()| waiting.write_all(bytes))
                .and_then(|()| waiting.seek(SeekFrom::End(0)).map(drop)),
            Self::Stdout(_) | Self::Special(..) => Err(std::io::ErrorKind::NotSeekable.into()),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// Flushes standard output.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn flush(&mut self) -> Result<()> {
        let result = match self {
            Self::Stdout(out) => out.flush(),
            Self::Special(_, out) => out.flush(),
            Self::File(_) | Self::Spooled(..) => Ok(()),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// Completes the output. A file gets its final name.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        match self {
            Self::Stdout(_) | Self::Special(..) => Ok(()),
            Self::File(file) => file.finish(),
            Self::Spooled(path, spool) => spool.finish(&path),
        }
    }

    /// The end of an output that broke off: what a file got is kept as `<path>.partial`, next to the file that
    /// links lead to. Its name is returned. An empty file is not kept.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn keep_partial(mut self) -> Result<Option<PathBuf>> {
        self.flush()?;
        match self {
            Self::Stdout(_) | Self::Special(..) => Ok(None),
            Self::File(file) => file.keep_partial(),
            Self::Spooled(path, spool) => spool.finish(&path).map(|()| None),
        }
    }
}

impl Spool {
    fn finish(mut self, path: &Path) -> Result<()> {
        self.waiting
            .rewind()
            .and_then(|()| std::io::copy(&mut self.waiting, &mut self.device))
            .and_then(|_| self.device.flush())
            .map_err(|source| Error::Output { name: path.display().to_string(), source })
    }
}

fn ends_with_a_separator(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|byte| std::path::is_separator(*byte as char))
}
