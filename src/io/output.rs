//! Output targets: standard output, a device, or a file that only appears when it is complete.

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
    /// One word and its tag per line, with a blank line between records.
    Conll,
    /// SQuAD's predictions file: one JSON object.
    Squad,
    /// A binary array file.
    Array(ArrayLayout),
    /// A table.
    Table(TableKind),
}

/// An output target.
///
/// Symbolic links are followed and stay unchanged. A regular file is written next to its destination and replaces it when
/// it is complete, keeping its mode, owner and hard links. A device, a pipe, or a descriptor such as `/dev/stdout` is
/// written to directly and never replaced.
pub enum OutputTarget {
    /// Standard output, flushed after every finished record.
    Stdout(BufWriter<std::io::Stdout>),
    /// A file, written next to its destination and renamed at the end.
    File(Box<FileOutput>),
    /// A device, a pipe or a descriptor, which is written to directly.
    Special(PathBuf, BufWriter<File>),
    /// Output that is completed before any of it is sent to a device.
    Spooled(PathBuf, Spool),
}

/// Output that is held back from a device, in memory or, if it is long, in a temporary file.
pub struct Spool {
    waiting: SpooledTempFile,
    device: Box<dyn Write + Send>,
}

/// The remains of an interrupted run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The partial file.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The content of `<path>.json`, if it is a description.
    pub description: Option<Vec<u8>>,
}

/// Output that is held back from a device stays in memory up to this size in bytes.
const SPOOL_BYTES: usize = 16 << 20;

impl OutputTarget {
    /// Opens the file `path`, or standard output if it is `None` or `-`. A bad path fails here, before any work.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be created in its directory, or is not writable; [`Error::BadFile`] for a
    /// directory, and for a cycle of links.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        Self::open_as(path, FileOutput::create)
    }

    /// Like [`Self::open`], for long-running output of records. A file is written under the name `<path>.partial`, so
    /// that the next run finds it however this one ends. The content left by an earlier run stays until [`Self::start`]
    /// or the first write.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`Error::BadFile`] if another run is writing the same output.
    pub fn open_records(path: Option<&Path>) -> Result<Self> {
        Self::open_as(path, FileOutput::claim)
    }

    /// Returns true if `path` names a regular file or nothing yet, and not a directory, a device, a pipe or a descriptor.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a cycle of links; [`Error::Io`].
    pub fn is_file(path: &Path) -> Result<bool> {
        Ok(match Destination::of(path)? {
            Destination::New(place) => path != Path::new("-") && !ends_with_a_separator(&place),
            Destination::File(..) => true,
            Destination::Directory(_) | Destination::Stream(_) => false,
        })
    }

    /// Returns true if both paths name the same regular file, even if it does not exist yet.
    ///
    /// # Errors
    /// Those of [`Self::is_file`].
    pub fn is_same_file(one: &Path, other: &Path) -> Result<bool> {
        let place = |path: &Path| match Destination::of(path)? {
            Destination::New(place) | Destination::File(place, _) if path != Path::new("-") => {
                let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok();
                Ok(folder.zip(place.file_name().map(ToOwned::to_owned)))
            }
            _ => Ok(None),
        };
        let one = place(one)?;
        Ok(one.is_some() && one == place(other)?)
    }

    fn open_as(
        path: Option<&Path>,
        file: fn(&Path, PathBuf, Option<&Metadata>) -> Result<FileOutput>,
    ) -> Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(BufWriter::new(std::io::stdout())));
        };
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

    /// Converts the target, so that its beginning can be written last.
    pub(super) fn seekable(self) -> Self {
        let spooled = |path: PathBuf, device: Box<dyn Write + Send>| {
            Self::Spooled(path, Spool { waiting: SpooledTempFile::new(SPOOL_BYTES), device })
        };
        match self {
            Self::Special(path, device) => spooled(path, Box::new(device)),
            Self::Stdout(device) => spooled("<stdout>".into(), Box::new(device)),
            file => file,
        }
    }

    /// Returns the name used in messages.
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

    /// Returns the partial file with the content left by an interrupted run; `None` if this output has no such file.
    pub fn leftover(&self) -> Option<Leftover> {
        let Self::File(file) = self else { return None };
        let partial = file.partial()?;
        Some(Leftover {
            path: partial.path().to_owned(),
            bytes: partial.left(),
            description: partial.description(),
        })
    }

    /// Starts writing: after the first `keep` bytes left by an interrupted run, or from the beginning. `description` is
    /// the new content of `<path>.partial.json`: a JSON object whose first key is `albert`.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`] for the description.
    pub fn start(&mut self, keep: u64, description: Option<&[u8]>) -> Result<()> {
        let Self::File(file) = self else { return Ok(()) };
        file.start(keep).map_err(|source| Error::Output { name: file.name(), source })?;
        if keep == 0 { file.describe(description) } else { Ok(()) }
    }

    /// Marks the end of a record. If a write fails, the file is truncated after the last complete one.
    pub(super) fn end_record(&mut self) {
        if let Self::File(file) = self {
            file.end_record();
        }
    }

    /// Passes everything written so far to the operating system.
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

    /// Truncates a file after its last complete record. Returns its length.
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

    /// Ends an interrupted output. The content of a file is kept as `<path>.partial`, next to the file that links lead
    /// to, and that name is returned. An empty file is not kept.
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
