//! A file that gets its final name once it is complete.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::destination::{Destination, parent};
use super::partial::Partial;
use super::record_buffer::RecordBuffer;
use super::temporary::builder;
use crate::error::{Error, Result};

/// A file under a working name.
pub struct FileOutput {
    /// The path given by the user.
    path: PathBuf,
    /// The path after following symbolic links.
    place: PathBuf,
    /// Metadata of the existing file, if there is one.
    existing: Option<Metadata>,
    working: Working,
    buffer: RecordBuffer,
    how: Placement,
}

/// The file while it is incomplete.
enum Working {
    /// A file with a random name. It is deleted unless it is finished.
    Temporary(NamedTempFile),
    /// A file with a name at which the next run finds it.
    Partial(Partial),
}

/// How a complete file replaces the destination.
#[derive(Clone, Copy, PartialEq)]
enum Placement {
    /// By renaming it.
    Rename,
    /// By copying its content into the existing file, if that has several hard links, is in a directory that accepts no
    /// new files, or has an owner that a new file cannot have.
    Copy,
}

impl FileOutput {
    /// Creates a file for `place`, to which `path` resolves. `existing` describes the file there. The new file gets the
    /// mode and owner of that file, or the default mode.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be created, or if an existing one is not writable.
    pub(super) fn create(path: &Path, place: PathBuf, existing: Option<&Metadata>) -> Result<Self> {
        may_be_written(&place, existing)?;
        let (temporary, mut how) = match builder().tempfile_in(parent(&place)) {
            Ok(temporary) => (temporary, Placement::Rename),
            Err(e) if existing.is_some() && takes_no_files(e.kind()) => {
                (builder().tempfile().map_err(Error::io(&place, "create"))?, Placement::Copy)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::bad_file(
                    path,
                    format!("the directory {} does not exist", parent(&place).display()),
                ));
            }
            // The message of tempfile names the temporary file.
            Err(e) if takes_no_files(e.kind()) => return Err(Error::io(&place, "create")(e.kind().into())),
            Err(e) => return Err(Error::io(&place, "create")(e)),
        };
        if how == Placement::Rename {
            how = placement(temporary.as_file(), existing);
        }
        let working = Working::Temporary(temporary);
        let existing = existing.cloned();
        Ok(Self { path: path.to_owned(), place, existing, working, buffer: RecordBuffer::default(), how })
    }

    /// Like [`Self::create`], but uses the name `<place>.partial` if possible.
    ///
    /// # Errors
    /// Those of [`Self::create`]; [`Error::BadFile`] if another run is writing the partial file.
    pub(super) fn claim(path: &Path, place: PathBuf, existing: Option<&Metadata>) -> Result<Self> {
        may_be_written(&place, existing)?;
        let Some(partial) = Partial::claim(&place)? else { return Self::create(path, place, existing) };
        Ok(Self {
            path: path.to_owned(),
            place,
            existing: existing.cloned(),
            working: Working::Partial(partial),
            buffer: RecordBuffer::default(),
            how: Placement::Rename,
        })
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns the partial file, which remains if the run is interrupted.
    pub(super) fn partial(&self) -> Option<&Partial> {
        match &self.working {
            Working::Partial(partial) => Some(partial),
            Working::Temporary(_) => None,
        }
    }

    /// Starts writing: after the first `keep` bytes left by an interrupted run, or from the beginning.
    pub(super) fn start(&mut self, keep: u64) -> std::io::Result<()> {
        let Working::Partial(partial) = &mut self.working else { return Ok(()) };
        partial.start(keep)?;
        self.how = placement(partial.file(), self.existing.as_ref());
        self.buffer = RecordBuffer::after(keep);
        Ok(())
    }

    /// Writes the description of the partial file, or removes that of an earlier run.
    pub(super) fn describe(&mut self, description: Option<&[u8]>) -> Result<()> {
        match &mut self.working {
            Working::Partial(partial) => partial.describe(description),
            Working::Temporary(_) => Ok(()),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if self.partial().is_some_and(|partial| !partial.started()) {
            self.start(0)?;
        }
        let (file, buffer) = self.parts();
        buffer.write(file, bytes)
    }

    /// Marks the end of a record.
    pub(super) fn end_record(&mut self) {
        self.buffer.end_record();
    }

    /// Passes all buffered bytes to the operating system.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        let (file, buffer) = self.parts();
        buffer.flush(file)
    }

    /// Truncates the file after the last complete record, following a failed write.
    pub(super) fn cut(&mut self) -> std::io::Result<u64> {
        let (file, buffer) = self.parts();
        buffer.cut(file)
    }

    pub(super) fn rewrite_header(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let (file, buffer) = self.parts();
        buffer.flush(file)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)?;
        file.seek(SeekFrom::End(0)).map(drop)
    }

    fn parts(&mut self) -> (&mut File, &mut RecordBuffer) {
        let file = match &mut self.working {
            Working::Temporary(temporary) => temporary.as_file_mut(),
            Working::Partial(partial) => partial.file(),
        };
        (file, &mut self.buffer)
    }

    /// Moves the complete file to its destination. If that fails, a partial file stays.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`].
    pub(super) fn finish(mut self) -> Result<()> {
        if self.partial().is_some_and(|partial| !partial.started()) {
            self.start(0).map_err(|source| self.failed(source))?;
        }
        let synced = self.sync();
        let (place, how) = (self.place, self.how);
        match (self.working, synced) {
            (Working::Temporary(temporary), Ok(())) => place_temporary(temporary, &place, how),
            (Working::Partial(partial), Ok(())) => place_partial(partial, &place, how),
            (Working::Partial(partial), Err(Error::Output { source, .. })) => {
                Err(kept_elsewhere(&place, &source, &partial.path().display().to_string()))
            }
            (_, Err(error)) => Err(error),
        }
    }

    /// Keeps what was written under a `.partial` name, and returns that name. A file without records is not kept.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`].
    pub(super) fn keep_partial(mut self) -> Result<Option<PathBuf>> {
        if self.partial().is_some_and(|partial| !partial.started()) {
            return Ok(None);
        }
        // Keep the file even if it cannot be synced.
        let _unsynced = self.sync();
        let (file, _) = self.parts();
        let empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let temporary = match self.working {
            Working::Partial(partial) if empty => {
                partial.remove_description();
                std::fs::remove_file(partial.path()).map_err(Error::io(partial.path(), "remove"))?;
                return Ok(None);
            }
            Working::Partial(partial) => return Ok(Some(partial.path().to_owned())),
            Working::Temporary(temporary) => temporary,
        };
        let mut target = self.place.into_os_string();
        target.push(".partial");
        let target = PathBuf::from(target);
        // Only a regular file, left by an earlier run, may be replaced.
        if target.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            return keep(temporary, &target).map(Some);
        }
        match temporary.persist(&target) {
            Ok(_) => Ok(Some(target)),
            Err(e) => keep(e.file, &target).map(Some),
        }
    }

    /// Syncs everything written to disk.
    fn sync(&mut self) -> Result<()> {
        let (file, buffer) = self.parts();
        buffer.flush(file).and_then(|()| file.sync_all()).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> Error {
        Error::Output { name: self.name(), source }
    }
}

