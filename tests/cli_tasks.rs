//! The tasks through the program: difficult inputs, files of other formats, windows, mismatched models.

mod common;

use std::path::{Path, PathBuf};

use common::{albert, golden};
use safetensors::SafeTensors;
use serde_json::{Value, json};

fn model(name: &str) -> PathBuf {
    golden("tasks/models").join(name)
}

/// The field that holds a record's main text.
fn main_field(task: &str) -> &'static str {
    match task {
        "qa" => "question",
        "choose" => "prompt",
        _ => "text",
    }
}

/// Runs `albert TASK --model MODEL FLAGS...` over lines: exit code, output, messages.
fn run(task: &str, name: &str, flags: &[&str], input: &str) -> (i32, String, String) {
    let output = albert()
        .args([task, "--device", "flex", "--model"])
        .arg(model(name))
        .args(flags)
        .write_stdin(input)
        .output()
        .expect("runs");
    (
        output.status.code().expect("a code"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

/// Like [`run`], but asserts success. Returns the records.
fn records(task: &str, name: &str, flags: &[&str], input: &[Value]) -> Vec<Value> {
    let lines: String = input.iter().map(|record| format!("{record}\n")).collect();
    let (code, out, err) = run(task, name, flags, &lines);
    assert_eq!(code, 0, "{task} {flags:?}: {err}");
    let records: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), input.len(), "{task} {flags:?}");
    records
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list, not {value}"))
}

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number, not {value}"))
}

fn slice(text: &str, start: &Value, end: &Value) -> String {
    let place = |v: &Value| v.as_u64().expect("a place") as usize;
    text.chars().skip(place(start)).take(place(end) - place(start)).collect()
}

/// Every task with a suitable model and the flags that it needs.
const TASKS: &[(&str, &str, &[&str])] = &[
    ("classify", "bio", &[]),
    ("classify", "order", &["--order", "--text-pair", "Another text."]),
    ("ner", "bio", &[]),
    ("ner", "bioes", &["--aggregation", "first", "--long", "window"]),
    ("qa", "bio", &["--top-k", "3", "--context-text", "George went to Paris."]),
    ("choose", "choice_a", &["--choice", "one", "--choice", "two"]),
    ("embed", "bio", &[]),
    ("zero-shot", "inner", &["--labels", "a,b"]),
    ("fill-mask", "bio", &[]),
];

/// The tasks on texts that are defined in one file.
macro_rules! names {
    ($($module:ident: $task:ident on $head:ident;)*) => { &[$(stringify!($module)),*] };
}

/// [`TASKS`], and the tasks of `src/tasks/list.rs` on a model with every head.
fn tasks() -> Vec<(String, &'static str, &'static [&'static str])> {
    let on_texts: &[&str] = albert::text_tasks!(names);
    let on_texts = on_texts.iter().map(|name| (name.replace('_', "-"), "bio", &[][..]));
    TASKS.iter().map(|(task, name, flags)| ((*task).to_owned(), *name, *flags)).chain(on_texts).collect()
}

/// Texts that are difficult to process: empty, invisible, combining, in many scripts, or very long.
fn hard_texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        " ",
        " \t\u{a0}\u{3000}  ",
        "\n\r\n",
        "\u{feff}",
        "\0\u{1}\u{7f}",
        "😀",
        "👩\u{200d}👩\u{200d}👧 George 👍🏽 in Paris 🇫🇷🇩🇪.",
        "Zoe\u{301} Ku\u{308}nstler, Zo\u{301}\u{301}\u{301}e",
        "\u{301}\u{301} e",
        "العربية עברית हिन्दी ไทย",
        "北京市 (Paris)",
        "line one\r\nline two\r\n",
        "[CLS] [SEP] <pad> <unk> [MASK]",
        "\u{fdfa}\u{fb01} ½ ² Å",
        "a\u{200b}b\u{ad}c",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(5000));
    texts.push("George Washington (Paris), ".repeat(300));
    texts.push("😀".repeat(700));
    texts
}

#[test]
fn difficult_texts_are_processed() {
    for (task, name, flags) in tasks() {
        let task = task.as_str();
        let field = main_field(task);
        let input: Vec<Value> = hard_texts()
            .into_iter()
            .map(|text| json!({field: if task == "fill-mask" { format!("[MASK] {text}") } else { text }}))
            .collect();
        for record in records(task, name, flags, &input) {
            for prediction in record["predictions"].as_array().expect("a list") {
                // JSON writes numbers that are not finite as null.
                assert!(!has_null(prediction), "{task}: {record}");
                if task == "ner" {
                    let text = record["text"].as_str().expect("a text");
                    let found = slice(text, &prediction["start"], &prediction["end"]);
                    assert_eq!(prediction["word"], found, "{record}");
                    assert_eq!(found.trim(), found);
                }
            }
        }
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(has_null),
        Value::Object(fields) => fields.values().any(has_null),
        value => value.is_null(),
    }
}

