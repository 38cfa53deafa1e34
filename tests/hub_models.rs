//! Models of several files by name. The downloaded model gives the results of a local directory with the same files.
#![cfg(feature = "hub")]

mod common;
#[path = "common/hub_server.rs"]
mod hub_server;

use std::fs;
use std::path::Path;

use common::{albert, golden};
use hub_server::{HubServer, Trouble};

/// All files below a directory, by their relative paths with slashes.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(directory: &Path, root: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let name: Vec<_> = path.strip_prefix(root).expect("below").iter().collect();
                let name = name.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
                found.push((name, fs::read(&path).expect("reads")));
            }
        }
    }
    let mut found = Vec::new();
    walk(directory, directory, &mut found);
    found
}

/// A directory assembled from copies of others, each at its own path.
fn assembled(parts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for (from, to) in parts {
        for (name, content) in files(&golden(from)) {
            let target = folder.path().join(to).join(name);
            fs::create_dir_all(target.parent().expect("a parent")).expect("a directory");
            fs::write(target, content).expect("writes");
        }
    }
    folder
}

/// The output and the messages of a successful run.
fn run(args: &[&str], hub: Option<(&HubServer, &Path)>) -> (String, String) {
    let mut command = albert();
    command.args(args);
    match hub {
        Some((server, cache)) => command.env("HF_ENDPOINT", &server.endpoint).env("HF_HUB_CACHE", cache),
        None => command.env("HF_HUB_OFFLINE", "1"),
    };
    let output = command.output().expect("runs");
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
    (out, err)
}

fn serve(directory: &Path) -> HubServer {
    let found = files(directory);
    let found = found.iter().map(|(name, content)| (name.as_str(), content.clone())).collect();
    HubServer::start(found, Trouble::default())
}

#[test]
fn sentence_transformers_come_with_the_files_of_their_modules() {
    for (name, model) in [("dense", ""), ("max_normalize", ""), ("old", "0_Transformer")] {
        let folder = assembled(&[
            ("cases/models/base", model),
            ("cases/models/tokenizer", model),
            (&format!("sentence_transformers/{name}"), ""),
        ]);
        let server = serve(folder.path());
        let cache = tempfile::tempdir().expect("a directory");
        let embed = |model: &str, hub| {
            run(&["embed", "--device", "flex", "-m", model, "Anna works in Paris.", "A good film."], hub)
        };
        let local = embed(&folder.path().display().to_string(), None);
        let downloaded = embed("org/sentences", Some((&server, cache.path())));
        assert_eq!(downloaded.0, local.0, "{name}");
        assert!(downloaded.1.contains("modules of sentence-transformers"), "{name}: {}", downloaded.1);
        // The cached files are sufficient.
        server.set_trouble(Trouble { status: Some(500), ..Trouble::default() });
        let cached = run(
            &[
                "embed",
                "--offline",
                "--device",
                "flex",
                "-m",
                "org/sentences",
                "Anna works in Paris.",
                "A good film.",
            ],
            Some((&server, cache.path())),
        );
        assert_eq!(cached.0, local.0, "{name}");
    }
}

#[test]
fn an_adapter_comes_with_the_modules_of_its_directory() {
    let adapter = assembled(&[("sentence_transformers/adapter", ""), ("cases/models/tokenizer", "")]);
    let base = assembled(&[("cases/models/base", ""), ("cases/models/tokenizer", "")]);
    let server = serve(adapter.path());
    let cache = tempfile::tempdir().expect("a directory");
    let base = base.path().display().to_string();
    let embed = |model: &str, hub| {
        let text = "Anna works in Paris.";
        run(&["embed", "--device", "flex", "-m", model, "--base-model", &base, text], hub)
    };
    let local = embed(&adapter.path().display().to_string(), None);
    let downloaded = embed("org/adapter", Some((&server, cache.path())));
    assert_eq!(downloaded.0, local.0);
    assert!(downloaded.1.contains("cls pooling"), "{}", downloaded.1);
}

#[test]
fn a_tokenizer_is_used_by_its_name() {
    // The model has no tokenizer, and the repository has nothing else.
    let model = assembled(&[("cases/models/classify", "")]);
    let tokenizer = assembled(&[("cases/models/tokenizer", "")]);
    let server = serve(tokenizer.path());
    let cache = tempfile::tempdir().expect("a directory");
    let model = model.path().display().to_string();
    let tokenizer = tokenizer.path().display().to_string();
    let commands: [&[&str]; 2] = [&["classify", "--device", "flex"], &["tokenize"]];
    for command in commands {
        let with = |tokenizer: &str, more: &[&str], hub| {
            let args = [command, more, &["-m", &model, "--tokenizer", tokenizer, "good film"]].concat();
            run(&args, hub).0
        };
        let local = with(&tokenizer, &[], None);
        let hub = Some((&server, cache.path()));
        assert_eq!(with("org/tokenizer", &[], hub), local, "{command:?}");
        server.set_trouble(Trouble { status: Some(500), ..Trouble::default() });
        assert_eq!(with("org/tokenizer", &["--offline"], hub), local, "{command:?}");
        server.set_trouble(Trouble::default());
    }
}
