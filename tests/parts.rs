//! Parts of an input: `--skip`, `--limit`, `--shard`, and `--progress json`.

mod common;

use std::fs;
use std::path::Path;

use common::albert;
use serde_json::{Value, json};

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, args: &[&str], input: &str) -> Run {
    let output = albert()
        .current_dir(folder)
        .args(args)
        .write_stdin(input.to_owned())
        .output()
        .expect("the program runs");
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The values of a field in all records.
fn field(out: &str, name: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")[name].clone()).collect()
}

#[test]
fn skip_and_limit_choose_records_of_every_input() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let lines: String = (0..1000).map(|i| format!("{{\"text\":\"{i}\"}}\n")).collect();
    fs::write(folder.join("lines"), &lines).expect("writes");
    let array: Vec<Value> = (0..1000).map(|i| json!({"text": i.to_string()})).collect();
    fs::write(folder.join("array"), serde_json::to_string(&array).expect("JSON")).expect("writes");
    for source in [&["-i", "lines"][..], &["-i", "array"], &[]] {
        for (skip, limit, numbers) in [
            ("0", "3", 0..3),
            ("997", "10", 997..1000),
            ("5", "600", 5..605),
            ("1000", "1", 0..0),
            ("2000", "1", 0..0),
            ("0", "0", 0..0),
        ] {
            let args = [&["tokenize", "--skip", skip, "--limit", limit][..], source].concat();
            let run = run(folder, &args, if source.is_empty() { &lines } else { "" });
            assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
            let expected: Vec<Value> = numbers.map(|i: i32| json!(i.to_string())).collect();
            assert_eq!(field(&run.out, "text"), expected, "{args:?}");
        }
    }
    let arguments = run(folder, &["tokenize", "--skip", "1", "--limit", "1", "a", "b", "c"], "");
    assert_eq!(field(&arguments.out, "text"), ["b"]);
    // Skipped records are not parsed, and the others keep their line numbers.
    let bad = run(folder, &["tokenize", "--skip", "1"], "{\"text\":\n{\"text\":\"a\"}\n{\"text\":5}\n");
    assert_eq!(bad.code, Some(1));
    assert_eq!(field(&bad.out, "text"), ["a"]);
    assert!(bad.err.contains("<stdin>:3: field"), "{}", bad.err);
    // Questions of a SQuAD file.
    let squad = json!({"data": [{"paragraphs": [{"context": "It rained on Monday.", "qas": [
        {"id": "a", "question": "When?"}, {"id": "b", "question": "What?"}, {"id": "c", "question": "Why?"},
    ]}]}]});
    let answers = run(folder, &["qa", "-q", "--skip", "1", "--limit", "1"], &squad.to_string());
    assert_eq!(field(&answers.out, "id"), ["b"], "{}", answers.err);
}

#[test]
fn the_outputs_of_all_shards_are_the_output_of_one_run() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let mut text = "\u{feff}first\r\n\n".to_owned();
    for i in 0..300 {
        text.push_str(&format!("{{\"id\":{i},\"text\":\"{}\"}}\n", "a river ".repeat(i * 7 % 11)));
        if i % 50 == 0 {
            text.push_str("[ {\n{\"text\":\n\u{a0}text é\n");
        }
    }
    text.push_str("no line end");
    fs::write(folder.join("in"), &text).expect("writes");
    let whole = run(folder, &["tokenize", "-q", "--on-error", "skip", "-i", "in"], "");
    assert_eq!(whole.code, Some(1));
    assert_eq!(whole.out.lines().count(), 321);
    for count in [1, 2, 3, 7, 40] {
        let (mut out, mut err) = (String::new(), String::new());
        for index in 1..=count {
            let shard = format!("{index}/{count}");
            let part =
                run(folder, &["tokenize", "-q", "--on-error", "skip", "-i", "in", "--shard", &shard], "");
            out.push_str(&part.out);
            err.push_str(&part.err);
        }
        assert_eq!(out, whole.out, "{count} shards");
        // Messages have the line numbers of the input file.
        assert_eq!(err, whole.err, "{count} shards");
    }
    let first = run(folder, &["tokenize", "--shard", "1/2", "--skip", "1", "--limit", "2", "-i", "in"], "");
    assert_eq!(field(&first.out, "id"), [Value::Null, json!(0)]);
}

