//! A file that takes its name when it is complete.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::destination::{Destination, parent};
use super::partial::Partial;
use super::record_buffer::RecordBuffer;
use super::temporary::builder;
use crate::error::{Error, Result};

/// A file under another name than its own.
pub struct FileOutput {
    /// As the user named it.
    path: PathBuf,
    /// Where symbolic links lead.
    place: PathBuf,
    /// The file that is there.
    existing: Option<Metadata>,
    working: Working,
    buffer: RecordBuffer,
    how: Placement,
}

/// The file until it is complete.
enum Working {
    /// Under a random name. It is gone if it is not finished.
    Temporary(NamedTempFile),
    /// Under a name that the next run finds.
    Partial(Partial),
}

/// How a complete file gets into its place.
#[derive(Clone, Copy, PartialEq)]
enum Placement {
    /// By its name, at once.
    Rename,
    /// By its content, into the file that is there: one with several names, in a directory that takes no new
    /// files, or of an owner that a new file would not have.
    Copy,
}

impl FileOutput {
    /// A file for `place`, which is where `path` leads; `existing` is the file there. It will have the mode and the owner of
    /// that file, or the mode of any new one.
    ///
    /// # Errors
    /// [`Error::Io`] where no file can be made, and for an existing one that must not be written.
    pub(super) fn create(path: &Path, place: PathBuf, existing: Option<&Metadata>) -> Result<Self> {
        may_be_written(&place, existing)?;
        let (temporary, mut how) = match builder().tempfile_in(parent(&place)) {
            Ok(temporary) => (temporary, Placement::Rename),
            Err(e) if existing.is_some() && takes_no_files(e.kind()) => {
                (builder().tempfile().map_err(Error::io(&place, "create"))?, Placement::Copy)
            }
            Err(e) => return Err(Error::io(&place, "create")(e)),
        };
        if how == Placement::Rename {
            how = placement(temporary.as_file(), existing);
        }
        let working = Working::Temporary(temporary);
        let existing = existing.cloned();
        Ok(Self { path: path.to_owned(), place, existing, working, buffer: RecordBuffer::default(), how })
    }

    /// As [`Self::create`], but under the name `<place>.partial` where that is possible.
    ///
    /// # Errors
    /// As [`Self::create`]; [`Error::BadFile`] if another run writes the partial file.
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

    /// The file that an interrupted run left, or would leave.
    pub(super) fn partial(&self) -> Option<&Partial> {
        match &self.working {
            Working::Partial(partial) => Some(partial),
            Working::Temporary(_) => None,
        }
    }

    /// Starts to write, behind the first `keep` bytes of what an interrupted run left, or over it.
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

    /// Hands everything to the operating system.
    pub(super) fn flush(&mut self) -> std::io::Result<()> {
        let (file, buffer) = self.parts();
        buffer.flush(file)
    }

    /// Cuts off what is not a complete record, after a write that failed.
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

    /// Puts the complete file in its place. A partial file that cannot get there stays.
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

    /// Keeps what was written under a name that says so, which is returned. Nothing is kept of a file without a record.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`].
    pub(super) fn keep_partial(mut self) -> Result<Option<PathBuf>> {
        if self.partial().is_some_and(|partial| !partial.started()) {
            return Ok(None);
        }
        // What cannot be synchronized is kept, too.
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
        // Nothing but the file of an earlier run may go.
        if target.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            return keep(temporary, &target).map(Some);
        }
        match temporary.persist(&target) {
            Ok(_) => Ok(Some(target)),
            Err(e) => keep(e.file, &target).map(Some),
        }
    }

    /// Everything written, on the disk.
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

/// How `file` takes the place of an existing one, whose owner and mode it gets.
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

/// A file that is mounted alone has a name that nothing can take.
fn cannot_be_replaced(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ResourceBusy | ErrorKind::CrossesDevices)
}

fn kept_elsewhere(place: &Path, source: &std::io::Error, kept: &str) -> Error {
    let problem = format!("{source}; the complete output is in {kept}");
    Error::Output { name: place.display().to_string(), source: std::io::Error::new(source.kind(), problem) }
}

/// Keeps a file under its temporary name, for want of the name `wanted`.
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

/// Gives a complete file the name `target`, whose symbolic links are followed; it may be on another disk.
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

/// Gives `file` the owner and the mode of `existing`; false where it cannot have them.
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
