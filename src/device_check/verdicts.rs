//! Records of the devices that passed the check, in files that may be deleted at any time.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Maximum number of files to keep. Each has about 200 bytes.
const MAX_FILES: usize = 32;

/// The directory for data about devices: `ALBERT_CACHE`, otherwise `albert` in the user's cache directory. `None` if
/// there is neither.
pub fn cache_directory() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = variable("ALBERT_CACHE") {
        return Some(own);
    }
    let user = if cfg!(windows) { variable("LOCALAPPDATA") } else { None };
    let user = variable("XDG_CACHE_HOME").or(user);
    Some(user.or_else(|| Some(std::env::home_dir()?.join(".cache")))?.join("albert"))
}

/// The file of one device and type.
pub(super) struct Verdicts {
    directory: PathBuf,
    file: PathBuf,
    /// The content of the file, without the result.
    subject: Value,
}

impl Verdicts {
    pub(super) fn new(directory: &Path, adapter: &str, float: &str) -> Self {
        let subject = json!({"program": env!("CARGO_PKG_VERSION"), "device": adapter, "type": float});
        let hash = Sha256::digest(subject.to_string());
        let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let directory = directory.join("devices");
        Self { file: directory.join(format!("{name}.json")), directory, subject }
    }

    /// Returns true if the file records a pass. A damaged file does not count.
    pub(super) fn has_passed(&self) -> bool {
        let text = fs::read(&self.file).unwrap_or_default();
        let Ok(Value::Object(mut found)) = serde_json::from_slice(&text) else { return false };
        found.remove("difference").is_some_and(|value| value.is_number())
            && Value::Object(found) == self.subject
    }

    /// Records that the device passed. If the file cannot be written, the next process checks again.
    pub(super) fn remember(&self, difference: f64) {
        let mut content = self.subject.clone();
        content["difference"] = difference.into();
        let written = fs::create_dir_all(&self.directory).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            writeln!(file, "{content}")?;
            file.persist(&self.file)?;
            Ok(())
        });
        if written.is_ok() {
            self.remove_oldest();
        }
    }

    fn remove_oldest(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            })
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        for (_, path) in files.into_iter().take(surplus).filter(|(_, path)| *path != self.file) {
            let _another_process_may_have_removed_it = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(folder: &Path, adapter: &str) -> Verdicts {
        Verdicts::new(folder, adapter, "F32")
    }

    #[test]
    fn a_verdict_holds_for_its_device_and_type() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = verdicts(folder.path(), "a");
        assert!(!own.has_passed());
        own.remember(1e-6);
        assert!(own.has_passed());
        assert!(!verdicts(folder.path(), "b").has_passed());
        assert!(!Verdicts::new(folder.path(), "a", "F16").has_passed());
    }

    #[test]
    fn damaged_files_are_ignored_and_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = verdicts(folder.path(), "a");
        own.remember(1e-6);
        let whole = fs::read_to_string(&own.file).expect("a file");
        let other = whole.replace("\"a\"", "\"b\"");
        for damaged in ["", "{", &whole[..whole.len() - 3], "[]", "{\"difference\":1}", &other] {
            fs::write(&own.file, damaged).expect("writes");
            assert!(!own.has_passed(), "{damaged}");
        }
        own.remember(1e-6);
        assert!(own.has_passed());
    }

    #[test]
    fn an_unwritable_directory_is_not_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("writes");
        let own = verdicts(&file, "a");
        own.remember(1e-6);
        assert!(!own.has_passed());
    }

    #[test]
    fn concurrent_writes_leave_a_complete_file_and_old_files_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|_| verdicts(folder.path(), "a").remember(1e-6)));
            }
        });
        let own = verdicts(folder.path(), "a");
        assert!(own.has_passed());
        for i in 0..MAX_FILES + 10 {
            verdicts(folder.path(), &i.to_string()).remember(1e-6);
        }
        assert_eq!(fs::read_dir(&own.directory).expect("lists").count(), MAX_FILES);
        assert!(verdicts(folder.path(), &(MAX_FILES + 9).to_string()).has_passed());
    }
}
