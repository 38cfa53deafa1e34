//! Tasks on texts that are defined in one file (`src/tasks/list.rs`): each one works everywhere, without tests of its own.

mod common;

use common::{albert, golden};
use serde_json::{Map, Value, json};

/// Models with every head, and tokenizers of different kinds.
const MODELS: [&str; 3] = ["bio", "saved", "bert"];

fn model(name: &str) -> String {
    golden("tasks/models").join(name).display().to_string()
}

/// Calls `check` with the subcommand of each task, and a function that returns what the library predicts for texts.
macro_rules! for_each {
    ($($module:ident: $task:ident on $head:ident;)*) => {
        fn for_each_task(check: impl Fn(&str, &dyn Fn(&str, &[&str]) -> Value)) {
            $(
                let name = stringify!($module).replace('_', "-");
                check(&name, &|model, texts| {
                    let task = albert::$task::open(model).expect("opens");
                    let all = task.predict_all(texts).expect("predicts");
                    let one = task.predict(texts[0]).expect("predicts");
                    assert_eq!(one.is_some(), all[0].is_some());
                    parsed(&all)
                });
            )*
        }
    };
}
albert::text_tasks!(for_each);

/// The values with the digits that JSON output has.
fn parsed(value: &impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(value).expect("JSON")).expect("JSON")
}

fn run(task: &str, flags: &[&str], input: &str) -> (i32, String, String) {
    let output = albert()
        .args([task, "-q", "--device", "flex"])
        .args(flags)
        .write_stdin(input)
        .output()
        .expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

fn records(task: &str, flags: &[&str], input: &[Value]) -> Vec<Value> {
    let lines: String = input.iter().map(|record| format!("{record}\n")).collect();
    let (code, out, err) = run(task, flags, &lines);
    assert_eq!(code, 0, "{task} {flags:?}: {err}");
    let records: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.len(), input.len(), "{task}");
    records
}

/// The prediction of a record.
fn only(record: &Value) -> &Map<String, Value> {
    let [prediction] = record["predictions"].as_array().expect("a list").as_slice() else {
        panic!("one prediction: {record}");
    };
    prediction.as_object().expect("an object")
}

/// Asserts that two values agree, apart from the rounding of numbers in batches of different shapes.
fn assert_near(found: &Value, expected: &Value, what: &str) {
    match (found, expected) {
        (Value::Number(f), Value::Number(e)) => {
            let (f, e) = (f.as_f64().expect("a number"), e.as_f64().expect("a number"));
            assert!((f - e).abs() <= 1e-4 * e.abs().max(1.0), "{what}: {f}, expected {e}");
        }
        (Value::Array(f), Value::Array(e)) if f.len() == e.len() => {
            f.iter().zip(e).for_each(|(f, e)| assert_near(f, e, what));
        }
        (Value::Object(f), Value::Object(e)) if f.len() == e.len() => {
            e.iter().for_each(|(key, e)| assert_near(f.get(key).unwrap_or(&Value::Null), e, what));
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

#[test]
fn the_library_predicts_what_the_program_prints() {
    let texts = ["George went to Paris.", "A", "The café owner rebuilt the harbour, twice!"];
    let input = texts.map(|text| json!({"text": text}));
    for_each_task(|task, library| {
        for name in MODELS {
            let printed = records(task, &["-m", &model(name)], &input);
            let printed: Vec<Value> = printed.iter().map(|record| json!(only(record))).collect();
            assert_near(&library(&model(name), &texts), &json!(printed), task);
        }
    });
}

#[test]
fn records_are_read_and_written_in_every_form() {
    for_each_task(|task, _| {
        let model = model("bio");
        let flags = ["-m", model.as_str()];
        // An argument, a line of plain text, an object with another field, and a pair.
        let (code, argument, err) = run(task, &[&flags[..], &["George went to Paris."]].concat(), "");
        assert_eq!(code, 0, "{task}: {err}");
        let (_, line, _) = run(task, &flags, "George went to Paris.\n");
        assert_eq!(line, argument, "{task}");
        let named = [&flags[..], &["--text-field", "review"]].concat();
        let record = &records(task, &named, &[json!({"id": 7, "review": "George went to Paris."})])[0];
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!((&record["id"], &record["predictions"]), (&json!(7), &line["predictions"]), "{task}");
        let pair = json!({"text": "George", "text_pair": "went to Paris."});
        let of_pair = &records(task, &flags, &[pair])[0]["predictions"];
        let named = [&flags[..], &["--text-pair", "went to Paris."]].concat();
        assert_eq!(&records(task, &named, &[json!({"text": "George"})])[0]["predictions"], of_pair, "{task}");
        // Text for people has the text, and a line for each value.
        let (_, text, _) = run(task, &[&flags[..], &["--format", "text", "George."]].concat(), "");
        assert!(text.starts_with("George.\n") && text.lines().count() > 1, "{task}: {text}");
        // Invalid records fail.
        let (code, _, err) = run(task, &flags, "{\"other\": 1}\n");
        assert!(code == 1 && err.contains("field \"text\" is missing"), "{task}: {err}");
    });
}

/// The options of a task that take no value.
fn switches(task: &str) -> Vec<String> {
    let output = albert().args([task, "--help"]).output().expect("runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let section = help.split("\nTask:\n").nth(1).unwrap_or_default();
    let lines = section.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).map(str::trim);
    lines.filter(|line| line.starts_with("--") && !line.contains('<')).map(str::to_owned).collect()
}

#[test]
fn tables_have_the_fields_as_columns() {
    let directory = tempfile::tempdir().expect("a directory");
    let table = directory.path().join("in.csv").display().to_string();
    std::fs::write(&table, "text,n\nGeorge went to Paris.,1\n,2\n").expect("writes");
    for_each_task(|task, _| {
        let model = model("bio");
        let switches = switches(task);
        let mut flags = vec!["-m", model.as_str()];
        flags.extend(switches.iter().map(String::as_str));
        let record = &records(task, &flags, &[json!({"text": "George went to Paris."})])[0];
        flags.extend(["--format", "csv", "-i", &table]);
        let (code, out, err) = run(task, &flags, "");
        assert_eq!(code, 0, "{task}: {err}");
        let mut reader = csv::Reader::from_reader(out.as_bytes());
        let header = reader.headers().expect("a header").clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
        let fields = only(record);
        assert_eq!(header.len(), 2 + fields.len(), "{task}: {header:?}");
        for (name, value) in fields {
            let column = header.iter().position(|column| column == name).expect("a column");
            let cell = &rows[0][column];
            match value {
                Value::Number(number) => {
                    let found: f64 = cell.parse().expect("a number");
                    assert_near(&json!(found), &json!(number.as_f64()), name);
                }
                Value::String(text) => assert_eq!(cell, text, "{task}"),
                other => assert_near(&serde_json::from_str(cell).expect("JSON"), other, name),
            }
        }
    });
}

#[test]
fn a_model_without_the_head_says_what_it_is_for() {
    for_each_task(|task, _| {
        let choice = model("choice_a");
        let (code, out, err) = run(task, &["-m", &choice, "x"], "");
        assert_eq!((code, out.as_str()), (2, ""), "{task}: {err}");
        assert!(err.contains("it serves `albert choose`"), "{task}: {err}");
    });
}

#[test]
fn the_built_in_model_is_the_default() {
    for_each_task(|task, _| {
        let output = albert().args([task, "--device", "flex", "A sunny day."]).output().expect("runs");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.contains("small built-in model"), "{task}: {err}");
    });
}
