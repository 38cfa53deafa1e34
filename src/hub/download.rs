//! Downloads: which files there are, each resumed where it broke off, checked, and put in place.
//!
//! Reference: huggingface_hub `file_download.py`.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sha2::Digest;
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body};

use super::cache::{RepoCache, create_directory};
use super::{EXTRAS, HubId, HubSettings, Progress, TOKENIZERS, WEIGHTS};
use crate::error::{Error, Result};

/// Longest answer of the hub's interface that is read.
const MAX_LISTING: u64 = 32 << 20;

/// What the hub says of a repository.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// What the hub says of a file.
struct FileInfo {
    etag: String,
    size: Option<u64>,
}

/// One model on its way into the cache.
pub struct Download<'a> {
    id: &'a HubId,
    settings: &'a HubSettings,
    cache: &'a RepoCache,
    progress: &'a mut dyn Progress,
    /// Does not follow redirects: the token must not reach another host.
    agent: Agent,
}

impl<'a> Download<'a> {
    pub fn new(
        id: &'a HubId,
        settings: &'a HubSettings,
        cache: &'a RepoCache,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .user_agent(concat!("albert/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self { id, settings, cache, progress, agent }
    }

    /// Downloads what is missing and returns the snapshot.
    pub fn run(mut self) -> Result<PathBuf> {
        let listing = self.listing()?;
        let commit = listing.sha;
        let there: BTreeSet<String> = listing.siblings.into_iter().map(|s| s.rfilename).collect();
        self.file(&commit, &required(&there, &["config.json"], self.id)?)?;
        let weights = required(&there, &WEIGHTS, self.id)?;
        let tokenizer = required(&there, &TOKENIZERS, self.id)?;
        for name in TOKENIZERS.iter().chain(&EXTRAS).filter(|n| there.contains(**n)) {
            // A vocabulary beside a tokenizer.json is of no use to us; a SentencePiece model is small.
            if *name != "vocab.txt" || tokenizer == *name {
                self.file(&commit, name)?;
            }
        }
        self.file(&commit, &weights)?;
        let snapshot = self.cache.snapshot_of(&commit);
        if weights.ends_with(".index.json") {
            for shard in shards_of(&snapshot.join(&weights)) {
                if !is_plain_name(&shard) {
                    let problem =
                        format!("{weights} names the shard \"{shard}\", which is no plain file name");
                    return Err(self.refuse(&self.resolve_url(&commit, &weights), problem));
                }
                self.file(&commit, &shard)?;
            }
        }
        self.cache.set_ref(&commit)?;
        Ok(snapshot)
    }

    fn resolve_url(&self, commit: &str, file: &str) -> String {
        format!("{}/{}/resolve/{commit}/{file}", self.settings.endpoint, self.id.repo)
    }

    fn refuse(&self, url: &str, problem: impl Into<String>) -> Error {
        Error::Hub { model: self.id.name(), url: url.to_owned(), problem: problem.into() }
    }

