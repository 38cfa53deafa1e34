//! Outputs that would replace an input, each other, or fields of the input.

mod common;

use std::path::Path;

use common::{albert, golden};
use serde_json::Value;

const RECORDS: &str =
    "{\"id\":1,\"text\":\"One.\",\"label\":\"a\"}\n{\"id\":2,\"text\":\"Two.\",\"label\":\"b\"}\n";

/// Runs the program in a folder: exit code, output, messages.
fn run(folder: &Path, args: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = albert().current_dir(folder).args(args).write_stdin(input).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("in.jsonl"), RECORDS).expect("writes");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_hyphen_is_standard_output() {
    let folder = folder();
    let args = ["tokenize", "-q", "-i", "in.jsonl", "-o", "-"];
    let (code, out, err) = run(folder.path(), &args, "");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, run(folder.path(), &args[..4], "").1);
    assert_eq!(names(folder.path()), ["in.jsonl"]);
}

#[test]
fn an_output_that_promises_more_than_it_holds_is_refused() {
    let folder = folder();
    let many = ["--records-per-file", "1"];
    for (output, flags, problem) in [
        ("out.jsonl.zst", &[][..], "--output: output is not compressed"),
        ("out.gz", &[], "--output: output is not compressed"),
        ("/dev/stdout", &many, "--records-per-file: needs --output FILE"),
        ("-", &many, "--records-per-file: needs --output FILE"),
    ] {
        let args = [&["tokenize", "-q", "-i", "in.jsonl", "-o", output], flags].concat();
        let (code, out, err) = run(folder.path(), &args, "");
        assert_eq!((code, out.as_str()), (Some(2), ""), "{output}: {err}");
        assert!(err.contains(problem), "{output}: {err}");
    }
    assert_eq!(names(folder.path()), ["in.jsonl"]);
}

#[test]
fn no_output_replaces_an_input_or_another_output() {
    let folder = folder();
    let data = ["eval", "classify", "-q", "--device", "flex", "--data", "in.jsonl"];
    #[cfg(unix)]
    std::os::unix::fs::symlink("in.jsonl", folder.path().join("link")).expect("links");
    for (args, problem) in [
        (
            &["embed", "-q", "-i", "in.jsonl", "-o", "v.npy", "--ids", "in.jsonl"][..],
            "--ids is the same file",
        ),
        (&[&data[..], &["--predictions", "./in.jsonl"]].concat(), "--predictions is the same file as --data"),
        (&[&data[..], &["--output", "in.jsonl"]].concat(), "--output is the same file as --data"),
        #[cfg(unix)]
        (&[&data[..], &["--errors", "link"]].concat(), "--errors is the same file as --data"),
        (
            &[&data[..], &["--predictions", "new.jsonl", "--errors", "new.jsonl"]].concat(),
            "--errors is the same file as --predictions",
        ),
    ] {
        let (code, _, err) = run(folder.path(), args, "");
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(problem), "{args:?}: {err}");
        assert_eq!(std::fs::read_to_string(folder.path().join("in.jsonl")).expect("reads"), RECORDS);
        assert!(!folder.path().join("new.jsonl").exists());
    }
}

#[test]
fn a_replaced_field_is_reported_once() {
    let folder = folder();
    let input = "{\"text\":\"One.\",\"predictions\":1}\n{\"text\":\"Two.\",\"predictions\":2}\n";
    let (code, out, err) = run(folder.path(), &["tokenize"], input);
    assert_eq!(code, Some(0));
    assert!(out.lines().all(|line| line.contains("\"predictions\":[{")), "{out}");
    assert_eq!(
        err.matches("<stdin>:1: the field \"predictions\" of the input is replaced").count(),
        1,
        "{err}"
    );
    assert_eq!(err.matches("is replaced").count(), 1, "{err}");
    let input = "{\"error\":\"old\",\"x\":1}\n";
    let (code, out, err) = run(folder.path(), &["tokenize", "--on-error", "skip"], input);
    assert_eq!(code, Some(1));
    assert!(
        !out.contains("old") && err.contains("the field \"error\" of the input is replaced"),
        "{out} {err}"
    );
}

#[test]
fn a_squad_file_has_one_answer_per_id() {
    let folder = folder();
    let model = golden("tasks/models/bio").display().to_string();
    let record =
        |id: &str, context: &str| format!("{{{id}\"question\":\"Who?\",\"context\":\"{context}\"}}\n");
    for (input, key) in [
        (record("\"id\":\"q1\",", "Anna came.") + &record("\"id\":\"q1\",", "Bob left early."), "\"q1\""),
        (record("", "Anna came.") + &record("", "Bob left early."), "\"Who?\""),
    ] {
        let args = ["qa", "-q", "--device", "flex", "-m", &model, "--format", "squad"];
        let (code, out, err) = run(folder.path(), &args, &input);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(&format!("<stdin>:2: {key} was answered before")), "{err}");
        let skip = [&args[..], &["--on-error", "skip"]].concat();
        let (code, all, _) = run(folder.path(), &skip, &input);
        assert_eq!((code, all.matches(key).count()), (Some(1), 1), "{all}");
        let answers: Value = serde_json::from_str(&all).expect("JSON");
        assert_eq!(answers.as_object().map(serde_json::Map::len), Some(1), "{out}");
    }
}

#[test]
fn a_part_never_replaces_its_input() {
    let folder = folder();
    let path = folder.path();
    for part in [["--limit", "1"], ["--skip", "1"], ["--shard", "1/2"]] {
        let args = [&["tokenize", "-i", "in.jsonl", "-o", "./in.jsonl"][..], &part].concat();
        let (code, _, err) = run(path, &args, "");
        assert!(code == Some(2) && err.contains("--output: in.jsonl is the input"), "{code:?} {err}");
    }
    assert_eq!(std::fs::read_to_string(path.join("in.jsonl")).expect("there"), RECORDS);
}

#[test]
fn a_blank_line_does_not_end_the_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = "\n{\"id\":1,\"text\":\"a\"}\n \n{\"text\":\"b\",\"note\":\"n\"}\n";
    let (code, out, err) = run(folder.path(), &["tokenize", "-q", "--format", "csv"], input);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{err}");
    assert!(out.starts_with("text,id,note,"), "{out}");
    assert_eq!(out.lines().count(), 5, "{out}");
}

#[test]
fn numbered_files_that_are_in_the_way_are_found_before_any_work() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("out-00003.jsonl"), "x").expect("written");
    let args = ["tokenize", "-o", "out.jsonl", "--records-per-file", "1"];
    let (code, _, err) = run(folder.path(), &args, "a\nb\nc\n");
    assert!(code == Some(2) && err.contains("out-00003.jsonl exists already"), "{code:?} {err}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1);
}

#[test]
fn standard_output_takes_an_array() {
    let folder = folder();
    let path = folder.path();
    let (code, _, err) = run(path, &["embed", "-q", "-i", "in.jsonl", "-o", "a.npy"], "");
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let args = ["embed", "-q", "-i", "in.jsonl", "-o", "-", "--format", "npy"];
    let output = albert().current_dir(path).args(args).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == std::fs::read(path.join("a.npy")).expect("an array"));
}
