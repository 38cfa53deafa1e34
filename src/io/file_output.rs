//! A file that takes its name when it is complete.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::destination::{Destination, parent};
use crate::error::{Error, Result};

/// A file under a temporary name.
pub struct FileOutput {
    /// As the user named it.
    path: PathBuf,
    /// Where symbolic links lead.
    place: PathBuf,
    file: BufWriter<NamedTempFile>,
    how: Placement,
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
        if existing.is_some() {
            OpenOptions::new().write(true).open(&place).map_err(Error::io(&place, "write"))?;
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".albert-").suffix(".part");
        if let Some(mode) = new_file_mode() {
            builder.permissions(mode);
        }
        let (temporary, mut how) = match builder.tempfile_in(parent(&place)) {
            Ok(temporary) => (temporary, Placement::Rename),
            Err(e) if existing.is_some() && takes_no_files(e.kind()) => {
                (builder.tempfile().map_err(Error::io(&place, "create"))?, Placement::Copy)
            }
            Err(e) => return Err(Error::io(&place, "create")(e)),
        };
        if let Some(existing) = existing
            && (has_other_names(existing) || !keep_owner_and_mode(temporary.as_file(), existing))
        {
            how = Placement::Copy;
        }
        Ok(Self { path: path.to_owned(), place, file: BufWriter::new(temporary), how })
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)
    }

    pub(super) fn write_over_start(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`].
    pub(super) fn finish(self) -> Result<()> {
        let (temporary, place, how) = self.into_temporary()?;
        if how == Placement::Copy {
            return copy_into(temporary, &place);
        }
        match temporary.persist(&place) {
            Ok(_) => Ok(()),
            // A file that is mounted alone has a name that nothing can take.
            Err(e) if matches!(e.error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) => {
                copy_into(e.file, &place)
            }
            // Windows does not replace a file that another program has open.
            Err(e) => Err(keep_unplaced(e.file, &place, &e.error)),
        }
    }

    /// Keeps what was written under a name that says so, which is returned.
    ///
    /// # Errors
    /// [`Error::Output`]; [`Error::Io`].
    pub(super) fn keep_partial(self) -> Result<PathBuf> {
        let (temporary, place, _) = self.into_temporary()?;
        let mut target = place.into_os_string();
        target.push(".partial");
        let target = PathBuf::from(target);
        // Nothing but the file of an earlier run may go.
        if target.symlink_metadata().is_ok_and(|m| !m.is_file()) {
            return keep(temporary, &target);
        }
        match temporary.persist(&target) {
            Ok(_) => Ok(target),
            Err(e) => keep(e.file, &target),
        }
    }

    /// Everything written, on the disk.
    fn into_temporary(self) -> Result<(NamedTempFile, PathBuf, Placement)> {
        let output = |source| Error::Output { name: self.path.display().to_string(), source };
        let temporary = self.file.into_inner().map_err(|e| output(e.into_error()))?;
        temporary.as_file().sync_all().map_err(output)?;
        Ok((temporary, self.place, self.how))
    }
}

/// Keeps a file under its temporary name, for want of the name `wanted`.
fn keep(temporary: NamedTempFile, wanted: &Path) -> Result<PathBuf> {
    temporary.keep().map(|(_, path)| path).map_err(|e| Error::io(wanted, "rename to")(e.error))
}

/// Replaces the content of the file at `place`. If that fails, the whole output stays in the temporary file.
fn copy_into(mut temporary: NamedTempFile, place: &Path) -> Result<()> {
    let copied = temporary.as_file_mut().rewind().and_then(|()| {
        let mut file = OpenOptions::new().write(true).open(place)?;
        let length = std::io::copy(temporary.as_file_mut(), &mut file)?;
        file.set_len(length)?;
        file.sync_all()
    });
    copied.map_err(|source| keep_unplaced(temporary, place, &source))
}

/// Leaves complete output in its temporary file. Returns the error that says where it is.
fn keep_unplaced(temporary: NamedTempFile, place: &Path, source: &std::io::Error) -> Error {
    let kept = keep(temporary, place).map_or_else(|e| e.to_string(), |path| path.display().to_string());
    let problem = format!("{source}; the whole output is in {kept}");
    Error::Output { name: place.display().to_string(), source: std::io::Error::new(source.kind(), problem) }
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
            std::io::copy(&mut source, &mut file.file).map_err(Error::io(target, "write"))?;
            file.finish()
        }
        other => other.map_err(Error::io(&place, "rename to")),
    }
}

fn takes_no_files(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// tempfile makes files that only their owner can read; output has the mode of any new file.
#[cfg(unix)]
fn new_file_mode() -> Option<std::fs::Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file_mode() -> Option<std::fs::Permissions> {
    None
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
