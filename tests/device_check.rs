//! The comparison of a GPU with the CPU, and the messages of drivers. A software adapter is sufficient.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn albert(cache: &Path, args: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin("albert"))
        .env_remove("ALBERT_MODEL")
        .env_remove("ALBERT_DEVICE")
        .env_remove("XDG_RUNTIME_DIR")
        .env("ALBERT_CACHE", cache)
        .args(args)
        .output()
        .expect("runs")
}

fn files(cache: &Path) -> Vec<String> {
    let entries = fs::read_dir(cache.join("devices")).into_iter().flatten();
    entries.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a text")).collect()
}

#[test]
#[cfg(feature = "wgpu")]
fn a_gpu_is_compared_with_the_cpu_once() {
    let cache = tempfile::tempdir().expect("a folder");
    let devices = albert(cache.path(), &["devices"]);
    assert!(devices.stderr.is_empty(), "{}", String::from_utf8_lossy(&devices.stderr));
    if !String::from_utf8_lossy(&devices.stdout).contains("\"wgpu") {
        eprintln!("skipped: no graphics adapter here");
        return;
    }
    let embed = |more: &[&str]| {
        let args = [&["embed", "-v", "--device", "wgpu"], more, &["A sentence."]].concat();
        let output = albert(cache.path(), &args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{stderr}");
        stderr
    };
    let off = embed(&["--device-check", "off"]);
    assert!(!off.contains("agree") && files(cache.path()).is_empty(), "{off}");
    let first = embed(&[]);
    assert!(first.contains("wgpu:0 agrees with the CPU within"), "{first}");
    let stored = files(cache.path());
    assert!(stored.len() == 1 && stored[0].contains("\"type\":\"F32\""), "{stored:?}");
    let second = embed(&[]);
    assert!(second.contains("wgpu:0 agreed with the CPU before"), "{second}");
    let quiet = albert(cache.path(), &["embed", "-q", "--device", "wgpu", "A sentence."]);
    assert!(quiet.stderr.is_empty(), "{}", String::from_utf8_lossy(&quiet.stderr));
}

#[test]
fn a_cpu_is_not_checked() {
    let cache = tempfile::tempdir().expect("a folder");
    let output = albert(cache.path(), &["embed", "-v", "--device", "flex", "A sentence."]);
    assert!(output.status.success() && files(cache.path()).is_empty());
}