/// A line of plain text is written under the name that a JSON record would use, so that the output can be the input of
/// another run.
#[test]
fn plain_text_gets_the_name_of_the_text_field() {
    for (task, name, flags) in tasks() {
        let task = task.as_str();
        let option = format!("--{}-field", main_field(task));
        let flags = [flags, &[option.as_str(), "review"]].concat();
        let line = "George went to [MASK].";
        let (code, out, err) = run(task, name, &flags, &format!("{line}\n"));
        assert_eq!(code, 0, "{task}: {err}");
        let record: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(record["review"], line, "{task}: {out}");
        let again = records(task, name, &flags, std::slice::from_ref(&record));
        assert_eq!(again[0]["predictions"], record["predictions"], "{task}");
    }
    let tokenize = ["tokenize", "--text-field", "review", "--model"];
    let output = albert().args(tokenize).arg(model("bio")).write_stdin("George\n").output().expect("runs");
    let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(record["review"], "George");
}

#[test]
fn hard_contexts_and_long_questions_have_answers_that_are_slices() {
    let long = "What did the old captain of the small house buy in northern Germany ".repeat(20);
    let mut input = Vec::new();
    for context in hard_texts() {
        for question in ["", "Who?", long.as_str(), "😀\u{301}?"] {
            input.push(json!({"question": question, "context": context, "id": input.len()}));
        }
    }
    for flags in [
        &["--top-k", "4"][..],
        &["--top-k", "4", "--impossible", "--align", "tokens"],
        &["--max-length", "12", "--doc-stride", "3", "--max-answer-len", "1000"],
    ] {
        for record in records("qa", "bio", flags, &input) {
            let context = record["context"].as_str().expect("a text");
            for answer in list(&record["predictions"]) {
                let found = slice(context, &answer["start"], &answer["end"]);
                assert_eq!(answer["answer"], found, "{record}");
                assert_eq!(found.trim(), found);
                assert!(!found.is_empty() || flags.contains(&"--impossible"), "{record}");
            }
            // A context with letters or digits has an answer.
            if context.chars().any(char::is_alphanumeric) {
                assert!(!list(&record["predictions"]).is_empty(), "{record}");
            }
            assert_eq!(
                record.get("truncated").is_some(),
                record["question"].as_str().is_some_and(|q| q.len() > 500)
            );
        }
    }
}

#[test]
fn a_megabyte_of_text_is_processed() {
    let text = "The old captain was walking to the harbour (Paris) in 2014. ".repeat(17_000);
    for (task, name, flags) in tasks() {
        let task = task.as_str();
        if matches!(task, "qa" | "choose" | "fill-mask") || flags.contains(&"window") {
            continue;
        }
        let record = &records(task, name, flags, &[json!({"text": text})])[0];
        assert_eq!(record["truncated"], true, "{task}");
    }
    let record = &records(
        "choose",
        "choice_a",
        &[],
        &[json!({"prompt": "x", "context": text, "choices": ["a", "b"]})],
    )[0];
    assert_eq!(record["truncated"], true);
    // A tenth of the text, all of it in windows.
    let tenth: String = text.chars().take(100_000).collect();
    let record = &records("ner", "bio", &["--stride", "8"], &[json!({"text": tenth})])[0];
    assert_eq!(record.get("truncated"), None);
    let last = list(&record["predictions"]).last().expect("an entity");
    assert!(last["end"].as_u64() > Some(99_000), "{last}");
    let record =
        &records("qa", "bio", &["--context-text", &tenth[..50_000]], &[json!({"question": "Who?"})])[0];
    assert_eq!(list(&record["predictions"]).len(), 1);
}

#[test]
fn windows_neither_lose_nor_double_entities() {
    // The text of one window, many times over. An entity in its middle must be found every time.
    let text = "George Washington was walking to Paris. ".repeat(40);
    for strategy in ["simple", "first", "average", "max"] {
        let flags = ["--aggregation", strategy, "--stride", "20"];
        let record = &records("ner", "bio", &flags, &[json!({"text": text})])[0];
        let mut end = 0;
        for entity in list(&record["predictions"]) {
            assert!(entity["start"].as_u64() >= Some(end), "{entity}");
            end = entity["end"].as_u64().expect("a place");
        }
        let flags = ["--aggregation", "none", "--stride", "20", "--ignore-labels", ""];
        let tokens = &records("ner", "bio", &flags, &[json!({"text": text})])[0]["predictions"];
        let plain = albert().args(["tokenize", &text, "-m"]).arg(model("bio")).output().expect("runs").stdout;
        let plain: Value = serde_json::from_slice(&plain).expect("JSON");
        let plain = &plain["predictions"][0];
        let indices: Vec<u64> = list(tokens).iter().map(|t| t["index"].as_u64().expect("a number")).collect();
        let expected: Vec<u64> = (1..list(&plain["ids"]).len() as u64 - 1).collect();
        assert_eq!(indices, expected, "each token once, in order");
    }
}

