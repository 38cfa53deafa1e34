//! Where output goes: standard output, or a file that appears only when it is whole.

use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::array::ArrayLayout;
use crate::error::{Error, Result};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For eyes.
    Text,
    /// One array.
    Json,
    /// One object a line.
    Jsonl,
    /// A word and its tag a line, an empty line between records.
    Conll,
    /// One object: SQuAD's predictions file.
    Squad,
    /// One binary array, in a file.
    Array(ArrayLayout),
}

/// A place for output.
pub enum OutputTarget {
    /// Standard output, flushed with every finished record.
    Stdout(BufWriter<std::io::Stdout>),
    /// A file, written beside its place and renamed at the end.
    File(FileOutput),
    /// A device or a named pipe, written to as it is.
    Special(PathBuf, BufWriter<std::fs::File>),
}

/// A file under a temporary name.
pub struct FileOutput {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl OutputTarget {
    /// Standard output, or the file `path`, checked now: a bad path fails before the work, not after.
    ///
    /// # Errors
    /// [`Error::Io`] when the file could not be made in its directory.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(std::io::stdout()))) };
        if path.is_dir() {
            return Err(Error::bad_file(path, "is a directory; --output takes a file"));
        }
        if path.metadata().is_ok_and(|m| !m.is_file()) {
            let file = std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io(path, "open"))?;
            return Ok(Self::Special(path.to_owned(), BufWriter::new(file)));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".albert-")
            .suffix(".part")
            .permissions_like_a_new_file()
            .tempfile_in(directory)
            .map_err(Error::io(path, "create"))?;
        Ok(Self::File(FileOutput { path: path.to_owned(), file: BufWriter::new(temporary) }))
    }

    /// The name for messages.
    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "<stdout>".to_owned(),
            Self::File(f) => f.path.display().to_string(),
            Self::Special(path, _) => path.display().to_string(),
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File(f) => f.file.write_all(bytes),
            Self::Special(_, out) => out.write_all(bytes),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// Writes `bytes` over the beginning of a file.
    ///
    /// # Errors
    /// [`Error::Output`]; also where there is no going back.
    pub fn write_over_start(&mut self, bytes: &[u8]) -> Result<()> {
        let result = match self {
            Self::File(f) => f
                .file
                .seek(SeekFrom::Start(0))
                .and_then(|_| f.file.write_all(bytes))
                .and_then(|()| f.file.seek(SeekFrom::End(0)).map(drop)),
            Self::Stdout(_) | Self::Special(..) => Err(std::io::ErrorKind::NotSeekable.into()),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// Hands everything written so far to the reader of standard output.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn flush(&mut self) -> Result<()> {
        let result = match self {
            Self::Stdout(out) => out.flush(),
            Self::Special(_, out) => out.flush(),
            Self::File(_) => Ok(()),
        };
        result.map_err(|source| Error::Output { name: self.name(), source })
    }

    /// The end of a whole output: a file takes its name.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        match self {
            Self::Stdout(_) | Self::Special(..) => Ok(()),
            Self::File(f) => f.persist_as(None).map(drop),
        }
    }

    /// The end of an output that broke off: what a file got is kept as `<path>.partial`, whose name
    /// is returned.
    ///
    /// # Errors
    /// [`Error::Output`], [`Error::Io`].
    pub fn keep_partial(mut self) -> Result<Option<PathBuf>> {
        self.flush()?;
        match self {
            Self::Stdout(_) | Self::Special(..) => Ok(None),
            Self::File(f) => f.persist_as(Some("partial")).map(Some),
        }
    }
}

impl FileOutput {
    fn persist_as(self, extra: Option<&str>) -> Result<PathBuf> {
        let name = self.path.display().to_string();
        let temporary = self
            .file
            .into_inner()
            .map_err(|e| Error::Output { name: name.clone(), source: e.into_error() })?;
        temporary.as_file().sync_all().map_err(|source| Error::Output { name, source })?;
        let mut target = self.path.clone().into_os_string();
        if let Some(extra) = extra {
            target.push(".");
            target.push(extra);
        }
        let target = PathBuf::from(target);
        temporary.persist(&target).map_err(|e| Error::io(&target, "rename to")(e.error))?;
        Ok(target)
    }
}

/// tempfile makes files that only their owner can read; output has the mode of any new file.
trait PermissionsLikeANewFile {
    fn permissions_like_a_new_file(&mut self) -> &mut Self;
}

impl PermissionsLikeANewFile for tempfile::Builder<'_, '_> {
    fn permissions_like_a_new_file(&mut self) -> &mut Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            self.permissions(std::fs::Permissions::from_mode(0o666))
        }
        #[cfg(not(unix))]
        self
    }
}
