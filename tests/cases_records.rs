//! Records in the forms that programs write: arrays, indented objects, Python-only syntax, question files.

mod common;

use std::path::Path;

use common::albert;
use common::cases::{Case, case, read_json};
use serde_json::{Value, json};

const SCORES: f64 = 1e-4;

struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(args: &[&str], stdin: &[u8]) -> Run {
    let output = albert().args(args).write_stdin(stdin).output().expect("the program runs");
    Run {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn model(models: &Case, name: &str) -> String {
    models.text(name)
}

/// Classifies the records on standard input.
fn classify(models: &Case, flags: &[&str], stdin: &[u8]) -> Run {
    let model = model(models, "classify");
    run(&[&["classify", "-q", "-m", &model, "--format", "jsonl"], flags].concat(), stdin)
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn assert_score(found: &Value, expected: &Value) {
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"));
    assert!((number(found) - number(expected)).abs() < SCORES, "{found} instead of {expected}");
}

/// Asserts that the texts, labels and scores of two records match `expected.json`.
fn assert_two_films(run: &Run, expected: &Value) {
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""));
    let found = lines(&run.out);
    let expected = expected["classify"].as_array().expect("a list");
    assert_eq!(found.len(), expected.len(), "{}", run.out);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found["text"], expected["text"]);
        assert_eq!(found["predictions"][0]["label"], expected["label"]);
        assert_score(&found["predictions"][0]["score"], &expected["score"]);
    }
}

#[test]
fn indented_lines_and_arrays_are_records() {
    let (models, cases) = (case("00-models"), case("90-open-questions"));
    let expected = &cases.expected()["lines (leading_space.jsonl, array.json)"];
    for name in ["leading_space.jsonl", "array.json"] {
        assert_two_films(&classify(&models, &["-i", &cases.text(name)], b""), expected);
        let bytes = std::fs::read(cases.path(name)).expect("reads");
        assert_two_films(&classify(&models, &[], &bytes), expected);
        let marked = [b"\xef\xbb\xbf", &bytes[..]].concat();
        assert_two_films(&classify(&models, &[], &marked), expected);
    }
    let array = read_json(&cases.path("array.json"));
    let pretty = serde_json::to_string_pretty(&array).expect("writes");
    for text in [
        pretty.clone(),
        pretty.replace('\n', "\r\n"),
        format!("\n \n{pretty}\n\n"),
        "\u{feff}[\n\n\t {\"text\": \"good film\"}\n,{\"text\":\"bad film\"}]".to_owned(),
        " {\"text\":\"good film\"}\n\t \t{\"text\":\"bad film\"}\r\n".to_owned(),
        "\u{feff}  {\"text\":\"good film\"}\n\u{feff}{\"text\":\"bad film\"}\n".to_owned(),
    ] {
        assert_two_films(&classify(&models, &[], text.as_bytes()), expected);
    }
    // The program reads its own array output.
    let flags = ["classify", "-q", "-m", &model(&models, "classify"), "--format", "json"];
    let written = run(&flags, pretty.as_bytes()).out;
    assert_two_films(&classify(&models, &[], written.as_bytes()), expected);
    assert_eq!(classify(&models, &[], b"[]\n").out, "");
}

#[test]
fn text_stays_text() {
    let models = case("00-models");
    let model = model(&models, "base");
    for text in
        ["[MASK] is here", "[[", "[\"a\", \"b\"]", "[ ] to do", "a {\"text\": \"b\"}", "[1]", " x", "[]\n[]"]
    {
        let found = lines(&run(&["tokenize", "-m", &model], text.as_bytes()).out);
        assert_eq!(found[0]["text"], text.lines().next().expect("a line"), "{text}");
    }
    // An array is recognized only at the beginning.
    let found = lines(&run(&["tokenize", "-m", &model], b"x\n[{\"text\":\"a\"}]\n").out);
    assert_eq!(found[1]["text"], "[{\"text\":\"a\"}]");
    let found = lines(&run(&["tokenize", "-m", &model, "[{\"text\":\"a\"}]"], b"").out);
    assert_eq!(found[0]["text"], "[{\"text\":\"a\"}]");
    for text in [" {\"text\":\"a\"}", "[{\"text\":\"a\"}]"] {
        let found = lines(&run(&["tokenize", "-m", &model, "--input-format", "text"], text.as_bytes()).out);
        assert_eq!(found[0]["text"], text);
    }
    let jsonl = run(&["tokenize", "-m", &model, "--input-format", "jsonl"], b"[{\"text\":\"a\"}]");
    assert_eq!(jsonl.code, Some(1));
    assert!(jsonl.err.contains("<stdin>:1: not a JSON object: "), "{}", jsonl.err);
    assert!(jsonl.err.contains("--input-format auto reads an array"), "{}", jsonl.err);
}