#[test]
fn a_thousand_choices_and_differing_numbers_in_one_batch() {
    let many: Vec<String> = (0..1000).map(|i| format!("choice {i}")).collect();
    let input = [
        json!({"prompt": "Which?", "choices": ["a", "b"]}),
        json!({"prompt": "Which?", "choices": many, "context": "A context."}),
        json!({"prompt": "", "choices": ["", " ", "c", "c"]}),
    ];
    let together = records("choose", "choice_a", &[], &input);
    for (record, count) in together.iter().zip([2, 1000, 4]) {
        let predictions = list(&record["predictions"]);
        assert_eq!(predictions.len(), count);
        let sum: f64 = predictions.iter().map(|p| float(&p["score"])).sum();
        assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        assert!(predictions.is_sorted_by(|a, b| float(&a["score"]) >= float(&b["score"])));
        for p in predictions {
            let index = p["index"].as_u64().expect("a number") as usize;
            assert_eq!(p["choice"], record["choices"][index]);
        }
    }
    // A record on its own gives the same result.
    let alone = &records("choose", "choice_a", &["--batch-tokens", "1"], &input[..1])[0];
    for (a, b) in list(&alone["predictions"]).iter().zip(list(&together[0]["predictions"])) {
        assert_eq!(a["choice"], b["choice"]);
        assert!((float(&a["score"]) - float(&b["score"])).abs() < 1e-5);
    }
    for (line, problem) in [
        (json!({"prompt": "x", "choices": ["a"]}), "1 choice; at least two are needed"),
        (
            json!({"prompt": "x"}),
            "field \"choices\" is missing; the object has prompt (--choices-field names another)",
        ),
        (json!({"prompt": "x", "choices": "a"}), "field \"choices\" is \"a\"; expected a list of strings"),
        (json!({"choices": ["a", "b"]}), "field \"prompt\" is missing"),
    ] {
        let (code, out, err) = run("choose", "choice_a", &[], &format!("{line}\n"));
        assert_eq!((code, out.as_str()), (1, ""));
        assert!(err.contains("<stdin>:1: ") && err.contains(problem), "{err}");
    }
    let (code, _, err) = run("choose", "choice_a", &["x"], "");
    assert!(code == 2 && err.contains("--choice: a prompt needs at least two choices"), "{err}");
}

#[test]
fn fields_may_have_other_names() {
    let row = json!({"id": 7, "review": "A fine film.", "title": "Paris", "words": ["In", "Paris"],
        "q": "Who?", "page": "George was there.", "options": ["a", "b"], "topics": ["x", "y"], "n": 1.10});
    let input = [row];
    let fields = ["--text-field", "review"];
    let pair = records("classify", "inner", &["--text-field", "review", "--pair-field", "title"], &input);
    let same = records("classify", "inner", &[], &[json!({"text": "A fine film.", "text_pair": "Paris"})]);
    assert_eq!(pair[0]["predictions"], same[0]["predictions"]);
    assert_eq!(pair[0]["n"], json!(1.10));
    let flag = records("classify", "inner", &["--text-pair", "Paris"], &[json!({"text": "A fine film."})]);
    assert_eq!(flag[0]["predictions"], same[0]["predictions"]);
    let single = records("classify", "inner", &fields, &input);
    assert_ne!(single[0]["predictions"], same[0]["predictions"]);
    records("embed", "bio", &fields, &input);
    records("ner", "bio", &fields, &input);
    let words = records(
        "ner",
        "bio",
        &["--tokens-field", "words", "--aggregation", "none", "--ignore-labels", ""],
        &input,
    );
    assert!(list(&words[0]["predictions"]).iter().all(|p| p["end_token"].as_u64() <= Some(2)));
    let qa = records("qa", "bio", &["--question-field", "q", "--context-field", "page"], &input);
    assert!("George was there.".contains(qa[0]["predictions"][0]["answer"].as_str().expect("an answer")));
    let flags = ["--prompt-field", "q", "--choices-field", "options", "--context-field", "page"];
    assert_eq!(list(&records("choose", "choice_a", &flags, &input)[0]["predictions"]).len(), 2);
    let flags = ["--text-field", "review", "--labels-field", "topics"];
    let zero = records("zero-shot", "inner", &flags, &input);
    assert!(list(&zero[0]["predictions"]).iter().all(|p| p["label"] == "x" || p["label"] == "y"));
    let (code, _, err) = run("ner", "bio", &[], &format!("{}\n", input[0]));
    assert!(code == 1 && err.contains("field \"text\" is missing; the object has id, review"), "{err}");
    let null = records("classify", "inner", &[], &[json!({"text": "A fine film.", "text_pair": null})]);
    assert_eq!(null[0]["predictions"], single[0]["predictions"]);
}