fn may_be_written(place: &Path, existing: Option<&Metadata>) -> Result<()> {
    if existing.is_some() {
        OpenOptions::new().write(true).open(place).map_err(Error::io(place, "write"))?;
    }
    Ok(())
}

/// Decides how `file` replaces an existing file, and gives it that file's owner and mode.
fn placement(file: &File, existing: Option<&Metadata>) -> Placement {
    match existing {
        Some(existing) if has_other_names(existing) || !keep_owner_and_mode(file, existing) => {
            Placement::Copy
        }
        _ => Placement::Rename,
    }
}

fn place_temporary(mut temporary: NamedTempFile, place: &Path, how: Placement) -> Result<()> {
    if how == Placement::Rename {
        match temporary.persist(place) {
            Ok(_) => return Ok(()),
            Err(e) if cannot_be_replaced(e.error.kind()) => temporary = e.file,
            Err(e) => return Err(Error::io(place, "rename to")(e.error)),
        }
    }
    copy_into(temporary.as_file_mut(), place).map_err(|source| {
        let kept = keep(temporary, place).map_or_else(|e| e.to_string(), |path| path.display().to_string());
        kept_elsewhere(place, &source, &kept)
    })
}

fn place_partial(mut partial: Partial, place: &Path, how: Placement) -> Result<()> {
    let path = partial.path().to_owned();
    let kept = |source: &std::io::Error| kept_elsewhere(place, source, &path.display().to_string());
    if how == Placement::Rename {
        match std::fs::rename(&path, place) {
            Ok(()) => {
                partial.remove_description();
                return Ok(());
            }
            Err(e) if cannot_be_replaced(e.kind()) => {}
            Err(e) => return Err(kept(&e)),
        }
    }
    copy_into(partial.file(), place).map_err(|e| kept(&e))?;
    std::fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
    partial.remove_description();
    Ok(())
}

