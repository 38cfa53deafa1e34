//! Every subcommand's help has examples and the README has pipelines, and they work as printed: in a directory with the files that they
//! name, and with the hub's models in the cache (small ones under their names).
#![cfg(unix)]
#![allow(clippy::print_stderr, reason = "says what was skipped")]

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{albert, golden};

/// The hub ids of the examples, and the models that stand for them.
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
const MODELS: [(&str, &str); 4] = [
    ("my-model", "choice_a"),
    ("my-choice-model", "choice_a"),
    ("my-nli-model", "inner"),
    ("my-qa-model", "bio"),
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

/// Runs a line as a user would, in `directory` and without the network.
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
            // The squad example's model answers questions; the choice example's chooses.
            if name == "qa" {
                copy_model("bio", &directory.path().join("my-model"));
            }
            // A run of hours, with two steps of a small model.
            let short = example.replace("--steps 20000", "--steps 2").replace("--size mini", "--size tiny");
            let short = if name == "finetune" { short.replace(" -o ", " --steps 2 -o ") } else { short };
            let output = shell(&short, directory.path());
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success()
                    && !errors.contains("albert: error")
                    && (name == "finetune" || !errors.contains("albert: warning")),
                "{example}: {errors}"
            );
            let wrote_file =
                example.contains(" > ") || example.contains("-o ") || example.contains("--output");
            assert!(wrote_file || !output.stdout.is_empty(), "{example}: no output");
        }
    }
}

/// The pipelines of the README, of which `jq` is a part.
#[test]
fn the_pipelines_of_the_readme_work() {
    if Command::new("jq").arg("--version").output().is_err() {
        eprintln!("skipped: no jq here");
        return;
    }
    let readme = include_str!("../README.md");
    let section = readme.split("## A pipeline per task").nth(1).and_then(|rest| rest.split("\n## ").next());
    let section = section.expect("the section");
    let blocks: Vec<&str> =
        section.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    for task in ["classify", "--order", "ner", "qa", "choose", "embed", "zero-shot"] {
        assert!(blocks.iter().any(|block| block.contains(task)), "a pipeline for {task}");
    }
    for block in blocks {
        let directory = directory();
        let output = shell(block, directory.path());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !errors.contains("albert: error"), "{block}: {errors}");
        assert!(!errors.contains("jq: error"), "{block}: {errors}");
        // A review that is not negative leaves nothing.
        let wrote = block.contains("-o ") || block.contains("select(");
        assert!(wrote || !output.stdout.is_empty(), "{block}: no output");
    }
}