#[test]
fn conll_has_a_line_per_word() {
    let words = json!(["George", "Washington", "was", "in", "U.S.A.", "(", "Zoe\u{301}", ")", "a b", ""]);
    let text = "George Washington's 3.5 (km), Zoé\u{301}.";
    let input = format!("{}\n{}\n\n", json!({"tokens": words, "tags": []}), json!({"text": text}));
    for strategy in ["simple", "first", "none"] {
        let flags = ["--format", "conll", "--aggregation", strategy];
        let (code, out, err) = run("ner", "bio", &flags, &input);
        assert_eq!(code, 0, "{err}");
        let sentences: Vec<Vec<(&str, &str)>> = out
            .split("\n\n")
            .take(2)
            .map(|sentence| sentence.lines().map(|line| line.split_once(' ').expect("two columns")).collect())
            .collect();
        let column: Vec<&str> = sentences[0].iter().map(|line| line.0).collect();
        assert_eq!(
            column,
            ["George", "Washington", "was", "in", "U.S.A.", "(", "Zoe\u{301}", ")", "a_b", "_"]
        );
        let column: Vec<&str> = sentences[1].iter().map(|line| line.0).collect();
        assert_eq!(column, ["George", "Washington's", "3.5", "(", "km", ")", ",", "Zoé\u{301}", "."]);
        assert!(out.ends_with("\n\n\n"), "the empty line is an empty sentence");
        let mut before = "O";
        for (_, tag) in sentences.concat() {
            assert!(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"].contains(&tag), "{tag}");
            if let Some(kind) = tag.strip_prefix("I-").filter(|_| strategy != "none") {
                assert_eq!(before.get(2..), Some(kind), "an entity begins with B-");
            }
            before = tag;
        }
    }
}

fn squad(version: &str) -> Value {
    let impossible = json!({"id": "q2", "question": "Why?", "answers": [], "is_impossible": true});
    json!({"version": version, "data": [
        {"title": "One", "paragraphs": [
            {"context": "George went to Paris\r\nin 2014 😀. He stayed.", "qas": [
                {"id": "q1", "question": "Who went?", "answers": [{"text": "George", "answer_start": 0}]}, impossible]},
            {"context": "", "qas": [{"id": "q3", "question": "What?", "answers": []}]}]},
        {"title": "Two", "paragraphs": [{"qas": [{"question": "Where \"there\"?", "id": "q\"4"}], "context": "There."}]}]})
}

#[test]
fn squad_files_in_and_predictions_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let pretty = directory.path().join("dev.json");
    for version in ["1.1", "v2.0"] {
        let file = squad(version);
        std::fs::write(&pretty, serde_json::to_string_pretty(&file).expect("writes")).expect("writes");
        let path = pretty.to_str().expect("a name");
        let (code, out, err) = run("qa", "bio", &["-i", path], "");
        assert_eq!(code, 0, "{err}");
        let lines: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        let ids: Vec<&Value> = lines.iter().map(|l| &l["id"]).collect();
        assert_eq!(ids, ["q1", "q2", "q3", "q\"4"]);
        assert_eq!(lines[0]["answers"], file["data"][0]["paragraphs"][0]["qas"][0]["answers"]);
        assert_eq!((&lines[1]["is_impossible"], &lines[0]["title"]), (&json!(true), &json!("One")));
        assert_eq!(lines[2]["predictions"], json!([]));
        // The same through a pipe gives the predictions file.
        let one_line = file.to_string();
        let (code, out, err) = run("qa", "bio", &["--format", "squad"], &one_line);
        assert_eq!(code, 0, "{err}");
        let predictions: Value = serde_json::from_str(&out).expect("one object");
        let object = predictions.as_object().expect("an object");
        assert_eq!(object.keys().collect::<Vec<_>>(), ["q1", "q2", "q3", "q\"4"]);
        assert_eq!(predictions["q3"], "");
        for line in &lines[..2] {
            assert_eq!(predictions[line["id"].as_str().expect("an id")], line["predictions"][0]["answer"]);
        }
    }
    let broken = &squad("1.1").to_string()[..300];
    let (code, out, err) = run("qa", "bio", &["--format", "jsonl"], broken);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("not a SQuAD file that can be read: EOF") && err.contains("line 1"), "{err}");
    assert_eq!(out.lines().count(), 2, "the first paragraph was whole: {out}");
    let (code, _, err) = run("qa", "bio", &["--input-format", "squad"], "{\"a\": 1}");
    assert!(code == 1 && err.contains("no list named \"data\""), "{err}");
}

