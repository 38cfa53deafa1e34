//! The built-in model gives the results of transformers with the same weights.

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

/// The 2019-style form that the model was saved in is tested in `parity.rs`. This tests the shape that users see.
#[test]
fn info_describes_the_built_in_model() {
    let output = albert().args(["info", "--quiet"]).output().expect("runs");
    let info: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(info["model"], "embedded");
    assert_eq!(info["tokenizer"]["kind"], "SentencePiece");
    assert_eq!(info["tokenizer"]["pieces"], info["vocab_size"]);
    // Matrices of 4 and 8 bits are read as f32.
    assert_eq!(info["dtypes"]["f32"], 29);
    assert_eq!(info["missing"], serde_json::json!([]));
}

/// The predictions for the first record.
fn predictions(arguments: &[&str], device: &str) -> Value {
    let output = albert().args(arguments).args(["--quiet", "--device", device]).output().expect("runs");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    let mut record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    record["predictions"].take()
}

fn close(found: &Value, expected: &Value) {
    let [a, b] = [found, expected].map(|score| score.as_f64().expect("a number"));
    assert!((a - b).abs() < 1e-4, "{a} {b}");
}

/// Each task reads its changes to the encoder from the same file.
#[test]
fn the_embedded_tasks_agree_with_transformers() {
    let text = std::fs::read(golden("default_model/expected_tasks.json")).expect("a file");
    let expected: Value = serde_json::from_slice(&text).expect("JSON");
    let words = |value: &Value| value.as_str().expect("a text").to_owned();
    for device in ["flex", "ndarray"] {
        for case in expected["sentiment"].as_array().expect("a list") {
            let found = predictions(&["classify", &words(&case["text"])], device);
            assert_eq!(found[0]["label"], case["scores"][0][0]["label"]);
            close(&found[0]["score"], &case["scores"][0][0]["score"]);
        }
        for case in expected["entities"].as_array().expect("a list") {
            let found = predictions(&["ner", "--aggregation", "simple", &words(&case["text"])], device);
            let entities = case["entities"].as_array().expect("a list");
            assert_eq!(found.as_array().map(Vec::len), Some(entities.len()), "{found}");
            for (i, entity) in entities.iter().enumerate() {
                assert_eq!(found[i]["entity_group"], entity["entity_group"]);
                close(&found[i]["score"], &entity["score"]);
            }
        }
        let case = &expected["answers"];
        let folder = tempfile::tempdir().expect("a directory");
        let context = folder.path().join("context.txt");
        std::fs::write(&context, words(&case["context"])).expect("written");
        let context = context.display().to_string();
        let found = predictions(&["qa", "--context", &context, &words(&case["question"])], device);
        // With a tokenizer made from `spiece.model` alone, the answer begins one character further left.
        let (own, answer) = (words(&found[0]["answer"]), words(&case["answer"]["answer"]));
        assert!(own.contains(answer.trim()), "{own}");
        close(&found[0]["score"], &case["answer"]["score"]);

        let case = &expected["choices"];
        let mut arguments = vec!["choose".to_owned(), words(&case["text"])];
        for choice in case["choices"].as_array().expect("a list") {
            arguments.extend(["--choice".to_owned(), words(choice)]);
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let found = predictions(&arguments, device);
        for prediction in found.as_array().expect("a list") {
            let i = prediction["index"].as_u64().expect("a number") as usize;
            close(&prediction["score"], &case["scores"][i]);
        }

        let case = &expected["entailment"];
        let labels: Vec<String> = case["labels"].as_array().expect("a list").iter().map(words).collect();
        let found = predictions(&["zero-shot", &words(&case["text"]), "--labels", &labels.join(",")], device);
        for (i, label) in labels.iter().enumerate() {
            assert_eq!(found[i]["label"], *label);
            close(&found[i]["score"], &case["scores"][i]);
        }
    }
}
