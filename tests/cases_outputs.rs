//! Output through symbolic links, to devices and to descriptors. All links are in temporary directories.
#![cfg(unix)]

mod common;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::cases::case;
use common::golden;

fn program() -> PathBuf {
    assert_cmd::cargo::cargo_bin("albert")
}

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program in a folder.
fn run_in(folder: &Path, args: &[&str]) -> Run {
    let output = Command::new(program())
        .current_dir(folder)
        .env_remove("ALBERT_MODEL")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn tokenize(folder: &Path, output: &str) -> Run {
    run_in(folder, &["tokenize", "-q", "--format", "jsonl", "-o", output, "x"])
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("reads")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn is_line(text: &str) -> bool {
    text.starts_with("{\"text\":\"x\",") && text.lines().count() == 1
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("reads")
}

#[test]
fn links_stay_and_their_targets_get_the_output() {
    let case = case("15-output-link");
    let folder = case.path(".");
    fs::create_dir(folder.join("sub")).expect("creates");
    for (link, target, end) in [
        ("link.txt", "real.txt", "real.txt"),
        ("chain.txt", "link.txt", "real.txt"),
        ("sub/up.txt", "../real.txt", "real.txt"),
        ("deep.txt", "sub/deep.txt", "sub/deep.txt"),
        ("new.txt", "sub/new.txt", "sub/new.txt"),
    ] {
        for name in ["real.txt", "sub/deep.txt"] {
            fs::write(folder.join(name), "kept\n").expect("writes");
        }
        symlink(target, folder.join(link)).expect("links");
        let run = tokenize(&folder, link);
        assert_eq!((run.code, run.out.as_str()), (Some(0), ""), "{link}: {}", run.err);
        assert!(folder.join(link).is_symlink(), "{link} is still a link");
        assert!(is_line(&read(folder.join(end))), "{link}");
    }
    assert_eq!(names(&folder.join("sub")), ["deep.txt", "new.txt", "up.txt"]);
    assert!(!names(&folder).iter().any(|name| name.contains(".albert")), "{:?}", names(&folder));
    // An absolute link, from elsewhere.
    let other = tempfile::tempdir().expect("a folder");
    symlink(folder.join("real.txt"), other.path().join("out")).expect("links");
    fs::write(folder.join("real.txt"), "kept\n").expect("writes");
    assert_eq!(tokenize(other.path(), "out").code, Some(0));
    assert!(is_line(&read(folder.join("real.txt"))) && names(other.path()) == ["out"]);
}

#[test]
fn paths_that_take_no_output_fail_before_the_work() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::create_dir(folder.join("sub")).expect("creates");
    symlink("b", folder.join("a")).expect("links");
    symlink("a", folder.join("b")).expect("links");
    symlink("self", folder.join("self")).expect("links");
    symlink("sub", folder.join("folder")).expect("links");
    symlink("absent/new", folder.join("nowhere")).expect("links");
    for (output, problem) in [
        ("a", "a is a symbolic link that leads back to itself"),
        ("self", "self is a symbolic link that leads back to itself"),
        ("sub", "sub is a directory; --output takes a file"),
        ("folder", "folder is a directory; --output takes a file"),
        ("new/", "new/ is a directory; --output takes a file"),
        ("nowhere", "nowhere: the directory ./absent does not exist"),
    ] {
        let run = tokenize(folder, output);
        assert_eq!(run.code, Some(2), "{output}");
        assert!(run.err.contains(problem), "{output}: {}", run.err);
    }
    assert_eq!(names(folder), ["a", "b", "folder", "nowhere", "self", "sub"]);
    assert!(names(&folder.join("sub")).is_empty());
}

#[test]
fn a_file_keeps_its_mode_and_its_other_names() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let out = folder.join("out");
    for mode in [0o600, 0o640, 0o755] {
        fs::write(&out, "before\n").expect("writes");
        fs::set_permissions(&out, Permissions::from_mode(mode)).expect("sets");
        assert_eq!(tokenize(folder, "out").code, Some(0));
        assert_eq!(out.metadata().expect("reads").mode() & 0o7777, mode);
        assert!(is_line(&read(&out)));
    }
    // The old content is longer than the new one.
    fs::write(&out, "before\n".repeat(10_000)).expect("writes");
    fs::hard_link(&out, folder.join("other")).expect("links");
    let inode = out.metadata().expect("reads").ino();
    assert_eq!(tokenize(folder, "out").code, Some(0));
    assert!(is_line(&read(&out)));
    assert_eq!(read(&out), read(folder.join("other")));
    assert_eq!(out.metadata().expect("reads").ino(), inode);
    assert_eq!(names(folder), ["other", "out"]);

    // A read-only file. Root may write to it.
    let guarded = folder.join("guarded");
    fs::write(&guarded, "before\n").expect("writes");
    fs::set_permissions(&guarded, Permissions::from_mode(0o444)).expect("sets");
    let allowed = OpenOptions::new().write(true).open(&guarded).is_ok();
    let run = tokenize(folder, "guarded");
    if allowed {
        assert_eq!(run.code, Some(0));
        assert_eq!(guarded.metadata().expect("reads").mode() & 0o7777, 0o444);
    } else {
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains("guarded: cannot write: "), "{}", run.err);
        assert_eq!(read(&guarded), "before\n");
    }
}