#[test]
fn no_answer_is_ranked_and_thresholds_decide() {
    let input = [json!({"question": "Who went?", "context": "George went to Paris in 2014. He stayed."})];
    let plain = &records("qa", "bio", &["--top-k", "20"], &input)[0];
    assert_eq!(plain.get("null_score"), None);
    let with = &records("qa", "bio", &["--top-k", "20", "--impossible"], &input)[0];
    let null = float(&with["null_score"]);
    let empty: Vec<&Value> = list(&with["predictions"]).iter().filter(|p| p["answer"] == "").collect();
    assert_eq!(empty.len(), 1);
    assert!((float(&empty[0]["score"]) - null).abs() < 1e-7);
    assert!(list(&with["predictions"]).is_sorted_by(|a, b| float(&a["score"]) >= float(&b["score"])));
    let diff = float(&with["null_score_diff"]);
    for (threshold, is_null) in [(diff - 0.01, true), (diff + 0.01, false)] {
        let flags = ["--null-threshold", &threshold.to_string()];
        let record = &records("qa", "bio", &flags, &input)[0];
        assert_eq!(record["predictions"][0]["answer"] == "", is_null, "{record}");
    }
    let none = &records("qa", "bio", &["--impossible"], &[json!({"question": "x", "context": " "})])[0];
    assert_eq!(none["predictions"], json!([{"score": 1.0, "start": 0, "end": 0, "answer": ""}]));
}

#[test]
fn contexts_come_from_files_and_from_standard_input() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("page.txt");
    let text = "George went\r\nto Paris. 😀 He stayed in the house.\r\n";
    std::fs::write(&path, text).expect("writes");
    let path = path.to_str().expect("a name");
    let questions = ["Who?", "Where to?"];
    let (code, from_file, err) = run("qa", "bio", &["--context", path, questions[0], questions[1]], "");
    assert_eq!(code, 0, "{err}");
    let (_, from_stdin, _) = run("qa", "bio", &["--context", "-", questions[0], questions[1]], text);
    let (_, from_lines, _) = run("qa", "bio", &["--context", path], "Who?\nWhere to?\n");
    let (_, as_text, _) = run("qa", "bio", &["--context-text", text, questions[0], questions[1]], "");
    assert_eq!(from_file, from_stdin);
    assert_eq!(from_file, from_lines);
    assert_eq!(from_file, as_text);
    assert!(from_file.starts_with("{\"question\":\"Who?\",\"predictions\":"), "{from_file}");
    let (code, _, err) = run("qa", "bio", &["--context", "-"], "Who?\n");
    assert!(code == 2 && err.contains("--context: - takes the context from standard input"), "{err}");
    let (code, _, err) = run("qa", "bio", &["--context", "absent.txt", "x"], "");
    assert!(code == 2 && err.contains("absent.txt: cannot read"), "{err}");
    let bad = directory.path().join("latin1.txt");
    std::fs::write(&bad, b"caf\xe9").expect("writes");
    let (code, _, err) = run("qa", "bio", &["--context", bad.to_str().expect("a name"), "x"], "");
    assert!(code == 2 && err.contains("not valid UTF-8 (byte 4)"), "{err}");
    let (code, _, err) = run("qa", "bio", &["x"], "");
    assert!(code == 2 && err.contains("a question needs a context: --context FILE"), "{err}");
}

/// The floats of an `.npy` file and its shape.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = std::fs::read(path).expect("reads");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8(bytes[10..10 + length].to_vec()).expect("UTF-8");
    let values = bytes[10 + length..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    (header, values)
}

