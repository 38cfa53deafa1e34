//! Models by name: the cache, downloads and every kind of failure, against a server on loopback.
#![cfg(feature = "hub")]

mod common;
#[path = "common/hub_server.rs"]
mod hub_server;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use albert::hub::{HubId, HubSettings, NoProgress, Progress, RequiredFile, fetch, fetch_files};
use common::{albert, golden};
use hub_server::{Api, COMMIT, HubServer, Trouble, etag_of};

#[derive(Default)]
struct Seen {
    files: Vec<(String, Option<u64>, u64)>,
    bytes: u64,
    open: i64,
    notes: Vec<String>,
}

impl Progress for Seen {
    fn start(&mut self, file: &str, total: Option<u64>, already: u64) {
        self.files.push((file.to_owned(), total, already));
        self.open += 1;
    }
    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
    fn finish(&mut self) {
        self.open -= 1;
    }
    fn note(&mut self, message: &str) {
        self.notes.push(message.to_owned());
    }
}

fn settings(cache: &Path, endpoint: &str) -> HubSettings {
    HubSettings {
        endpoint: endpoint.to_owned(),
        timeout: Duration::from_secs(5),
        retries: 2,
        backoff: Duration::from_millis(2),
        ..HubSettings::new(cache)
    }
}

/// Content without repetition, so that a part in the wrong place is detected.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * i / 7 % 251) as u8).collect()
}

/// The files of a model, followed by other files in its repository.
fn model_files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("config.json", b"{\"model_type\": \"albert\"}".to_vec()),
        ("model.safetensors", bytes(20_000)),
        ("tokenizer.json", bytes(3000)),
        ("tokenizer_config.json", b"{}".to_vec()),
        ("README.md", b"not needed".to_vec()),
        ("tf_model.h5", vec![0; 10]),
    ]
}

const NEEDED: usize = 4;

fn without(name: &str) -> Vec<(&'static str, Vec<u8>)> {
    model_files().into_iter().filter(|(n, _)| *n != name).collect()
}

fn weights() -> Vec<u8> {
    bytes(20_000)
}

fn id() -> HubId {
    HubId::parse("org/tiny").expect("an id")
}

struct Scene {
    server: HubServer,
    cache: tempfile::TempDir,
    settings: HubSettings,
}

fn scene(files: Vec<(&str, Vec<u8>)>, trouble: Trouble) -> Scene {
    let server = HubServer::start(files, trouble);
    let cache = tempfile::tempdir().expect("a directory");
    let settings = settings(cache.path(), &server.endpoint);
    Scene { server, cache, settings }
}

impl Scene {
    fn root(&self) -> PathBuf {
        self.cache.path().join("models--org--tiny")
    }

    fn snapshot(&self) -> PathBuf {
        self.root().join("snapshots").join(COMMIT)
    }

    /// Leaves partial weights, as an earlier run would.
    fn leave(&self, content: &[u8]) {
        let blobs = self.root().join("blobs");
        std::fs::create_dir_all(&blobs).expect("creates");
        std::fs::write(blobs.join(format!("{}.incomplete", etag_of(&weights(), true))), content)
            .expect("writes");
    }

    fn fetch(&self) -> albert::Result<PathBuf> {
        fetch(&id(), &self.settings, &mut NoProgress)
    }

    /// Fetches the model and checks that every file is complete.
    fn fetch_whole(&self) -> Seen {
        let mut seen = Seen::default();
        let snapshot = fetch(&id(), &self.settings, &mut seen).expect("downloads");
        for (name, content) in model_files().iter().take(NEEDED) {
            assert_eq!(std::fs::read(snapshot.join(name)).expect("reads"), *content, "{name}");
        }
        assert_eq!(seen.open, 0, "each start has its finish");
        let left = layout(self.cache.path());
        assert!(left.iter().all(|p| !p.contains("incomplete") && !p.contains(".tmp")), "{left:?}");
        seen
    }

    /// The error, with names in place of addresses and folders.
    fn error(&self) -> String {
        let mut seen = Seen::default();
        let error = fetch(&id(), &self.settings, &mut seen).expect_err("trouble").to_string();
        assert_eq!(seen.open, 0, "each start has its finish");
        error.replace(&self.server.endpoint, "HUB").replace(&self.cache.path().display().to_string(), "CACHE")
    }
}

/// All paths in the cache except locks. Links are listed with their targets.
fn layout(root: &Path) -> Vec<String> {
    fn walk(directory: &Path, root: &Path, out: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).expect("reads").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).expect("below").display().to_string();
            match std::fs::read_link(&path) {
                Ok(target) => out.push(format!("{name} -> {}", target.display())),
                Err(_) if path.is_dir() => walk(&path, root, out),
                Err(_) => out.push(name),
            }
        }
    }
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out.retain(|p| !p.starts_with(".locks"));
    out.sort();
    out
}

