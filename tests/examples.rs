//! The examples in the help of every subcommand, in the README and in `docs/` work as printed. They run in a directory
//! with the files that they mention. Small models in the hub's cache take the names of the real ones.
#![cfg(unix)]
#![allow(clippy::print_stderr, reason = "says what was skipped")]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{albert, golden};

/// The hub ids in the examples, and the models that replace them.
const HUB: [(&str, &str); 4] = [
    ("albert/albert-base-v2", "bio"),
    ("textattack/albert-base-v2-SST-2", "two"),
    ("ArBert/albert-base-v2-finetuned-ner", "bio"),
    ("twmkn9/albert-base-v2-squad2", "bio"),
];

/// The files and the models of the directory.
const FILES: [(&str, &str); 13] = [
    ("reviews.jsonl", "{\"id\": 1, \"review\": \"A fine film.\"}\n"),
    ("train.jsonl", "{\"text\": \"good\", \"label\": \"yes\"}\n{\"text\": \"bad\", \"label\": \"no\"}\n"),
    ("dev.jsonl", "{\"text\": \"well\", \"label\": \"yes\"}\n{\"text\": \"ill\", \"label\": \"no\"}\n"),
    ("cola.tsv", "gj04\t1\t\tIt rained.\ngj04\t0\t*\tIt the rained.\n"),
    (
        "pairs.jsonl",
        "{\"text\": \"It rained.\", \"text_pair\": \"It was wet.\", \"label\": \"entailment\"}\n",
    ),
    (
        "train-v2.0.json",
        "{\"data\": [{\"paragraphs\": [{\"context\": \"It rained.\", \"qas\": [{\"id\": \"a\", \"question\": \"What?\", \
         \"answers\": [{\"text\": \"rained\", \"answer_start\": 3}]}]}]}]}\n",
    ),
    ("texts.jsonl", "{\"text\": \"the [MASK] of France\"}\n"),
    ("texts.txt", "One text.\nAnother.\n"),
    ("news.txt", "George Washington was walking to Paris.\n\nIt rained.\n"),
    ("page.txt", "George Washington wrote the letter\r\nin 1790.\n"),
    ("tickets.jsonl", "{\"text\": \"Where is my parcel?\"}\n"),
    ("questions.jsonl", "{\"question\": \"Why?\", \"choices\": [\"a\", \"b\", \"c\"], \"label\": 0}\n"),
    (
        "dev-v2.0.json",
        "{\"version\": \"v2.0\", \"data\": [{\"title\": \"T\", \"paragraphs\": [{\"context\": \"It rained.\", \"qas\": \
         [{\"id\": \"a\", \"question\": \"Why?\", \"answers\": [], \"is_impossible\": true}]}]}]}\n",
    ),
];
const MODELS: [(&str, &str); 5] = [
    ("my-model", "choice_a"),
    ("my-choice-model", "choice_a"),
    ("my-nli-model", "inner"),
    ("my-qa-model", "bio"),
    ("reviews-model", "two"),
];

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn copy_model(name: &str, to: &Path) {
    copy_files(&golden("tasks/models").join(name), to);
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a model") {
        let path = entry.expect("a file").path();
        std::fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copies");
    }
}

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, content) in FILES {
        std::fs::write(directory.path().join(name), content).expect("writes");
    }
    for (name, model) in MODELS {
        copy_model(model, &directory.path().join(name));
    }
    let config = directory.path().join("reviews-model/config.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&config).expect("a file")).expect("JSON");
    json.as_object_mut().expect("an object").remove("problem_type");
    json["id2label"] = serde_json::json!({"0": "no", "1": "yes"});
    json["label2id"] = serde_json::json!({"no": 0, "yes": 1});
    std::fs::write(&config, json.to_string()).expect("writes");
    copy_files(&golden("formats/google_pretraining"), &directory.path().join("albert_base"));
    let vocabulary = directory.path().join("albert_base/30k-clean.model");
    std::fs::copy(golden("fill_mask/spiece_nfkc/spiece.model"), vocabulary).expect("copies");
    for (id, model) in HUB {
        let repository = directory.path().join("hf/hub").join(format!("models--{}", id.replace('/', "--")));
        copy_model(model, &repository.join("snapshots").join(COMMIT));
        std::fs::create_dir_all(repository.join("refs")).expect("a directory");
        std::fs::write(repository.join("refs/main"), COMMIT).expect("writes");
    }
    std::fs::create_dir(directory.path().join("texts")).expect("a directory");
    let text =
        "The river runs to the sea. People walk along it every morning.\nSome carry bread.\n\n".repeat(20);
    std::fs::write(directory.path().join("texts/river.txt"), &text).expect("writes");
    let file = std::fs::File::create(directory.path().join("more.jsonl.gz")).expect("a file");
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    for _ in 0..3 {
        writeln!(packed, "{}", serde_json::json!({ "text": text.replace("\n\n", "\n") })).expect("writes");
    }
    packed.finish().expect("writes");
    std::fs::create_dir_all(directory.path().join(".local/share/bash-completion/completions"))
        .expect("a directory");
    directory
}