#[test]
fn bad_arrays_stop_after_the_complete_records() {
    let models = case("00-models");
    for (text, problem) in [
        ("[{\"text\":\"a\"},\n{\"text\"", "EOF while parsing an object at line 2"),
        ("[{\"text\":\"a\"},\n{\"text\":oops}]", "expected value at line 2"),
        ("[{\"text\":\"a\"}]\nmore", "trailing characters at line 2"),
        ("[{\"text\":\"a\"} {\"text\":\"b\"}]", "expected `,` or `]`"),
    ] {
        let found = classify(&models, &["--on-error", "skip"], text.as_bytes());
        assert_eq!(found.code, Some(1), "{text}");
        assert_eq!(lines(&found.out).len(), 1, "{text}: {}", found.out);
        assert!(found.err.contains("<stdin> is not a valid JSON array of records: "), "{}", found.err);
        assert!(found.err.contains(problem) && found.err.contains("--input-format text"), "{}", found.err);
    }
    let text = "[{\"text\":\"good film\"},\n 7, {\"id\":2}, {\"text\":\"bad film\"}]";
    let stopped = classify(&models, &[], text.as_bytes());
    assert_eq!((stopped.code, lines(&stopped.out).len()), (Some(1), 1));
    assert!(stopped.err.contains("<stdin>: record 2: not a JSON object: 7"), "{}", stopped.err);
    let skipped = classify(&models, &["--on-error", "skip"], text.as_bytes());
    let found = lines(&skipped.out);
    assert_eq!((skipped.code, found.len()), (Some(1), 4));
    assert!(found[2]["error"].as_str().is_some_and(|e| e.starts_with("field \"text\" is missing")));
    assert_eq!(found[3]["text"], "bad film");
}

#[test]
fn what_only_python_writes_passes_through() {
    let (models, cases) = (case("00-models"), case("90-open-questions"));
    let found = classify(&models, &["-i", &cases.text("nan.jsonl")], b"");
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    let read = std::fs::read_to_string(cases.path("nan.jsonl")).expect("reads");
    let expected = &cases.expected()["nan.jsonl"]["classify"];
    for (n, (found, given)) in found.out.lines().zip(read.lines()).enumerate() {
        let start = format!("{},\"predictions\":[", given.trim_end_matches('}'));
        assert!(found.starts_with(&start), "{found}");
        let found: Value =
            serde_json::from_str(&found.replace("NaN", "0").replace("Infinity", "0")).expect("JSON");
        assert_eq!(found["predictions"][0]["label"], expected[n]["label"]);
        assert_score(&found["predictions"][0]["score"], &expected[n]["score"]);
    }
    for record in [
        r#"{"text":"x","a":[NaN,{"b":-Infinity}],"c":1.10}"#,
        r#"{"cut":"\ud83d","text":"x","low":["\uDE00 é"],"\ud800":NaN}"#,
        r#"{"text":"x","nan":"NaN","deep":{"NaN":[[Infinity]]}}"#,
    ] {
        for input in [record.to_owned(), format!("  {record}\n"), format!("[\n{record}\n]")] {
            let found = classify(&models, &[], input.as_bytes());
            assert_eq!((found.code, found.err.as_str()), (Some(0), ""), "{input}");
            let start = format!("{},\"predictions\":[", &record[..record.len() - 1]);
            assert!(found.out.starts_with(&start), "{}", found.out);
        }
    }
}