// ---- The cache

#[test]
#[cfg(unix)]
fn a_download_has_the_layout_of_huggingface_hub() {
    let s = scene(model_files(), Trouble::default());
    let mut seen = Seen::default();
    let snapshot = fetch(&id(), &s.settings, &mut seen).expect("downloads");
    assert_eq!(snapshot, s.snapshot());
    let mut expected = vec!["models--org--tiny/refs/main".to_owned()];
    for (name, content) in model_files().iter().take(NEEDED) {
        let etag = etag_of(content, name.ends_with(".safetensors"));
        expected.push(format!("models--org--tiny/blobs/{etag}"));
        expected.push(format!("models--org--tiny/snapshots/{COMMIT}/{name} -> ../../blobs/{etag}"));
    }
    expected.sort();
    assert_eq!(layout(s.cache.path()), expected);
    let lock = format!(".locks/models--org--tiny/{}.lock", etag_of(&weights(), true));
    assert!(s.cache.path().join(lock).is_file());
    assert_eq!(std::fs::read_to_string(s.root().join("refs/main")).expect("reads"), COMMIT);
    let total: usize = model_files().iter().take(NEEDED).map(|(_, content)| content.len()).sum();
    assert_eq!(seen.bytes, total as u64);
    let last = ("model.safetensors".to_owned(), Some(20_000), 0);
    assert_eq!(seen.files.last(), Some(&last), "the weights make it complete");

    // From here on, the network is not used.
    let before = s.server.requests().len();
    assert_eq!(s.fetch().expect("cached"), snapshot);
    let offline = HubSettings { offline: true, ..s.settings.clone() };
    assert_eq!(fetch(&id(), &offline, &mut NoProgress).expect("cached"), snapshot);
    let by_commit = HubId::parse(&format!("org/tiny@{COMMIT}")).expect("an id");
    assert_eq!(fetch(&by_commit, &s.settings, &mut NoProgress).expect("cached"), snapshot);
    assert_eq!(s.server.requests().len(), before);
}

#[test]
#[cfg(unix)]
fn files_in_the_cache_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let s = scene(model_files(), Trouble::default());
    s.fetch_whole();
    let plain = s.cache.path().join("plain");
    std::fs::write(&plain, "").expect("writes");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&s.root().join("refs/main")), mode(&plain));
    assert_eq!(mode(&s.snapshot().join("model.safetensors")), mode(&plain));
}

#[test]
fn revisions_have_their_own_refs() {
    let s = scene(model_files(), Trouble::default());
    let pull = HubId::parse("org/tiny@refs/pr/1").expect("an id");
    assert_eq!(fetch(&pull, &s.settings, &mut NoProgress).expect("downloads"), s.snapshot());
    assert_eq!(s.server.count("GET", "/api/models/org/tiny/revision/refs%2Fpr%2F1 "), 1);
    assert_eq!(std::fs::read_to_string(s.root().join("refs/refs/pr/1")).expect("reads"), COMMIT);
    assert!(!s.root().join("refs/main").exists());

    let s = scene(model_files(), Trouble::default());
    let commit = HubId::parse(&format!("org/tiny@{COMMIT}")).expect("an id");
    fetch(&commit, &s.settings, &mut NoProgress).expect("downloads");
    assert!(!s.root().join("refs").exists(), "a commit needs no ref");

    let s = scene(model_files(), Trouble::default());
    let old = HubId::parse("tiny").expect("an id");
    let snapshot = fetch(&old, &s.settings, &mut NoProgress).expect("downloads");
    assert_eq!(snapshot, s.cache.path().join("models--tiny/snapshots").join(COMMIT));
}

/// A cache in the layout of huggingface_hub, built by hand.
#[cfg(unix)]
fn foreign_cache(root: &Path) -> PathBuf {
    let snapshot = root.join("snapshots").join("abc");
    for directory in [root.join("blobs"), root.join("refs"), snapshot.clone()] {
        std::fs::create_dir_all(directory).expect("creates");
    }
    std::fs::write(root.join("refs/main"), "abc").expect("writes");
    for (name, content) in model_files().iter().take(NEEDED) {
        let etag = etag_of(content, name.ends_with(".safetensors"));
        std::fs::write(root.join("blobs").join(&etag), content).expect("writes");
        std::os::unix::fs::symlink(format!("../../blobs/{etag}"), snapshot.join(name)).expect("links");
    }
    snapshot
}

