//! The model inside the binary says what transformers says of the same weights.

mod common;

use common::{albert, golden};
use serde_json::Value;

#[test]
fn the_embedded_model_agrees_with_transformers() {
    let text = std::fs::read(golden("default_model/expected.json")).expect("a file");
    let cases: Vec<Value> = serde_json::from_slice(&text).expect("a list");
    assert_eq!(cases.len(), 10);
    let input: String = cases.iter().map(|c| format!("{}\n", c["text"].as_str().expect("a text"))).collect();
    for device in ["flex", "ndarray"] {
        let output = albert()
            .args(["fill-mask", "--quiet", "--device", device])
            .write_stdin(input.clone())
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0));
        let stdout = String::from_utf8(output.stdout).expect("UTF-8");
        let records: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(records.len(), cases.len());
        for (record, case) in records.iter().zip(&cases) {
            let (found, expected) = (&record["predictions"], &case["predictions"]);
            for i in 0..5 {
                let (f, e) = (&found[i], &expected[i]);
                let (a, b) = (f["score"].as_f64().expect("a score"), e["score"].as_f64().expect("a score"));
                assert!((a - b).abs() < 1e-4, "{device}: {f} {e}");
                for key in ["token", "token_str", "sequence"] {
                    assert_eq!(f[key], e[key], "{device}: {f} {e}");
                }
            }
        }
    }
}

/// The 2019-style file form that it was saved in is read as well as any: see `parity.rs`. Here the shape
/// that users see.
#[test]
fn info_tells_what_is_embedded() {
    let output = albert().args(["info", "--quiet"]).output().expect("runs");
    let info: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(info["model"], "embedded");
    assert_eq!(info["tokenizer"]["kind"], "SentencePiece");
    assert_eq!(info["tokenizer"]["pieces"], info["vocab_size"]);
    assert_eq!(info["dtypes"], serde_json::json!({"f16": info["dtypes"]["f16"]}));
    assert_eq!(info["missing"], serde_json::json!([]));
}