#[test]
fn what_only_python_writes_is_an_error_in_a_field_that_is_read() {
    let models = case("00-models");
    let file = case("14-messages");
    let found = classify(&models, &["-i", &file.text("surrogate.jsonl")], b"");
    assert_eq!((found.code, lines(&found.out).len()), (Some(1), 1));
    let problem =
        "surrogate.jsonl:2: field \"text\" holds \\ud83d, which is half of a character (a lone surrogate)";
    assert!(found.err.contains(problem), "{}", found.err);
    let skipped = classify(&models, &["-i", &file.text("surrogate.jsonl"), "--on-error", "skip"], b"");
    assert!(skipped.out.contains("cut off emoji \\ud83d"), "{}", skipped.out);
    assert_eq!(skipped.out.lines().count(), 3);
    for (record, problem) in [
        (r#"{"text":NaN}"#, "<stdin>:1: field \"text\" is NaN; expected a string"),
        (r#"{"text":-Infinity}"#, "<stdin>:1: field \"text\" is -Infinity; expected a string"),
        (r#"{"a":NaN,"text":oops}"#, "<stdin>:1: not a JSON object: expected value (column 17)"),
        (r#"{"text":"x","a":nan}"#, "<stdin>:1: not a JSON object: "),
        ("  {\"text\":\"x\",", "<stdin>:1: this line is not a complete JSON object"),
    ] {
        let found = classify(&models, &[], record.as_bytes());
        assert_eq!(found.code, Some(1), "{record}");
        assert!(found.err.contains(problem), "{}", found.err);
    }
    let model = model(&models, "classify");
    let directory = tempfile::tempdir().expect("a folder");
    let data = directory.path().join("data.jsonl");
    let eval = |lines: &str| {
        std::fs::write(&data, lines).expect("writes");
        let path = data.to_str().expect("UTF-8");
        run(&["eval", "classify", "-q", "-m", &model, "--data", path], b"")
    };
    let fine = eval("{\"text\":\"x\",\"label\":\"neutral\",\"stars\":NaN,\"cut\":\"\\ud83d\"}\n");
    assert_eq!(fine.code, Some(0), "{}", fine.err);
    for (line, problem) in [
        (
            "{\"text\":\"\\ud83d\",\"label\":\"neutral\"}",
            "data.jsonl:1: field \"text\" holds \\ud83d, which is half",
        ),
        (
            "{\"text\":\"x\",\"label\":\"\\ude00\"}",
            "data.jsonl:1: field \"label\" holds \\ude00, which is half",
        ),
        ("{\"text\":\"x\",\"label\":NaN}", "data.jsonl:1: field \"label\" is NaN; JSON has no NaN"),
    ] {
        let found = eval(line);
        assert_eq!(found.code, Some(2), "{line}");
        assert!(found.err.contains(problem), "{}", found.err);
    }
}

fn qa(models: &Case, flags: &[&str], stdin: &[u8]) -> Run {
    let model = model(models, "qa");
    run(&[&["qa", "-q", "-m", &model], flags].concat(), stdin)
}

fn object(out: &str) -> serde_json::Map<String, Value> {
    serde_json::from_str(out).unwrap_or_else(|e| panic!("{e}: {out}"))
}

#[test]
fn question_files_are_detected_in_any_key_order() {
    let (models, files) = (case("00-models"), case("14-messages"));
    let late = files.text("paragraphs_late.json");
    let found = qa(&models, &["-i", &late, "--format", "squad"], b"");
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    assert_eq!(object(&found.out), object("{\"7\": \"Paris\"}"));
    let asked = qa(&models, &["-i", &late, "--format", "squad", "--input-format", "squad"], b"");
    assert_eq!(asked.out, found.out);
    // From a pipe, also with a megabyte before the first key that identifies the format.
    let text = std::fs::read_to_string(&late).expect("reads");
    let long = text.replacen('{', &format!("{{\"license\": [\"{}\", NaN], ", "x".repeat(1 << 20)), 1);
    for text in [text, long] {
        assert_eq!(qa(&models, &["--format", "squad"], text.as_bytes()).out, found.out);
    }
    let as_lines = qa(&models, &["-i", &late, "--input-format", "jsonl"], b"");
    assert_eq!(as_lines.code, Some(1));
}

#[test]
fn the_flat_form_of_run_qa_is_read() {
    let (models, files) = (case("00-models"), case("14-messages"));
    let flat = files.text("flat.json");
    let value = read_json(&files.path("flat.json"));
    let found = qa(&models, &["-i", &flat], b"");
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    let found = lines(&found.out);
    for (found, given) in found.iter().zip(value["data"].as_array().expect("a list")) {
        for (key, value) in given.as_object().expect("an object") {
            assert_eq!(&found[key], value);
        }
    }
    let answers: Vec<&Value> = found.iter().map(|record| &record["predictions"][0]["answer"]).collect();
    let members = qa(&models, &["-i", &flat, "--format", "squad"], b"");
    assert_eq!(Value::from(object(&members.out)), json!({"a1": answers[0], "a2": answers[1]}));
    // On one line, without a version, as an array, and as lines.
    let records: Vec<String> =
        value["data"].as_array().expect("a list").iter().map(Value::to_string).collect();
    for text in [
        value.to_string(),
        format!("{{\"data\": [{}]}}", records.join(", ")),
        format!("[{}]", records.join(",\n")),
        records.join("\n"),
    ] {
        assert_eq!(qa(&models, &["--format", "squad"], text.as_bytes()).out, members.out, "{text}");
    }
    let squad = qa(&models, &["--format", "squad", "--input-format", "squad"], value.to_string().as_bytes());
    assert_eq!(squad.out, members.out);
}

#[test]
fn the_flat_form_is_read_as_labelled_data() {
    let (models, files) = (case("00-models"), case("14-messages"));
    let qa = model(&models, "qa");
    let value = read_json(&files.path("flat.json"));
    let records: Vec<String> =
        value["data"].as_array().expect("a list").iter().map(Value::to_string).collect();
    let squad = json!({"data": [{"paragraphs": [{"context": value["data"][0]["context"], "qas": [
        {"id": "a1", "question": value["data"][0]["question"], "answers": [{"text": "Paris", "answer_start": 14}]},
        {"id": "a2", "question": value["data"][1]["question"], "answers": []}]}]}]});
    let directory = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path.to_str().expect("UTF-8").to_owned()
    };
    let padded = value.to_string().replacen('{', &format!("{{\"license\":\"{}\",", "x".repeat(1 << 18)), 1);
    let paths = [
        write("squad.json", &squad.to_string()),
        files.text("flat.json"),
        write("line.json", &value.to_string()),
        write("late.json", &padded),
        write("lines.jsonl", &records.join("\n")),
    ];
    let metrics: Vec<Value> = paths
        .iter()
        .map(|path| {
            let found = run(&["eval", "qa", "-q", "-m", &qa, "--format", "json", "--data", path], b"");
            assert_eq!(found.code, Some(0), "{path}: {}", found.err);
            serde_json::from_str(&found.out).expect("JSON")
        })
        .collect();
    assert_eq!(metrics[0]["examples"], 2);
    assert!(metrics.iter().all(|metric| *metric == metrics[0]), "{metrics:?}");
    let base = model(&models, "base");
    for (name, data) in ["flat.json", "late.json"].into_iter().zip([&paths[1], &paths[3]]) {
        let output = directory.path().join(format!("{name}-model"));
        let output = output.to_str().expect("UTF-8");
        let args =
            ["finetune", "qa", "-q", "--model", &base, "--train", data, "--output", output, "--steps", "1"];
        let found = run(&args, b"");
        assert_eq!(found.code, Some(0), "{name}: {}", found.err);
        assert!(Path::new(output).join("model.safetensors").is_file());
    }
    // Errors in the file are located by the number of the question.
    let wrong = write(
        "wrong.json",
        &value.to_string().replacen("[14]", "[3]", 1).replacen("\"Paris\"", "\"Rome\"", 1),
    );
    let output = directory.path().join("none");
    let output = output.to_str().expect("UTF-8");
    let found = run(&["finetune", "qa", "-q", "--model", &base, "--train", &wrong, "--output", output], b"");
    assert_eq!(found.code, Some(2));
    assert!(
        found.err.contains("wrong.json: question 1: answer \"Rome\" is not at its answer_start"),
        "{}",
        found.err
    );
    let cut = write("cut.json", &value.to_string()[..120]);
    let found = run(&["eval", "qa", "-q", "-m", &qa, "--data", &cut], b"");
    assert_eq!(found.code, Some(2));
    assert!(found.err.contains("cut.json: not a SQuAD file that can be read: EOF"), "{}", found.err);
}

/// An answer of the pipeline without surrounding white space, and with the accent of its last letter.
fn trimmed(answer: &Value, context: &[char]) -> Value {
    let place = |key: &str| answer[key].as_u64().expect("a place") as usize;
    let (mut start, mut end) = (place("start"), place("end"));
    while start < end && context[start].is_whitespace() {
        start += 1;
    }
    while end > start && context[end - 1].is_whitespace() {
        end -= 1;
    }
    while end > start && context.get(end) == Some(&'\u{301}') {
        end += 1;
    }
    let text: String = context[start..end].iter().collect();
    json!({"score": answer["score"], "start": start, "end": end, "answer": text})
}

fn assert_answers(found: &Value, expected: &[Value], what: &str) {
    let found = found.as_array().expect("a list");
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        for key in ["start", "end", "answer"] {
            assert_eq!(found[key], expected[key], "{what}: {found} instead of {expected}");
        }
        assert_score(&found["score"], &expected["score"]);
    }
}

#[test]
fn answers_are_merged_as_the_pipeline_merges_them() {
    let (models, cases) = (case("00-models"), case("90-open-questions"));
    let found = qa(&models, &["-k", "3", "-i", &cases.text("qa_merge.jsonl"), "--format", "jsonl"], b"");
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
    let context: Vec<char> = "[mask] [Mask]".chars().collect();
    let expected: Vec<Value> = cases.expected()["qa_merge.jsonl"]["predictions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|answer| trimmed(answer, &context))
        .collect();
    assert_answers(&lines(&found.out)[0]["predictions"], &expected, "qa_merge.jsonl");
}

/// `golden/qa_merge/make.py` made the expected answers with the pipeline.
#[test]
fn contexts_that_repeat_words_have_the_answers_of_the_pipeline() {
    let models = case("00-models");
    let expected = match std::env::var_os("ALBERT_QA_MERGE") {
        Some(path) => read_json(Path::new(&path)),
        None => read_json(&common::golden("qa_merge/expected.json")),
    };
    let expected = expected.as_array().expect("a list");
    let mut options: Vec<&Value> = Vec::new();
    for record in expected {
        if !options.contains(&&record["options"]) {
            options.push(&record["options"]);
        }
    }
    for options in options {
        let mut flags: Vec<String> = vec!["--format=jsonl".to_owned(), "--top-k=1".to_owned()];
        for (key, value) in options.as_object().expect("options") {
            match key.as_str() {
                "top_k" => flags[1] = format!("--top-k={value}"),
                "max_answer_len" => flags.push(format!("--max-answer-len={value}")),
                "doc_stride" => flags.push(format!("--doc-stride={value}")),
                "max_seq_len" => flags.push(format!("--max-length={value}")),
                "handle_impossible_answer" => flags.push("--impossible".to_owned()),
                "align_to_words" => flags.push("--align=tokens".to_owned()),
                other => panic!("unknown option {other}"),
            }
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let records: Vec<&Value> = expected.iter().filter(|record| record["options"] == *options).collect();
        let input: String = records
            .iter()
            .map(|r| format!("{}\n", json!({"question": r["question"], "context": r["context"]})))
            .collect();
        let found = qa(&models, &flags, input.as_bytes());
        assert_eq!((found.code, found.err.as_str()), (Some(0), ""));
        for (found, record) in lines(&found.out).iter().zip(records) {
            let context: Vec<char> = record["context"].as_str().expect("a context").chars().collect();
            let answers = record["answers"].as_array().expect("a list");
            let asked = answers.len();
            let mut answers: Vec<Value> = answers.iter().map(|answer| trimmed(answer, &context)).collect();
            // White space alone does not count as an answer here, so the next answer takes its place.
            answers.retain(|answer| answer["answer"] != "");
            let mut found = found["predictions"].clone();
            if answers.len() < asked {
                found.as_array_mut().expect("a list").truncate(answers.len());
            }
            assert_answers(&found, &answers, &record.to_string());
        }
    }
}
