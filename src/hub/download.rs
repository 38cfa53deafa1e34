//! Downloads: each file is resumed after an interruption, verified, and moved into place.
//!
//! Reference: huggingface_hub `file_download.py`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ureq::http::{Method, StatusCode};

use super::cache::{RepoCache, create_directory};
use super::client::{Answer, Client, RequestError};
use super::http_errors::{none_of, refusal};
use super::partial::Partial;
use super::repository::{FileInfo, Repository};
use super::required_files::{
    ADAPTER_FILES, ALBERT_FILES, MAX_INDEX, MODULES, NESTED, files_of_modules, first_in, is_index, shards_of,
};
use super::verify::is_hash;
use super::{HubId, HubSettings, Progress, RequiredFile};
use crate::error::Result;

/// Downloads the missing files and returns the snapshot.
pub(crate) fn run(
    id: &HubId,
    settings: &HubSettings,
    cache: &RepoCache,
    required_files: &[RequiredFile<'_>],
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let client = Client::new(id, settings)?;
    let repository = Repository::open(&client, progress)?;
    let snapshot = cache.snapshot_of(&repository.commit);
    let mut download = Download { client: &client, cache, repository, progress };
    let plan = match download.plan(&snapshot, required_files) {
        Err(_)
            if required_files == ALBERT_FILES
                && download.repository.has("adapter_config.json", download.progress)? =>
        {
            download.plan(&snapshot, &ADAPTER_FILES)?
        }
        plan => plan?,
    };
    for name in plan {
        download.file(&snapshot, name)?;
        if is_index(name) {
            download.shards(&snapshot, name)?;
        }
        if name == MODULES {
            download.modules(&snapshot)?;
        }
    }
    cache.set_ref(&download.repository.commit)?;
    Ok(snapshot)
}

/// A running download of one model.
struct Download<'a> {
    client: &'a Client<'a>,
    cache: &'a RepoCache,
    repository: Repository<'a>,
    progress: &'a mut dyn Progress,
}

