//! The files of a repository at one revision, from the hub's listing or, for mirrors without one, by requesting each
//! file.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use serde::Deserialize;
use ureq::http::{Method, StatusCode};

use super::Progress;
use super::client::{Answer, Client};
use super::http_errors::{code, refusal};
use super::required_files::is_safe_component;
use crate::error::Result;
use crate::io::is_path_inside;

/// Maximum size of a listing.
const MAX_LISTING: u64 = 32 << 20;

/// A file that every model has. It is requested if there is no listing.
const PROBE: &str = "config.json";

#[derive(Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Option<Vec<Sibling>>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// Metadata of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileInfo {
    /// Identifier of its content.
    pub etag: String,
    /// Its length.
    pub size: Option<u64>,
}

/// A repository at one commit.
pub(crate) struct Repository<'a> {
    client: &'a Client<'a>,
    /// The commit of the revision.
    pub commit: String,
    /// All files, if the hub lists them.
    names: Option<BTreeSet<String>>,
    /// Files requested so far; `None` for files that do not exist.
    infos: HashMap<String, Option<FileInfo>>,
}

impl<'a> Repository<'a> {
    /// Looks up the commit of the revision.
    pub(crate) fn open(client: &'a Client<'a>, progress: &mut dyn Progress) -> Result<Self> {
        let revision = encode(client.id.revision(), "");
        let url = format!("{}/api/models/{}/revision/{revision}", client.settings.endpoint, client.id.repo);
        let answer = client.request(&Method::GET, &url, progress)?;
        if answer.status().is_success() {
            let Some(listing) = listing(answer) else { return Self::probe(client, progress) };
            let names = listing.siblings.filter(|s| !s.is_empty());
            let names = names.map(|s| s.into_iter().map(|s| s.rfilename).collect());
            return Ok(Self { client, commit: listing.sha, names, infos: HashMap::new() });
        }
        // Mirrors that only serve files have no such endpoint.
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Self::probe(client, progress),
            StatusCode::NOT_FOUND if code(&answer).is_empty() => Self::probe(client, progress),
            _ => Err(refusal(client, &url, None, answer)),
        }
    }

    /// Opens a repository on a server that only serves files.
    fn probe(client: &'a Client<'a>, progress: &mut dyn Progress) -> Result<Self> {
        let url = address(client, client.id.revision(), PROBE);
        let answer = client.request(&Method::HEAD, &url, progress)?;
        let named = answer.commit.clone().filter(|commit| is_safe_component(commit));
        let missing = answer.status() == StatusCode::NOT_FOUND && code(&answer) == "EntryNotFound";
        if !(found(&answer) || missing && named.is_some()) {
            return Err(refusal(client, &url, Some(PROBE), answer));
        }
        let own = client.id.is_commit().then(|| client.id.revision().to_owned());
        match named.or(own) {
            Some(commit) => Ok(Self { client, commit, names: None, infos: HashMap::new() }),
            None => Err(client.refuse(
                &url,
                format!(
                    "the answer does not say which commit \"{}\" is; is HF_ENDPOINT the address of a hub?",
                    client.id.revision()
                ),
            )),
        }
    }

    /// Returns the files, if known.
    pub(crate) fn names(&self) -> Option<&BTreeSet<String>> {
        self.names.as_ref()
    }

    /// Returns the URL of a file.
    pub(crate) fn url(&self, name: &str) -> String {
        address(self.client, &self.commit, name)
    }

    /// Returns true if the file exists.
    pub(crate) fn has(&mut self, name: &str, progress: &mut dyn Progress) -> Result<bool> {
        match &self.names {
            Some(names) => Ok(names.contains(name)),
            None => Ok(self.ask(name, progress)?.is_some()),
        }
    }

    /// Returns the size and etag of a file, or `None` if it does not exist.
    pub(crate) fn ask(&mut self, name: &str, progress: &mut dyn Progress) -> Result<Option<FileInfo>> {
        if let Some(known) = self.infos.get(name) {
            return Ok(known.clone());
        }
        let url = self.url(name);
        if !is_path_inside(name) {
            return Err(self.client.refuse(&url, "not the name of a file in a repository"));
        }
        let answer = self.client.request(&Method::HEAD, &url, progress)?;
        let info = if found(&answer) {
            let etag = answer.etag.clone().filter(|etag| is_safe_component(etag)).ok_or_else(|| {
                self.client
                    .refuse(&url, "the answer has no usable etag; is HF_ENDPOINT the address of a hub?")
            })?;
            Some(FileInfo { etag, size: answer.size })
        } else if answer.status() == StatusCode::NOT_FOUND && matches!(code(&answer), "" | "EntryNotFound") {
            None
        } else {
            return Err(refusal(self.client, &url, Some(name), answer));
        };
        self.infos.insert(name.to_owned(), info.clone());
        Ok(info)
    }
}

/// Returns true if a HEAD request found its file, possibly on another host.
fn found(answer: &Answer) -> bool {
    answer.status().is_success() || answer.status().is_redirection()
}

/// Parses the listing in a response.
fn listing(answer: Answer) -> Option<Listing> {
    let mut text = Vec::new();
    answer.response.into_body().into_reader().take(MAX_LISTING).read_to_end(&mut text).ok()?;
    let listing: Listing = serde_json::from_slice(&text).ok()?;
    is_safe_component(&listing.sha).then_some(listing)
}

fn address(client: &Client<'_>, revision: &str, name: &str) -> String {
    let (revision, name) = (encode(revision, ""), encode(name, "/"));
    format!("{}/{}/resolve/{revision}/{name}", client.settings.endpoint, client.id.repo)
}

/// Percent-encodes reserved characters except `keep`.
fn encode(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if byte.is_ascii_alphanumeric() || "-_.~".contains(c) || (byte.is_ascii() && keep.contains(c)) {
            out.push(c);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encoded() {
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
        assert_eq!(encode("a b/ü?#", "/"), "a%20b/%C3%BC%3F%23");
    }
}
