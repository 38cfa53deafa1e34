//! Interrupted output: killed runs, full disks, and `--resume`.
#![cfg(unix)]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{albert, golden};

struct Run {
    code: Option<i32>,
    err: String,
}

/// Runs the program in a folder.
fn run(folder: &Path, args: &[&str]) -> Run {
    let output = albert().current_dir(folder).args(args).output().expect("the program runs");
    Run { code: output.status.code(), err: String::from_utf8(output.stderr).expect("UTF-8") }
}

/// Runs the program with a limit on file sizes, in blocks of 512 bytes.
fn run_limited(folder: &Path, blocks: usize, args: &[&str]) -> Run {
    let output = Command::new("sh")
        .current_dir(folder)
        .args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(assert_cmd::cargo::cargo_bin("albert"))
        .args(args)
        .env_remove("ALBERT_MODEL")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Run { code: output.status.code(), err: String::from_utf8(output.stderr).expect("UTF-8") }
}

/// A folder with a file of records of different lengths.
fn folder(records: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for i in 0..records {
        let words = "the old captain was walking ".repeat(i * 7 % 5 + 1);
        text.push_str(&format!("{{\"id\":{i},\"text\":\"{words}to the river\"}}\n"));
    }
    fs::write(directory.path().join("in.jsonl"), text).expect("writes");
    directory
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("reads");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

const TOKENIZE: [&str; 5] = ["tokenize", "-i", "in.jsonl", "--output", "out"];

/// The output of a complete run.
fn expected(folder: &Path, args: &[&str], output: &str) -> Vec<u8> {
    let run = run(folder, args);
    assert_eq!(run.code, Some(0), "{}", run.err);
    let bytes = read(folder, output);
    fs::remove_file(folder.join(output)).expect("removes");
    bytes
}

#[test]
fn a_write_that_fails_keeps_the_complete_records() {
    let directory = folder(2_000);
    let folder = directory.path();
    for (format, blocks) in [("jsonl", 200), ("jsonl", 333), ("text", 100)] {
        let args = [&TOKENIZE[..], &["--format", format]].concat();
        let complete = expected(folder, &args, "out");
        let run = run_limited(folder, blocks, &args);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.err.contains("out: cannot write: File too large"), "{}", run.err);
        assert!(run.err.contains("finished records are in out.partial"), "{}", run.err);
        assert!(!folder.join("out").exists());
        let partial = read(folder, "out.partial");
        assert!(complete.starts_with(&partial) && partial.ends_with(b"\n"), "{format}");
        // Only the record that did not fit is missing.
        assert!(partial.len() > blocks * 512 - 10_000, "{} bytes of {}", partial.len(), blocks * 512);
        if format == "jsonl" {
            let resumed = expected(folder, &[&args[..], &["--resume"]].concat(), "out");
            assert!(resumed == complete);
        } else {
            // A record in text format has several lines and ends where the next one begins.
            let next = String::from_utf8_lossy(&complete[partial.len()..]).into_owned();
            let first = String::from_utf8_lossy(&complete).into_owned();
            assert_eq!(next.split(' ').next(), first.split(' ').next(), "{next:.60}");
            fs::remove_file(folder.join("out.partial")).expect("removes");
        }
        assert_eq!(names(folder), ["in.jsonl"]);
    }
}

#[test]
fn an_array_whose_end_does_not_fit_is_an_array_of_the_records_before() {
    let directory = folder(500);
    let folder = directory.path();
    let run = run_limited(folder, 200, &[&TOKENIZE[..], &["--format", "json"]].concat());
    assert_eq!(run.code, Some(1), "{}", run.err);
    let array: serde_json::Value = serde_json::from_slice(&read(folder, "out.partial")).expect("JSON");
    let records = array.as_array().expect("an array");
    assert!(records.len() > 10 && records.len() < 500, "{}", records.len());
    assert!(records.iter().enumerate().all(|(i, record)| record["id"] == i));
}