/// Returns true if the destination cannot be replaced by renaming, for example because it is a mount point.
fn cannot_be_replaced(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ResourceBusy | ErrorKind::CrossesDevices)
}

fn kept_elsewhere(place: &Path, source: &std::io::Error, kept: &str) -> Error {
    let problem = format!("{source}; the complete output is in {kept}");
    Error::Output { name: place.display().to_string(), source: std::io::Error::new(source.kind(), problem) }
}

/// Keeps a file under its temporary name, because the name `wanted` is unavailable.
fn keep(temporary: NamedTempFile, wanted: &Path) -> Result<PathBuf> {
    temporary.keep().map(|(_, path)| path).map_err(|e| Error::io(wanted, "rename to")(e.error))
}

/// Replaces the content of the file at `place`.
fn copy_into(from: &mut File, place: &Path) -> std::io::Result<()> {
    from.rewind()?;
    let mut file = OpenOptions::new().write(true).open(place)?;
    let length = std::io::copy(from, &mut file)?;
    file.set_len(length)?;
    file.sync_all()
}

/// Moves a complete file to `target`, following symbolic links. The target may be on another disk.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] if `target` is not a file.
pub(crate) fn replace_file(whole: &Path, target: &Path) -> Result<()> {
    let place = match Destination::of(target)? {
        Destination::New(place) | Destination::File(place, _) => place,
        Destination::Directory(_) | Destination::Stream(_) => {
            return Err(Error::bad_file(target, "is not a file and cannot become one; remove it"));
        }
    };
    match std::fs::rename(whole, &place) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            let mut source = File::open(whole).map_err(Error::io(whole, "read"))?;
            let mut file = FileOutput::create(target, place, None)?;
            std::io::copy(&mut source, file.parts().0).map_err(Error::io(target, "write"))?;
            file.finish()
        }
        other => other.map_err(Error::io(&place, "rename to")),
    }
}

fn takes_no_files(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

#[cfg(unix)]
fn has_other_names(file: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.nlink() > 1
}

#[cfg(not(unix))]
fn has_other_names(_file: &Metadata) -> bool {
    false
}

/// Gives `file` the owner and mode of `existing`. Returns false if that is not possible.
#[cfg(unix)]
fn keep_owner_and_mode(file: &File, existing: &Metadata) -> bool {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(own) = file.metadata() else { return false };
    let owned = (own.uid(), own.gid()) == (existing.uid(), existing.gid())
        || fchown(file, Some(existing.uid()), Some(existing.gid())).is_ok();
    owned && file.set_permissions(existing.permissions()).is_ok()
}

#[cfg(not(unix))]
fn keep_owner_and_mode(_file: &File, _existing: &Metadata) -> bool {
    true
}
