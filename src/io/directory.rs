//! Directories that only appear once they are complete.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::destination::{parent, resolve_directory};
use crate::error::{Error, Result};

/// A directory under a temporary name next to its final one, or inside an existing, empty directory. Leaves nothing
/// behind if it is dropped unfinished.
pub struct StagedDirectory {
    temporary: TempDir,
    destination: PathBuf,
    /// True if the destination exists. Its files are then moved into it, because the directory itself may be a mount
    /// point or the current directory.
    inside: bool,
}

impl StagedDirectory {
    /// Checks that a new directory may be created at `destination`.
    ///
    /// # Errors
    /// [`Error::BadFile`] if a file or a non-empty directory exists there.
    pub fn check(destination: &Path) -> Result<()> {
        match is_empty(&resolve_directory(destination)?)? {
            Some(false) => {
                let problem = "exists and is not empty; name a new directory (nothing is overwritten)";
                Err(Error::bad_file(destination, problem))
            }
            Some(true) | None => Ok(()),
        }
    }

    /// Creates the temporary directory and the parents of the destination. Symbolic links are followed, even to an unused
    /// name.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] for a name that cannot become a directory.
    pub fn create(destination: &Path) -> Result<Self> {
        let destination = resolve_directory(destination)?;
        if is_empty(&destination)? == Some(true) {
            let temporary = temporary_in(&destination)?;
            return Ok(Self { temporary, destination, inside: true });
        }
        Self::beside(&destination)
    }

    /// Like [`Self::create`], but requires the caller to remove an existing destination before [`Self::finish`].
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn beside(destination: &Path) -> Result<Self> {
        let folder = parent(destination);
        std::fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let temporary = temporary_in(folder)?;
        Ok(Self { temporary, destination: destination.to_owned(), inside: false })
    }

    /// Returns the path of the temporary directory.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Syncs everything to disk and renames the directory. Returns the paths of the files in it and their sizes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<Vec<(String, u64)>> {
        let destination = &self.destination;
        let mut files = Vec::new();
        sync_files(self.temporary.path(), "", &mut files)?;
        files.sort();
        if self.inside {
            move_files(self.temporary.path(), destination)?;
            sync_directory(destination);
            return Ok(files);
        }
        make_world_readable(self.temporary.path())?;
        std::fs::rename(self.temporary.path(), destination).map_err(Error::io(destination, "rename to"))?;
        let _moved = self.temporary.keep();
        sync_directory(parent(destination));
        Ok(files)
    }
}

fn temporary_in(folder: &Path) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(".albert-")
        .suffix(".part")
        .tempdir_in(folder)
        .map_err(Error::io(folder, "create a directory here"))
}

/// Returns whether a directory is empty; `None` if it does not exist.
fn is_empty(directory: &Path) -> Result<Option<bool>> {
    match std::fs::read_dir(directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io(directory, "read")(e)),
        Ok(mut entries) => Ok(Some(entries.next().is_none())),
    }
}

/// Moves everything from one directory to another. The weights of a model are moved last, since a directory without them
/// does not count as a model.
fn move_files(from: &Path, to: &Path) -> Result<()> {
    let entries = std::fs::read_dir(from).map_err(Error::io(from, "read"))?;
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort_by_key(|name| {
        let name = name.to_string_lossy().into_owned();
        (name.starts_with("model") || name.starts_with("pytorch_model"), name)
    });
    for name in names {
        let target = to.join(&name);
        std::fs::rename(from.join(&name), &target).map_err(Error::io(&target, "rename to"))?;
    }
    Ok(())
}

/// Resets the permissions, because tempfile creates directories that only their owner can access.
pub(crate) fn make_world_readable(directory: &Path) -> Result<()> {
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

/// Syncs the files in a directory and its subdirectories, and adds their paths and sizes to `files`. `prefix` is the
/// path of `folder` in the staged directory, with a slash at its end.
fn sync_files(folder: &Path, prefix: &str, files: &mut Vec<(String, u64)>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            sync_files(&path, &format!("{name}/"), files)?;
        } else if path.is_file() {
            // On Windows, only files that are open for writing can be flushed.
            let open = OpenOptions::new().read(true).write(cfg!(windows)).open(&path);
            let file = open.map_err(Error::io(&path, "open"))?;
            file.sync_all().map_err(Error::io(&path, "write"))?;
            let size = file.metadata().map_err(Error::io(&path, "read"))?.len();
            files.push((name, size));
        }
    }
    sync_directory(folder);
    Ok(())
}

/// Syncs a directory. Some systems do not support this.
fn sync_directory(folder: &Path) {
    if let Ok(directory) = std::fs::File::open(folder) {
        let _unsupported = directory.sync_all();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn make(destination: &Path) -> Result<Vec<(String, u64)>> {
        StagedDirectory::check(destination)?;
        let directory = StagedDirectory::create(destination)?;
        std::fs::write(directory.path().join("a"), "xy").expect("writes");
        directory.finish()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("reads");
        let mut names: Vec<String> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn links_stay_and_what_they_lead_to_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("empty")).expect("creates");
        std::fs::set_permissions(at("empty"), std::fs::Permissions::from_mode(0o700)).expect("sets");
        symlink("empty", at("to-empty")).expect("links");
        symlink("deep/new", at("dangling")).expect("links");
        assert_eq!(make(&at("to-empty")).expect("makes"), [("a".to_owned(), 2)]);
        assert_eq!(make(&at("dangling")).expect("makes"), [("a".to_owned(), 2)]);
        assert!(at("to-empty").is_symlink() && at("dangling").is_symlink());
        assert_eq!(
            (names(&at("empty")), names(&at("deep/new"))),
            (vec!["a".to_owned()], vec!["a".to_owned()])
        );
        assert_eq!(names(&at("deep")), ["new"]);
        let mode = at("empty").metadata().expect("reads").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let problem = make(&at("to-empty")).expect_err("not empty").to_string();
        assert!(problem.contains("to-empty exists and is not empty"), "{problem}");
        std::fs::write(at("file"), "x").expect("writes");
        let problem = make(&at("file")).expect_err("a file").to_string();
        assert!(problem.contains("file is a file; name a new directory"), "{problem}");
    }

    #[test]
    fn an_unfinished_directory_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(StagedDirectory::create(folder.path()).expect("creates"));
        drop(StagedDirectory::create(&folder.path().join("new")).expect("creates"));
        assert_eq!(names(folder.path()), [] as [String; 0]);
    }
}