impl Download<'_> {
    /// Selects the files to download from those in the repository.
    fn plan<'w>(&mut self, snapshot: &Path, required_files: &[RequiredFile<'w>]) -> Result<Vec<&'w str>> {
        let mut plan = Vec::new();
        for part in required_files {
            let (names, one) = match part {
                RequiredFile::OneOf(names) => (names, true),
                RequiredFile::AnyOf(names) | RequiredFile::Optional(names) => (names, false),
            };
            let before = plan.len();
            if let Some(here) = first_in(snapshot, names).filter(|_| one) {
                plan.push(here);
                continue;
            }
            for name in *names {
                let nested = name.starts_with(NESTED) && !name.ends_with("/config.json");
                if nested && !plan.iter().any(|planned: &&str| planned.starts_with(NESTED)) {
                    continue;
                }
                if snapshot.join(name).is_file() || self.repository.has(name, self.progress)? {
                    plan.push(*name);
                    if one {
                        break;
                    }
                }
            }
            if plan.len() == before && !matches!(part, RequiredFile::Optional(_)) {
                let url = format!("{}/{}", self.client.settings.endpoint, self.client.id.repo);
                return Err(none_of(self.client, &url, names, self.repository.names().map(|n| n.iter())));
            }
        }
        Ok(plan)
    }

    /// Downloads the shards named by an index.
    fn shards(&mut self, snapshot: &Path, index: &str) -> Result<()> {
        for shard in shards_of(snapshot, index)? {
            self.file(snapshot, &shard)?;
        }
        Ok(())
    }

    /// Downloads the files that the modules need.
    fn modules(&mut self, snapshot: &Path) -> Result<()> {
        for names in files_of_modules(snapshot)? {
            let mut found = names.iter().any(|name| !name.is_empty() && snapshot.join(name).is_file());
            for name in names.iter().filter(|name| !name.is_empty()) {
                if !found && self.repository.has(name, self.progress)? {
                    self.file(snapshot, name)?;
                    found = true;
                }
            }
            if !found && names.iter().all(|name| !name.is_empty()) {
                let url = self.repository.url(&names[0]);
                let problem = format!("the repository has no {}, which {MODULES} needs", names.join(" or "));
                return Err(self.client.refuse(&url, problem));
            }
        }
        Ok(())
    }

    /// Downloads one file into the snapshot.
    fn file(&mut self, snapshot: &Path, name: &str) -> Result<()> {
        if snapshot.join(name).is_file() {
            return Ok(());
        }
        let url = self.repository.url(name);
        let Some(info) = self.repository.ask(name, self.progress)? else {
            return Err(self.client.refuse(&url, format!("the repository has no {name}")));
        };
        if is_index(name) && info.size.is_some_and(|size| size > MAX_INDEX) {
            return Err(self.client.refuse(&url, "too long for an index of shards"));
        }
        let blob = self.cache.blob(&info.etag);
        if let Some(directory) = blob.parent() {
            create_directory(directory)?;
        }
        let lock = self.cache.lock(&info.etag, name, self.progress)?;
        // Another program may have downloaded it while this one waited for the lock.
        if !is_complete(&blob, &info) {
            let part = match lock {
                Some(_) => format!("{}.incomplete", info.etag),
                // Without locks, two programs must not write to the same file.
                None => format!("{}.{}.incomplete", info.etag, std::process::id()),
            };
            self.content(&url, name, &info, &blob, &blob.with_file_name(part))?;
        }
        self.cache.place(&self.repository.commit, name, &info.etag)
    }

    /// Downloads, verifies and renames a file.
    fn content(&mut self, url: &str, name: &str, info: &FileInfo, blob: &Path, part: &Path) -> Result<()> {
        loop {
            let mut partial = Partial::open(part.to_owned())?;
            if info.size.is_some_and(|size| partial.have() > size) {
                partial.restart()?;
            }
            let left_by_another = partial.have() > 0;
            let received = self.receive(url, name, info, &mut partial);
            self.progress.finish();
            received?;
            let Err(problem) = partial.check(&info.etag, info.size)? else {
                return partial.finish(blob);
            };
            partial.delete()?;
            if !left_by_another {
                return Err(self
                    .client
                    .refuse(url, format!("{problem}; the download was deleted, try again")));
            }
            self.progress.note(&format!("an earlier partial download of {name} is damaged; starting over"));
        }
    }

    /// Receives data until the file is complete, and resumes after interruptions.
    fn receive(&mut self, url: &str, name: &str, info: &FileInfo, partial: &mut Partial) -> Result<()> {
        let mut expected = info.size;
        let mut most = partial.have();
        let mut received_any = false;
        let mut tries = 1;
        self.progress.start(name, expected, partial.have());
        while expected.is_none_or(|size| partial.have() < size) {
            let trouble = match self.client.request_once(&Method::GET, url, partial.have()) {
                Ok(answer) => match self.place_of(&answer, info, partial.have()) {
                    Place::Complete => return Ok(()),
                    Place::Refused => return Err(refusal(self.client, url, Some(name), answer)),
                    place => {
                        if !matches!(place, Place::Here) {
                            self.restart(name, expected, partial)?;
                        }
                        if matches!(place, Place::Unknown) {
                            RequestError::Transient(
                                "the server cannot resume in the middle of a file".to_owned(),
                                None,
                            )
                        } else {
                            let host = answer.host.clone();
                            expected = expected.or_else(|| Some(partial.have() + body_length(&answer)?));
                            match self.copy(answer, expected, partial)? {
                                None if expected.is_none_or(|size| partial.have() >= size) => return Ok(()),
                                None => RequestError::Transient(
                                    format!("the connection to {host} ended early"),
                                    None,
                                ),
                                Some(broken) => RequestError::Transient(broken, None),
                            }
                        }
                    }
                },
                // A connection that worked a moment ago may soon work again.
                Err(RequestError::Unreachable(problem)) if received_any => {
                    RequestError::Transient(problem, None)
                }
                Err(trouble) => trouble,
            };
            if partial.have() > most {
                (most, received_any, tries) = (partial.have(), true, 1);
            }
            match trouble {
                RequestError::Transient(problem, wait) if tries <= self.client.settings.retries => {
                    self.client.wait(tries, &problem, wait, self.progress);
                    tries += 1;
                }
                RequestError::Transient(problem, _) if partial.have() > 0 => {
                    let kept = "the data received so far is kept, and the next run resumes from there";
                    return Err(self.client.refuse(url, format!("{problem}, {tries} times; {kept}")));
                }
                trouble => return Err(self.client.request_error(url, trouble, tries)),
            }
        }
        Ok(())
    }

    fn restart(&mut self, name: &str, expected: Option<u64>, partial: &mut Partial) -> Result<()> {
        partial.restart()?;
        self.progress.finish();
        self.progress.start(name, expected, 0);
        Ok(())
    }

    /// Returns the position in the file at which a response body starts, given `have` bytes on disk.
    fn place_of(&self, answer: &Answer, info: &FileInfo, have: u64) -> Place {
        let range = answer.header("content-range").unwrap_or_default().trim_start_matches("bytes").trim();
        let (bytes, total) = range.split_once('/').unwrap_or_default();
        let total: Option<u64> = total.parse().ok();
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                let from = bytes.split_once('-').and_then(|(from, _)| from.parse::<u64>().ok());
                let fits = total.is_none() || info.size.is_none() || total == info.size;
                if from == Some(have) && fits { Place::Here } else { Place::Unknown }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                // If the server did not report the size, the file may already be complete.
                let complete = info.size.is_none() && (total == Some(have) || is_hash(&info.etag));
                if complete { Place::Complete } else { Place::Unknown }
            }
            status if status.is_success() && have == 0 => Place::Here,
            status if status.is_success() => Place::Beginning,
            _ => Place::Refused,
        }
    }

    /// Appends a body to the file, up to one byte beyond the expected end. Returns the reason if it was interrupted.
    fn copy(
        &mut self,
        answer: Answer,
        expected: Option<u64>,
        partial: &mut Partial,
    ) -> Result<Option<String>> {
        let host = answer.host.clone();
        let limit = expected.map_or(u64::MAX, |size| (size - partial.have().min(size)).saturating_add(1));
        let mut body = answer.response.into_body().into_reader().take(limit);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    partial.append(&buffer[..n])?;
                    self.progress.advance(n as u64);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Ok(Some(self.client.broken(&host, e))),
            }
        }
    }
}

/// The position of a response body.
enum Place {
    /// After the existing data.
    Here,
    /// At the start of the file.
    Beginning,
    /// The file is already complete.
    Complete,
    /// At some other position.
    Unknown,
    /// The server refused the request.
    Refused,
}

/// Returns the length of an unencoded body.
fn body_length(answer: &Answer) -> Option<u64> {
    answer.header("content-length")?.parse().ok()
}

/// Returns true if the blob exists with the size reported by the hub.
fn is_complete(blob: &Path, info: &FileInfo) -> bool {
    fs::metadata(blob).is_ok_and(|m| m.is_file() && info.size.is_none_or(|size| size == m.len()))
}
