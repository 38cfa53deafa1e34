//! Resolves an output path: through symbolic links to a file or an unused name, to a directory, to a device, or to a
//! descriptor that is already open.

use std::fs::{File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Maximum number of symbolic links to follow, as on Linux.
const MOST_LINKS: usize = 40;

/// The target of a path.
#[derive(Debug)]
pub(super) enum Destination {
    /// An unused name.
    New(PathBuf),
    /// A regular file.
    File(PathBuf, Metadata),
    /// A directory.
    Directory(PathBuf),
    /// A target that is written to directly: a device, a pipe, a descriptor.
    Stream(Stream),
}

/// A device, a pipe or a descriptor.
#[derive(Debug)]
pub(super) enum Stream {
    /// A device or a pipe, by its path.
    Path(PathBuf),
    /// A descriptor of another process.
    #[cfg(target_os = "linux")]
    Foreign(PathBuf),
    /// A descriptor of this process.
    #[cfg(target_os = "linux")]
    Own(i32),
}

impl Destination {
    /// Resolves `path`, even if nothing exists there yet.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a cycle of links; [`Error::Io`].
    pub(super) fn of(path: &Path) -> Result<Self> {
        let mut place = path.to_owned();
        for _ in 0..=MOST_LINKS {
            if let Some(stream) = descriptor(&place) {
                return Ok(Self::Stream(stream));
            }
            let metadata = match place.symlink_metadata() {
                Ok(metadata) => metadata,
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::New(place)),
                Err(e) => return Err(Error::io(place, "open")(e)),
            };
            if metadata.is_symlink() {
                let target = std::fs::read_link(&place).map_err(Error::io(&place, "read the link"))?;
                place = parent(&place).join(target);
                continue;
            }
            return Ok(if metadata.is_dir() {
                Self::Directory(place)
            } else if metadata.is_file() {
                Self::File(place, metadata)
            } else {
                Self::Stream(Stream::Path(place))
            });
        }
        Err(Error::bad_file(
            path,
            "is a symbolic link that leads back to itself; remove it or name another file",
        ))
    }
}

impl Stream {
    /// Opens the target for writing. A descriptor of this process shares its file offset and its mode (such as append)
    /// with whoever opened it.
    ///
    /// # Errors
    /// Errors from the operating system.
    pub(super) fn open(self) -> std::io::Result<File> {
        match self {
            Self::Path(path) => OpenOptions::new().write(true).open(path),
            #[cfg(target_os = "linux")]
            Self::Foreign(path) => OpenOptions::new().append(true).open(path),
            #[cfg(target_os = "linux")]
            Self::Own(number) => filedescriptor::FileDescriptor::dup(&number)
                .and_then(|descriptor| descriptor.as_file())
                .map_err(|error| match error {
                    filedescriptor::Error::Dup { source, .. } => source,
                    other => std::io::Error::other(other),
                }),
        }
    }
}

/// Returns the descriptor that a path names: an entry of `/proc/self/fd` or of another process there, possibly as
/// `/dev/fd/1`. Such an entry looks like a link to a file that could be replaced, but is not.
#[cfg(target_os = "linux")]
fn descriptor(path: &Path) -> Option<Stream> {
    let name = path.file_name()?.to_str()?;
    let number = name.parse::<i32>().ok().filter(|number| number.to_string() == name)?;
    let folder = parent(path).canonicalize().ok()?;
    let parts: Vec<&str> = folder.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let (["/", "proc", process, "fd"] | ["/", "proc", process, "task", _, "fd"]) = parts[..] else {
        return None;
    };
    let own = std::fs::read_link("/proc/self").ok();
    Some(match own.as_deref() == Some(Path::new(process)) {
        true => Stream::Own(number),
        false => Stream::Foreign(path.to_owned()),
    })
}

/// On other systems, opening an entry of `/dev/fd` duplicates the descriptor.
#[cfg(all(unix, not(target_os = "linux")))]
fn descriptor(path: &Path) -> Option<Stream> {
    let folder = parent(path).canonicalize().ok()?;
    (folder == Path::new("/dev/fd")).then(|| Stream::Path(path.to_owned()))
}

#[cfg(not(unix))]
fn descriptor(_path: &Path) -> Option<Stream> {
    None
}