#[test]
fn vectors_go_into_arrays() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let input: Vec<Value> =
        ["One text.", "", "A longer text than the others."].map(|t| json!({"text": t})).to_vec();
    let lines: String = input.iter().map(|r| format!("{r}\n")).collect();
    let as_json = records("embed", "bio", &[], &input);
    let expected: Vec<f32> = as_json
        .iter()
        .flat_map(|r| list(&r["predictions"][0]["embedding"]).iter().map(|v| float(v) as f32))
        .collect();
    for name in ["a.npy", "a.safetensors"] {
        let file = path(name);
        let (code, out, err) = run("embed", "bio", &["-o", file.to_str().expect("a name")], &lines);
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
    }
    let (header, values) = npy(&path("a.npy"));
    assert!(header.contains("'shape': (3, 32)"), "{header}");
    assert_eq!(values, expected);
    let bytes = std::fs::read(path("a.safetensors")).expect("reads");
    let tensors = SafeTensors::deserialize(&bytes).expect("a sound file");
    let tensor = tensors.tensor("embeddings").expect("is there");
    assert_eq!(tensor.shape(), [3, 32]);
    assert_eq!(tensor.data(), expected.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    // Tokens: one row per token, and the offset of each record.
    let file = path("t.safetensors");
    let (code, _, err) =
        run("embed", "bio", &["--pooling", "tokens", "-o", file.to_str().expect("a name")], &lines);
    assert_eq!(code, 0, "{err}");
    let tokens = records("embed", "bio", &["--pooling", "tokens"], &input);
    let counts: Vec<usize> = tokens.iter().map(|r| list(&r["predictions"][0]["tokens"]).len()).collect();
    let bytes = std::fs::read(file).expect("reads");
    let tensors = SafeTensors::deserialize(&bytes).expect("a sound file");
    assert_eq!(tensors.tensor("embeddings").expect("is there").shape(), [counts.iter().sum::<usize>(), 32]);
    assert_eq!(tensors.tensor("offsets").expect("is there").shape(), [4]);
    // A bad record leaves a row of NaN, so that rows still correspond to records.
    let file = path("skip.npy");
    let flags = ["--on-error", "skip", "-o", file.to_str().expect("a name")];
    let (code, _, err) = run("embed", "bio", &flags, &format!("{}\n{{\"x\":1}}\n{}\n", input[0], input[2]));
    assert_eq!(code, 1, "{err}");
    let (header, values) = npy(&file);
    assert!(header.contains("'shape': (3, 32)"), "{header}");
    assert!(values[32..64].iter().all(|v| v.is_nan()));
    assert_eq!((&values[..32], &values[64..]), (&expected[..32], &expected[64..]));
    // An interrupted output is valid up to the interruption.
    let file = path("stop.npy");
    let (code, _, _) =
        run("embed", "bio", &["-o", file.to_str().expect("a name")], &format!("{}\n{{\"x\":1}}\n", input[0]));
    assert_eq!(code, 1);
    assert!(!file.exists());
    let (header, values) = npy(&path("stop.npy.partial"));
    assert!(header.contains("'shape': (1, 32)") && values.len() == 32, "{header}");
    assert!(values.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn ids_go_next_to_an_array() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str| directory.path().join(name).to_str().expect("a name").to_owned();
    let write = |name: &str, text: &str| std::fs::write(file(name), text).expect("writes");
    write(
        "a.jsonl",
        "{\"id\":\"x\\n\",\"text\":\"One\"}\n{\"id\":7,\"text\":\"Two\"}\nThree\n{\"id\":9,\"text\":5}\n{\n",
    );
    write("b.csv", "key,text\n007,One\n,Two\n");
    let embed = |flags: &[&str]| run("embed", "bio", flags, "One\n");
    let (a, b, npy_file, ids) = (file("a.jsonl"), file("b.csv"), file("v.npy"), file("ids"));
    let (code, _, err) = embed(&["--on-error", "skip", "-i", &a, "-o", &npy_file, "--ids", &ids]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("2 of 5 records have no field \"id\"; their ids are null"), "{err}");
    assert_eq!(std::fs::read_to_string(&ids).expect("reads"), "\"x\\n\"\n7\nnull\n9\nnull\n");
    assert!(npy(npy_file.as_ref()).0.contains("'shape': (5, 32)"));
    let part = ["-i", &b, "-o", &npy_file, "--ids", &ids, "--id-field", "key", "--skip", "1"];
    assert_eq!(embed(&part).0, 0);
    assert_eq!(std::fs::read_to_string(&ids).expect("reads"), "\"\"\n");
    // A failed run leaves the earlier ids in place.
    let (code, _, _) = embed(&["-i", &a, "-o", &npy_file, "--ids", &ids]);
    assert_eq!((code, std::fs::read_to_string(&ids).expect("reads").as_str()), (1, "\"\"\n"));
    for (flags, problem) in [
        (&["-i", &a, "-o", "v.jsonl", "--ids", &ids][..], "--ids is for .npy and .safetensors files"),
        (&["-o", &npy_file, "--ids", &ids], "--ids: needs --input FILE"),
        (&["-i", "/dev/stdin", "-o", &npy_file, "--ids", &ids], "--ids: needs --input FILE"),
        (&["-i", &a, "-o", &npy_file, "--ids", &npy_file], "--ids is the same file as --output"),
        (&["-i", &b, "-o", &npy_file, "--ids", &ids], "has no column \"id\""),
    ] {
        let (code, _, err) = embed(flags);
        assert!(code == 2 && err.contains(problem), "{code} {err}");
    }
    let mut left: Vec<_> = std::fs::read_dir(directory.path())
        .expect("lists")
        .map(|e| e.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a.jsonl", "b.csv", "ids", "v.npy", "v.npy.partial", "v.npy.partial.json"]);
}

#[test]
fn long_texts_in_windows_count_as_a_whole() {
    let text = "The old captain was walking to the harbour in the morning. ".repeat(6);
    let input = [json!({"text": text})];
    for (task, flags) in [("classify", &["--top-k", "all"][..]), ("embed", &[])] {
        let cut = &records(task, "bio", flags, &input)[0];
        assert_eq!(cut["truncated"], true);
        let whole = &records(task, "bio", &[flags, &["--long", "window"]].concat(), &input)[0];
        assert_eq!(whole.get("truncated"), None);
        assert_ne!(cut["predictions"], whole["predictions"], "{task}");
        let short = [json!({"text": "The old captain."})];
        assert_eq!(
            records(task, "bio", flags, &short),
            records(task, "bio", &[flags, &["--long", "window"]].concat(), &short),
        );
    }
    let context = format!("{text} George went to Paris.");
    let input = [json!({"question": "Who?", "context": context})];
    let cut = &records("qa", "bio", &["--long", "truncate"], &input)[0];
    assert_eq!(cut["truncated"], true);
    assert!(cut["predictions"][0]["end"].as_u64() < Some(200));
    let (code, _, err) = run("qa", "bio", &["--long", "error"], &format!("{}\n", input[0]));
    assert!(code == 1 && err.contains("tokens and the model takes 64"), "{err}");
    let whole = &records("qa", "bio", &[], &input)[0];
    assert_eq!(whole.get("truncated"), None);
    let input = [json!({"text": text})];
    let windows = &records("classify", "bio", &["--top-k", "all", "--long", "window"], &input)[0];
    let sum: f64 = list(&windows["predictions"]).iter().map(|p| float(&p["score"])).sum();
    assert!((sum - 1.0).abs() < 1e-4, "{sum}");
    for task in ["classify", "ner", "embed", "zero-shot"] {
        let flags: &[&str] =
            if task == "zero-shot" { &["--labels", "a", "--entailment-label", "0"] } else { &[] };
        let (code, _, err) =
            run(task, "bio", &[flags, &["--long", "error"]].concat(), &format!("{}\n", input[0]));
        assert!(code == 1 && err.contains("tokens and the model takes 64"), "{task}: {err}");
    }
}

#[test]
fn wrong_flags_are_reported_before_reading() {
    for (task, name, flags, problem) in [
        ("ner", "bio", &["--stride", "62"][..], "--stride: 62 is too large: a window has 62 tokens of text"),
        (
            "ner",
            "bio",
            &["--stride", "4", "--word-boundaries", "hf", "--aggregation", "none"],
            "--stride: with --word-boundaries hf",
        ),
        (
            "qa",
            "bio",
            &["--doc-stride", "61"],
            "--doc-stride: 61 is too large: question and context have 61 tokens",
        ),
        (
            "qa",
            "bio",
            &["--max-length", "4"],
            "--max-length: 4 leaves no room for a question and a context; the minimum is 5",
        ),
        ("zero-shot", "inner", &["--hypothesis", "no place"], "--hypothesis: \"no place\" has no {}"),
        (
            "zero-shot",
            "bio",
            &["--labels", "a"],
            "--entailment-label: no label of the model begins with \"entail\"",
        ),
        (
            "zero-shot",
            "bio",
            &["--labels", "a", "--entailment-label", "no"],
            "the model has no label \"no\"; it has O, B-PER",
        ),
        ("zero-shot", "one", &["--labels", "a"], "zero-shot needs a classifier of entailment"),
        ("embed", "bio", &["--layer", "4"], "--layer: 4 is more than the model's 3 layers"),
        ("embed", "bio", &["--format", "npy"], "--format: an array needs a file: use --output"),
        (
            "embed",
            "bio",
            &["-o", "x.npy", "--pooling", "tokens"],
            "texts have different numbers of tokens, which do not fit into a .npy array",
        ),
        ("embed", "bio", &["-o", "x.npy", "--attentions"], "attention maps are written as JSON only"),
        ("embed", "bio", &["--long", "window", "--attentions"], "no attention maps across windows"),
        ("ner", "bio", &["--stride", "2", "--long", "error"], "--stride: windows are not read"),
        ("fill-mask", "bio", &["--long", "window"], "[possible values: truncate, error]"),
        ("classify", "bio", &["--top-k", "0"], "expected a number from 1, or all"),
        (
            "classify",
            "order",
            &["--order", "--max-length", "65"],
            "--max-length: 65 is more than the 64 positions",
        ),
    ] {
        let (code, out, err) = run(task, name, flags, "text\n");
        assert_eq!((code, out.as_str()), (2, ""), "{task} {flags:?}: {err}");
        assert!(err.contains(problem), "{task} {flags:?}: {err}");
    }
    let (code, _, err) = run("classify", "order", &["--order"], "one text\n");
    assert!(code == 1 && err.contains("sentence order needs two texts"), "{err}");
}

#[test]
fn a_model_that_does_not_fit_says_what_it_is_for() {
    for (task, name, parts) in [
        (
            "classify",
            "choice_a",
            ["no text-classification head", "it serves `albert choose`, `albert embed`"],
        ),
        ("choose", "bio", ["no multiple-choice head", "`albert classify`"]),
        (
            "qa",
            "choice_a",
            ["no question-answering head (no tensor is named qa_outputs.*)", "a multiple-choice head"],
        ),
        ("ner", "order", ["no token-classification head", "it serves `albert fill-mask`, "]),
    ] {
        let (code, _, err) = run(task, name, &["x"], "");
        assert_eq!(code, 2);
        assert!(parts.iter().all(|part| err.contains(part)), "{task} {name}: {err}");
    }
    // The class in config.json decides between sequence and token classification.
    let directory = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(model("bio")).expect("a model") {
        let path = entry.expect("a file").path();
        std::fs::copy(&path, directory.path().join(path.file_name().expect("a name"))).expect("copies");
    }
    let file = directory.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&file).expect("reads")).expect("JSON");
    config["architectures"] = json!(["AlbertForTokenClassification"]);
    std::fs::write(&file, config.to_string()).expect("writes");
    let output = albert().args(["classify", "x", "-m"]).arg(directory.path()).output().expect("runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("its classifier is of a different kind") && err.contains("`albert ner`"), "{err}");
    assert!(
        albert()
            .args(["ner", "-q", "x", "-m"])
            .arg(directory.path())
            .output()
            .expect("runs")
            .status
            .success()
    );
    let order =
        ["classify", "--order", "--device", "flex", "--text-pair", "She opened it.", "He gave her a letter."];
    let output = albert().args(order).output().expect("runs");
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("small built-in model"));
    let output = albert().args(["embed", "--device", "flex", "--normalize", "x"]).output().expect("runs");
    let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list(&record["predictions"][0]["embedding"]).len(), 384);
}