    /// The commit and the files of the revision.
    fn listing(&mut self) -> Result<Listing> {
        let revision = self.id.revision.replace('/', "%2F");
        let url = format!("{}/api/models/{}/revision/{revision}", self.settings.endpoint, self.id.repo);
        let response = self.get(&url, None)?;
        self.check_status(&url, &response)?;
        let mut text = Vec::new();
        let read = response.into_body().into_reader().take(MAX_LISTING).read_to_end(&mut text);
        read.map_err(|e| self.refuse(&url, format!("the answer broke off: {e}")))?;
        let listing: Listing = serde_json::from_slice(&text).map_err(|e| {
            self.refuse(&url, format!("the answer is not a hub's ({e}); is HF_ENDPOINT right?"))
        })?;
        if listing.sha.is_empty() || !listing.sha.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(self.refuse(&url, "the answer names no commit; is HF_ENDPOINT right?"));
        }
        Ok(listing)
    }

    /// One request, tried again while the server is in trouble. Redirects are followed, with the token
    /// for the hub's own host alone.
    fn get(&mut self, url: &str, range_from: Option<u64>) -> Result<Response<Body>> {
        self.request(url, range_from, false)
    }

    fn request(&mut self, url: &str, range_from: Option<u64>, head: bool) -> Result<Response<Body>> {
        let mut attempt = 0;
        loop {
            let trouble = match self.follow(url, range_from, head) {
                Ok(response)
                    if response.status().is_server_error()
                        || response.status() == StatusCode::TOO_MANY_REQUESTS =>
                {
                    format!("the server answers {}", response.status())
                }
                Ok(response) => return Ok(response),
                Err(Trouble::Final(problem)) => return Err(self.refuse(url, problem)),
                Err(Trouble::Passing(problem)) => problem,
            };
            attempt += 1;
            if attempt > self.settings.retries {
                return Err(self.refuse(
                    url,
                    format!(
                        "{trouble}, {attempt} times; is the network up? (--offline uses the cache alone)"
                    ),
                ));
            }
            self.wait(attempt, &trouble);
        }
    }

    fn wait(&mut self, attempt: u32, trouble: &str) {
        self.progress.note(&format!("{trouble}; trying again ({attempt} of {})", self.settings.retries));
        // Short waits where failure is quick to tell, as for a settings' timeout of under a second.
        let unit = self.settings.timeout.min(Duration::from_millis(500)) / 5;
        std::thread::sleep(unit * 2u32.pow(attempt.min(5)));
    }

    fn follow(
        &self,
        url: &str,
        range_from: Option<u64>,
        head: bool,
    ) -> std::result::Result<Response<Body>, Trouble> {
        let mut url = url.to_owned();
        for _ in 0..8 {
            let mut request = if head { self.agent.head(&url) } else { self.agent.get(&url) };
            // Compressed bodies would not fit sizes and hashes.
            request = request.header("Accept-Encoding", "identity");
            if let Some(token) = &self.settings.token
                && same_host(&url, &self.settings.endpoint)
            {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            if let Some(from) = range_from {
                request = request.header("Range", format!("bytes={from}-"));
            }
            let response = request.call().map_err(|e| match e {
                ureq::Error::BadUri(problem) => Trouble::Final(format!("not an address: {problem}")),
                other => Trouble::Passing(other.to_string()),
            })?;
            // Of a HEAD only redirects within the hub are followed: its own headers name the content.
            let status = response.status();
            let Some(location) = response.headers().get("location").and_then(|l| l.to_str().ok()) else {
                return Ok(response);
            };
            if !status.is_redirection() || (head && !location.starts_with('/')) {
                return Ok(response);
            }
            url = if location.starts_with('/') {
                format!("{}{location}", origin(&url))
            } else {
                location.to_owned()
            };
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(Trouble::Final(format!("redirects to {url}")));
            }
        }
        Err(Trouble::Final("redirects in circles".to_owned()))
    }

    fn check_status<T>(&self, url: &str, response: &Response<T>) -> Result<()> {
        let code = response.headers().get("x-error-code").and_then(|c| c.to_str().ok()).unwrap_or("");
        let problem = match response.status() {
            status if status.is_success() || status.is_redirection() => return Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => match &self.settings.token {
                None => "the model is private, gated, or does not exist; set HF_TOKEN to a token that may read it".to_owned(),
                Some(_) => "the token does not give access to this model; does it exist, and did you accept its terms?".to_owned(),
            },
            StatusCode::NOT_FOUND if code == "RevisionNotFound" => {
                format!("the model has no revision \"{}\"", self.id.revision)
            }
            StatusCode::NOT_FOUND => "there is no such model on the hub (a path is looked up first; is it spelled right?)".to_owned(),
            status => format!("the server answers {status}"),
        };
        Err(self.refuse(url, problem))
    }

    /// Brings one file into the snapshot.
    fn file(&mut self, commit: &str, name: &str) -> Result<()> {
        if self.cache.snapshot_of(commit).join(name).is_file() {
            return Ok(());
        }
        let url = self.resolve_url(commit, name);
        let info = self.file_info(&url)?;
        let blob = self.cache.blob(&info.etag);
        if let Some(directory) = blob.parent() {
            create_directory(directory)?;
        }
        let _lock = self.cache.lock(&info.etag)?;
        // While we waited for the lock another program may have brought it.
        if !blob.is_file() {
            self.body(&url, name, &info, &blob)?;
        }
        self.cache.place(commit, name, &info.etag)
    }

    fn file_info(&mut self, url: &str) -> Result<FileInfo> {
        let response = self.request(url, None, true)?;
        self.check_status(url, &response)?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let etag = header("x-linked-etag").or_else(|| header("etag")).unwrap_or_default();
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        if etag.is_empty() || !etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(self.refuse(url, "the server names no etag for the file; is HF_ENDPOINT a hub?"));
        }
        let redirected = response.status().is_redirection();
        let size = header("x-linked-size").or_else(|| header("content-length").filter(|_| !redirected));
        Ok(FileInfo { size: size.and_then(|s| s.parse().ok()), etag })
    }

    /// Downloads a file's content beside its blob, going on where an earlier try broke off.
    fn body(&mut self, url: &str, name: &str, info: &FileInfo, blob: &Path) -> Result<()> {
        let part = blob.with_extension("incomplete");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&part)
            .map_err(Error::io(&part, "create"))?;
        let mut have = file.metadata().map_err(Error::io(&part, "read"))?.len();
        if info.size.is_some_and(|size| have > size) {
            file.set_len(0).map_err(Error::io(&part, "shorten"))?;
            have = 0;
        }
        self.progress.start(name, info.size, have);
        let mut attempt = 0;
        while info.size.is_none_or(|size| have < size) {
            let response = self.get(url, (have > 0).then_some(have))?;
            if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                break;
            }
            self.check_status(url, &response)?;
            if have > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
                // The server begins anew.
                file.set_len(0).map_err(Error::io(&part, "shorten"))?;
                have = 0;
                self.progress.start(name, info.size, 0);
            }
            let before = have;
            let broken = self.copy(response, &mut file, &part, &mut have)?;
            if broken.is_none() && info.size.is_none() {
                break;
            }
            if info.size.is_some_and(|size| have < size) {
                let trouble = broken.unwrap_or_else(|| "the connection ended early".to_owned());
                attempt = if have > before { 1 } else { attempt + 1 };
                if attempt > self.settings.retries {
                    return Err(self.refuse(
                        url,
                        format!("{trouble}; what came is kept and the next run goes on from there"),
                    ));
                }
                self.wait(attempt, &trouble);
            }
        }
        self.progress.finish();
        file.flush().map_err(Error::io(&part, "write"))?;
        if let Err(problem) = verify(&mut file, info).map_err(Error::io(&part, "read"))? {
            let _gone = fs::remove_file(&part);
            return Err(self.refuse(url, format!("{problem}; the download was deleted, try again")));
        }
        fs::rename(&part, blob).map_err(Error::io(blob, "rename to"))
    }

    /// Appends a body to the file. Returns why it broke off, if it did.
    fn copy(
        &mut self,
        response: Response<Body>,
        file: &mut File,
        part: &Path,
        have: &mut u64,
    ) -> Result<Option<String>> {
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    file.write_all(&buffer[..n]).map_err(Error::io(part, "write"))?;
                    *have += n as u64;
                    self.progress.advance(n as u64);
                }
                Err(e) => return Ok(Some(e.to_string())),
            }
        }
    }
}