/// Runs a line as a user would, in `directory` and without network access.
fn shell(line: &str, directory: &Path) -> std::process::Output {
    let binary = assert_cmd::cargo::cargo_bin("albert");
    let path = format!(
        "{}:{}",
        binary.parent().expect("a directory").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    Command::new("sh")
        .args(["-c", &format!("set -e; {line}")])
        .current_dir(directory)
        .env("PATH", &path)
        .env("HOME", directory)
        .env("HF_HOME", directory.join("hf"))
        .env("HF_HUB_OFFLINE", "1")
        .env("ALBERT_DEVICE", "flex")
        .env_remove("ALBERT_MODEL")
        .env_remove("HF_HUB_CACHE")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("a shell")
}

/// The examples in a subcommand's help.
fn examples(subcommand: &str) -> Vec<String> {
    let output = albert().args([subcommand, "--help"]).output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let after = help.split("Example").nth(1).unwrap_or_else(|| panic!("{subcommand} has an example"));
    let lines: Vec<String> = after.lines().skip(1).map(str::to_owned).collect();
    for line in &lines {
        assert!(
            line.starts_with("  albert ") || line.starts_with("  cat "),
            "an example that is wrapped cannot be copied: {line}"
        );
    }
    assert!(!lines.is_empty(), "{subcommand} has an example");
    lines
}

/// The number of warnings. The one about the Google checkpoint's tokenizer, which belongs to another model, does not
/// count.
fn warnings(errors: &str) -> usize {
    let is_warning =
        |line: &&str| line.contains("albert: warning") && !line.contains("do not belong together");
    errors.lines().filter(is_warning).count()
}

#[test]
fn the_examples_of_every_subcommand_work_as_printed() {
    let output = albert().arg("--help").output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let names: Vec<&str> = commands
        .expect("a list of commands")
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.contains(&"zero-shot") && names.len() >= 12, "{names:?}");
    for name in names {
        for example in examples(name) {
            let directory = directory();
            // The squad example needs a question-answering model, the choice example a multiple-choice model.
            if name == "qa" {
                copy_model("bio", &directory.path().join("my-model"));
            }
            // A run that would take hours is cut to two steps of a small model.
            let short = example.replace("--steps 20000", "--steps 2").replace("--size mini", "--size tiny");
            let short = if name == "finetune" { short.replace(" -o ", " --steps 2 -o ") } else { short };
            let output = shell(&short, directory.path());
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success()
                    && !errors.contains("albert: error")
                    && (name == "finetune" || warnings(&errors) == 0),
                "{example}: {errors}"
            );
            let wrote_file =
                example.contains(" > ") || example.contains("-o ") || example.contains("--output");
            assert!(wrote_file || !output.stdout.is_empty(), "{example}: no output");
        }
    }
}

/// A fenced block of a document.
struct Block {
    document: String,
    language: String,
    text: String,
}

/// The fenced blocks of the README and of everything in `docs/`.
fn blocks() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                documents.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for path in documents {
        let text = std::fs::read_to_string(&path).expect("a document");
        let document = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let mut open: Option<(String, String)> = None;
        for line in text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(language)) => open = Some((language.to_owned(), String::new())),
                (Some((_, text)), None) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (Some(_), Some(_)) => {
                    let (language, text) = open.take().expect("an open block");
                    found.push(Block { document: document.clone(), language, text });
                }
                (None, None) => {}
            }
        }
    }
    found
}

/// Cuts training runs to two steps of a small model.
fn shortened(script: &str) -> String {
    script
        .replace("--steps 20000", "--steps 2")
        .replace("--size mini", "--size tiny")
        .replace("--output my-sentiment", "--output my-sentiment --steps 2")
}

fn has_jq() -> bool {
    let found = Command::new("jq").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: jq is not installed");
    }
    found
}