#[test]
fn devices_agree() {
    let input = [json!({"text": "George Washington was walking to Paris.", "question": "Who?",
        "context": "George Washington was walking to Paris.", "prompt": "Who?", "choices": ["a", "b b", "c"]})];
    let has_wgpu = String::from_utf8(albert().arg("devices").output().expect("runs").stdout)
        .expect("UTF-8")
        .contains("\"wgpu");
    for (task, name, flags) in tasks().into_iter().filter(|t| t.0 != "fill-mask") {
        let task = task.as_str();
        let flex = records(task, name, flags, &input);
        for (device, tolerance) in [("ndarray", 1e-5), ("wgpu", 2e-3)] {
            // A software GPU compiles kernels slowly, so wgpu runs one task. The heads are the same products on every
            // device.
            if device == "wgpu" && (!has_wgpu || name != "bio" || task != "ner") {
                continue;
            }
            let line = format!("{}\n", input[0]);
            let output = albert()
                .args([task, "-q", "--device", device, "--model"])
                .arg(model(name))
                .args(flags)
                .write_stdin(line)
                .output()
                .expect("runs");
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{task} on {device}: {err}");
            let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            let numbers = |value: &Value| {
                let mut out = Vec::new();
                collect(&value["predictions"], &mut out);
                out
            };
            let (found, expected) = (numbers(&found), numbers(&flex[0]));
            assert_eq!(found.len(), expected.len(), "{task} on {device}");
            for (f, e) in found.iter().zip(expected) {
                let allowed = tolerance * e.abs().max(1.0);
                assert!((f - e).abs() <= allowed, "{task} on {device}: {f}, on flex {e}");
            }
        }
    }
}

