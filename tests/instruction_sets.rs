//! `ALBERT_MAX_ISA`, and that every instruction set of this processor gives the same results.

mod common;

use common::{albert, golden};
use serde_json::Value;

const LIMITS: [&str; 5] = ["portable", "avx2", "avx-vnni", "avx512", "amx"];

/// The embedding of a text by a small model, and what was written to stderr.
fn embedding(limit: &str, dtype: &str) -> (Vec<f64>, String) {
    let model = golden("tasks/models/bio");
    let output = albert()
        .env("ALBERT_MAX_ISA", limit)
        .args(["embed", "--device", "flex", "--dtype", dtype, "-m", model.to_str().expect("a name")])
        .arg("The limit is taken from the environment, and the result does not depend on it.")
        .output()
        .expect("the program runs");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{limit} {dtype}: {err}");
    let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let precision = record["predictions"][0]["embedding"].as_array().expect("an embedding");
    (precision.iter().map(|x| x.as_f64().expect("a number")).collect(), err)
}

/// The distance of two vectors, relative to the second.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
    (apart / b.iter().map(|b| b * b).sum::<f64>()).sqrt()
}

#[test]
fn every_limit_gives_the_same_embeddings() {
    let (expected, _) = embedding("", "f32");
    for limit in LIMITS {
        let (exact, _) = embedding(limit, "f32");
        assert!(distance(&exact, &expected) < 1e-5, "{limit}");
        let (near, _) = embedding(limit, "int8");
        let distance = distance(&near, &expected);
        assert!(distance > 0.0 && distance < 0.05, "{limit}: {distance}");
    }
}

#[test]
fn an_unknown_limit_is_a_usage_error_of_every_command() {
    for (limit, command) in [("avx3", "devices"), ("AVX2", "man"), ("avx2,amx", "tokenize")] {
        let output = albert().env("ALBERT_MAX_ISA", limit).arg(command).output().expect("the program runs");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]), "{limit}: {err}");
        let expected = format!(
            "albert: error: ALBERT_MAX_ISA: \"{limit}\" is not an instruction set; use one of portable, avx2, avx-vnni, avx512, amx\n"
        );
        assert_eq!(err, expected);
    }
}
