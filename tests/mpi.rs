//! Data parallel training over MPI, in a build with it: the same curve for any number of processes.
#![cfg(feature = "mpi")]

mod common;

use std::path::Path;
use std::process::Command;

use common::golden;
use serde_json::Value;
use tempfile::TempDir;

fn corpus(path: &Path) {
    let words = ["the", "river", "runs", "through", "a", "green", "valley", "and", "people", "walk"];
    let mut text = String::new();
    let mut state = 11usize;
    for line in 0..600 {
        for _ in 0..9 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[(state >> 33) % words.len()]);
            text.push(' ');
        }
        text.push_str(if line % 15 == 14 { ".\n\n" } else { ".\n" });
    }
    std::fs::write(path, text).expect("written");
}

/// Runs `processes` processes and returns the metrics.
fn train(folder: &Path, processes: usize) -> Vec<Value> {
    let output = folder.join(format!("run-{processes}"));
    let status = Command::new("mpirun")
        .args(["--allow-run-as-root", "--oversubscribe", "-n", &processes.to_string()])
        .arg(assert_cmd::cargo::cargo_bin("albert"))
        .args(["pretrain", "--batch-size", "8", "--max-seq-length", "32", "--device", "flex"])
        .args(["--log-every", "1", "--eval-every", "10", "--eval-fraction", "0.1", "--threads", "1"])
        .args(["--optimizer", "adamw", "--learning-rate", "1e-3", "--steps", "30"])
        .arg("--config")
        .arg(folder.join("config.json"))
        .arg("--corpus")
        .arg(folder.join("corpus.txt"))
        .arg("--tokenizer")
        .arg(golden("fill_mask/json_2020/tokenizer.json"))
        .arg("--output")
        .arg(&output)
        .output()
        .expect("mpirun");
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let text = std::fs::read_to_string(output.join("metrics.jsonl")).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

#[test]
fn one_two_and_four_processes_give_one_curve() {
    if Command::new("mpirun").arg("--version").output().is_err() {
        eprintln!("skipped: no mpirun");
        return;
    }
    let folder = TempDir::new().expect("a directory");
    corpus(&folder.path().join("corpus.txt"));
    // Each process drops out what its own seed says: no dropout here.
    let config = r#"{"model_type": "albert", "embedding_size": 64, "hidden_size": 128, "num_hidden_layers": 3,
        "num_attention_heads": 2, "intermediate_size": 256, "classifier_dropout_prob": 0.0}"#;
    std::fs::write(folder.path().join("config.json"), config).expect("written");
    let alone = train(folder.path(), 1);
    assert!(alone.len() >= 33);
    for processes in [2, 4] {
        let together = train(folder.path(), processes);
        assert_eq!(alone.len(), together.len());
        for (a, b) in alone.iter().zip(&together) {
            assert_eq!((&a["kind"], &a["step"]), (&b["kind"], &b["step"]));
            assert_eq!(a["tokens"], b["tokens"], "every token counts once");
            for name in ["mlm_loss", "sop_loss", "gradient_norm"] {
                let (Some(a), Some(b)) = (a[name].as_f64(), b[name].as_f64()) else { continue };
                assert!((a - b).abs() < 1e-3 * a.abs(), "{processes} processes: {name} {a} and {b}");
            }
        }
    }
}