#[test]
#[cfg(unix)]
fn a_cache_that_another_program_filled_is_found_offline() {
    let mut s = scene(model_files(), Trouble { status: Some(500), ..Trouble::default() });
    let snapshot = foreign_cache(&s.root());
    assert_eq!(s.fetch().expect("cached"), snapshot);
    s.settings.offline = true;
    assert_eq!(s.fetch().expect("cached"), snapshot);

    std::fs::remove_file(snapshot.join("model.safetensors")).expect("removes");
    assert_eq!(
        s.error(),
        "model \"org/tiny\": not in the cache and the network is off (option offline or HF_HUB_OFFLINE): \
         CACHE/models--org--tiny/snapshots/abc has no model.safetensors or model.safetensors.index.json or \
         pytorch_model.bin or pytorch_model.bin.index.json or tf_model.h5 or flax_model.msgpack or rust_model.ot \
         or model.onnx; run once with the network, or name a directory that \
         holds the files"
    );
    // A dangling link does not count as a file.
    std::fs::remove_file(s.root().join("blobs").join(etag_of(&bytes(3000), false))).expect("removes");
    assert!(s.error().contains("abc has no tokenizer.json or spiece.model or 30k-clean.model or vocab.txt;"));
    std::fs::remove_dir_all(s.root()).expect("removes");
    assert!(s.error().contains("CACHE/models--org--tiny has no snapshot of main; run once with the network"));
    assert!(s.server.requests().is_empty());
}

#[test]
#[cfg(unix)]
fn only_what_is_missing_is_fetched() {
    let s = scene(model_files(), Trouble::default());
    foreign_cache(&s.root());
    std::fs::rename(s.root().join("snapshots/abc"), s.snapshot()).expect("renames");
    std::fs::write(s.root().join("refs/main"), COMMIT).expect("writes");
    std::fs::remove_file(s.root().join("blobs").join(etag_of(&weights(), true))).expect("removes");
    let seen = s.fetch_whole();
    assert_eq!(seen.files, [("model.safetensors".to_owned(), Some(20_000), 0)]);
    assert_eq!(s.server.count("HEAD", ""), 1);

    // Files that a new commit shares with the cached one are not fetched again.
    let s = scene(model_files(), Trouble::default());
    foreign_cache(&s.root());
    std::fs::write(s.root().join("refs/main"), "gone").expect("writes");
    assert!(s.fetch_whole().files.is_empty());
    assert_eq!(s.server.count("GET", "/resolve/"), 0);

    // A blob of the wrong size is ignored.
    let s = scene(model_files(), Trouble::default());
    foreign_cache(&s.root());
    std::fs::remove_file(s.root().join("refs/main")).expect("removes");
    std::fs::write(s.root().join("blobs").join(etag_of(&weights(), true)), b"short").expect("writes");
    assert_eq!(s.fetch_whole().files.len(), 1);
}

#[test]
fn the_weights_that_are_here_are_enough() {
    let mut files = without("model.safetensors");
    files.push(("pytorch_model.bin", bytes(500)));
    let s = scene(files, Trouble::default());
    s.fetch().expect("downloads");
    std::fs::remove_file(s.snapshot().join("tokenizer.json")).expect("removes");
    s.server.commit(COMMIT, model_files());
    let mut seen = Seen::default();
    fetch(&id(), &s.settings, &mut seen).expect("downloads");
    assert!(seen.files.is_empty(), "the tokenizer's blob is here: {:?}", seen.files);
    assert!(!s.snapshot().join("model.safetensors").exists());
}

#[test]
fn a_branch_that_moved_is_fetched_on_demand() {
    let mut s = scene(model_files(), Trouble::default());
    s.fetch_whole();
    let next = "f".repeat(40);
    let mut files = model_files();
    files[1].1.push(1);
    s.server.commit(&next, files);
    assert_eq!(s.fetch().expect("cached"), s.snapshot());
    s.settings.refresh = true;
    let mut seen = Seen::default();
    let snapshot = fetch(&id(), &s.settings, &mut seen).expect("downloads");
    assert_eq!(snapshot, s.root().join("snapshots").join(&next));
    assert_eq!(seen.files.len(), 1, "the rest is the same");
    assert_eq!(std::fs::read_to_string(s.root().join("refs/main")).expect("reads"), next);

    // Without the hub, the cached files are used.
    s.server.set_trouble(Trouble { status: Some(500), ..Trouble::default() });
    let mut seen = Seen::default();
    assert_eq!(fetch(&id(), &s.settings, &mut seen).expect("cached"), snapshot);
    let last = seen.notes.last().expect("a note");
    assert!(last.ends_with("; continuing with the cached files"), "{last}");
}

