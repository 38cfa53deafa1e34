//! Training runs as a user starts, watches and interrupts them. `folder` holds the directory `output` of a run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::albert;

/// Runs to the end. Returns the messages on stderr.
pub(crate) fn finish(arguments: &[String]) -> String {
    let output = albert().args(arguments).output().expect("started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

/// Starts a run in the background.
pub(crate) fn begin(arguments: &[String]) -> Child {
    let program = assert_cmd::cargo::cargo_bin("albert");
    Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("started")
}

/// The bytes of the model that a run wrote.
pub(crate) fn weights(folder: &Path, output: &str) -> Vec<u8> {
    std::fs::read(folder.join(output).join("model.safetensors")).expect("a model")
}

/// The records of a run's log.
pub(crate) fn metrics(folder: &Path, output: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(output).join("metrics.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until the run in `output` reports step `step` or a later one.
pub(crate) fn wait_for_step(folder: &Path, output: &str, step: u64, child: &mut Child) {
    let start = Instant::now();
    loop {
        let last = metrics(folder, output).iter().filter_map(|m| m["step"].as_u64()).max();
        if last.is_some_and(|last| last >= step) {
            return;
        }
        assert!(child.try_wait().expect("known").is_none(), "the run ended before step {step}");
        assert!(start.elapsed() < Duration::from_secs(120), "no step {step} after two minutes");
        std::thread::sleep(Duration::from_millis(5));
    }
}
