//! Streams through the program: order, fields, bad lines, closed pipes, interrupts, files.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use common::{albert, golden};
use serde_json::{Value, json};

fn model() -> std::path::PathBuf {
    golden("fill_mask/spiece_nfkc")
}

fn fill_mask() -> assert_cmd::Command {
    let mut command = albert();
    command.args(["fill-mask", "--device", "flex", "--top-k", "1", "--model"]).arg(model());
    command
}

/// Starts the program as a child process with open pipes.
fn start(args: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("albert"))
        .args(["fill-mask", "--device", "flex", "--top-k", "1", "--model"])
        .arg(model())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn output_of(command: &mut assert_cmd::Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("the program runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

#[test]
fn records_keep_their_order_and_their_other_fields() {
    let mut input = String::new();
    for i in 0..1500 {
        let words = "old captain ".repeat((i * 7) % 5);
        input.push_str(&format!(
            "{{\"id\":{i},\"text\":\"the {words}[MASK]\",\"n\":1.10,\"big\":123456789012345678901}}\n"
        ));
    }
    let (code, out, err) = output_of(fill_mask().args(["--batch-tokens", "256"]).write_stdin(input));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 1500);
    for (i, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("{{\"id\":{i},\"text\":")), "{line}");
        assert!(line.contains(",\"n\":1.10,\"big\":123456789012345678901,\"predictions\":["), "{line}");
        let record: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(record["predictions"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_bad_line_stops_the_work_after_everything_before_it() {
    let input = "the [MASK]\n{\"text\": \"x [MASK]\"}\n{\"text\": oops}\nthe [MASK]\n";
    let (code, out, err) = output_of(fill_mask().write_stdin(input));
    assert_eq!(code, Some(1));
    assert_eq!(out.lines().count(), 2);
    assert_eq!(err, "albert: error: <stdin>:3: not a JSON object: expected value (column 10)\n");
}

#[test]
fn skipping_puts_an_error_in_the_place_of_a_bad_line() {
    let input: &[u8] = b"the [MASK]\nno mask here\n\xff\xfe\n{\"id\":7,\"text\":5}\n{\"id\":8}\n[MASK]\n";
    let (code, out, err) = output_of(fill_mask().args(["--on-error", "skip"]).write_stdin(input));
    assert_eq!(code, Some(1));
    let records: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(records.len(), 6);
    assert!(records[0]["predictions"].is_array() && records[5]["predictions"].is_array());
    assert_eq!(records[1], json!({"text": "no mask here", "error": "no [MASK] in the text"}));
    let utf8 = "not valid UTF-8 (byte 1 of the line); convert the file, for example with iconv -f WINDOWS-1252 -t UTF-8";
    assert_eq!(records[2], json!({"line": 3, "error": utf8}));
    assert_eq!(records[3], json!({"id": 7, "text": 5, "error": "field \"text\" is 5; expected a string"}));
    let missing = "field \"text\" is missing; the object has id (--text-field names another)";
    assert_eq!(records[4], json!({"id": 8, "error": missing}));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 4, "{err}");
    assert_eq!(lines[0], "albert: error: <stdin>:2: no [MASK] in the text");
    assert_eq!(lines[2], "albert: error: <stdin>:4: field \"text\" is 5; expected a string");
}

#[test]
fn fields_can_have_other_names_and_text_can_look_like_json() {
    let record = "{\"review\":\"the [MASK]\",\"title\":\"old\"}\n";
    let (code, out, _) =
        output_of(fill_mask().args(["--text-field", "review", "--pair-field", "title"]).write_stdin(record));
    assert_eq!(code, Some(0));
    let paired: Value = serde_json::from_str(&out).expect("JSON");
    let (_, out, _) = output_of(fill_mask().args(["--text-field", "review"]).write_stdin(record));
    let alone: Value = serde_json::from_str(&out).expect("JSON");
    assert_ne!(paired["predictions"], alone["predictions"]);

    let (code, out, _) = output_of(fill_mask().args(["--input-format", "text"]).write_stdin("{ [MASK] }\n"));
    assert_eq!(code, Some(0));
    assert!(out.starts_with("{\"text\":\"{ [MASK] }\","), "{out}");
    let (code, _, err) = output_of(fill_mask().args(["--input-format", "jsonl"]).write_stdin("the [MASK]\n"));
    assert_eq!(code, Some(1));
    assert!(err.contains("<stdin>:1: not a JSON object"), "{err}");
}

#[test]
fn the_first_line_comes_out_before_the_last_goes_in() {
    let mut child = start(&[]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    for i in 0..3 {
        stdin.write_all(format!("{{\"id\":{i},\"text\":\"the [MASK]\"}}\n").as_bytes()).expect("writes");
        stdin.flush().expect("flushes");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("reads");
        assert!(line.starts_with(&format!("{{\"id\":{i},")), "{line}");
    }
    drop(stdin);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn a_closed_pipe_ends_the_run_silently() {
    let mut child = start(&[]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || {
        // The program may exit before it reads all of this.
        for _ in 0..50_000 {
            if stdin.write_all(b"the [MASK] captain\n").is_err() {
                return;
            }
        }
    });
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut first).expect("reads");
    assert!(first.contains("predictions"));
    drop(stdout);
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    let mut err = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("reads");
    assert_eq!(err, "");
    writer.join().expect("ends");
}

#[test]
#[cfg(unix)]
fn an_interrupt_leaves_what_is_finished_under_a_partial_name() {
    use std::os::unix::process::ExitStatusExt;

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.jsonl");
    let mut child = start(&["--output", path.to_str().expect("a name")]);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"the [MASK]\nan old [MASK]\n").expect("writes");
    stdin.flush().expect("flushes");
    let partial = directory.path().join("out.jsonl.partial");
    let started = std::time::Instant::now();
    while std::fs::read_to_string(&partial).map_or(0, |text| text.lines().count()) < 2 {
        assert!(started.elapsed() < std::time::Duration::from_secs(120), "two records after two minutes");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    let status = child.wait().expect("ends");
    assert_eq!(status.signal(), Some(2));
    assert!(!path.exists());
    let partial = std::fs::read_to_string(partial).expect("a partial file");
    assert_eq!(partial.lines().count(), 2);
    let names: Vec<_> = std::fs::read_dir(directory.path()).expect("reads").collect();
    assert_eq!(names.len(), 1, "{names:?}");
    drop(stdin);
}

#[test]
fn a_file_appears_when_it_is_complete() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("out.json");
    let (code, out, _) = output_of(
        fill_mask()
            .args(["--format", "json", "--output"])
            .arg(&path)
            .write_stdin("the [MASK]\nan old [MASK]\n"),
    );
    assert_eq!((code, out.as_str()), (Some(0), ""));
    let array: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    assert_eq!(array.as_array().map(Vec::len), Some(2));

    // A run that stops does not touch the complete file of an earlier run.
    let before = std::fs::read(&path).expect("a file");
    let (code, _, err) =
        output_of(fill_mask().arg("--output").arg(&path).write_stdin("the [MASK]\nno mask\n"));
    assert_eq!(code, Some(1));
    assert!(err.contains("out.json.partial"), "{err}");
    assert_eq!(std::fs::read(&path).expect("a file"), before);
    let partial = std::fs::read_to_string(directory.path().join("out.json.partial")).expect("a file");
    assert_eq!(partial.lines().count(), 1);

    let (code, _, err) =
        output_of(fill_mask().args(["--output", "/nonexistent/out"]).write_stdin("the [MASK]\n"));
    assert_eq!(code, Some(2));
    assert!(err == "albert: error: /nonexistent/out: the directory /nonexistent does not exist\n", "{err}");
}

#[test]
fn input_comes_from_arguments_files_or_standard_input() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("in.txt");
    std::fs::write(&path, "\u{feff}the [MASK]\r\n\r\n").expect("writes");
    let (code, out, err) = output_of(fill_mask().arg("--input").arg(&path));
    // One blank line is an empty text, which has no mask.
    assert_eq!(code, Some(1));
    assert!(out.starts_with("{\"text\":\"the [MASK]\","), "{out}");
    assert!(err.ends_with("in.txt:2: no [MASK] in the text\n"), "{err}");

    let (code, out, _) = output_of(fill_mask().args(["the [MASK]", "{\"text\": \"[MASK]\"}"]));
    assert_eq!((code, out.lines().count()), (Some(0), 2));
    let (code, _, err) = output_of(fill_mask().args(["--input", "/nonexistent/in"]));
    assert_eq!(code, Some(2));
    assert!(err.starts_with("albert: error: /nonexistent/in: cannot read: "), "{err}");
    let (code, out, _) = output_of(fill_mask().write_stdin(""));
    assert_eq!((code, out.as_str()), (Some(0), ""));
}

/// Peak memory does not grow with the length of the stream.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_constant_on_a_long_stream() {
    let peak_after = |lines: usize| {
        let mut child = start(&["--batch-tokens", "512", "--threads", "1"]);
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let writer = std::thread::spawn(move || {
            for i in 0..lines {
                let line = format!("{{\"id\":{i},\"text\":\"the old captain was [MASK] to the river\"}}\n");
                stdin.write_all(line.as_bytes()).expect("writes");
            }
            stdin
        });
        let mut line = String::new();
        for _ in 0..lines {
            line.clear();
            stdout.read_line(&mut line).expect("reads");
        }
        let stdin = writer.join().expect("ends");
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("reads");
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a line");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        drop(stdin);
        assert_eq!(child.wait().expect("ends").code(), Some(0));
        kib
    };
    let (short, long) = (peak_after(1_000), peak_after(20_000));
    assert!(long < short + 8 * 1024, "{short} KiB after 1,000 lines, {long} KiB after 20,000");
}