#[test]
fn concurrent_downloads_do_not_interfere() {
    let s = scene(model_files(), Trouble { cut_after: 4000, cuts: 6, ..Trouble::default() });
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| s.fetch().expect("downloads"));
        }
    });
    s.fetch_whole();
    // Each download is one request to the hub and one to its storage.
    let tries = s.server.count("GET", "/model.safetensors") / 2;
    assert!(tries <= 7, "one of them downloads, with at most six new tries: {tries}");
}

#[test]
fn stale_locks_are_ignored_and_held_locks_are_awaited() {
    let s = scene(model_files(), Trouble::default());
    let locks = s.cache.path().join(".locks/models--org--tiny");
    std::fs::create_dir_all(&locks).expect("creates");
    let path = locks.join(format!("{}.lock", etag_of(&weights(), true)));
    std::fs::write(&path, "left by a program that died").expect("writes");
    let held = std::fs::File::open(&path).expect("opens");
    held.lock().expect("locks");

    /// The other program exits as soon as the wait is reported.
    struct Waiting(Option<std::fs::File>, Vec<String>);
    impl Progress for Waiting {
        fn start(&mut self, file: &str, _total: Option<u64>, _already: u64) {
            assert!(file != "model.safetensors" || self.0.is_none(), "began without the lock");
        }
        fn advance(&mut self, _bytes: u64) {}
        fn finish(&mut self) {}
        fn note(&mut self, message: &str) {
            self.0 = None;
            self.1.push(message.to_owned());
        }
    }
    let mut waiting = Waiting(Some(held), Vec::new());
    fetch(&id(), &s.settings, &mut waiting).expect("downloads");
    assert_eq!(waiting.1, ["waiting for another program that downloads model.safetensors"]);
    s.fetch_whole();
}

// ---- Lines that break

#[test]
fn an_interrupted_download_resumes() {
    for chunked in [false, true] {
        let s = scene(model_files(), Trouble { cut_after: 5000, cuts: 3, chunked, ..Trouble::default() });
        let seen = s.fetch_whole();
        let ranges: Vec<String> =
            s.server.requests().iter().filter_map(|r| r.headers.get("range").cloned()).collect();
        assert!(ranges.iter().any(|r| r == "bytes=5000-"), "{ranges:?}");
        assert!(ranges.iter().any(|r| r == "bytes=15000-"), "{ranges:?}");
        assert_eq!(seen.notes.len(), 3, "{:?}", seen.notes);
        assert_eq!(seen.bytes, 20_000 + 3000 + 2 + 24, "no byte comes twice");
    }
}

#[test]
fn what_an_earlier_run_left_is_used() {
    let s = scene(model_files(), Trouble::default());
    s.leave(&weights()[..7000]);
    let seen = s.fetch_whole();
    assert_eq!(seen.files.last(), Some(&("model.safetensors".to_owned(), Some(20_000), 7000)));
    assert_eq!(s.server.count("GET", "/model.safetensors"), 2, "the hub, then its storage");

    // All bytes are here already.
    let s = scene(model_files(), Trouble::default());
    s.leave(&weights());
    s.fetch_whole();
    assert_eq!(s.server.count("GET", "/model.safetensors"), 0);

    // More bytes than the file has.
    let s = scene(model_files(), Trouble::default());
    s.leave(&bytes(20_001));
    assert_eq!(s.fetch_whole().files.last(), Some(&("model.safetensors".to_owned(), Some(20_000), 0)));

    // Other content.
    let s = scene(model_files(), Trouble::default());
    s.leave(&[9; 7000]);
    let seen = s.fetch_whole();
    let note = "an earlier partial download of model.safetensors is damaged; starting over";
    assert_eq!(seen.notes, [note]);
}

#[test]
fn servers_without_ranges_restart_the_download() {
    for trouble in [
        Trouble { no_ranges: true, ..Trouble::default() },
        Trouble { wrong_ranges: true, ..Trouble::default() },
        Trouble { no_ranges: true, cut_after: 5000, cuts: 2, ..Trouble::default() },
    ] {
        let s = scene(model_files(), trouble);
        s.leave(&weights()[..7000]);
        let seen = s.fetch_whole();
        let weights: Vec<_> = seen.files.iter().filter(|f| f.0 == "model.safetensors").map(|f| f.2).collect();
        assert_eq!(weights[..2], [7000, 0], "{:?}", seen.files);
    }
    // The download also ends if every attempt breaks off.
    let s = scene(
        model_files(),
        Trouble { no_ranges: true, cut_after: 5000, cuts: usize::MAX, ..Trouble::default() },
    );
    let found = s.error();
    assert!(
        found.ends_with(", 3 times; the data received so far is kept, and the next run resumes from there"),
        "{found}"
    );
}

