//! `albert fill-mask` from exec to exit on a model of ALBERT-base's shape (f32, random weights), with the
//! parts that the program reports, beside transformers' pipeline when `--python PATH` is given.
//!
//!     cargo bench --bench cold_start -- [--python PATH] [--runs N]
//!
//! Wall-clock medians over interleaved runs; peak resident memory as the kernel accounts it (Linux).
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

const TEXT: &str = "The capital of France is [MASK].";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let value = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).cloned();
    let runs: usize = value("--runs").and_then(|n| n.parse().ok()).unwrap_or(9);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("albert-base-shape");
    write_base_model(&directory).expect("the model is written");

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
    if let Some(python) = value("--python") {
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

/// Seconds, and peak memory in KiB where the kernel tells.
fn timed(command: &[String]) -> (f64, u64) {
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

/// A checkpoint of ALBERT-base's size with the embedded tokenizer's files beside it.
fn write_base_model(directory: &Path) -> std::io::Result<()> {
    if directory.join("model.safetensors").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    let (v, e, h, i) = (30000usize, 128usize, 768usize, 3072usize);
    let layer = "albert.encoder.albert_layer_groups.0.albert_layers.0";
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("albert.embeddings.word_embeddings.weight".into(), vec![v, e]),
        ("albert.embeddings.position_embeddings.weight".into(), vec![512, e]),
        ("albert.embeddings.token_type_embeddings.weight".into(), vec![2, e]),
        ("predictions.bias".into(), vec![v]),
    ];
    for (name, out, input) in [
        ("albert.encoder.embedding_hidden_mapping_in".to_owned(), h, e),
        (format!("{layer}.attention.query"), h, h),
        (format!("{layer}.attention.key"), h, h),
        (format!("{layer}.attention.value"), h, h),
        (format!("{layer}.attention.dense"), h, h),
        (format!("{layer}.ffn"), i, h),
        (format!("{layer}.ffn_output"), h, i),
        ("predictions.dense".to_owned(), e, h),
    ] {
        shapes.push((format!("{name}.weight"), vec![out, input]));
        shapes.push((format!("{name}.bias"), vec![out]));
    }
    for (name, width) in [
        ("albert.embeddings.LayerNorm".to_owned(), e),
        (format!("{layer}.attention.LayerNorm"), h),
        (format!("{layer}.full_layer_layer_norm"), h),
        ("predictions.LayerNorm".to_owned(), e),
    ] {
        shapes.push((format!("{name}.weight"), vec![width]));
        shapes.push((format!("{name}.bias"), vec![width]));
    }
    let mut state = 1u64;
    let data: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let bytes = (0..count)
                .flat_map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    ((((state >> 40) as f32) / 16_777_216.0 - 0.5) * 0.07).to_le_bytes()
                })
                .collect();
            (name, shape, bytes)
        })
        .collect();
    let views: Vec<_> = data
        .iter()
        .map(|(name, shape, bytes)| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name.clone(), view.expect("a sound tensor"))
        })
        .collect();
    let config = serde_json::json!({
        "model_type": "albert", "architectures": ["AlbertForMaskedLM"], "vocab_size": v, "embedding_size": e,
        "hidden_size": h, "intermediate_size": i, "num_attention_heads": 12, "num_hidden_layers": 12,
        "hidden_act": "gelu_new", "max_position_embeddings": 512,
    });
    std::fs::write(directory.join("config.json"), config.to_string())?;
    std::fs::write(directory.join("spiece.model"), include_bytes!("../assets/spiece.model"))?;
    let bytes = safetensors::serialize(views, None).expect("serializes");
    std::fs::write(directory.join("model.safetensors"), bytes)
}