#[test]
fn partial_output_is_kept_next_to_the_target() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::create_dir(folder.join("sub")).expect("creates");
    fs::write(folder.join("sub/real"), "before\n").expect("writes");
    fs::write(folder.join("in"), "{\"text\":\"x\"}\n{\"text\":5}\n").expect("writes");
    symlink("sub/real", folder.join("link")).expect("links");
    let run = run_in(folder, &["tokenize", "-o", "link", "-i", "in"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("sub/real.partial"), "{}", run.err);
    assert!(is_line(&read(folder.join("sub/real.partial"))) && folder.join("link").is_symlink());
    assert_eq!(read(folder.join("sub/real")), "before\n");
    // A directory with the name of the partial file does not cost the finished records.
    fs::remove_file(folder.join("sub/real.partial")).expect("removes");
    fs::create_dir(folder.join("sub/real.partial")).expect("creates");
    let run = run_in(folder, &["tokenize", "-o", "link", "-i", "in"]);
    let kept = run.err.lines().find_map(|l| l.split("finished records are in ").nth(1)).expect("a name");
    assert!(is_line(&read(folder.join(kept))), "{}", run.err);
}

#[test]
fn devices_and_pipes_are_written_to_as_they_are() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    symlink("/dev/null", folder.join("null")).expect("links");
    assert_eq!(tokenize(folder, "null").code, Some(0));
    assert!(folder.join("null").is_symlink());
    assert!(Path::new("/dev/null").metadata().expect("there").file_type().is_char_device());
    if Path::new("/dev/full").exists() {
        symlink("/dev/full", folder.join("full")).expect("links");
        let run = tokenize(folder, "full");
        assert_eq!(run.code, Some(1));
        assert!(run.err.contains("full: cannot write: No space left on device"), "{}", run.err);
    }
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    symlink("pipe", folder.join("link.npy")).expect("links");
    for (args, start) in [
        (["tokenize", "-q", "--format=jsonl", "-o", "link.npy", "x"], &b"{\"text\":"[..]),
        (["embed", "-q", "--format=npy", "-o", "link.npy", "x"], &b"\x93NUMPY"[..]),
    ] {
        let pipe = folder.join("pipe");
        let reader = std::thread::spawn(move || fs::read(pipe).expect("reads"));
        let run = run_in(folder, &args);
        assert_eq!(run.code, Some(0), "{}", run.err);
        let bytes = reader.join().expect("ends");
        assert!(bytes.starts_with(start));
        if start.starts_with(b"\x93") {
            let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
            assert!(header.contains("'shape': (1, "), "{header}");
        }
    }
    assert!(folder.join("pipe").metadata().expect("there").file_type().is_fifo());
    assert!(folder.join("link.npy").is_symlink());
}

