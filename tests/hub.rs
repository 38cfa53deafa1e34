//! Models by name: the cache, downloads, and everything that can go wrong with them, against a server
//! on loopback.
#![cfg(feature = "hub")]

mod common;
#[path = "common/hub_server.rs"]
mod hub_server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use albert::hub::{HubId, HubSettings, Progress, fetch};
use common::{albert, golden};
use hub_server::{COMMIT, HubServer, Trouble, etag_of};

#[derive(Default)]
struct Seen {
    files: Vec<(String, u64)>,
    bytes: u64,
    notes: Vec<String>,
}

impl Progress for Seen {
    fn start(&mut self, file: &str, _total: Option<u64>, already: u64) {
        self.files.push((file.to_owned(), already));
    }
    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
    fn finish(&mut self) {}
    fn note(&mut self, message: &str) {
        self.notes.push(message.to_owned());
    }
}

fn settings(cache: &Path, endpoint: &str) -> HubSettings {
    HubSettings {
        cache: cache.to_owned(),
        endpoint: endpoint.to_owned(),
        token: None,
        offline: false,
        timeout: Duration::from_millis(400),
        retries: 2,
    }
}

fn read(case: &str, file: &str) -> Vec<u8> {
    std::fs::read(golden("fill_mask").join(case).join(file)).expect("a golden file")
}

