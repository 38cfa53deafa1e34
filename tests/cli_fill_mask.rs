//! `albert fill-mask` compared with transformers' pipeline, through the program.
//!
//! `golden/fill_mask/README.md` describes how the expected values were made.

mod common;

use common::{albert, golden};
use serde_json::{Value, json};

const FOLDERS: [&str; 5] = ["spiece_nfkc", "spiece_cased", "json_2020", "json_saved", "bert_vocab"];

/// Cases with intended differences. Each has its own test below or in the tokenizer's tests.
const DIFFERENT: [&str; 8] = [
    // albert returns the whole vocabulary; transformers fails.
    "top_k larger than the vocabulary",
    // albert truncates the text and reports it; transformers fails.
    "long, no truncation",
    // Words of several pieces: albert scores all pieces; transformers takes the first.
    "targets: cut to their first piece",
    "targets: two that become one",
    "targets: capitals and spaces",
    "targets: words",
    // albert refuses an unknown word; transformers scores a lone space.
    "targets: unknown characters",
    // Without any target, albert scores the whole vocabulary.
    "targets: none",
];

struct Run {
    code: Option<i32>,
    records: Vec<Value>,
    stderr: String,
}

fn run(folder: &str, texts: &[&str], args: &[String]) -> Run {
    let input: String = texts.iter().map(|t| format!("{}\n", json!({ "text": t }))).collect();
    let output = albert()
        .arg("fill-mask")
        .arg("--model")
        .arg(golden("fill_mask").join(folder))
        .args(["--device", "flex"])
        .args(args)
        .write_stdin(input)
        .output()
        .expect("the program runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    Run {
        code: output.status.code(),
        records: stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect(),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn arguments(args: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(k) = args["top_k"].as_u64() {
        out.extend(["--top-k".to_owned(), k.to_string()]);
    }
    match &args["targets"] {
        Value::String(t) => out.extend(["--targets".to_owned(), t.clone()]),
        Value::Array(list) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            out.extend(["--targets".to_owned(), words.join(",")]);
        }
        _ => {}
    }
    if let Some(n) = args["tokenizer_kwargs"]["max_length"].as_u64() {
        out.extend(["--max-length".to_owned(), n.to_string()]);
    }
    out
}

/// Compares lists of predictions. With `several` masks, the sequence of transformers includes `[CLS]` and `[SEP]`.
fn compare(what: &str, found: &Value, expected: &Value, several: bool) {
    let (f, e) = (found.as_array().expect("a list"), expected.as_array().expect("a list"));
    assert_eq!(f.len(), e.len(), "{what}: number of predictions");
    for (f, e) in f.iter().zip(e) {
        if e.is_array() {
            compare(what, f, e, true);
            continue;
        }
        let keys: Vec<&String> = f.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["score", "token", "token_str", "sequence"], "{what}");
        assert_eq!(f["token"], e["token"], "{what}: {f} {e}");
        assert_eq!(f["token_str"], e["token_str"], "{what}: {f} {e}");
        let (a, b) = (f["score"].as_f64().expect("a score"), e["score"].as_f64().expect("a score"));
        assert!((a - b).abs() <= 1e-6 + 1e-4 * b, "{what}: score {a}, expected {b}");
        let mut sequence = e["sequence"].as_str().expect("a text").to_owned();
        if several {
            sequence = sequence.replace("[CLS]", "").replace("[SEP]", "").trim().to_owned();
        }
        assert_eq!(f["sequence"].as_str(), Some(sequence.as_str()), "{what}");
    }
}

#[test]
fn predictions_are_those_of_the_pipeline() {
    let mut compared = 0;
    for folder in FOLDERS {
        let text = std::fs::read(golden("fill_mask").join(folder).join("expected.json")).expect("a file");
        let cases: Vec<Value> = serde_json::from_slice(&text).expect("a list");
        for case in cases {
            let name = case["name"].as_str().expect("a name");
            if DIFFERENT.contains(&name) {
                continue;
            }
            let what = format!("{folder}: {name}");
            let texts: Vec<&str> = match &case["inputs"] {
                Value::String(t) => vec![t],
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                other => panic!("{what}: {other}"),
            };
            let run = run(folder, &texts, &arguments(&case["args"]));
            let Some(output) = case.get("output").filter(|o| !o.is_null()) else {
                if name == "targets: empty string only" {
                    // No target remains to restrict the predictions to.
                    assert_eq!(run.code, Some(0), "{what}: {}", run.stderr);
                } else {
                    assert_eq!(run.code, Some(1), "{what}: {}", run.stderr);
                    assert!(run.stderr.contains("no [MASK] "), "{what}: {}", run.stderr);
                }
                continue;
            };
            assert_eq!(run.code, Some(0), "{what}: {}", run.stderr);
            assert_eq!(run.records.len(), texts.len(), "{what}");
            for (i, record) in run.records.iter().enumerate() {
                assert_eq!(record["text"].as_str(), Some(texts[i]));
                let expected = if texts.len() > 1 { &output[i] } else { output };
                compare(&what, &record["predictions"], expected, false);
            }
            compared += 1;
        }
    }
    assert!(compared > 150, "only {compared} cases were compared");
}