#[test]
fn bodies_of_unknown_length_work() {
    for trouble in [
        Trouble { no_length: true, ..Trouble::default() },
        Trouble { no_length: true, chunked: true, ..Trouble::default() },
        Trouble { chunked: true, ..Trouble::default() },
    ] {
        let s = scene(model_files(), trouble.clone());
        let seen = s.fetch_whole();
        let config = seen.files.iter().find(|f| f.0 == "config.json").expect("was fetched");
        assert_eq!(config.1.is_none(), trouble.no_length);
    }
    // A file of unknown length is already complete, so the server has no bytes left to send.
    let s = scene(model_files(), Trouble { no_length: true, ..Trouble::default() });
    let blobs = s.root().join("blobs");
    std::fs::create_dir_all(&blobs).expect("creates");
    let part = blobs.join(format!("{}.incomplete", etag_of(&bytes(3000), false)));
    std::fs::write(part, bytes(3000)).expect("writes");
    s.fetch_whole();
}

#[test]
fn transient_errors_are_retried() {
    for trouble in [
        Trouble { busy: 2, ..Trouble::default() },
        Trouble { resets: 2, ..Trouble::default() },
        Trouble { busy: 1, headers: "Retry-After: 0\r\n", ..Trouble::default() },
        Trouble { cut_after: 5000, cuts: 1, hang: true, ..Trouble::default() },
    ] {
        let mut s = scene(model_files(), trouble.clone());
        if trouble.hang {
            s.settings.timeout = Duration::from_millis(500);
        }
        assert!(!s.fetch_whole().notes.is_empty(), "{trouble:?}");
    }
}

#[test]
fn a_silent_server_is_given_up() {
    let mut s = scene(model_files(), Trouble { silent: true, ..Trouble::default() });
    s.settings.timeout = Duration::from_millis(300);
    let began = Instant::now();
    assert_eq!(
        s.error(),
        "model \"org/tiny\": HUB/api/models/org/tiny/revision/main: 127.0.0.1 was silent for 300ms, 3 times; try \
         again later, or option offline uses the cache alone"
    );
    assert!(began.elapsed() < Duration::from_secs(5));

    let hang = Trouble { cut_after: 0, cuts: usize::MAX, hang: true, ..Trouble::default() };
    let mut s = scene(model_files(), hang);
    s.settings.timeout = Duration::from_millis(500);
    let found = s.error();
    assert!(found.contains("/config.json: 127.0.0.1 was silent for 500ms, 3 times; try again"), "{found}");
}

// ---- Wrong content

#[test]
fn content_with_a_wrong_hash_is_deleted() {
    let other = |content: &[u8]| {
        let mut other = content.to_vec();
        other[0] ^= 1;
        other
    };
    let s = scene(model_files(), Trouble { corrupt: true, ..Trouble::default() });
    let config = &model_files()[0].1;
    assert_eq!(
        s.error(),
        format!(
            "model \"org/tiny\": HUB/org/tiny/resolve/{COMMIT}/config.json: the content has the hash {} and the \
             hub promised {}; the download was deleted, try again",
            etag_of(&other(config), false),
            etag_of(config, false)
        )
    );
    assert_eq!(layout(s.cache.path()), Vec::<String>::new());

    let only_weights = [RequiredFile::OneOf(&["model.safetensors"])];
    let found =
        fetch_files(&id(), &s.settings, &only_weights, &mut NoProgress).expect_err("damage").to_string();
    let hashes = format!(
        "the content has the hash {} and the hub promised {};",
        etag_of(&other(&weights()), true),
        etag_of(&weights(), true)
    );
    assert!(found.contains(&hashes), "{found}");
    s.server.set_trouble(Trouble::default());
    s.fetch_whole();
}

#[test]
fn excess_bytes_are_rejected() {
    let s = scene(model_files(), Trouble { longer: true, ..Trouble::default() });
    let found = s.error();
    assert!(found.contains("25 bytes came and the hub promised 24; the download was deleted"), "{found}");
}

