//! `albert fill-mask` from exec to exit on a model of ALBERT-base's shape (f32, random weights), with the stages that
//! the program reports. With `--python PATH`, it is compared with transformers' pipeline.
//!
//!     cargo bench --bench cold_start -- [--python PATH] [--runs N]
//!
//! Reports wall-clock medians over interleaved runs, and peak resident memory as the kernel accounts it (Linux).
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{option, process::timed, write_base_model};

const TEXT: &str = "The capital of France is [MASK].";

fn main() {
    let runs: usize = option("--runs").and_then(|n| n.parse().ok()).unwrap_or(9);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("albert-base-shape");
    write_base_model(&directory, "AlbertForMaskedLM").expect("the model is written");

    let model = directory.display().to_string();
    let albert = env!("CARGO_BIN_EXE_albert");
    let mut rows: Vec<(&str, Vec<String>)> = vec![
        (
            "albert, base shape f32",
            [albert, "fill-mask", "--device", "flex", "-m", &model, TEXT].map(str::to_owned).to_vec(),
        ),
        (
            "albert, embedded model",
            [albert, "fill-mask", "--device", "flex", "-q", TEXT].map(str::to_owned).to_vec(),
        ),
    ];
    if let Some(python) = option("--python") {
        let script = format!(
            "from transformers import pipeline; print(pipeline('fill-mask', model={model:?}, tokenizer={model:?})({TEXT:?}))"
        );
        rows.push(("transformers pipeline", vec![python, "-c".to_owned(), script]));
    }
    let mut times: Vec<Vec<(f64, u64)>> = vec![Vec::new(); rows.len()];
    for round in 0..=runs {
        for (row, (_, command)) in rows.iter().enumerate() {
            let run = timed(command);
            // The first round fills the page cache.
            if round > 0 {
                times[row].push(run);
            }
        }
    }
    println!("{:<26} {:>10} {:>10} {:>10} {:>12}", "exec to exit", "median s", "min s", "max s", "peak MiB");
    for ((name, _), mut runs) in rows.iter().zip(times) {
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let peak = runs.iter().map(|r| r.1).max().unwrap_or(0) as f64 / 1024.0;
        println!(
            "{name:<26} {:>10.3} {:>10.3} {:>10.3} {peak:>12.0}",
            runs[runs.len() / 2].0,
            runs[0].0,
            runs[runs.len() - 1].0
        );
    }
    let parts =
        Command::new(albert).args(["fill-mask", "--device", "flex", "-v", "-m", &model, TEXT]).output();
    println!("\nparts, of one run:");
    print!("{}", String::from_utf8_lossy(&parts.expect("runs").stderr));
}