#[test]
fn more_predictions_than_pieces_are_all_pieces() {
    let run = run("json_2020", &["The capital of [MASK] is Paris."], &["--top-k".into(), "100000".into()]);
    let predictions = run.records[0]["predictions"].as_array().expect("a list");
    assert_eq!(predictions.len(), 182);
    let sum: f64 = predictions.iter().filter_map(|p| p["score"].as_f64()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
}

#[test]
fn long_text_is_cut_with_one_warning_or_refused() {
    let long = format!("[MASK] {}", "the old captain was walking ".repeat(30));
    let texts = [long.as_str(), "the [MASK]", long.as_str()];
    let cut = run("spiece_nfkc", &texts, &[]);
    assert_eq!(cut.code, Some(0));
    assert_eq!(cut.records[0]["truncated"], json!(true));
    assert_eq!(cut.records[1].get("truncated"), None);
    assert_eq!(cut.stderr.matches("was cut").count(), 1, "{}", cut.stderr);
    assert!(cut.stderr.contains("2 texts were cut"), "{}", cut.stderr);

    let refused = run("spiece_nfkc", &texts, &["--long".into(), "error".into()]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.records.is_empty());
    assert!(refused.stderr.contains("<stdin>:1: the text has "), "{}", refused.stderr);
    assert!(refused.stderr.contains("tokens and the model takes 40"), "{}", refused.stderr);
}

/// Computes the chain rule by hand: the score of a word is the product of the scores of its pieces, each with the
/// preceding pieces filled in.
#[test]
fn a_word_of_several_pieces_is_scored_by_the_chain_rule() {
    let words = run("json_2020", &["the [MASK] of life"], &["--targets".into(), "unbelievables,▁the".into()]);
    assert_eq!(words.code, Some(0), "{}", words.stderr);
    let predictions = words.records[0]["predictions"].as_array().expect("a list");
    let word = predictions.iter().find(|p| p["token"].is_array()).expect("the long word");
    assert_eq!(word["token_str"], "unbelievables");
    assert_eq!(word["sequence"], "the unbelievables of life");
    let pieces: Vec<u64> = word["token"].as_array().expect("ids").iter().filter_map(Value::as_u64).collect();
    assert!(pieces.len() > 1);

    // The pieces as text that tokenizes to them again, to fill them in one at a time.
    let tokens = albert()
        .args(["tokenize", "unbelievables", "--model"])
        .arg(golden("fill_mask/json_2020"))
        .output()
        .expect("runs");
    let shown: Value = serde_json::from_slice(&tokens.stdout).expect("JSON");
    let names: Vec<String> = shown["predictions"][0]["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .filter_map(|t| t.as_str().map(str::to_owned))
        .collect();
    let names = &names[1..names.len() - 1];
    assert_eq!(names.len(), pieces.len());
    let mut product = 1.0;
    for known in 0..pieces.len() {
        let filled: String = names[..known].concat().replace('▁', "");
        let text = format!("the {filled}{} of life", "[MASK]".repeat(pieces.len() - known));
        let step = run("json_2020", &[&text], &["--top-k".into(), "1000".into()]);
        let predictions = &step.records[0]["predictions"];
        let first = if predictions[0].is_array() { &predictions[0] } else { predictions };
        let of_piece = first.as_array().expect("a list").iter().find(|p| p["token"] == json!(pieces[known]));
        product *= of_piece.expect("every piece")["score"].as_f64().expect("a score");
    }
    let score = word["score"].as_f64().expect("a score");
    assert!((score - product).abs() <= 1e-4 * product + 1e-12, "{score} {product}");
}

#[test]
fn a_target_that_the_vocabulary_cannot_spell_is_a_usage_error() {
    let run = run("json_2020", &["x [MASK]"], &["--targets".into(), "☃".into()]);
    assert_eq!(run.code, Some(2));
    assert_eq!(
        run.stderr,
        "albert: error: --targets: \"☃\" has characters that the vocabulary does not know\n"
    );
}

/// Every way to pass a text gives the same scores, alone or batched with longer texts.
#[test]
fn an_item_alone_equals_the_item_in_a_batch() {
    let texts =
        ["the [MASK]", "a much longer text about the [MASK] captain of life", "[MASK]", "x [MASK] y z"];
    let together = run("spiece_nfkc", &texts, &[]);
    for (i, text) in texts.iter().enumerate() {
        let alone = run("spiece_nfkc", &[text], &[]);
        compare(text, &together.records[i]["predictions"], &alone.records[0]["predictions"], false);
    }
}