#[test]
fn vectors_are_continued_after_a_full_disk() {
    let directory = folder(600);
    let folder = directory.path();
    let model = golden("tasks/models/bio");
    let model = model.to_str().expect("UTF-8");
    let args = ["embed", "-m", model, "--device", "flex", "-i", "in.jsonl", "-o", "out.npy"];
    for half in [&[][..], &["--dtype-out", "f16"]] {
        let args = [&args[..], half].concat();
        let complete = expected(folder, &args, "out.npy");
        let width = if half.is_empty() { 4 } else { 2 };
        assert_eq!(complete.len(), 128 + 600 * 32 * width);
        let broken = run_limited(folder, 20, &args);
        assert_eq!(broken.code, Some(1), "{}", broken.err);
        let partial = read(folder, "out.npy.partial");
        let rows = (partial.len() - 128) / (32 * width);
        assert!(rows > 70 && partial.len() == 128 + rows * 32 * width, "{}", partial.len());
        let header = String::from_utf8_lossy(&partial[..128]).into_owned();
        assert!(header.contains(&format!("'shape': ({rows}, 32)")), "{header}");
        assert_eq!(partial[128..], complete[128..partial.len()]);
        let resumed = expected(folder, &[&args[..], &["--resume"]].concat(), "out.npy");
        assert_eq!(resumed, complete);
        assert_eq!(names(folder), ["in.jsonl"]);
    }
    let wide = run(folder, &["embed", "-m", model, "--dtype-out", "f16", "-i", "in.jsonl"]);
    assert_eq!(wide.code, Some(2));
    assert!(wide.err.contains("--dtype-out: f16 is for .npy, .safetensors and .parquet"), "{}", wide.err);
}

/// Kills runs at random times and resumes each with the next. Returns the number of kills and of completed runs.
fn kill_and_resume(folder: &Path, args: &[&str], output: &str, kills: usize) -> (usize, usize) {
    let started = Instant::now();
    let complete = expected(folder, args, output);
    let whole = started.elapsed();
    let args = [args, &["--resume"]].concat();
    let partial = format!("{output}.partial");
    let (mut killed, mut finished) = (0, 0);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while killed < kills {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("albert"))
            .current_dir(folder)
            .env_remove("ALBERT_MODEL")
            .args(&args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::thread::sleep(whole.mul_f64((state % 1000) as f64 / 1000.0));
        child.kill().expect("kills");
        let ended = child.wait_with_output().expect("ends");
        if ended.status.success() {
            finished += 1;
            assert!(read(folder, output) == complete, "after {killed} kills");
            fs::remove_file(folder.join(output)).expect("removes");
            // A completed run does not count as a kill, so that the last kill leaves something to resume.
            continue;
        }
        assert_eq!(ended.status.code(), None, "{}", String::from_utf8_lossy(&ended.stderr));
        killed += 1;
        if let Ok(bytes) = fs::read(folder.join(&partial)) {
            let header = if output.ends_with(".npy") { 128.min(bytes.len()) } else { 0 };
            assert!(complete[header..].starts_with(&bytes[header..]), "after {killed} kills");
        } else {
            // The kill came after the file was renamed.
            assert!(!folder.join(output).exists() || read(folder, output) == complete);
        }
    }
    let last = run(folder, &args);
    assert_eq!(last.code, Some(0), "{}", last.err);
    assert!(read(folder, output) == complete, "after {killed} kills");
    (killed, finished + 1)
}

#[test]
fn killed_runs_are_continued_without_a_gap_or_a_repetition() {
    let directory = folder(20_000);
    kill_and_resume(directory.path(), &TOKENIZE, "out", 20);
    assert_eq!(names(directory.path()), ["in.jsonl", "out"]);
}

#[test]
fn killed_runs_that_write_vectors_are_continued() {
    let directory = folder(2_000);
    let model = golden("tasks/models/bio");
    let model = model.to_str().expect("UTF-8");
    let args = ["embed", "-m", model, "--device", "flex", "-i", "in.jsonl", "-o", "out.npy"];
    kill_and_resume(directory.path(), &args, "out.npy", 10);
    assert_eq!(names(directory.path()), ["in.jsonl", "out.npy"]);
}