#[test]
fn shards_of_tables_and_into_tables_are_one_table() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let mut csv = "id,text\r\n".to_owned();
    let (mut tsv, mut jsonl) = ("id\ttext\n".to_owned(), String::new());
    for i in 0..200 {
        let words = "a river ".repeat(i * 7 % 11);
        csv.push_str(&format!("{i},\"{words}\n\"\"{i}\"\",\n\"\r\n"));
        tsv.push_str(&format!("{i}\t\"{words}\n"));
        let late = if i == 150 { ",\"late\":1" } else { "" };
        jsonl.push_str(&format!("{{\"id\":{i},\"text\":\"{words}\"{late}}}\n"));
    }
    csv.push_str("bad\r\n");
    tsv.push_str("\nbad\n");
    for (name, text) in [("in.csv", &csv), ("in.tsv", &tsv), ("in.jsonl", &jsonl)] {
        fs::write(folder.join(name), text).expect("writes");
    }
    for (input, format) in
        [("in.csv", "csv"), ("in.csv", "jsonl"), ("in.tsv", "tsv"), ("in.tsv", "csv"), ("in.jsonl", "csv")]
    {
        let args = ["tokenize", "-q", "--on-error", "skip", "-i", input, "--format", format];
        let whole = run(folder, &args, "");
        assert!(whole.out.lines().count() >= 200, "{}", whole.err);
        for count in [1, 2, 3, 7, 300] {
            let (mut out, mut err) = (String::new(), String::new());
            for index in 1..=count {
                let shard = format!("{index}/{count}");
                let part = run(folder, &[&args[..], &["--shard", &shard]].concat(), "");
                out.push_str(&part.out);
                err.push_str(&part.err);
            }
            assert!(out == whole.out, "{input} to {format} in {count} shards");
            assert_eq!(err, whole.err, "{input} to {format} in {count} shards");
        }
    }
    // Shards after the first have no header, even if they are resumed.
    let args = ["tokenize", "-q", "--on-error", "skip", "-i", "in.csv", "--shard", "2/2", "-o", "out.csv"];
    let whole = run(folder, &args, "");
    assert_eq!(whole.code, Some(1), "{}", whole.err);
    let complete = fs::read(folder.join("out.csv")).expect("reads");
    fs::remove_file(folder.join("out.csv")).expect("removes");
    let stopped = run(folder, &["tokenize", "-q", "-i", "in.csv", "--shard", "2/2", "-o", "out.csv"], "");
    assert_eq!(stopped.code, Some(1), "{}", stopped.err);
    let partial = fs::read(folder.join("out.csv.partial")).expect("reads");
    assert!(partial.len() > 1000 && !partial.starts_with(b"id,"));
    fs::write(folder.join("out.csv.partial"), &partial[..partial.len() - 20]).expect("cuts");
    let resumed =
        run(folder, &["tokenize", "-q", "-i", "in.csv", "--shard", "2/2", "-o", "out.csv", "--resume"], "");
    assert_eq!(resumed.code, Some(1), "{}", resumed.err);
    assert_eq!(fs::read(folder.join("out.csv.partial")).expect("reads"), partial);
    assert!(complete.len() > partial.len());
}

#[test]
fn inputs_without_lines_have_no_shards() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::write(folder.join("array"), "[\n{\"text\":\"a\"},\n{\"text\":\"b\"}]").expect("writes");
    fs::write(folder.join("squad"), "{\"data\":[{\"paragraphs\":[]}]}").expect("writes");
    fs::write(folder.join("packed"), [0x1f, 0x8b, 8, 0]).expect("writes");
    fs::write(folder.join("empty"), "").expect("writes");
    for (args, problem) in [
        (&["tokenize", "-i", "array"][..], "array is a JSON array; a shard needs one record per line"),
        (&["qa", "-i", "squad"], "squad is a SQuAD file; a shard needs one record per line"),
        (&["tokenize", "-i", "packed"], "packed is compressed"),
        (&["tokenize", "text"], "arguments cannot be split; name a file with --input"),
        (&["tokenize"], "standard input cannot be split; name a file with --input"),
        (&["tokenize", "-i", "-"], "standard input cannot be split"),
    ] {
        let run = run(folder, &[args, &["--shard", "1/2"]].concat(), "x\n");
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(run.err.contains(&format!("--shard: {problem}")), "{args:?}: {}", run.err);
    }
    for bad in ["0/2", "3/2", "1", "a/b"] {
        let run = run(folder, &["tokenize", "-i", "array", "--shard", bad], "");
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains("expected I/N with I from 1 to N"), "{}", run.err);
    }
    let empty = run(folder, &["tokenize", "-i", "empty", "--shard", "2/2"], "");
    assert_eq!((empty.code, empty.out.as_str()), (Some(0), ""));
    // In text mode, any file is read line by line.
    let text = run(folder, &["tokenize", "-i", "array", "--input-format", "text", "--shard", "2/2"], "");
    assert_eq!(text.code, Some(0), "{}", text.err);
}

#[test]
fn progress_as_json_is_one_object_per_line() {
    let directory = tempfile::tempdir().expect("a folder");
    let run = run(
        directory.path(),
        &["tokenize", "-q", "--progress", "json", "--on-error", "skip", "--limit", "3"],
        "a\n{\"text\":5}\nb\nc\n",
    );
    assert_eq!(run.code, Some(1));
    let lines: Vec<Value> = run.err.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let last = lines.last().expect("a line");
    assert_eq!((&last["records"], &last["failed"]), (&json!(2), &json!(1)));
    assert_eq!((&last["finished"], &last["seconds_left"]), (&json!(true), &json!(0.0)));
    assert!(
        last["seconds"].as_f64() >= Some(0.0) && last["records_per_second"].as_f64() > Some(0.0),
        "{last}"
    );
}
