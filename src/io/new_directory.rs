//! A directory that appears when everything in it is written.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// A directory that is filled beside its place; without [`NewDirectory::finish`] nothing is left of it.
#[derive(Debug)]
pub struct NewDirectory {
    temporary: TempDir,
    destination: PathBuf,
}

impl NewDirectory {
    /// Begins the directory `destination`; the folders above it are made.
    ///
    /// # Errors
    /// As [`NewDirectory::check`], or if the place cannot be written to.
    pub fn create(destination: &Path) -> Result<Self> {
        Self::check(destination)?;
        let parent = destination.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
        let temporary = tempfile::Builder::new()
            .prefix(".albert-")
            .suffix(".part")
            .tempdir_in(parent)
            .map_err(Error::io(destination, "create"))?;
        Ok(Self { temporary, destination: destination.to_owned() })
    }

    /// Whether `destination` can be a new directory, before any work is done for it.
    ///
    /// # Errors
    /// [`Error::BadFile`] if it is a file or a directory that is not empty.
    pub fn check(destination: &Path) -> Result<()> {
        let bad = |problem: &str| Err(Error::bad_file(destination, problem));
        match std::fs::read_dir(destination) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(_) if destination.is_file() => bad("is a file; name a new directory"),
            Err(e) => Err(Error::io(destination, "read")(e)),
            Ok(mut entries) => match entries.next() {
                Some(_) => bad("exists and is not empty; name a new directory, nothing is written over"),
                None => Ok(()),
            },
        }
    }

    /// Where to write its files.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the directory its name, and back the names and sizes of its files.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn finish(self) -> Result<Vec<(String, u64)>> {
        let Self { temporary, destination } = self;
        let files = list(temporary.path())?;
        open_to_all(temporary.path())?;
        if destination.is_dir() {
            std::fs::remove_dir(&destination).map_err(Error::io(&destination, "replace"))?;
        }
        std::fs::rename(temporary.path(), &destination).map_err(Error::io(&destination, "rename to"))?;
        let _moved = temporary.keep();
        Ok(files)
    }
}

/// tempfile makes directories that only their owner can enter.
pub(crate) fn open_to_all(directory: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory, open).map_err(Error::io(directory, "create"))?;
    }
    #[cfg(not(unix))]
    let _nothing_to_do = directory;
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        let size = entry.metadata().map_err(Error::io(entry.path(), "read"))?.len();
        files.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    files.sort();
    Ok(files)
}