/// Records whose cells need quotes: line breaks, commas, doubled quotes.
fn quoted(folder: &Path, records: usize) {
    let mut text = String::new();
    for i in 0..records {
        let words = "the \\\"old\\\" captain,\\nwas walking ".repeat(i * 7 % 5 + 1);
        text.push_str(&format!("{{\"id\":{i},\"text\":\"{words}to the river\"}}\n"));
    }
    fs::write(folder.join("quoted.jsonl"), text).expect("writes");
}

#[test]
fn killed_runs_that_write_tables_are_continued() {
    let directory = folder(10);
    let folder = directory.path();
    quoted(folder, 5_000);
    let csv = ["tokenize", "-i", "quoted.jsonl", "-o", "out.csv"];
    kill_and_resume(folder, &csv, "out.csv", 10);
    // A table as input, and several files.
    fs::rename(folder.join("out.csv"), folder.join("in.csv")).expect("renames");
    let csv = ["tokenize", "-i", "in.csv", "in.csv", "-o", "out.csv"];
    kill_and_resume(folder, &csv, "out.csv", 5);
    let rows = fs::read_to_string(folder.join("out.csv")).expect("reads").matches("to the river").count();
    assert!(rows >= 10_000, "{rows}");
    let tsv = ["tokenize", "-i", "in.jsonl", "in.jsonl", "-o", "out.tsv"];
    kill_and_resume(folder, &tsv, "out.tsv", 3);
    assert_eq!(names(folder), ["in.csv", "in.jsonl", "out.csv", "out.tsv", "quoted.jsonl"]);
}

#[test]
fn a_table_is_continued_under_the_same_columns() {
    let directory = folder(3_000);
    let folder = directory.path();
    let args = ["tokenize", "-i", "in.jsonl", "-o", "out.csv"];
    let complete = expected(folder, &args, "out.csv");
    let broken = run_limited(folder, 200, &args);
    assert_eq!(broken.code, Some(1), "{}", broken.err);
    let partial = read(folder, "out.csv.partial");
    assert!(partial.len() > 90_000 && complete.starts_with(&partial));
    let other = run(folder, &[&args[..], &["--resume", "--on-error", "skip"]].concat());
    assert_eq!(other.code, Some(2), "{}", other.err);
    assert!(other.err.contains("--on-error"), "{}", other.err);
    // A power failure cut the file within a row.
    fs::write(folder.join("out.csv.partial"), &partial[..partial.len() - 3]).expect("writes");
    let resumed = expected(folder, &[&args[..], &["--resume"]].concat(), "out.csv");
    assert!(resumed == complete);
    assert_eq!(names(folder), ["in.jsonl"]);
}

/// The content of `out-00001.EXTENSION` and the files after it.
fn numbered(folder: &Path, extension: &str) -> Vec<Vec<u8>> {
    let names = names(folder);
    let files: Vec<&String> = names.iter().filter(|name| name.starts_with("out-")).collect();
    for (i, name) in files.iter().enumerate() {
        assert_eq!(**name, format!("out-{:05}.{extension}", i + 1), "{files:?}");
    }
    files.into_iter().map(|name| read(folder, name)).collect()
}

#[test]
fn numbered_files_hold_the_records_of_one() {
    let directory = folder(10);
    let folder = directory.path();
    for (extension, header) in [("jsonl", 0), ("csv", 1)] {
        let output = format!("out.{extension}");
        let args = ["tokenize", "-i", "in.jsonl", "-o", &output];
        let whole = expected(folder, &args, &output);
        let done = run(folder, &[&args[..], &["--records-per-file", "4"]].concat());
        assert_eq!(done.code, Some(0), "{}", done.err);
        let files = numbered(folder, extension);
        let lines: Vec<usize> = files.iter().map(Vec::lines_count).collect();
        assert_eq!(lines, [4 + header, 4 + header, 2 + header]);
        let first = whole.iter().position(|byte| *byte == b'\n').map_or(0, |end| (end + 1) * header);
        assert!(files.iter().all(|file| file.starts_with(&whole[..first])), "each has the header");
        let joined: Vec<u8> = files.iter().flat_map(|file| &file[first..]).copied().collect();
        assert_eq!(joined, whole[first..]);
        // Nothing is replaced.
        for more in [&[][..], &["--resume"]] {
            let again = run(folder, &[&args[..], &["--records-per-file", "4"], more].concat());
            assert_eq!(again.code, Some(2), "{}", again.err);
            let taken =
                format!("out-00001.{extension} exists already, as do those up to out-00003.{extension}");
            assert!(again.err.contains(&taken), "{}", again.err);
        }
        // A full last file is not followed by an empty one.
        for number in 1..=3 {
            fs::remove_file(folder.join(format!("out-{number:05}.{extension}"))).expect("removes");
        }
        let done = run(folder, &[&args[..], &["--records-per-file", "5"]].concat());
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert_eq!(numbered(folder, extension).len(), 2);
        for number in 1..=2 {
            fs::remove_file(folder.join(format!("out-{number:05}.{extension}"))).expect("removes");
        }
    }
    assert_eq!(names(folder), ["in.jsonl"]);
    let stdout = run(folder, &["tokenize", "-i", "in.jsonl", "--records-per-file", "4"]);
    assert_eq!(stdout.code, Some(2));
    assert!(stdout.err.contains("--records-per-file: needs --output FILE"), "{}", stdout.err);
}

