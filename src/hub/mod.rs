//! Models by name: the Hugging Face cache, and downloads into it.
//!
//! The cache has the layout of `huggingface_hub` (blobs named by etag, snapshots of links, refs), so
//! that what either program fetched the other finds. A complete snapshot is used without asking the
//! network; a download can be resumed, and is checked against the hash that the hub names.

mod cache;
mod download;
mod settings;

use std::path::PathBuf;

pub use settings::HubSettings;

use crate::error::{Error, Result};

/// A repository on the hub, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    /// `org/name`, or `name` alone for the oldest models.
    pub repo: String,
    /// Branch, tag or commit; `main` where the user names none.
    pub revision: String,
}

/// Whether a name has the form of a hub id: one or two parts of letters, digits, `-`, `_` and `.`
/// (huggingface_hub's `validate_repo_id`), and perhaps `@revision`.
pub fn is_hub_id(name: &str) -> bool {
    HubId::parse(name).is_ok()
}

impl HubId {
    /// Parses `org/name[@revision]`.
    ///
    /// # Errors
    /// [`Error::Model`] when it is no such name.
    pub fn parse(name: &str) -> Result<Self> {
        let (repo, revision) = name.split_once('@').unwrap_or((name, "main"));
        let part_is_fine = |part: &str| {
            let end_is_fine = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
                && !part.contains("--")
                && !part.contains("..")
                && end_is_fine(part.chars().next())
                && end_is_fine(part.chars().last())
        };
        let parts: Vec<&str> = repo.split('/').collect();
        let revision_is_fine = !revision.is_empty()
            && revision.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
            && revision.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if parts.len() > 2 || repo.len() > 96 || !parts.iter().all(|p| part_is_fine(p)) || !revision_is_fine {
            return Err(Error::Model {
                model: name.to_owned(),
                problem: "no such file or directory, and not a hub id (org/name or org/name@revision)"
                    .to_owned(),
            });
        }
        Ok(Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }

    /// As the user would write it.
    pub fn name(&self) -> String {
        if self.revision == "main" { self.repo.clone() } else { format!("{}@{}", self.repo, self.revision) }
    }
}

/// Who wants to see a download.
pub trait Progress {
    /// A file begins: its size if known, and how much of it is here already.
    fn start(&mut self, file: &str, total: Option<u64>, already: u64);
    /// So many more bytes are here.
    fn advance(&mut self, bytes: u64);
    /// The file is complete.
    fn finish(&mut self);
    /// Something worth saying, such as another try.
    fn note(&mut self, message: &str);
}

/// Files of which a model needs the first that exists; an index brings its shards.
const WEIGHTS: [&str; 4] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// Files of which a model needs at least one.
const TOKENIZERS: [&str; 4] = ["tokenizer.json", "spiece.model", "30k-clean.model", "vocab.txt"];

/// Files that are taken where they exist.
const EXTRAS: [&str; 3] = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// The directory with a model's configuration, weights and tokenizer: from the cache if it is
/// complete there, else downloaded.
///
/// A branch that is in the cache is not asked for anew: delete `refs/` of the model, or name a commit,
/// to get another version.
///
/// # Errors
/// [`Error::Model`] when it is not in the cache and the network is off, naming what is missing where;
/// [`Error::Hub`] for what the hub refuses or delivers badly.
pub fn fetch(id: &HubId, settings: &HubSettings, progress: &mut dyn Progress) -> Result<PathBuf> {
    let cache = cache::RepoCache::new(id, settings)?;
    let missing = match cache.snapshot() {
        Some(snapshot) => match missing_in(&snapshot) {
            None => return Ok(snapshot),
            Some(missing) => format!("{} has no {missing}", snapshot.display()),
        },
        None => format!("{} has no snapshot of {}", cache.root().display(), id.revision),
    };
    if settings.offline {
        return Err(Error::Model {
            model: id.name(),
            problem: format!(
                "not in the cache and the network is off (--offline or HF_HUB_OFFLINE): {missing}"
            ),
        });
    }
    download::Download::new(id, settings, &cache, progress).run()
}

/// What a snapshot lacks for a model to run, if anything.
fn missing_in(snapshot: &std::path::Path) -> Option<String> {
    let has = |name: &str| snapshot.join(name).is_file();
    if !has("config.json") {
        return Some("config.json".to_owned());
    }
    let Some(weights) = WEIGHTS.iter().find(|w| has(w)) else { return Some(WEIGHTS.join(" or ")) };
    if weights.ends_with(".index.json")
        && let Some(shard) = download::shards_of(&snapshot.join(weights)).iter().find(|s| !has(s))
    {
        return Some(shard.clone());
    }
    (!TOKENIZERS.iter().any(|t| has(t))).then(|| TOKENIZERS.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        for good in ["albert/albert-base-v2", "gpt2", "a/b@v1.0", "a/b@refs/pr/1", "org_1/x.y-z"] {
            assert!(is_hub_id(good), "{good}");
        }
        for bad in
            ["./x", "/x", "a/b/c", "../x", "a//b", "a/b@", "a/b@../x", "a/..", "-a/b", "a b", "a/b.", ""]
        {
            assert!(!is_hub_id(bad), "{bad}");
        }
    }
}
