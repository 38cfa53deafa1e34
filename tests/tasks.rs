//! Every task compared with transformers 4.57, through the program. `golden/tasks/README.md` describes the expected
//! outputs and how they were made.

mod common;

use std::path::PathBuf;

use common::{albert, golden};
use serde_json::{Value, json};

const SCORES: f64 = 1e-4;

fn calls(task: &str) -> Vec<Value> {
    let path = golden("tasks").join(format!("{task}.json"));
    serde_json::from_slice(&std::fs::read(&path).expect("the calls")).expect("a list of calls")
}

fn model(call: &Value) -> PathBuf {
    golden("tasks/models").join(call["model"].as_str().expect("a name"))
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// Runs a subcommand over JSON records. Returns the records of its output.
fn run(task: &str, model: &std::path::Path, flags: &[String], records: &[Value]) -> Vec<Value> {
    let input: String = records.iter().map(|record| format!("{record}\n")).collect();
    let output = albert()
        .args([task, "-q", "--device", "flex", "--model"])
        .arg(model)
        .args(flags)
        .write_stdin(input)
        .output()
        .expect("runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{task} {flags:?}: {errors}");
    let lines: Vec<Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), records.len(), "{task} {flags:?}: every record answered");
    for (line, record) in lines.iter().zip(records) {
        for (key, value) in record.as_object().expect("an object") {
            assert_eq!(&line[key], value, "fields pass through");
        }
    }
    lines
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

/// The first difference between two values: numbers may differ by `tolerance` (relative for values above 1), everything
/// else must be equal.
fn difference(found: &Value, expected: &Value, tolerance: f64) -> Option<String> {
    match (found, expected) {
        (Value::Number(f), Value::Number(e)) if f.is_f64() || e.is_f64() => {
            let (f, e) = (number(found), number(expected));
            let off = (f - e).abs() / e.abs().max(1.0);
            (off > tolerance).then(|| format!("{f}, expected {e}"))
        }
        (Value::Array(f), Value::Array(e)) if f.len() == e.len() => {
            f.iter().zip(e).find_map(|(f, e)| difference(f, e, tolerance))
        }
        (Value::Object(f), Value::Object(e)) => e
            .iter()
            .find_map(|(key, e)| {
                let found = f.get(key).unwrap_or(&Value::Null);
                difference(found, e, tolerance).map(|d| format!("{key}: {d}"))
            })
            .or_else(|| f.keys().find(|key| !e.contains_key(*key)).map(|key| format!("{key} is too much"))),
        _ => (found != expected).then(|| format!("{found}, expected {expected}")),
    }
}

fn assert_same(what: &dyn Fn() -> String, found: &Value, expected: &Value, tolerance: f64) {
    if let Some(difference) = difference(found, expected, tolerance) {
        panic!("{}: {difference}\nfound    {found}\nexpected {expected}", what());
    }
}

#[test]
fn classify_is_the_pipeline() {
    for call in calls("classify") {
        let mut flags = Vec::new();
        let options = call["options"].as_object().expect("options");
        match options.get("top_k") {
            None => {}
            Some(Value::Null) => flags.push("--top-k=all".to_owned()),
            Some(k) => flags.push(format!("--top-k={k}")),
        }
        if let Some(function) = options.get("function_to_apply") {
            flags.push(format!("--function={}", function.as_str().expect("a name")));
        }
        let found = run("classify", &model(&call), &flags, list(&call["inputs"]));
        for ((found, expected), input) in found.iter().zip(list(&call["outputs"])).zip(list(&call["inputs"]))
        {
            let what = || format!("{} {flags:?} {input}", call["model"]);
            assert_same(&what, &found["predictions"], expected, SCORES);
        }
    }
}

#[test]
fn scores_are_sums_of_log_probabilities() {
    for call in calls("score") {
        let masking = format!("--masking={}", call["masking"].as_str().expect("a name"));
        let found = run("score", &model(&call), &[masking, "--per-token".to_owned()], list(&call["inputs"]));
        for ((found, expected), input) in found.iter().zip(list(&call["outputs"])).zip(list(&call["inputs"]))
        {
            let what = || format!("{} {} {input}", call["model"], call["masking"]);
            assert_same(&what, &found["predictions"], expected, SCORES);
        }
    }
}

#[test]
fn sentence_order_is_the_pretraining_head() {
    for call in calls("order") {
        let found = run("classify", &model(&call), &["--order".to_owned()], list(&call["inputs"]));
        for (found, expected) in found.iter().zip(list(&call["outputs"])) {
            let expected = json!([{"label": "in_order", "score": expected}]);
            assert_same(&|| call["model"].to_string(), &found["predictions"], &expected, SCORES);
        }
    }
}