#[test]
fn killed_runs_that_write_numbered_files_are_continued() {
    let directory = folder(5_000);
    let folder = directory.path();
    let model = golden("tasks/models/bio");
    let model = model.to_str().expect("UTF-8");
    let embed =
        ["embed", "-m", model, "--device", "flex", "--limit", "700", "-i", "in.jsonl", "-o", "out.npy"];
    for (args, output, per_file) in [
        (&["tokenize", "-i", "in.jsonl", "-o", "out.csv"][..], "out.csv", "300"),
        (&["tokenize", "-i", "in.jsonl", "-o", "out.jsonl"], "out.jsonl", "7"),
        (&embed, "out.npy", "100"),
    ] {
        let extension = output.rsplit('.').next().unwrap_or_default();
        let started = Instant::now();
        expected(folder, args, output);
        let time = started.elapsed();
        let args = [args, &["--records-per-file", per_file]].concat();
        let whole = run(folder, &args);
        assert_eq!(whole.code, Some(0), "{}", whole.err);
        let wanted = numbered(folder, extension);
        let remove = || {
            for name in names(folder).iter().filter(|name| name.starts_with("out-")) {
                fs::remove_file(folder.join(name)).expect("removes");
            }
        };
        remove();
        let args = [&args[..], &["--resume"]].concat();
        for i in 0..8 {
            let mut child = Command::new(assert_cmd::cargo::cargo_bin("albert"))
                .current_dir(folder)
                .env_remove("ALBERT_MODEL")
                .args(&args)
                .stdin(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("starts");
            std::thread::sleep(time.mul_f64(f64::from(i * 37 % 8) / 8.0));
            child.kill().expect("kills");
            let finished = child.wait().expect("ends").success();
            // A kill between the last rename and the exit leaves all files, and nothing to resume.
            let nothing_left = names(folder).iter().all(|name| !name.contains(".partial"));
            if finished || (nothing_left && numbered(folder, extension).len() == wanted.len()) {
                assert!(numbered(folder, extension) == wanted, "{output}, kill {i}");
                remove();
            }
        }
        let last = run(folder, &args);
        assert_eq!(last.code, Some(0), "{}", last.err);
        assert!(numbered(folder, extension) == wanted, "{output}");
        remove();
        assert_eq!(names(folder), ["in.jsonl"]);
    }
}

/// `cargo test --release --test resume -- --ignored` takes about half an hour.
#[test]
#[ignore = "takes long"]
#[allow(clippy::print_stderr, reason = "reports the counts")]
fn a_thousand_kills() {
    let directory = folder(20_000);
    let counts = kill_and_resume(directory.path(), &TOKENIZE, "out", 1000);
    eprintln!("{} kills, {} complete outputs", counts.0, counts.1);
    assert_eq!(names(directory.path()), ["in.jsonl", "out"]);
}

/// Leaves a partial output of some records. Returns its content.
fn interrupted(folder: &Path, args: &[&str]) -> Vec<u8> {
    let run = run_limited(folder, 64, args);
    assert_eq!(run.code, Some(1), "{}", run.err);
    read(folder, "out.partial")
}

#[test]
fn what_changed_since_the_interruption_is_named() {
    let directory = folder(300);
    let folder = directory.path();
    let partial = interrupted(folder, &TOKENIZE);
    let refused = |args: &[&str], problem: &str| {
        let run = run(folder, args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(run.err.contains(problem), "{args:?}: {}", run.err);
        assert_eq!(read(folder, "out.partial"), partial, "{args:?}");
    };
    let resume = [&TOKENIZE[..], &["--resume"]].concat();
    let with = |more: &[&'static str]| [&resume[..], more].concat();
    refused(&with(&["--max-length", "5"]), "was written with --max-length unset; now it is 5");
    refused(&with(&["--limit", "7"]), "was written with --limit unset; now it is 7");
    refused(&with(&["--text-field", "id"]), "was written with --text-field text; now it is id");
    let model = golden("tasks/models/bio");
    let model = ["-m", model.to_str().expect("UTF-8")];
    refused(&[&resume[..], &model].concat(), "was written with another model or tokenizer");
    refused(&["classify", "-i", "in.jsonl", "-o", "out", "--resume"], "was written by albert tokenize");
    fs::write(folder.join("other"), "x\n").expect("writes");
    refused(
        &["tokenize", "-i", "other", "-o", "out", "--resume"],
        "was written from in.jsonl, which is not the same",
    );
    // The same path with one letter changed.
    let input = read(folder, "in.jsonl");
    let mut changed = input.clone();
    changed[input.len() - 5] = b'x';
    fs::write(folder.join("in.jsonl"), &changed).expect("writes");
    refused(&resume, "is not the same as in.jsonl now");
    // The same content under another date and name is accepted.
    fs::write(folder.join("copy.jsonl"), &input).expect("writes");
    fs::write(folder.join("in.jsonl"), &input).expect("writes");
    let complete = expected(folder, &["tokenize", "-i", "in.jsonl", "-o", "whole"], "whole");
    let copied = ["tokenize", "-i", "copy.jsonl", "-o", "out", "--resume", "--on-error", "skip"];
    let run = run(folder, &copied);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(run.err.contains("copy.jsonl has a different date"), "{}", run.err);
    assert!(
        run.err.contains(&format!("continuing after the {} records", partial.lines_count())),
        "{}",
        run.err
    );
    assert_eq!(read(folder, "out"), complete);
    assert_eq!(names(folder), ["copy.jsonl", "in.jsonl", "other", "out"]);
}

trait Lines {
    fn lines_count(&self) -> usize;
}

impl Lines for Vec<u8> {
    fn lines_count(&self) -> usize {
        self.iter().filter(|byte| **byte == b'\n').count()
    }
}

#[test]
fn runs_that_cannot_be_resumed_are_refused() {
    let directory = folder(3);
    let folder = directory.path();
    fs::create_dir(folder.join("taken.partial")).expect("creates");
    for (args, problem) in [
        (&["tokenize", "-i", "in.jsonl", "--resume"][..], "needs --output FILE"),
        (&["tokenize", "x", "-o", "out", "--resume"], "needs --input FILE"),
        (&["tokenize", "-i", "-", "-o", "out", "--resume"], "needs --input FILE"),
        (&["tokenize", "-i", "in.jsonl", "-o", "/dev/null", "--resume"], "needs an --output in a directory"),
        (&["tokenize", "-i", "in.jsonl", "-o", "taken", "--resume"], "needs an --output in a directory"),
        (
            &["tokenize", "-i", "in.jsonl", "-o", "out", "--format", "json", "--resume"],
            "continues only JSON lines, CSV, TSV and .npy",
        ),
        (&["embed", "-i", "in.jsonl", "-o", "a.safetensors", "--resume"], "continues only JSON lines"),
    ] {
        let run = run(folder, args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
        assert!(run.err.contains(&format!("--resume: {problem}")), "{args:?}: {}", run.err);
    }
    assert_eq!(names(folder), ["in.jsonl", "taken.partial"]);
    // A partial output of unknown origin.
    fs::write(folder.join("out.partial"), "{}\n").expect("writes");
    let run = run(folder, &[&TOKENIZE[..], &["--resume"]].concat());
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("out.partial has no description in out.partial.json"), "{}", run.err);
    assert_eq!(read(folder, "out.partial"), b"{}\n");
}

#[test]
fn a_run_without_resume_starts_over() {
    let directory = folder(300);
    let folder = directory.path();
    let complete = expected(folder, &TOKENIZE, "out");
    let partial = interrupted(folder, &TOKENIZE);
    // A failure before the first record leaves the partial output unchanged.
    let failed = run(folder, &["tokenize", "-m", "absent", "-i", "in.jsonl", "-o", "out"]);
    assert_eq!(failed.code, Some(2));
    assert_eq!(read(folder, "out.partial"), partial);
    let over = run(folder, &TOKENIZE);
    assert_eq!(over.code, Some(0));
    let hint = "replacing out.partial, which an interrupted run left; --resume would have continued it";
    assert!(over.err.contains(hint), "{}", over.err);
    assert_eq!(read(folder, "out"), complete);
    assert_eq!(names(folder), ["in.jsonl", "out"]);
    // Without anything to resume, --resume is a new run.
    let again = run(folder, &[&TOKENIZE[..], &["--resume"]].concat());
    assert_eq!((again.code, read(folder, "out")), (Some(0), complete));
    // A run that fails at its first record leaves nothing.
    let failed = run(folder, &["tokenize", "-i", "in.jsonl", "-o", "new", "--text-field", "absent"]);
    assert_eq!(failed.code, Some(1));
    assert_eq!(names(folder), ["in.jsonl", "out"]);
}

#[test]
fn failures_before_the_interruption_count() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let mut text = "{\"text\":5}\n".to_owned();
    text.push_str(&"{\"text\":\"to the river\"}\n".repeat(300));
    fs::write(folder.join("in.jsonl"), &text).expect("writes");
    let args = [&TOKENIZE[..], &["--on-error", "skip"]].concat();
    interrupted(folder, &args);
    let run = run(folder, &[&args[..], &["--resume"]].concat());
    assert_eq!(run.code, Some(1), "{}", run.err);
    assert_eq!(read(folder, "out").lines_count(), 301);
}

#[test]
fn a_bad_record_can_be_skipped_afterwards() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::write(folder.join("in.jsonl"), "{\"text\":\"a\"}\n{\"text\":5}\n{\"text\":\"b\"}\n").expect("writes");
    assert_eq!(run(folder, &TOKENIZE).code, Some(1));
    assert_eq!(read(folder, "out.partial").lines_count(), 1);
    let resumed = run(folder, &[&TOKENIZE[..], &["--resume"]].concat());
    assert_eq!(resumed.code, Some(1));
    assert!(resumed.err.contains("in.jsonl:2: field \"text\" is 5"), "{}", resumed.err);
    let skipped = run(folder, &[&TOKENIZE[..], &["--resume", "--on-error", "skip"]].concat());
    assert_eq!(skipped.code, Some(1));
    let lines = String::from_utf8(read(folder, "out")).expect("UTF-8");
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains("\"error\"") && lines[2].starts_with("{\"text\":\"b\","), "{lines:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn two_runs_do_not_write_the_same_output() {
    let directory = folder(3);
    let folder = directory.path();
    let mut first = Command::new(assert_cmd::cargo::cargo_bin("albert"))
        .current_dir(folder)
        .args(["tokenize", "-q", "-o", "out"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut stdin = first.stdin.take().expect("a pipe");
    stdin.write_all(b"one\n").expect("writes");
    let started = Instant::now();
    while fs::read(folder.join("out.partial")).map_or(0, |bytes| bytes.len()) == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the first record arrives while others may follow"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    for more in [&[][..], &["--resume"]] {
        let second = run(folder, &[&TOKENIZE[..], more].concat());
        assert_eq!(second.code, Some(2), "{}", second.err);
        assert!(second.err.contains("out.partial is in use"), "{}", second.err);
    }
    stdin.write_all(b"two\n").expect("writes");
    drop(stdin);
    assert_eq!(first.wait().expect("ends").code(), Some(0));
    assert_eq!(read(folder, "out").lines_count(), 2);
    assert_eq!(names(folder), ["in.jsonl", "out"]);
}