/// If standard output is a file, earlier content stays, and later output is appended to it.
#[test]
#[cfg(target_os = "linux")]
fn a_link_to_standard_output_is_standard_output() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    symlink("/proc/self/fd/1", folder.join("stdout")).expect("links");
    symlink("/proc/self/fd", folder.join("fd")).expect("links");
    symlink("stdout", folder.join("twice")).expect("links");
    let path = folder.join("file");
    for append in [false, true] {
        for output in ["stdout", "twice", "fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"] {
            fs::write(&path, "").expect("writes");
            let mut file = OpenOptions::new().write(true).append(append).open(&path).expect("opens");
            file.write_all(b"before\n").expect("writes");
            let status = Command::new(program())
                .current_dir(folder)
                .args(["tokenize", "-q", "--format", "jsonl", "-o", output, "x"])
                .stdout(file.try_clone().expect("copies"))
                .status()
                .expect("the program runs");
            file.write_all(b"after\n").expect("writes");
            assert_eq!(status.code(), Some(0));
            let text = read(&path);
            let lines: Vec<&str> = text.lines().collect();
            assert!(matches!(lines[..], ["before", line, "after"] if is_line(line)), "{output}: {text}");
            assert!(folder.join("stdout").is_symlink() && folder.join("twice").is_symlink());
        }
    }
    assert_eq!(names(folder), ["fd", "file", "stdout", "twice"]);
    // A pipe.
    let run = tokenize(folder, "stdout");
    assert_eq!(run.code, Some(0));
    assert!(is_line(&run.out));
}

#[test]
#[cfg(target_os = "linux")]
fn other_descriptors_of_the_process_and_of_others() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    symlink("/proc/self/fd/7", folder.join("seven")).expect("links");
    let program = program();
    for redirection in ["7>file", "7>>file"] {
        fs::write(folder.join("file"), "").expect("writes");
        let script = format!(
            "{{ echo before >&7; \"$0\" tokenize -q --format jsonl -o seven x && \
             \"$0\" tokenize -q --format jsonl -o /proc/self/fd/7 x; echo after >&7; }} {redirection}"
        );
        let status = Command::new("sh")
            .current_dir(folder)
            .arg("-c")
            .arg(script)
            .arg(&program)
            .status()
            .expect("runs");
        assert_eq!(status.code(), Some(0));
        let text = read(folder.join("file"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(matches!(lines[..], ["before", a, b, "after"] if is_line(a) && a == b), "{text}");
    }
    let run = tokenize(folder, "seven");
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("seven: cannot open: Bad file descriptor"), "{}", run.err);
    // A file of the test process, which is another process to the program.
    use std::os::fd::AsRawFd;
    let mut file = OpenOptions::new().read(true).append(true).open(folder.join("file")).expect("opens");
    file.set_len(0).expect("empties");
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    assert_eq!(tokenize(folder, &path).code, Some(0));
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("reads");
    assert!(is_line(&text));
    assert_eq!(names(folder), ["file", "seven"]);
}

