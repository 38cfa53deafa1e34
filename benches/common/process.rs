//! Timing of whole processes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Elapsed seconds, and peak memory in KiB where the kernel reports it.
pub(crate) fn timed(command: &[String]) -> (f64, u64) {
    let started = Instant::now();
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .env("HF_HUB_OFFLINE", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))
        {
            peak = line.trim().trim_end_matches(" kB").parse().unwrap_or(peak).max(peak);
        }
        if child.try_wait().expect("waits").is_some() {
            return (started.elapsed().as_secs_f64(), peak);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
