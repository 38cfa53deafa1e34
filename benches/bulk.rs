//! `albert classify` over JSONL lines of mixed length, from exec to exit, on a model of ALBERT-base's shape with random
//! weights.
//!
//! With `--python PATH`, it is compared with transformers' pipeline and with scripts for ONNX Runtime and OpenVINO (see
//! `bulk_peer.py`). The time that Python needs to start and to load is not counted.
//!
//!     cargo bench --bench bulk -- [--python PATH] [--lines N] [--runs N] [--programs f32,bf16x2,bf16,int8]
//!       [--peers pipeline-8,pipeline-8-sorted,pipeline-32-sorted,onnx-1,onnx-8-sorted,onnx-int8-1,openvino-1,openvino-int8-1]
//!
//! Reports wall-clock medians over interleaved runs, and peak resident memory (Linux).
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use common::process::timed;
use common::{Peer, list, median, option, write_base_model};

const THREADS: usize = 2;

fn main() {
    let number = |flag: &str, default: usize| option(flag).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (lines, runs) = (number("--lines", 2000), number("--runs", 7));
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("albert-base-classify");
    write_base_model(&directory, "AlbertForSequenceClassification").expect("the model is written");
    let input = directory.join("reviews.jsonl");
    std::fs::write(&input, texts(lines)).expect("the texts are written");
    let output = directory.join("out.jsonl");

    let [model, input, output] = [directory, input, output].map(|path| path.display().to_string());
    let programs =
        list("--programs").unwrap_or_else(|| ["f32", "bf16x2", "bf16", "int8"].map(str::to_owned).to_vec());
    let commands: Vec<(String, Vec<String>)> = programs
        .iter()
        .map(|dtype| {
            let threads = THREADS.to_string();
            let command = [
                env!("CARGO_BIN_EXE_albert"),
                "classify",
                "-m",
                &model,
                "-i",
                &input,
                "-o",
                &output,
                "--device",
                "flex",
                "--threads",
                &threads,
                "--dtype",
                dtype,
                "-q",
            ];
            (format!("albert {dtype}"), command.map(str::to_owned).to_vec())
        })
        .collect();
    let mut peer = option("--python").map(|python| Peer::start(&python, "bulk_peer.py"));
    let peers: Vec<String> = peer.as_mut().map_or_else(Vec::new, |peer| {
        let names = list("--peers").unwrap_or_else(|| {
            [
                "pipeline-8",
                "pipeline-8-sorted",
                "pipeline-32-sorted",
                "onnx-1",
                "onnx-8-sorted",
                "onnx-int8-1",
                "openvino-1",
                "openvino-int8-1",
            ]
            .map(str::to_owned)
            .to_vec()
        });
        let case = json!({ "model": model, "input": input, "threads": THREADS, "programs": names });
        peer.ask(&format!("prepare {case}"));
        names
    });

    let mut times = vec![Vec::new(); commands.len() + peers.len()];
    let mut peaks = vec![0; commands.len()];
    let mut tokens = 0.0;
    for _ in 0..runs {
        for (i, (_, command)) in commands.iter().enumerate() {
            let (seconds, peak) = timed(command);
            times[i].push(seconds);
            peaks[i] = peak.max(peaks[i]);
        }
        for (i, name) in peers.iter().enumerate() {
            let Some(peer) = &mut peer else { continue };
            let answer = peer.ask(&format!("run {name}"));
            let (seconds, count) = answer.split_once(' ').expect("seconds and tokens");
            times[commands.len() + i].push(seconds.parse().expect("seconds"));
            tokens = count.parse().expect("tokens");
        }
    }
    println!("{lines} lines, {tokens} tokens");
    println!("{:<20} {:>10} {:>10} {:>10} {:>10}", "program", "median s", "lines/s", "tokens/s", "peak MiB");
    let names = commands.iter().map(|(name, _)| name).chain(&peers);
    for (i, (name, mut times)) in names.zip(times).enumerate() {
        let middle = median(&mut times);
        let peak = peaks.get(i).map_or_else(String::new, |kib| format!("{:.0}", *kib as f64 / 1024.0));
        println!(
            "{name:<20} {middle:>10.2} {:>10.1} {:>10.0} {peak:>10}",
            lines as f64 / middle,
            tokens / middle
        );
    }
}

/// Lines of 5 to 400 words, with lengths spread evenly on a logarithmic scale.
fn texts(lines: usize) -> String {
    const WORDS: [&str; 40] = [
        "the",
        "movie",
        "was",
        "a",
        "story",
        "of",
        "people",
        "who",
        "never",
        "left",
        "their",
        "small",
        "town",
        "and",
        "found",
        "that",
        "music",
        "could",
        "change",
        "everything",
        "about",
        "how",
        "they",
        "saw",
        "each",
        "other",
        "with",
        "great",
        "humour",
        "slow",
        "scenes",
        "but",
        "in",
        "end",
        "it",
        "did",
        "not",
        "work",
        "for",
        "me",
    ];
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut out = String::new();
    for _ in 0..lines {
        let share = (next() % 10_000) as f64 / 10_000.0;
        let words = (5.0 * 80.0f64.powf(share)) as usize;
        let text: Vec<&str> = (0..words).map(|_| WORDS[next() % WORDS.len()]).collect();
        let _ = writeln!(out, "{}", json!({ "text": text.join(" ") }));
    }
    out
}