#[test]
fn every_file_of_an_evaluation_and_vectors_follow_links() {
    let cases = case("00-models");
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::write(folder.join("data.jsonl"), "{\"text\":\"good film\",\"label\":\"negative\"}\n")
        .expect("writes");
    let links = ["report", "predictions", "errors", "vectors.npy", "vectors.safetensors"];
    for link in links {
        fs::write(folder.join(format!("real-{link}")), "kept").expect("writes");
        symlink(format!("real-{link}"), folder.join(link)).expect("links");
    }
    let model = cases.text("classify");
    let eval = ["eval", "classify", "-q", "-m", &model, "--data", "data.jsonl", "-o", "report"];
    let run = run_in(folder, &[&eval[..], &["--predictions", "predictions", "--errors", "errors"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.err);
    for link in ["vectors.npy", "vectors.safetensors"] {
        let run = run_in(folder, &["embed", "-q", "-o", link, "x"]);
        assert_eq!(run.code, Some(0), "{}", run.err);
    }
    for link in links {
        assert!(folder.join(link).is_symlink(), "{link}");
        let bytes = fs::read(folder.join(format!("real-{link}"))).expect("reads");
        assert!(bytes.len() > 20 && bytes != b"kept", "{link}");
    }
    assert_eq!(names(folder).len(), 2 * links.len() + 1, "{:?}", names(folder));
}

#[test]
fn directories_are_made_where_links_lead() {
    let cases = case("00-models");
    let model = cases.text("classify");
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    fs::create_dir(folder.join("disk")).expect("creates");
    fs::create_dir(folder.join("empty")).expect("creates");
    fs::set_permissions(folder.join("empty"), Permissions::from_mode(0o750)).expect("sets");
    for (link, target) in
        [("converted", "disk/converted"), ("to-empty", "empty"), ("run", "disk/run"), ("loop", "loop")]
    {
        symlink(target, folder.join(link)).expect("links");
    }
    for output in ["converted", "to-empty"] {
        let run = run_in(folder, &["convert", "-q", &model, output]);
        assert_eq!(run.code, Some(0), "{output}: {}", run.err);
        assert!(folder.join(output).is_symlink() && folder.join(output).join("model.safetensors").is_file());
        let run = run_in(folder, &["convert", "-q", &model, output]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains("exists and is not empty"), "{}", run.err);
    }
    assert_eq!(folder.join("empty").metadata().expect("there").mode() & 0o777, 0o750);
    let run = run_in(folder, &["convert", "-q", &model, "loop"]);
    assert!(run.code == Some(2) && run.err.contains("leads back to itself"), "{}", run.err);
    // The current directory, which cannot be replaced.
    fs::create_dir(folder.join("here")).expect("creates");
    let run = run_in(&folder.join("here"), &["convert", "-q", &model, "."]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(folder.join("here/model.safetensors").is_file());
    fs::write(
        folder.join("train.jsonl"),
        "{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n",
    )
    .expect("writes");
    let base = cases.text("base");
    let run = run_in(
        folder,
        &[
            "finetune",
            "classify",
            "-q",
            "--model",
            &base,
            "--train",
            "train.jsonl",
            "--output",
            "run",
            "--steps",
            "1",
        ],
    );
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(folder.join("run").is_symlink() && folder.join("disk/run/model.safetensors").is_file());
    assert_eq!(names(&folder.join("disk")), ["converted", "run"]);
}

/// A threshold belongs in `config.json`, but every model that uses a file of the hub's cache shares it.
#[test]
fn files_of_the_cache_are_not_changed() {
    let cases = case("00-models");
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let snapshot = folder.join("snapshots/1");
    fs::create_dir_all(&snapshot).expect("creates");
    fs::create_dir(folder.join("blobs")).expect("creates");
    for name in names(&cases.path("qa")) {
        fs::copy(cases.path("qa").join(&name), folder.join("blobs").join(&name)).expect("copies");
        symlink(format!("../../blobs/{name}"), snapshot.join(&name)).expect("links");
    }
    let before = read(folder.join("blobs/config.json"));
    let data = golden("cases/14-messages/flat.json");
    let args = ["eval", "qa", "-q", "-m", "snapshots/1", "--save-threshold", "--data"];
    let run = run_in(folder, &[&args[..], &[data.to_str().expect("UTF-8")]].concat());
    assert_ne!(run.code, Some(0));
    assert!(run.err.contains("config.json is a file of the hub's cache"), "{}", run.err);
    assert_eq!(read(folder.join("blobs/config.json")), before);
    assert!(snapshot.join("config.json").is_symlink());
}

#[test]
fn input_and_output_may_be_the_same_file() {
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    File::create(folder.join("real")).and_then(|mut f| f.write_all(b"{\"text\":\"x\"}\n")).expect("writes");
    symlink("real", folder.join("link")).expect("links");
    fs::hard_link(folder.join("real"), folder.join("other")).expect("links");
    let run = run_in(folder, &["tokenize", "-q", "-i", "link", "-o", "link"]);
    assert_eq!(run.code, Some(0), "{}", run.err);
    assert!(is_line(&read(folder.join("real"))) && is_line(&read(folder.join("other"))));
}