/// Returns the parent directory of a path; `.` for a bare name.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Resolves the path of a directory: an existing directory, or an unused name.
///
/// # Errors
/// [`Error::BadFile`] if it leads to something else, or for a cycle of links; [`Error::Io`].
pub(crate) fn resolve_directory(path: &Path) -> Result<PathBuf> {
    match Destination::of(path)? {
        Destination::New(place) | Destination::Directory(place) => Ok(place),
        Destination::File(..) => Err(Error::bad_file(path, "is a file; name a new directory")),
        Destination::Stream(_) => Err(Error::bad_file(path, "is a device; name a new directory")),
    }
}

/// Creates a directory and its parents unless they exist. A symbolic link may lead to a directory that does not exist
/// yet.
///
/// # Errors
/// [`Error::BadFile`] if the path leads to something else, or for a cycle of links; [`Error::Io`].
pub fn create_directory(path: &Path) -> Result<()> {
    let place = resolve_directory(path)?;
    std::fs::create_dir_all(&place).map_err(Error::io(place, "create"))
}

/// Checks, without a trace, that a directory exists or can be created, and that files can be created in it.
///
/// # Errors
/// Those of [`create_directory`].
pub(crate) fn check_creatable(path: &Path) -> Result<()> {
    let place = resolve_directory(path)?;
    let existing = place.ancestors().map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let nearest = existing.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    // An unnamed file, or one that is removed at once.
    tempfile::tempfile_in(nearest).map(drop).map_err(Error::io(place.clone(), "create"))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_their_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).expect("creates");
        std::fs::write(at("sub/file"), "x").expect("writes");
        symlink("sub/file", at("relative")).expect("links");
        symlink(at("relative"), at("chain")).expect("links");
        symlink("../new", at("sub/dangling")).expect("links");
        symlink("sub", at("folder")).expect("links");
        symlink("/dev/null", at("device")).expect("links");
        symlink("b", at("a")).expect("links");
        symlink("a", at("b")).expect("links");
        let shown = |name: &str| match Destination::of(&at(name)) {
            Ok(Destination::New(place)) => format!("new {}", place.display()),
            Ok(Destination::File(place, _)) => format!("file {}", place.display()),
            Ok(Destination::Directory(place)) => format!("directory {}", place.display()),
            Ok(Destination::Stream(Stream::Path(place))) => format!("stream {}", place.display()),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        };
        let place = |name: &str| at(name).display().to_string();
        assert_eq!(shown("chain"), format!("file {}", place("sub/file")));
        assert_eq!(shown("folder/dangling"), format!("new {}", place("folder/../new")));
        assert_eq!(shown("folder"), format!("directory {}", place("sub")));
        assert_eq!(shown("absent"), format!("new {}", place("absent")));
        assert_eq!(shown("device"), "stream /dev/null");
        assert!(shown("a").contains("leads back to itself"), "{}", shown("a"));
        assert!(shown("sub/file/x").contains("cannot open"), "{}", shown("sub/file/x"));
        create_directory(&at("folder/dangling")).expect("creates");
        assert!(at("new").is_dir() && at("sub/dangling").is_symlink());
        assert!(resolve_directory(&at("chain")).is_err() && resolve_directory(&at("device")).is_err());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn descriptors_are_told_from_files() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("1"), "x").expect("writes");
        symlink("/dev/fd", folder.path().join("fd")).expect("links");
        symlink("fd/1", folder.path().join("out")).expect("links");
        let own = |path: &Path| match Destination::of(path) {
            Ok(Destination::Stream(Stream::Own(number))) => Some(number),
            _ => None,
        };
        for path in ["/proc/self/fd/1", "/dev/fd/1", "/proc/thread-self/fd/1"] {
            assert_eq!(own(Path::new(path)), Some(1), "{path}");
        }
        assert_eq!(own(&folder.path().join("out")), Some(1));
        assert_eq!(own(&folder.path().join("1")), None);
        assert_eq!(own(Path::new("/proc/self/fd/01")), None);
        let error = Stream::Own(1_000_000).open().expect_err("not open");
        assert_eq!(error.raw_os_error(), Some(9), "{error}");
        assert!(matches!(
            Destination::of(Path::new("/proc/1/fd/1")),
            Ok(Destination::Stream(Stream::Foreign(_))) | Err(_)
        ));
    }
}