/// Whether it pays to try again.
enum Trouble {
    Passing(String),
    Final(String),
}

/// The first of `names` that the repository has.
fn required(there: &BTreeSet<String>, names: &[&str], id: &HubId) -> Result<String> {
    if let Some(name) = names.iter().find(|n| there.contains(**n)) {
        return Ok((*name).to_owned());
    }
    let few: Vec<&str> = there.iter().take(12).map(String::as_str).collect();
    Err(Error::Model {
        model: id.name(),
        problem: format!("the repository has no {}; it has {}", names.join(" or "), few.join(", ")),
    })
}

/// The shard names in an index file; none if it cannot be read.
pub fn shards_of(index: &Path) -> Vec<String> {
    let Ok(text) = fs::read(index) else { return Vec::new() };
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let map = value.get("weight_map").and_then(serde_json::Value::as_object);
    let names: BTreeSet<&str> = map.into_iter().flatten().filter_map(|(_, shard)| shard.as_str()).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// A name without directories, that cannot leave its own.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', '\0', ':'])
}

/// Scheme and host of an address.
fn origin(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |i| i + 3);
    let end = url[after_scheme..].find('/').map_or(url.len(), |i| after_scheme + i);
    &url[..end]
}

fn same_host(a: &str, b: &str) -> bool {
    origin(a) == origin(b)
}

/// Compares a complete file with what the hub promised: its size, and the hash that its etag is
/// (SHA-256 of large files, git's SHA-1 of small ones; other servers' etags say nothing).
fn verify(file: &mut File, info: &FileInfo) -> std::io::Result<std::result::Result<(), String>> {
    let length = file.metadata()?.len();
    if let Some(size) = info.size
        && size != length
    {
        return Ok(Err(format!("{length} bytes came and the hub promised {size}")));
    }
    let hex = info.etag.chars().all(|c| c.is_ascii_hexdigit());
    let actual = match info.etag.len() {
        64 if hex => hash(file, sha2::Sha256::new())?,
        40 if hex => {
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {length}\0"));
            hash(file, hasher)?
        }
        _ => return Ok(Ok(())),
    };
    if actual == info.etag.to_lowercase() {
        return Ok(Ok(()));
    }
    Ok(Err(format!("the content has the hash {actual} and the hub promised {}", info.etag)))
}

fn hash<D: Digest>(file: &mut File, mut hasher: D) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_with_its_host() {
        assert!(same_host("https://huggingface.co/a/b", "https://huggingface.co"));
        assert!(!same_host("https://huggingface.co.evil.example/a", "https://huggingface.co"));
        assert!(!same_host("http://huggingface.co/a", "https://huggingface.co"));
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        assert!(is_plain_name("model-00001-of-00002.safetensors"));
        for bad in ["../x", "/x", "a/b", "..", "", "a\\b", "c:x"] {
            assert!(!is_plain_name(bad), "{bad}");
        }
    }
}