fn ner_flags(call: &Value, boundaries: &str) -> Vec<String> {
    let mut flags = vec![
        format!("--aggregation={}", call["strategy"].as_str().expect("a name")),
        format!("--word-boundaries={boundaries}"),
    ];
    let options = call["options"].as_object().expect("options");
    if let Some(stride) = options.get("stride") {
        flags.push(format!("--stride={stride}"));
    }
    if let Some(ignored) = options.get("ignore_labels") {
        let labels: Vec<&str> = list(ignored).iter().map(|l| l.as_str().expect("a label")).collect();
        flags.push(format!("--ignore-labels={}", labels.join(",")));
    }
    flags
}

/// The records of a call, and for each record the text that its offsets refer to.
fn ner_records(call: &Value) -> (Vec<Value>, Vec<String>) {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    match call.get("words") {
        Some(words) => list(words)
            .iter()
            .map(|words| {
                let joined: Vec<String> = list(words).iter().map(text).collect();
                (json!({"tokens": words}), joined.join(" "))
            })
            .unzip(),
        None => list(&call["inputs"]).iter().map(|t| (json!({"text": t}), text(t))).unzip(),
    }
}

#[test]
fn ner_is_the_pipeline_when_asked_to_be() {
    for call in calls("ner") {
        let flags = ner_flags(&call, "hf");
        let (records, _) = ner_records(&call);
        let found = run("ner", &model(&call), &flags, &records);
        for ((found, expected), record) in found.iter().zip(list(&call["outputs"])).zip(&records) {
            let mut found = found["predictions"].clone();
            for entity in found.as_array_mut().expect("a list") {
                let entity = entity.as_object_mut().expect("an object");
                entity.remove("start_token");
                entity.remove("end_token");
            }
            let what = || format!("{} {flags:?} {record}", call["model"]);
            assert_same(&what, &found, expected, SCORES);
        }
    }
}

/// By default, entities are slices of the text that do not cut words. They begin and end as in the pipeline wherever
/// the pipeline does not cut words.
#[test]
fn ner_cuts_no_word() {
    let mut same = 0;
    for call in calls("ner") {
        let flags = ner_flags(&call, "text");
        let (records, texts) = ner_records(&call);
        let found = run("ner", &model(&call), &flags, &records);
        for (((found, expected), text), record) in
            found.iter().zip(list(&call["outputs"])).zip(&texts).zip(&records)
        {
            let chars: Vec<char> = text.chars().collect();
            let mut before = 0;
            for entity in list(&found["predictions"]) {
                let place = |key: &str| entity[key].as_u64().expect("a place") as usize;
                let (start, end) = (place("start"), place("end"));
                let slice: String = chars[start..end].iter().collect();
                let what = || format!("{} {flags:?} {record} {entity}", call["model"]);
                assert_eq!(entity["word"], json!(slice), "{}", what());
                if call["strategy"] == "none" {
                    continue;
                }
                assert!(!slice.is_empty() && slice.trim() == slice, "{}", what());
                assert!(start >= before, "in order, without overlap: {}", what());
                before = end;
                let inside = |at: usize| {
                    at > 0
                        && at < chars.len()
                        && chars[at - 1].is_alphanumeric()
                        && chars[at].is_alphanumeric()
                };
                let chinese = slice.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
                assert!(chinese || !inside(start) && !inside(end), "cut inside a word: {}", what());
                let place = |e: &Value| (e["start"].clone(), e["end"].clone(), e["entity_group"].clone());
                same += usize::from(list(expected).iter().any(|e| place(e) == place(entity)));
            }
        }
    }
    assert!(same > 500, "{same} entities equal the pipeline's");
}

#[test]
fn qa_is_the_pipeline() {
    for call in calls("qa") {
        let options = call["options"].as_object().expect("options");
        let flags: Vec<String> = options
            .iter()
            .map(|(key, value)| match key.as_str() {
                "top_k" => format!("--top-k={value}"),
                "max_answer_len" => format!("--max-answer-len={value}"),
                "doc_stride" => format!("--doc-stride={value}"),
                "max_seq_len" => format!("--max-length={value}"),
                "handle_impossible_answer" => "--impossible".to_owned(),
                "align_to_words" => "--align=tokens".to_owned(),
                other => panic!("unknown option {other}"),
            })
            .collect();
        let found = run("qa", &model(&call), &flags, list(&call["inputs"]));
        for ((found, expected), input) in found.iter().zip(list(&call["outputs"])).zip(list(&call["inputs"]))
        {
            let chars: Vec<char> = input["context"].as_str().expect("a context").chars().collect();
            let text = |start: usize, end: usize| chars[start..end].iter().collect::<String>();
            // The pipeline pads its list with spans of zero probability, some of them reversed.
            let expected: Vec<Value> = list(expected)
                .iter()
                .filter(|e| {
                    number(&e["score"]) > 0.0
                        || e["answer"] == "" && options.contains_key("handle_impossible_answer")
                })
                .map(|e| {
                    let (mut start, mut end) = (
                        e["start"].as_u64().expect("a place") as usize,
                        e["end"].as_u64().expect("a place") as usize,
                    );
                    // albert strips white space at both ends, and keeps a combining accent with its letter.
                    while start < end && chars[start].is_whitespace() {
                        start += 1;
                    }
                    while end > start && chars.get(end) == Some(&'\u{301}') {
                        end += 1;
                    }
                    json!({"score": e["score"], "start": start, "end": end, "answer": text(start, end)})
                })
                .collect();
            let what = || format!("{} {flags:?} {input}", call["model"]);
            assert_same(&what, &found["predictions"], &Value::from(expected), SCORES);
        }
    }
}