#[test]
fn etags_that_are_not_hashes_are_only_names() {
    let s = scene(
        vec![("config.json", b"{}".to_vec())],
        Trouble { etag: Some("65f1a2b3-2"), ..Trouble::default() },
    );
    let wanted = [RequiredFile::OneOf(&["config.json"])];
    fetch_files(&id(), &s.settings, &wanted, &mut NoProgress).expect("downloads");
    assert!(s.root().join("blobs/65f1a2b3-2").is_file());

    for bad in ["../../../evil", "a/b", "..", ""] {
        let s =
            scene(vec![("config.json", b"{}".to_vec())], Trouble { etag: Some(bad), ..Trouble::default() });
        let found = fetch_files(&id(), &s.settings, &wanted, &mut NoProgress).expect_err("bad").to_string();
        assert!(
            found.ends_with("the answer has no usable etag; is HF_ENDPOINT the address of a hub?"),
            "{found}"
        );
    }
}

// ---- Selection of files

#[test]
fn shards_come_with_their_index() {
    let index = r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#;
    let mut files = without("model.safetensors");
    files.extend([
        ("model.safetensors.index.json", index.into()),
        ("model-1-of-2.safetensors", bytes(800)),
        ("model-2-of-2.safetensors", bytes(900)),
        ("model-3-of-2.safetensors", bytes(10)),
        ("pytorch_model.bin", bytes(10)),
    ]);
    let mut s = scene(files, Trouble::default());
    let snapshot = s.fetch().expect("downloads");
    assert!(snapshot.join("model-1-of-2.safetensors").is_file());
    assert!(snapshot.join("model-2-of-2.safetensors").is_file());
    assert!(!snapshot.join("model-3-of-2.safetensors").exists());
    assert!(!snapshot.join("pytorch_model.bin").exists());

    std::fs::remove_file(snapshot.join("model-2-of-2.safetensors")).expect("removes");
    s.settings.offline = true;
    assert!(s.error().contains(&format!("snapshots/{COMMIT} has no model-2-of-2.safetensors;")));
    s.settings.offline = false;
    s.fetch().expect("links it again");
    assert!(snapshot.join("model-2-of-2.safetensors").is_file());
}

#[test]
fn an_index_cannot_name_what_is_elsewhere_or_missing() {
    let with_index = |index: &str| {
        let mut files = without("model.safetensors");
        files.push(("model.safetensors.index.json", index.into()));
        let s = scene(files, Trouble::default());
        let found = s.error();
        assert!(s.fetch().is_err(), "also the second time");
        found
    };
    for evil in ["../../../evil", "/etc/passwd", "a\\\\b", "C:x", "a\\u0000b"] {
        let found = with_index(&format!("{{\"weight_map\": {{\"a\": \"{evil}\"}}}}"));
        assert!(found.contains("/model.safetensors.index.json: names the shard "), "{found}");
        assert!(found.ends_with(", which is not a plain file name"), "{found}");
    }
    let found = with_index("{\"weight_map\": {\"a\": \"none.safetensors\"}}");
    assert!(found.ends_with("/none.safetensors: the repository has no none.safetensors"), "{found}");
    assert!(with_index("nonsense").contains("not an index of shards: "));
}

#[test]
fn all_tokenizer_files_come_and_one_is_enough() {
    let mut files = model_files();
    files.extend([("spiece.model", bytes(50)), ("added_tokens.json", b"{}".to_vec())]);
    let s = scene(files, Trouble::default());
    let snapshot = s.fetch().expect("downloads");
    assert!(snapshot.join("spiece.model").is_file() && snapshot.join("tokenizer.json").is_file());
    assert!(snapshot.join("added_tokens.json").is_file());
    for name in ["spiece.model", "30k-clean.model", "vocab.txt"] {
        let mut files = without("tokenizer.json");
        files.push((name, bytes(50)));
        assert!(scene(files, Trouble::default()).fetch().expect("downloads").join(name).is_file());
    }
}

#[test]
fn what_the_repository_lacks_is_named_before_anything_is_fetched() {
    let only = vec![("config.json", b"{}".to_vec()), ("vocab.txt", vec![1]), ("model.ckpt.index", vec![1])];
    let s = scene(only, Trouble::default());
    assert_eq!(
        s.error(),
        "model \"org/tiny\": HUB/org/tiny: the repository has no model.safetensors or \
         model.safetensors.index.json or pytorch_model.bin or pytorch_model.bin.index.json or tf_model.h5 or \
         flax_model.msgpack or rust_model.ot or model.onnx; it has config.json, model.ckpt.index, vocab.txt (a \
         checkpoint of TensorFlow 1: download its files into a directory and name that)"
    );
    assert_eq!(layout(s.cache.path()), Vec::<String>::new());
    let s = scene(without("config.json"), Trouble::default());
    assert_eq!(
        s.error(),
        "model \"org/tiny\": HUB/org/tiny: the repository has no config.json; it has README.md, \
         model.safetensors, tf_model.h5, tokenizer.json, tokenizer_config.json"
    );
    s.server.set_api(Api::NoFiles);
    assert_eq!(s.error(), "model \"org/tiny\": HUB/org/tiny: the repository has no config.json");
}

