//! Model ids on the hub: `org/name[@revision]`.

use crate::error::{Error, Result};

/// The default revision.
const DEFAULT_REVISION: &str = "main";

/// Maximum length of a repository name.
const MAX_NAME: usize = 96;

/// A repository on the hub and a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    /// `org/name`, or `name` alone for the oldest models.
    pub repo: String,
    /// The branch, tag or commit named by the user.
    pub revision: Option<String>,
}

/// Extensions of weight and tokenizer files. A name with one of them is a file that does not exist rather than a model on
/// the hub.
const FILE_EXTENSIONS: [&str; 11] =
    ["safetensors", "bin", "pt", "ckpt", "h5", "msgpack", "onnx", "ot", "json", "model", "txt"];

/// Returns true if a name can be a hub id: one or two parts of letters, digits, `-`, `_` and `.` (`validate_repo_id` in
/// `huggingface_hub`), optionally followed by `@revision`. Names of weight and tokenizer files are not hub ids.
pub fn is_hub_id(name: &str) -> bool {
    HubId::parse(name).is_ok_and(|id| !is_file_name(&id.repo))
}

fn is_file_name(repo: &str) -> bool {
    let extension = repo.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| FILE_EXTENSIONS.contains(&extension.as_str()))
}

/// Returns the error for a name that is neither a file nor, as `error` from the hub says, a hub id that can be used.
pub fn neither_file_nor_hub_id(name: &str, error: Error) -> Error {
    let problem = match error {
        Error::Hub { url, problem, .. } => format!("{url}: {problem}"),
        Error::Model { problem, .. } => problem,
        other => return other,
    };
    Error::Model {
        model: name.to_owned(),
        problem: format!("no such file or directory; as a hub id: {problem}"),
    }
}

impl HubId {
    /// Parses `org/name[@revision]`.
    ///
    /// # Errors
    /// [`Error::Model`] if the name is invalid.
    pub fn parse(name: &str) -> Result<Self> {
        let (repo, revision) = match name.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (name, None),
        };
        if !is_repo(repo) || !revision.is_none_or(is_revision) {
            return Err(Error::Model {
                model: name.to_owned(),
                problem: "no such file or directory, and not a hub id (org/name or org/name@revision)"
                    .to_owned(),
            });
        }
        Ok(Self { repo: repo.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// Returns the revision; `main` by default.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }

    /// Returns the id as a user would write it.
    pub fn name(&self) -> String {
        match &self.revision {
            Some(revision) => format!("{}@{revision}", self.repo),
            None => self.repo.clone(),
        }
    }

    /// Returns true if the revision is a full commit hash, whose meaning never changes.
    pub(super) fn is_commit(&self) -> bool {
        let revision = self.revision();
        revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

fn is_repo(repo: &str) -> bool {
    let is_word = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let part_is_fine = |part: &str| {
        part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && is_word(part.bytes().next())
            && is_word(part.bytes().last())
    };
    let mut parts = repo.split('/');
    let last = parts.next_back().unwrap_or_default();
    last.len() <= MAX_NAME
        && part_is_fine(last)
        && parts.next_back().is_none_or(part_is_fine)
        && parts.next().is_none()
        && !repo.contains("--")
        && !repo.contains("..")
        && !repo.ends_with(".git")
}

/// Returns true for a valid git ref name that is also a plain relative path, since it becomes a path below `refs`.
fn is_revision(revision: &str) -> bool {
    revision.len() <= 200
        && revision.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./+".contains(&b))
        && revision.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_distinguished_from_paths() {
        let longest = "x".repeat(96);
        for good in [
            "albert/albert-base-v2",
            "gpt2",
            "a/b@v1.0",
            "a/b@refs/pr/1",
            "org_1/x.y-z",
            "Foo-BAR_foo.bar123",
            longest.as_str(),
        ] {
            assert!(is_hub_id(good), "{good}");
        }
        let too_long = "x".repeat(97);
        for bad in [
            "./x",
            "/x",
            "x/",
            "a/b/c",
            "../x",
            "a//b",
            "a/b@",
            "a/b@../x",
            "a/b@/x",
            "a/b@x/../../y",
            "a/b@.hidden",
            "a/b@x\\y",
            "a/..",
            "-a/b",
            "a b",
            "a/b.",
            "a--b",
            "a/b--c",
            "a..b",
            "foo.git",
            "nosuch.safetensors",
            "a/pytorch_model.BIN",
            "tokenizer.json@main",
            "a\\b",
            "~/x",
            ".x",
            "a/b\n",
            "a\0b",
            "",
            "@main",
            too_long.as_str(),
        ] {
            assert!(!is_hub_id(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_id_is_written_as_it_was_read() {
        for name in ["a/b", "a/b@main", "a/b@refs/pr/1"] {
            assert_eq!(HubId::parse(name).map(|id| id.name()).ok().as_deref(), Some(name));
        }
        assert_eq!(HubId::parse("a/b").map(|id| id.revision().to_owned()).ok().as_deref(), Some("main"));
    }
}