/// A model that really fills masks.
fn model_files() -> Vec<(&'static str, Vec<u8>)> {
    ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        .into_iter()
        .map(|f| (f, read("json_2020", f)))
        .chain([("README.md", b"not needed".to_vec()), ("tf_model.h5", vec![0; 10])])
        .collect()
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

fn error(scene: &Scene) -> String {
    fetch(&id(), &scene.settings, &mut Seen::default()).expect_err("trouble").to_string()
}

/// All paths under the cache, links with their targets.
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

#[test]
#[cfg(unix)]
fn a_download_has_the_layout_of_huggingface_hub() {
    let s = scene(model_files(), Trouble::default());
    let mut seen = Seen::default();
    let snapshot = fetch(&id(), &s.settings, &mut seen).expect("downloads");
    assert_eq!(snapshot, s.cache.path().join("models--org--tiny/snapshots").join(COMMIT));
    let mut expected = vec!["models--org--tiny/refs/main".to_owned()];
    for (name, content) in model_files().iter().take(4) {
        let etag = etag_of(content, name.ends_with(".safetensors"));
        expected.push(format!("models--org--tiny/blobs/{etag}"));
        expected.push(format!("models--org--tiny/snapshots/{COMMIT}/{name} -> ../../blobs/{etag}"));
    }
    expected.sort();
    assert_eq!(layout(s.cache.path()), expected);
    assert_eq!(
        std::fs::read_to_string(s.cache.path().join("models--org--tiny/refs/main")).expect("reads"),
        COMMIT
    );
    let total: usize = model_files().iter().take(4).map(|(_, content)| content.len()).sum();
    assert_eq!(seen.bytes, total as u64);

    // From now on the network is not asked.
    let before = s.server.requests().len();
    assert_eq!(fetch(&id(), &s.settings, &mut Seen::default()).expect("cached"), snapshot);
    let offline = HubSettings { offline: true, ..s.settings.clone() };
    assert_eq!(fetch(&id(), &offline, &mut Seen::default()).expect("cached"), snapshot);
    let by_commit = HubId::parse(&format!("org/tiny@{COMMIT}")).expect("an id");
    assert_eq!(fetch(&by_commit, &offline, &mut Seen::default()).expect("cached"), snapshot);
    assert_eq!(s.server.requests().len(), before);
}

#[test]
#[cfg(unix)]
fn a_cache_that_another_program_filled_is_found_offline() {
    let cache = tempfile::tempdir().expect("a directory");
    let root = cache.path().join("models--org--tiny");
    let snapshot = root.join("snapshots").join("abc");
    for directory in [root.join("blobs"), root.join("refs"), snapshot.clone()] {
        std::fs::create_dir_all(directory).expect("creates");
    }
    std::fs::write(root.join("refs/main"), "abc").expect("writes");
    for (name, content) in model_files().iter().take(4) {
        std::fs::write(root.join("blobs").join(name), content).expect("writes");
        std::os::unix::fs::symlink(format!("../../blobs/{name}"), snapshot.join(name)).expect("links");
    }
    let offline = HubSettings { offline: true, ..settings(cache.path(), "http://127.0.0.1:1") };
    assert_eq!(fetch(&id(), &offline, &mut Seen::default()).expect("cached"), snapshot);

    std::fs::remove_file(snapshot.join("model.safetensors")).expect("removes");
    let error = fetch(&id(), &offline, &mut Seen::default()).expect_err("incomplete").to_string();
    assert_eq!(
        error,
        format!(
            "model \"org/tiny\": not in the cache and the network is off (--offline or HF_HUB_OFFLINE): {} has no \
             model.safetensors or model.safetensors.index.json or pytorch_model.bin or pytorch_model.bin.index.json",
            snapshot.display()
        )
    );
}

#[test]
fn a_download_that_breaks_off_goes_on_from_there() {
    let s = scene(model_files(), Trouble { cut_after: 5000, cuts: 3, ..Trouble::default() });
    let mut seen = Seen::default();
    let snapshot = fetch(&id(), &s.settings, &mut seen).expect("downloads in the end");
    let whole = read("json_2020", "model.safetensors");
    assert_eq!(std::fs::read(snapshot.join("model.safetensors")).expect("reads"), whole);
    let ranges: Vec<String> =
        s.server.requests().iter().filter_map(|r| r.headers.get("range").cloned()).collect();
    assert!(ranges.iter().any(|r| r == "bytes=5000-"), "{ranges:?}");
    assert!(!seen.notes.is_empty());
}

#[test]
fn what_an_earlier_run_left_is_used_and_a_server_without_ranges_begins_anew() {
    for no_ranges in [false, true] {
        let s = scene(model_files(), Trouble { no_ranges, ..Trouble::default() });
        let content = read("json_2020", "model.safetensors");
        let blobs = s.cache.path().join("models--org--tiny/blobs");
        std::fs::create_dir_all(&blobs).expect("creates");
        std::fs::write(blobs.join(format!("{}.incomplete", etag_of(&content, true))), &content[..7000])
            .expect("writes");
        let mut seen = Seen::default();
        let snapshot = fetch(&id(), &s.settings, &mut seen).expect("downloads");
        assert_eq!(std::fs::read(snapshot.join("model.safetensors")).expect("reads"), content);
        assert!(seen.files.contains(&("model.safetensors".to_owned(), 7000)), "{:?}", seen.files);
    }
}

#[test]
fn content_that_is_not_what_was_promised_is_deleted() {
    let s = scene(model_files(), Trouble { corrupt: true, ..Trouble::default() });
    let found = error(&s);
    assert!(
        found.contains("the content has the hash ") && found.contains("the download was deleted, try again"),
        "{found}"
    );
    let left = layout(s.cache.path());
    assert!(left.iter().all(|p| !p.contains("incomplete") && !p.contains("snapshots")), "{left:?}");
    s.server.set_trouble(Trouble::default());
    assert!(fetch(&id(), &s.settings, &mut Seen::default()).is_ok());
}

#[test]
fn a_busy_server_is_asked_again_and_a_broken_one_is_told() {
    let s = scene(model_files(), Trouble { busy: 2, ..Trouble::default() });
    assert!(fetch(&id(), &s.settings, &mut Seen::default()).is_ok());

    let s = scene(model_files(), Trouble { status: Some(500), ..Trouble::default() });
    let found = error(&s);
    assert!(found.contains("the server answers 500 Internal Server Error, 3 times"), "{found}");
    assert!(found.starts_with("model \"org/tiny\": http://127.0.0.1:"), "{found}");

    let s = scene(model_files(), Trouble { silent: true, ..Trouble::default() });
    let found = error(&s);
    assert!(found.contains("3 times; is the network up? (--offline uses the cache alone)"), "{found}");

    let cache = tempfile::tempdir().expect("a directory");
    let nobody = settings(cache.path(), "http://127.0.0.1:9");
    let found = fetch(&id(), &nobody, &mut Seen::default()).expect_err("nobody listens").to_string();
    assert!(found.contains("is the network up?"), "{found}");
}

#[test]
fn refusals_say_what_to_do() {
    let status = |status, code| Trouble { status: Some(status), error_code: code, ..Trouble::default() };
    for (trouble, part) in [
        (status(401, None), "private, gated, or does not exist; set HF_TOKEN"),
        (status(403, Some("GatedRepo")), "private, gated, or does not exist; set HF_TOKEN"),
        (status(404, Some("RepoNotFound")), "there is no such model on the hub"),
        (status(404, Some("RevisionNotFound")), "the model has no revision \"main\""),
        (status(418, None), "the server answers 418"),
    ] {
        let found = error(&scene(model_files(), trouble));
        assert!(found.contains(part), "{found:?} lacks {part:?}");
    }
    let only = vec![("config.json", b"{}".to_vec()), ("tf_model.h5", vec![1])];
    assert_eq!(
        error(&scene(only, Trouble::default())),
        "model \"org/tiny\": the repository has no model.safetensors or model.safetensors.index.json or \
         pytorch_model.bin or pytorch_model.bin.index.json; it has config.json, tf_model.h5"
    );
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let mut s = scene(model_files(), Trouble { token: Some("hf_secret"), ..Trouble::default() });
    assert!(error(&s).contains("set HF_TOKEN"));
    s.settings.token = Some("hf_secret".to_owned());
    fetch(&id(), &s.settings, &mut Seen::default()).expect("downloads");
    let host = s.server.endpoint.trim_start_matches("http://").to_owned();
    let elsewhere: Vec<_> =
        s.server.requests().into_iter().filter(|r| r.headers.get("host") != Some(&host)).collect();
    assert!(!elsewhere.is_empty());
    for request in elsewhere {
        assert!(!request.headers.contains_key("authorization"), "{request:?}");
    }
}

#[test]
fn shards_come_with_their_index_and_cannot_leave_the_directory() {
    let folder: PathBuf = golden("parity/form_safetensors_sharded");
    let file = |name: &str| std::fs::read(folder.join(name)).expect("reads");
    let mut files = vec![
        ("config.json", file("config.json")),
        ("model.safetensors.index.json", file("model.safetensors.index.json")),
        ("vocab.txt", read("bert_vocab", "vocab.txt")),
    ];
    let shards = [
        "model-00001-of-00003.safetensors",
        "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    ];
    files.extend(shards.iter().map(|s| (*s, file(s))));
    let s = scene(files, Trouble::default());
    let snapshot = fetch(&id(), &s.settings, &mut Seen::default()).expect("downloads");
    assert!(shards.iter().all(|shard| snapshot.join(shard).is_file()));

    let evil = vec![
        ("config.json", b"{}".to_vec()),
        ("model.safetensors.index.json", b"{\"weight_map\":{\"a\":\"../../../evil\"}}".to_vec()),
        ("vocab.txt", b"[UNK]".to_vec()),
    ];
    let found = error(&scene(evil, Trouble::default()));
    assert!(found.contains("names the shard \"../../../evil\", which is no plain file name"), "{found}");
}

/// The program itself, from name to prediction.
#[test]
fn a_model_is_used_by_its_name() {
    let s = scene(model_files(), Trouble::default());
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