#[test]
fn choose_is_the_softmax_over_choices() {
    for call in calls("choose") {
        let found = run("choose", &model(&call), &[], list(&call["inputs"]));
        for ((found, expected), input) in found.iter().zip(list(&call["outputs"])).zip(list(&call["inputs"]))
        {
            let mut expected: Vec<(usize, f64)> = list(expected).iter().map(number).enumerate().collect();
            expected.sort_by(|a, b| b.1.total_cmp(&a.1));
            let expected: Value = expected
                .into_iter()
                .map(|(i, score)| json!({"choice": input["choices"][i], "index": i, "score": score}))
                .collect();
            assert_same(&|| format!("{} {input}", call["model"]), &found["predictions"], &expected, SCORES);
        }
    }
}

#[test]
fn embed_gives_the_hidden_states() {
    // The expected values are rounded to 5 places.
    const TOLERANCE: f64 = 3e-5;
    for call in calls("embed") {
        let records = [json!({"text": call["text"]})];
        let embedding = |flags: &[&str]| {
            let flags: Vec<String> = flags.iter().map(|f| (*f).to_owned()).collect();
            run("embed", &model(&call), &flags, &records).swap_remove(0)
        };
        for (key, flags) in [
            ("mean", &[][..]),
            ("cls", &["--pooling=cls"]),
            ("pooler", &["--pooling=pooler"]),
            ("tokens", &["--pooling=tokens"]),
            ("layer_0", &["--layer=0"]),
            ("layer_1", &["--layer=1"]),
        ] {
            let Some(expected) = call.get(key) else { continue };
            let found = embedding(flags);
            let what = || format!("{} {key} {}", call["model"], call["text"]);
            assert_same(&what, &found["predictions"][0]["embedding"], expected, TOLERANCE);
        }
        if let Some(expected) = call.get("attentions") {
            let found = embedding(&["--attentions"]);
            assert_same(&|| call["model"].to_string(), &found["attentions"], expected, TOLERANCE);
        }
        let unit = embedding(&["--normalize"]);
        let length: f64 = list(&unit["predictions"][0]["embedding"]).iter().map(|v| number(v).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
}

#[test]
fn zero_shot_is_the_pipeline() {
    for call in calls("zero_shot") {
        let labels: Vec<&str> = list(&call["labels"]).iter().map(|l| l.as_str().expect("a label")).collect();
        let mut flags = vec![format!("--labels={}", labels.join(","))];
        if let Some(name) = call["entailment"].as_str() {
            flags.push(format!("--entailment-label={name}"));
        }
        let options = call["options"].as_object().expect("options");
        if options.contains_key("multi_label") {
            flags.push("--multi-label".to_owned());
        }
        if let Some(template) = options.get("hypothesis_template") {
            flags.push(format!("--hypothesis={}", template.as_str().expect("a sentence")));
        }
        let records: Vec<Value> = list(&call["inputs"]).iter().map(|t| json!({"text": t})).collect();
        let found = run("zero-shot", &model(&call), &flags, &records);
        for ((found, expected), input) in found.iter().zip(list(&call["outputs"])).zip(&records) {
            let what = || format!("{} {flags:?} {input}", call["model"]);
            let by_label = |list: &Value| {
                let mut sorted = self::list(list).clone();
                sorted.sort_by_key(|p| p["label"].to_string());
                Value::from(sorted)
            };
            assert_same(&what, &by_label(&found["predictions"]), &by_label(expected), SCORES);
            // The order is the same, except for scores that are equal in single precision.
            let score_of = |label: &Value| {
                let there = list(expected).iter().find(|e| e["label"] == *label);
                number(&there.expect("the label")["score"])
            };
            for two in list(&found["predictions"]).windows(2) {
                assert!(number(&two[0]["score"]) >= number(&two[1]["score"]), "{}", what());
                assert!(score_of(&two[0]["label"]) >= score_of(&two[1]["label"]) - 2e-6, "{}", what());
            }
        }
    }
}