#[test]
fn hubs_without_a_listing_are_asked_file_by_file() {
    for api in [Api::Absent, Api::Page, Api::NoFiles, Api::Moved] {
        let s = scene(model_files(), Trouble::default());
        s.server.set_api(api);
        s.fetch_whole();
        assert_eq!(s.server.count("HEAD", "/model.safetensors"), 1, "{api:?}");
        assert_eq!(std::fs::read_to_string(s.root().join("refs/main")).expect("reads"), COMMIT);
    }
    let s = scene(model_files(), Trouble { no_commit: true, ..Trouble::default() });
    s.server.set_api(Api::Absent);
    assert_eq!(
        s.error(),
        "model \"org/tiny\": HUB/org/tiny/resolve/main/config.json: the answer does not say which commit \"main\" \
         is; is HF_ENDPOINT the address of a hub?"
    );
    let commit = HubId::parse(&format!("org/tiny@{COMMIT}")).expect("an id");
    fetch(&commit, &s.settings, &mut NoProgress).expect("a commit needs no name");
    let s = scene(Vec::new(), Trouble::default());
    s.server.set_api(Api::Absent);
    assert!(s.error().contains("config.json: there is no such model on the hub;"));
}

// ---- Refusals

#[test]
fn refusals_say_what_to_do() {
    let status = |status, error_code| Trouble { status: Some(status), error_code, ..Trouble::default() };
    let private = "the model is private, gated, or does not exist; set HF_TOKEN to a token that may read it";
    for (trouble, problem) in [
        (status(401, None), private),
        (status(403, Some("GatedRepo")), private),
        (status(404, Some("RepoNotFound")), "there is no such model on the hub; is it spelled right?"),
        (status(404, Some("RevisionNotFound")), "the model has no revision \"main\""),
        (status(418, None), "the hub answers 418 I'm a teapot"),
        (
            Trouble { headers: "X-Error-Message: Be\tnice\r\n", ..status(400, None) },
            "the hub answers 400 Bad Request (the hub says: Be nice)",
        ),
        (
            Trouble { body: "{\"error\": \"Access is\\nrestricted\"}", ..status(400, None) },
            "the hub answers 400 Bad Request (the hub says: Access is restricted)",
        ),
        (
            status(500, None),
            "127.0.0.1 answers 500 Internal Server Error, 3 times; try again later, or option offline uses the cache \
             alone",
        ),
        (
            status(429, None),
            "127.0.0.1 answers 429 Too Many Requests, 3 times; try again later, or option offline uses the cache alone",
        ),
    ] {
        let s = scene(model_files(), trouble);
        let address = "HUB/api/models/org/tiny/revision/main";
        assert_eq!(s.error(), format!("model \"org/tiny\": {address}: {problem}"));
    }
    let mut s = scene(model_files(), status(403, Some("GatedRepo")));
    s.settings.token = Some("hf_x".to_owned());
    assert_eq!(
        s.error(),
        "model \"org/tiny\": HUB/api/models/org/tiny/revision/main: the token of HF_TOKEN does not give access to \
         this model; does it exist, and did you accept its terms?"
    );
    // The listing of a gated model is public; its files are not.
    let s = scene(model_files(), Trouble { only: "/resolve/", ..status(403, Some("GatedRepo")) });
    assert_eq!(
        s.error(),
        format!("model \"org/tiny\": HUB/org/tiny/resolve/{COMMIT}/config.json: {private}")
    );
    let s =
        scene(model_files(), Trouble { only: "/model.safetensors", ..status(404, Some("EntryNotFound")) });
    assert!(s.error().ends_with("/model.safetensors: the repository has no model.safetensors"));
}

#[test]
fn long_answers_are_not_read_to_their_end() {
    let long: &'static str = Box::leak(format!("{{\"error\": \"{}\"}}", "x".repeat(3000)).into());
    let s = scene(model_files(), Trouble { status: Some(400), body: long, ..Trouble::default() });
    assert!(s.error().len() < 400);
    let endless: &'static str = Box::leak("y".repeat(1 << 20).into());
    let s = scene(model_files(), Trouble { status: Some(400), body: endless, ..Trouble::default() });
    assert!(s.error().ends_with("the hub answers 400 Bad Request"));
}