#[test]
fn commands_in_documents_work() {
    if !has_jq() {
        return;
    }
    let blocks: Vec<Block> = blocks().into_iter().filter(|block| block.language == "sh").collect();
    for task in [
        "fill-mask",
        "classify",
        "classify --order",
        "ner",
        "qa",
        "choose",
        "embed",
        "zero-shot",
        "score",
        "convert",
        "finetune",
    ] {
        assert!(
            blocks.iter().any(|block| block.text.contains(&format!("albert {task}"))),
            "an example of {task}"
        );
    }
    for Block { document, text, .. } in blocks {
        let directory = directory();
        let output = shell(&shortened(&text), directory.path());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("albert: error"), "{document}: {text}: {errors}");
        assert!(!errors.contains("jq: error"), "{document}: {text}: {errors}");
        // A filter may select nothing, and some commands only write files.
        let silent = text.contains("-o ")
            || text.contains("--output")
            || text.contains("select(")
            || text.contains("convert");
        assert!(silent || !output.stdout.is_empty(), "{document}: {text}: no output");
    }
}

/// The commands of a console block, each with the output shown below it.
fn session(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        match (line.strip_prefix("$ "), found.last_mut()) {
            (Some(command), _) if !continues => found.push((command.to_owned(), Vec::new())),
            (_, Some((command, _))) if continues => {
                command.push('\n');
                command.push_str(line);
            }
            (_, Some((_, output))) => output.push(line.to_owned()),
            (_, None) => panic!("a console block begins with a command: {line}"),
        }
        let (command, _) = found.last().expect("a command");
        continues = found.last().is_some_and(|(_, output)| output.is_empty())
            && (command.matches('\'').count() % 2 == 1 || command.trim_end().ends_with('|'));
    }
    found
}

/// Returns true if two lines are equal apart from trailing white space and small differences between numbers.
fn agrees(shown: &str, found: &str) -> bool {
    let near = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 0.02 + 1e-3 * b.abs(),
        _ => a == b,
    };
    // Within CSV and JSON, only the last digits of decimals may differ, because processors round differently.
    let close = |(a, b): (&str, &str)| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) if a.contains('.') && b.contains('.') => (x - y).abs() <= 1e-5,
        _ => a == b,
    };
    let mark = |c: char| ",:[]{}\"".contains(c);
    let alike = |(a, b): (&str, &str)| {
        near(a, b) || (a.matches(mark).eq(b.matches(mark)) && a.split(mark).zip(b.split(mark)).all(close))
    };
    shown.split_whitespace().count() == found.split_whitespace().count()
        && shown.split_whitespace().zip(found.split_whitespace()).all(alike)
}

#[test]
fn small_differences_of_numbers_agree() {
    assert!(agrees("007,\"A film, really.\",no,0.7853233", "007,\"A film, really.\",no,0.7853229"));
    assert!(agrees("{\"label\":\"a\",\"score\":0.25}", "{\"label\":\"a\",\"score\":0.2500001}"));
    assert!(agrees("a  0.25 b", "a 0.2501   b"));
    for (shown, found) in [
        ("a,0.25", "a,0.35"),
        ("a,0.25", "a,0.2501"),
        ("a,5000", "a,5001"),
        ("a,0.25", "b,0.25"),
        ("a 0.25", "a,0.25"),
        ("a 1 2", "a 1"),
        ("[1,2]", "[1],2"),
    ] {
        assert!(!agrees(shown, found), "{shown} and {found}");
    }
}

#[test]
fn console_sessions_in_documents_show_real_output() {
    if !has_jq() {
        return;
    }
    let mut compared = 0;
    for Block { document, text, .. } in blocks().into_iter().filter(|block| block.language == "console") {
        let directory = directory();
        for (command, shown) in session(&text) {
            // `cat FILE` shows an input file.
            if let Some(name) = command.strip_prefix("cat ")
                && !name.contains(' ')
            {
                std::fs::write(directory.path().join(name), shown.join("\n") + "\n").expect("writes");
                continue;
            }
            // Shows the output as in a terminal.
            let plain = command.starts_with("albert ")
                && !["|", "--format", " -o "].iter().any(|part| command.contains(part));
            let output = shell(
                &if plain { format!("{command} --format text") } else { command.clone() },
                directory.path(),
            );
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{document}: {command}: {errors}");
            let stdout = String::from_utf8(output.stdout).expect("UTF-8");
            let found: Vec<&str> = stdout.lines().filter(|line| !line.is_empty()).collect();
            let (shown, rest) = match shown.iter().position(|line| line == "...") {
                Some(at) => (&shown[..at], true),
                None => (&shown[..], false),
            };
            assert!(rest || shown.len() == found.len(), "{document}: {command}:\n{stdout}");
            for (line, own) in shown.iter().zip(&found) {
                assert!(agrees(line, own), "{document}: {command}:\n{line}\n{own}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared} commands were compared");
}