fn collect(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Number(n) => out.extend(n.as_f64()),
        Value::Array(items) => items.iter().for_each(|v| collect(v, out)),
        Value::Object(fields) => fields.values().for_each(|v| collect(v, out)),
        _ => {}
    }
}

/// The built-in model has a head for every task. A message on stderr says once that it is used.
#[test]
fn the_model_in_the_binary_does_every_task() {
    let said = |arguments: &[&str]| -> Value {
        let output = albert().args(arguments).args(["--device", "flex"]).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{err}");
        assert_eq!(err.matches("using the small built-in model").count(), 1, "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        record["predictions"].clone()
    };
    let good = said(&["classify", "A wonderful, moving film with great performances."]);
    assert_eq!(good[0]["label"], "positive");
    let bad = said(&["classify", "A dull, boring mess without a single good idea."]);
    assert_eq!(bad[0]["label"], "negative");
    let entities = said(&["ner", "Angela Merkel visited France last year."]);
    let groups: Vec<&Value> = list(&entities).iter().map(|entity| &entity["entity_group"]).collect();
    assert!(
        groups.iter().all(|group| ["PER", "LOC", "ORG"].iter().any(|known| *group == known)),
        "{groups:?}"
    );
    assert!(!groups.is_empty());
    let context = "The old bridge was built in 1873 by two brothers.";
    let answer = said(&["qa", "When was the bridge built?", "--context-text", context]);
    assert!(context.contains(answer[0]["answer"].as_str().expect("an answer")));
    let choices = ["--choice", "He put on a coat.", "--choice", "He ate a stone."];
    let chosen = said(&[&["choose", "It was cold outside."][..], &choices].concat());
    assert_eq!(list(&chosen).len(), 2);
    let labels = said(&["zero-shot", "The bank raised its interest rates.", "--labels", "money,sport"]);
    assert_eq!(list(&labels).len(), 2);
    let sum: f64 = list(&labels).iter().map(|label| label["score"].as_f64().expect("a score")).sum();
    assert!((sum - 1.0).abs() < 1e-6);
}