#[test]
fn an_unreachable_hub_is_reported() {
    let mut s = scene(model_files(), Trouble::default());
    // A port that no service listens on.
    s.settings.endpoint = "http://127.0.0.1:9".to_owned();
    let found = s.error();
    let address = "http://127.0.0.1:9/api/models/org/tiny/revision/main";
    assert!(
        found.starts_with(&format!("model \"org/tiny\": {address}: cannot reach 127.0.0.1: ")),
        "{found}"
    );
    let hint = "; is the network up? (option offline uses the cache alone, HF_ENDPOINT names another hub, HTTPS_PROXY a \
                proxy)";
    assert!(found.ends_with(hint), "{found}");

    // TLS to a server without it.
    s.settings.endpoint = s.server.endpoint.replace("http://", "https://");
    let found = s.error();
    assert!(found.contains("/revision/main: no secure connection to 127.0.0.1: "), "{found}");
    assert!(
        found.ends_with("(where a proxy inspects the traffic, SSL_CERT_FILE names its certificates)"),
        "{found}"
    );

    s.settings.ca_file = Some(s.cache.path().join("none.pem"));
    assert!(s.error().starts_with("CACHE/none.pem: cannot read: "));
    std::fs::write(s.cache.path().join("none.pem"), "no certificate").expect("writes");
    assert!(s.error().starts_with("CACHE/none.pem: no certificates in PEM form"));
}

#[test]
fn redirects_end() {
    let s = scene(model_files(), Trouble { circles: true, ..Trouble::default() });
    assert!(s.error().ends_with("/config.json: 127.0.0.1 redirects in circles"));
    assert!(s.server.requests().len() < 20);
    let s = scene(model_files(), Trouble { cache_path: true, ..Trouble::default() });
    s.fetch_whole();
    assert_eq!(s.server.count("HEAD", "/cached/config.json"), 1);
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut s = scene(model_files(), Trouble { token: Some("hf_secret"), ..Trouble::default() });
    assert!(s.error().contains("set HF_TOKEN"));
    s.settings.token = Some("hf_secret".to_owned());
    s.fetch_whole();
    let host = s.server.endpoint.trim_start_matches("http://").to_owned();
    let elsewhere: Vec<_> =
        s.server.requests().into_iter().filter(|r| r.headers.get("host") != Some(&host)).collect();
    assert!(!elsewhere.is_empty());
    for request in elsewhere {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
    s.settings.token = Some("hf_wrong".to_owned());
    std::fs::remove_dir_all(s.root()).expect("removes");
    let found = s.error();
    assert!(
        found.contains("the token of HF_TOKEN does not give access") && !found.contains("hf_"),
        "{found}"
    );
}

// ---- The disk

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_reported() {
    let s = scene(model_files(), Trouble::default());
    let blobs = s.root().join("blobs");
    std::fs::create_dir_all(&blobs).expect("creates");
    let part = format!("{}.incomplete", etag_of(&model_files()[0].1, false));
    std::os::unix::fs::symlink("/dev/full", blobs.join(&part)).expect("links");
    assert_eq!(
        s.error(),
        format!("CACHE/models--org--tiny/blobs/{part}: cannot write: No space left on device (os error 28)")
    );
}

#[test]
fn a_cache_that_cannot_be_created_is_reported() {
    let mut s = scene(model_files(), Trouble::default());
    let file = s.cache.path().join("file");
    std::fs::write(&file, "").expect("writes");
    s.settings.cache_dir = file.join("hub");
    let found = s.error();
    assert!(found.starts_with("CACHE/file/hub/models--org--tiny/blobs: cannot create: "), "{found}");
}

// ---- The program, from model name to prediction

#[test]
fn a_model_is_used_by_its_name() {
    let folder = golden("fill_mask/json_2020");
    let files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    let files = files.map(|f| (f, std::fs::read(folder.join(f)).expect("a golden file")));
    let s = scene(files.into(), Trouble::default());
    let run = |extra: &[&str]| {
        albert()
            .args([
                "fill-mask",
                "--device",
                "flex",
                "-k",
                "1",
                "-m",
                "org/tiny",
                "The capital of [MASK] is Paris.",
            ])
            .args(extra)
            .env("HF_ENDPOINT", &s.server.endpoint)
            .env("HF_HUB_CACHE", s.cache.path())
            .output()
            .expect("runs")
    };
    let first = run(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    assert!(String::from_utf8_lossy(&first.stdout).contains("\"token_str\":\"16\""));
    s.server.set_trouble(Trouble { status: Some(500), ..Trouble::default() });
    assert_eq!(run(&["--offline"]).stdout, first.stdout);
}
