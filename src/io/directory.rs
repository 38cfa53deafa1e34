//! A directory that appears when it is whole.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// A directory under a temporary name beside its place. Dropped unfinished, it leaves nothing.
pub struct NewDirectory {
    temporary: TempDir,
    destination: PathBuf,
}

impl NewDirectory {
    /// Whether a new directory may take the name `destination`.
    ///
    /// # Errors
    /// [`Error::BadFile`] when there is a file of this name, or a directory that is not empty.
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

    /// Makes the temporary directory, and the directories above it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(destination: &Path) -> Result<Self> {
        let parent = destination.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
        let temporary = tempfile::Builder::new()
            .prefix(".albert-")
            .suffix(".part")
            .tempdir_in(parent)
            .map_err(Error::io(destination, "create"))?;
        Ok(Self { temporary, destination: destination.to_owned() })
    }

    /// Where to write until then.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Puts everything written on the disk and gives the directory its name. An empty directory in its place
    /// goes. Returns the names and sizes of the files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<Vec<(String, u64)>> {
        let destination = &self.destination;
        let files = sync_files(self.temporary.path())?;
        open_to_all(self.temporary.path())?;
        if destination.is_dir() {
            std::fs::remove_dir(destination).map_err(Error::io(destination, "replace"))?;
        }
        std::fs::rename(self.temporary.path(), destination).map_err(Error::io(destination, "rename to"))?;
        let _moved = self.temporary.keep();
        sync_directory(destination.parent());
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

fn sync_files(folder: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        let path = entry.path();
        if path.is_file() {
            let file = std::fs::File::open(&path).map_err(Error::io(&path, "open"))?;
            file.sync_all().map_err(Error::io(&path, "write"))?;
            let size = file.metadata().map_err(Error::io(&path, "read"))?.len();
            files.push((entry.file_name().to_string_lossy().into_owned(), size));
        }
    }
    sync_directory(Some(folder));
    files.sort();
    Ok(files)
}

/// Some systems cannot flush a directory; the names are theirs to keep then.
fn sync_directory(folder: Option<&Path>) {
    let folder = folder.filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(directory) = std::fs::File::open(folder) {
        let _unsupported = directory.sync_all();
    }
}
