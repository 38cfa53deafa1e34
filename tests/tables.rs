//! Table input and output: CSV and TSV through every task, malformed tables, several files. Table contents are compared
//! with the JSON lines of the same records, and read with the `csv` crate.

mod common;

use std::path::{Path, PathBuf};

use common::{albert, golden};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str], stdin: &[u8]) -> Run {
    let output = albert().args(args).write_stdin(stdin).output().expect("the program runs");
    Run {
        code: output.status.code().expect("a code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Like [`run`], but asserts success without messages. Returns the output.
fn well(args: &[&str], stdin: &[u8]) -> String {
    let run = run(args, stdin);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{args:?}");
    run.out
}

fn model(name: &str) -> String {
    golden("tasks/models").join(name).display().to_string()
}

/// `albert classify` on a model with two labels.
fn classify(flags: &[&str], stdin: &[u8]) -> Run {
    run(&[&["classify", "--device", "flex", "-q", "-m", &model("two")], flags].concat(), stdin)
}

fn file(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("writes");
    path.display().to_string()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The rows of a table, the header first.
fn rows(text: &str, delimiter: u8) -> Vec<Vec<String>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).delimiter(delimiter).quoting(delimiter == b',');
    let mut reader = builder.from_reader(text.as_bytes());
    let row = |row: csv::StringRecord| row.iter().map(str::to_owned).collect();
    reader.records().map(|record| row(record.expect("as many cells as the header"))).collect()
}

/// The records of a table, as objects with the column names.
fn records(text: &str) -> Vec<Value> {
    let mut rows = rows(text, b',').into_iter();
    let header = rows.next().expect("a header");
    rows.map(|row| header.iter().cloned().zip(row.into_iter().map(Value::from)).collect()).collect()
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

fn parsed(cell: &Value) -> Value {
    let cell = cell.as_str().expect("text");
    serde_json::from_str(cell).unwrap_or_else(|e| panic!("{e}: {cell}"))
}

/// Cells that need quotes, and cells that only seem to.
const HARD: [&str; 8] = [
    "plain",
    "a, b",
    "\"quoted\"",
    "two\nlines",
    "carriage\r\nreturn",
    " spaces ",
    "5\" disk; naïve café",
    "=1+1",
];

/// A table with hard cells, as the `csv` crate writes it.
fn hard_table() -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["id", "text", "note, here"]).expect("writes");
    for (i, cell) in HARD.iter().enumerate() {
        writer.write_record([&format!("00{i}"), *cell, HARD[HARD.len() - 1 - i]]).expect("writes");
    }
    writer.into_inner().expect("all of it")
}

#[test]
fn cells_pass_through_and_predictions_become_columns() {
    let folder = folder();
    let input = file(&folder, "in.csv", hard_table());
    let output = folder.path().join("out.csv");
    let done = classify(&["-i", &input, "-o", output.to_str().expect("a path")], b"");
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "", ""));
    let found = rows(&std::fs::read_to_string(&output).expect("reads"), b',');
    assert_eq!(found[0], ["id", "text", "note, here", "label", "score"]);
    let expected = lines(&classify(&["-i", &input], b"").out);
    assert_eq!((found.len(), expected.len()), (HARD.len() + 1, HARD.len()));
    for (i, (row, record)) in found[1..].iter().zip(&expected).enumerate() {
        assert_eq!(row[..3], [format!("00{i}"), HARD[i].to_owned(), HARD[HARD.len() - 1 - i].to_owned()]);
        assert_eq!(record["text"], HARD[i], "cells become strings");
        assert_eq!(record["id"], format!("00{i}"));
        let best = &record["predictions"][0];
        assert_eq!(best["label"], row[3].as_str());
        assert_eq!(best["score"].to_string(), row[4]);
    }
    // The cells are read as texts.
    let texts: String = HARD.iter().map(|text| json!({ "text": text }).to_string() + "\n").collect();
    for (one, other) in lines(&classify(&[], texts.as_bytes()).out).iter().zip(&expected) {
        assert_eq!(one["predictions"], other["predictions"]);
    }
}

#[test]
fn one_table_in_many_forms() {
    let folder = folder();
    let expected = classify(&["--input-format", "csv", "--format", "csv"], b"text,id\ngood film,1\n,2\n").out;
    assert_eq!(expected.lines().count(), 3);
    let gzip = |text: &[u8]| {
        use std::io::Write;
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(text).expect("writes");
        writer.finish().expect("finishes")
    };
    let tables: [(&str, &[u8]); 9] = [
        ("lf.csv", b"text,id\ngood film,1\n,2\n"),
        ("no_end.csv", b"text,id\ngood film,1\n,2"),
        ("crlf.csv", b"text,id\r\ngood film,1\r\n,2\r\n"),
        ("mark.csv", b"\xef\xbb\xbftext,id\ngood film,1\n,2\n"),
        ("mark_quotes.CSV", b"\xef\xbb\xbf\"text\",\"id\"\r\n\"good film\",\"1\"\r\n\"\",\"2\"\r\n"),
        ("blank.csv", b"\n\r\ntext,id\n\ngood film,1\n\n\n,2\n\n"),
        ("return.csv", b"text,id\rgood film,1\r,2\r"),
        ("tabs.tsv", b"text\tid\ngood film\t1\n\t2\n"),
        ("tabs_crlf.tsv", b"text\tid\r\ngood film\t1\r\n\t2\r\n"),
    ];
    for (name, text) in tables {
        let path = file(&folder, name, text);
        let found = classify(&["-i", &path, "--format", "csv"], b"");
        assert_eq!((found.out.as_str(), found.err.as_str()), (expected.as_str(), ""), "{name}");
        let packed = file(&folder, &format!("{name}.gz"), gzip(text));
        assert_eq!(classify(&["-i", &packed, "--format", "csv"], b"").out, expected, "{name}.gz");
        let kind = if name.contains("tsv") { "tsv" } else { "csv" };
        let flags = ["--input-format", kind, "--format", "csv"];
        assert_eq!(classify(&flags, text).out, expected, "{name} from standard input");
        assert_eq!(classify(&flags, &gzip(text)).out, expected, "{name}.gz from standard input");
    }
    // A table is recognized only by its file name or an option.
    let path = file(&folder, "table.txt", "text,id\n");
    assert_eq!(lines(&classify(&["-i", &path], b"").out)[0]["text"], "text,id");
    let path = file(&folder, "table.csv", "text,id\n");
    assert_eq!(lines(&classify(&["-i", &path, "--input-format", "text"], b"").out)[0]["text"], "text,id");
}

#[test]
fn other_files_are_decompressed_too() {
    use std::io::Write;
    let folder = folder();
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(b"{\"text\": \"good film\", \"id\": 1}\nbad film\n").expect("writes");
    let path = file(&folder, "texts.jsonl.gz", writer.finish().expect("finishes"));
    let found = lines(&classify(&["-i", &path], b"").out);
    assert_eq!((found.len(), &found[0]["id"], &found[1]["text"]), (2, &json!(1), &json!("bad film")));
    let loud = run(&["classify", "--device", "flex", "-m", &model("two"), "-i", &path], b"");
    assert!(loud.err.contains(".gz:2: not a JSON object, so it is read as text"), "{}", loud.err);
    let strict = classify(&["-i", &path, "--input-format", "jsonl"], b"");
    assert_eq!((strict.code, lines(&strict.out).len()), (1, 1));
}

#[test]
fn tsv_treats_quotes_as_ordinary_characters() {
    let folder = folder();
    let path = file(&folder, "in.tsv", "text\tid\n\"good, film\t\"1\"\nbad \"film\"\t2\n");
    let out = classify(&["-i", &path, "--format", "tsv"], b"").out;
    let found = rows(&out, b'\t');
    assert_eq!(found[0], ["text", "id", "label", "score"]);
    assert_eq!((found[1][0].as_str(), found[1][1].as_str()), ("\"good, film", "\"1\""));
    assert_eq!(found[2][0], "bad \"film\"");

    // A cell that TSV cannot represent is an error of its record.
    let table = b"text,id\n\"two\nlines\",1\nb,2\n";
    let stopped = classify(&["--input-format", "csv", "--format", "tsv"], table);
    assert_eq!(stopped.code, 1);
    assert_eq!(stopped.out, "text\tid\tlabel\tscore\n");
    let problem = "column \"text\" has a tab or a line break, which TSV cannot hold; --format csv can";
    assert_eq!(stopped.err, format!("albert: error: <stdin>:2: {problem}\n"));
    let skipped = classify(&["--input-format", "csv", "--format", "tsv", "--on-error", "skip"], table);
    assert_eq!(skipped.code, 1);
    let found = rows(&skipped.out, b'\t');
    assert_eq!(found[1], ["", "1", "", "", problem]);
    assert_eq!((found[2][0].as_str(), found[2][4].as_str()), ("b", ""));
}

#[test]
fn records_that_fail() {
    let table = b"id,text\n1,good\n2\n3,\"bad\" x\n4,\xff\n5,a,b\n6,fine\n";
    let flags = ["--input-format", "csv", "--format", "csv"];
    let stopped = classify(&flags, table);
    let ragged = "1 cell, but the header has 2: \"id\", \"text\"; every row needs all cells, even empty ones";
    assert_eq!((stopped.code, stopped.out.lines().count()), (1, 2));
    assert_eq!(stopped.err, format!("albert: error: <stdin>:3: {ragged}\n"));

    let skipped = classify(&[&flags[..], &["--on-error", "skip"]].concat(), table);
    assert_eq!(skipped.code, 1);
    let found = rows(&skipped.out, b',');
    assert_eq!(found[0], ["id", "text", "label", "score", "error"]);
    assert_eq!((found.len(), found[1][4].as_str(), found[6][1].as_str()), (7, "", "fine"));
    let errors: Vec<&str> = found[2..6].iter().map(|row| row[4].as_str()).collect();
    assert_eq!(errors[0], format!("line 3: {ragged}"));
    assert_eq!(errors[1], "line 4: text after the end of a quoted cell; quotes inside are written twice");
    assert!(errors[2].starts_with("line 5: not valid UTF-8 (cell 2); convert the file"), "{}", errors[2]);
    assert!(errors[3].starts_with("line 6: 3 cells, but the header has 2"), "{errors:?}");
    assert!(found[2..6].iter().all(|row| row[..4].iter().all(String::is_empty)));
    assert_eq!(skipped.err.lines().count(), 4);
    assert!(skipped.err.contains("<stdin>:5: not valid UTF-8 (cell 2)"), "{}", skipped.err);

    // In JSON lines, such a record is identified by its line number.
    let skipped = classify(&["--input-format", "csv", "--on-error", "skip"], table);
    assert_eq!(lines(&skipped.out)[1], json!({"line": 3, "error": ragged}));

    // A record that was parsed keeps its cells.
    let table = b"id,prompt\n1,good\n";
    let out = run(
        &[
            "choose",
            "-q",
            "--device",
            "flex",
            "-m",
            &model("choice_a"),
            "--input-format",
            "csv",
            "--format",
            "csv",
            "--on-error",
            "skip",
            "--choice",
            "only one",
        ],
        table,
    );
    let found = rows(&out.out, b',');
    assert_eq!(found[1], ["1", "good", "", "", "", "1 choice; at least two are needed"]);
}

#[test]
fn a_quote_that_is_left_open() {
    let folder = folder();
    let path = file(&folder, "open.csv", "text\na\n\"b\nc\nd\n");
    for flags in [&[][..], &["--on-error", "skip"]] {
        let found = classify(&[&["-i", &path, "--format", "csv"], flags].concat(), b"");
        assert_eq!((found.code, found.out.lines().count()), (1, 2), "{}", found.out);
        assert_eq!(found.err, format!("albert: error: {path}:3: a quote of this row is never closed\n"));
    }
}

#[test]
fn tables_without_a_sound_header() {
    let folder = folder();
    for (content, problem) in [
        (
            "id,body\n1,x\n",
            "has no column \"text\"; its columns are \"id\", \"body\" (--text-field names another)",
        ),
        ("", "is empty; a table begins with a header that names its columns"),
        ("text,id,text\n", "columns 1 and 3 are both named \"text\"; rename one"),
    ] {
        let path = file(&folder, "bad.csv", content);
        // The model does not exist either, but the table is checked first.
        let found = run(&["classify", "-q", "-m", "/no/such/model", "-i", &path], b"");
        assert_eq!((found.code, found.out.as_str()), (2, ""));
        assert_eq!(found.err, format!("albert: error: {}\n", albert::error::stated(&path, problem)));
    }
    let path = file(&folder, "good.csv", "text\nx\n");
    let found = classify(&["-i", &path, "--pair-field", "second"], b"");
    assert_eq!(found.code, 2);
    assert!(
        found.err.contains("has no column \"second\"") && found.err.contains("--pair-field"),
        "{}",
        found.err
    );
    let utf16 = file(&folder, "utf16.csv", b"\xff\xfet\0e\0x\0t\0\n\0");
    assert!(classify(&["-i", &utf16], b"").err.contains("is UTF-16; convert it with iconv"));
    // A header alone is a table without rows.
    let path = file(&folder, "header.csv", "text,id\n");
    assert_eq!(classify(&["-i", &path, "--format", "csv"], b"").out, "text,id,label,score\n");
    assert_eq!(classify(&["-i", &path], b"").out, "");
}

#[test]
fn columns_of_the_input_keep_their_names() {
    let table = b"label,text,error,score\ngold,good film,e,s\n";
    let flags = ["--input-format", "csv", "--format", "csv", "--on-error", "skip"];
    let found = rows(&classify(&flags, table).out, b',');
    let names = ["label", "text", "error", "score", "albert_label", "albert_score", "albert_error"];
    assert_eq!(found[0], names);
    assert_eq!(found[1][..4], ["gold", "good film", "e", "s"]);
    assert!(!found[1][4].is_empty() && found[1][5].parse::<f64>().is_ok() && found[1][6].is_empty());
}

#[test]
fn several_files_are_one_table() {
    let folder = folder();
    let one = file(&folder, "part-1.csv", "text,id\na,1\n");
    let two = file(&folder, "part-2.csv.gz", {
        use std::io::Write;
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(b"text,id\nb,2\nc,3\n").expect("writes");
        writer.finish().expect("finishes")
    });
    let ids = |out: &str| rows(out, b',').iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    let pattern = folder.path().join("part-*").display().to_string();
    for flags in [&["-i", &one, "-i", &two][..], &["-i", &one, &two], &["-i", &pattern]] {
        let found = classify(&[flags, &["--format", "csv"]].concat(), b"");
        assert_eq!(ids(&found.out), ["id", "1", "2", "3"], "{flags:?} {}", found.err);
    }
    let found = classify(&["-i", &one, "-", "--input-format", "csv", "--format", "csv"], b"text,id\nz,9\n");
    assert_eq!(ids(&found.out), ["id", "1", "9"]);

    // A bad row is located in its own file.
    let three = file(&folder, "x.csv", "text,id\nb\n");
    let found = classify(&["-i", &one, &three], b"");
    assert_eq!((found.code, lines(&found.out).len()), (1, 1));
    assert!(found.err.starts_with(&format!("albert: error: {three}:2: 1 cell")), "{}", found.err);

    let other = file(&folder, "y.csv", "id,text\n1,b\n");
    let found = classify(&["-i", &one, &other, "--format", "csv"], b"");
    assert_eq!((found.code, found.out.as_str()), (2, ""));
    assert!(found.err.contains("have the same columns in the same order"), "{}", found.err);
    for flags in [&["-i", &one, "/no/such/file.csv"][..], &["-i", "/no/such/*.csv"], &["-i", "-", "-"]] {
        let found = classify(flags, b"text\n");
        assert_eq!((found.code, found.out.as_str()), (2, ""), "{flags:?}");
    }
    // Plain lines and JSON lines can be combined too.
    let texts = file(&folder, "a.txt", "x\n");
    let objects = file(&folder, "b.jsonl", "{\"text\":\"y\",\"id\":1}\n");
    let found = lines(&classify(&["-i", &texts, &objects, &one], b"").out);
    assert_eq!(found.iter().map(|r| r["text"].clone()).collect::<Vec<_>>(), ["x", "y", "a"]);
}

#[test]
fn json_lines_become_a_table() {
    let input = b"{\"text\":\"a\",\"id\":1.10,\"more\":{\"k\":[1,null]},\"none\":null}\n{\"id\":true,\"text\":\"b\",\"late\":\"x\"}\n";
    let found = rows(&classify(&["--format", "csv"], input).out, b',');
    assert_eq!(found[0], ["text", "id", "more", "none", "late", "label", "score"]);
    assert_eq!(found[1][..5], ["a", "1.10", "{\"k\":[1,null]}", "", ""]);
    assert_eq!(found[2][..5], ["b", "true", "", "", "x"]);
    let found = rows(&classify(&["--format", "csv"], b"one text\nanother\n").out, b',');
    assert_eq!(
        (found[0][0].as_str(), found[1][0].as_str(), found[2][0].as_str()),
        ("text", "one text", "another")
    );
    // A field that is missing from the header is reported instead of being dropped.
    let mut input = "{\"text\":\"a\"}\n".repeat(1000);
    input.push_str("{\"text\":\"b\",\"late\":1}\n");
    let found = classify(&["--format", "csv"], input.as_bytes());
    assert_eq!((found.code, found.out.lines().count()), (1, 1001));
    assert!(found.err.contains("record 1001: field \"late\" has no column"), "{}", found.err);
}

/// The table and the JSON lines of one task on the same records.
fn both(args: &[&str], table: &str) -> (Vec<Value>, Vec<Value>) {
    let args = [args, &["--device", "flex", "-q", "--input-format", "csv"]].concat();
    let table = table.as_bytes();
    let csv = well(&[&args[..], &["--format", "csv"]].concat(), table);
    (records(&csv), lines(&well(&args, table)))
}

#[test]
fn classify_with_several_labels() {
    let model = model("bio");
    let (rows, expected) = both(&["classify", "-m", &model, "--top-k", "3"], "text,text_pair\na,b\nParis,\n");
    for (row, record) in rows.iter().zip(&expected) {
        let predictions = record["predictions"].as_array().expect("a list");
        assert_eq!(predictions.len(), 3);
        let column = |name: &str| predictions.iter().map(|p| p[name].clone()).collect::<Value>();
        assert_eq!((parsed(&row["label"]), parsed(&row["score"])), (column("label"), column("score")));
    }
    // An empty cell does not count as a second text.
    let alone = well(&["classify", "-q", "--device", "flex", "-m", &model, "--top-k", "3", "Paris"], b"");
    assert_eq!(lines(&alone)[0]["predictions"], expected[1]["predictions"]);
}

#[test]
fn fill_mask_in_tables() {
    let model = golden("fill_mask/spiece_nfkc").display().to_string();
    let table = "text,n\nthe [MASK],1\nold [MASK] captain,2\n";
    let (rows, expected) = both(&["fill-mask", "-m", &model, "-k", "1"], table);
    for (row, record) in rows.iter().zip(&expected) {
        let best = &record["predictions"][0];
        for name in ["score", "token", "token_str", "sequence"] {
            let cell = best[name].as_str().map_or_else(|| best[name].to_string(), str::to_owned);
            assert_eq!(row[name], cell, "{name}");
        }
        assert_eq!(row.get("mask"), None);
    }
    let (rows, expected) =
        both(&["fill-mask", "-m", &model, "-k", "2"], "text\nthe [MASK] and [MASK]\n[MASK]\n");
    assert_eq!(parsed(&rows[0]["mask"]), json!([0, 0, 1, 1]));
    assert_eq!(parsed(&rows[1]["mask"]), json!([0, 0]));
    let masks = expected[0]["predictions"].as_array().expect("a list");
    let scores: Value =
        masks.iter().flat_map(|mask| mask.as_array().expect("a list")).map(|p| p["score"].clone()).collect();
    assert_eq!(parsed(&rows[0]["score"]), scores);
    // A row for one prediction has no space for two masks.
    let args = [
        "fill-mask",
        "-q",
        "--device",
        "flex",
        "-m",
        &model,
        "-k",
        "1",
        "--input-format",
        "csv",
        "--format",
        "csv",
    ];
    let found = run(&args, b"text\n[MASK] [MASK]\n");
    assert_eq!(found.code, 1);
    assert!(found.err.contains("<stdin>:2: 2 masks in the text"), "{}", found.err);
}

#[test]
fn ner_in_tables() {
    let model = model("bio");
    let table =
        "tokens,text\n,George Washington was walking to Paris.\n\"[\"\"George\"\",\"\"Washington\"\"]\",\n";
    let (rows, expected) = both(&["ner", "-m", &model], table);
    assert!(expected[1]["predictions"].to_string().contains("start_token"), "{}", expected[1]);
    for (row, record) in rows.iter().zip(&expected) {
        assert_eq!(parsed(&row["entities"]), record["predictions"]);
    }
    let (rows, expected) = both(&["ner", "-m", &model, "--aggregation", "none"], table);
    assert!(expected[0]["predictions"].to_string().contains("index"));
    assert_eq!(parsed(&rows[0]["entities"]), expected[0]["predictions"]);
    let found = run(&["ner", "-q", "-m", &model, "--input-format", "csv"], b"words\nx\n");
    assert_eq!(found.code, 2);
    assert!(found.err.contains("has no column \"text\" or \"tokens\""), "{}", found.err);
}

#[test]
fn qa_in_tables() {
    let model = model("bio");
    let table = "question,context\nWho?,\"George Washington wrote, in 1790.\"\n";
    let (rows, expected) = both(&["qa", "-m", &model], table);
    let best = &expected[0]["predictions"][0];
    for name in ["score", "start", "end"] {
        assert_eq!(rows[0][name], best[name].to_string(), "{name}");
    }
    assert_eq!(rows[0]["answer"], best["answer"]);
    let (rows, expected) = both(&["qa", "-m", &model, "-k", "2", "--impossible"], table);
    let answers = expected[0]["predictions"].as_array().expect("a list");
    assert_eq!(parsed(&rows[0]["answer"]), answers.iter().map(|a| a["answer"].clone()).collect::<Value>());
    assert_eq!(rows[0]["null_score"], expected[0]["null_score"].to_string());
    assert_eq!(rows[0]["null_score_diff"], expected[0]["null_score_diff"].to_string());
    // A context on the command line replaces a missing column or an empty cell.
    let own = ["qa", "-m", &model, "--context-text", "George Washington wrote, in 1790."];
    let (rows, _) = both(&own, "question\nWho?\n");
    let (again, _) = both(&own, "question,context\nWho?,\n");
    assert_eq!(rows[0]["answer"], again[0]["answer"]);
    let found = run(&["qa", "-q", "-m", &model, "--input-format", "csv"], b"question\nWho?\n");
    assert!(found.code == 2 && found.err.contains("has no column \"context\""), "{}", found.err);
}

#[test]
fn choose_and_zero_shot_in_tables() {
    let choices = model("choice_a");
    let table = "prompt,choices\nShe was late:,\"[\"\"the bus broke.\"\",\"\"a red, hat.\"\"]\"\n";
    let (rows, expected) = both(&["choose", "-m", &choices], table);
    let best = &expected[0]["predictions"][0];
    assert_eq!(rows[0]["choice"], best["choice"]);
    assert_eq!(rows[0]["index"], best["index"].to_string());
    assert_eq!(rows[0]["score"], best["score"].to_string());
    let flags = ["choose", "-q", "--device", "flex", "-m", &choices, "--input-format", "csv"];
    let found = run(&flags, b"prompt,choices\nx,a;b\n");
    let problem = "column \"choices\" is a;b; expected a JSON list of strings, as [\"a\",\"b\"]";
    assert_eq!((found.code, found.err), (1, format!("albert: error: <stdin>:2: {problem}\n")));

    let nli = model("inner");
    let table = "text,labels\nThe team won.,\nThe team won.,\"[\"\"cup\"\",\"\"vote\"\"]\"\n";
    let (rows, expected) = both(&["zero-shot", "-m", &nli, "--labels", "sport,politics"], table);
    for (row, record) in rows.iter().zip(&expected) {
        assert_eq!(row["label"], record["predictions"][0]["label"]);
        assert_eq!(row["score"], record["predictions"][0]["score"].to_string());
    }
    assert_ne!(rows[0]["label"], rows[1]["label"]);
    let (rows, expected) = both(&["zero-shot", "-m", &nli, "--labels", "a,b", "--multi-label"], "text\nx\n");
    let labels: Value =
        expected[0]["predictions"].as_array().expect("a list").iter().map(|p| p["label"].clone()).collect();
    assert_eq!(parsed(&rows[0]["label"]), labels);
}

#[test]
fn embed_and_tokenize_in_tables() {
    let model = model("bio");
    let table = "text\na\nParis rebuilt\n";
    let (rows, expected) = both(&["embed", "-m", &model], table);
    for (row, record) in rows.iter().zip(&expected) {
        assert_eq!(parsed(&row["embedding"]), record["predictions"][0]["embedding"]);
    }
    let (rows, expected) = both(&["embed", "-m", &model, "--pooling", "tokens"], table);
    assert_eq!(parsed(&rows[1]["embedding"]), expected[1]["predictions"][0]["embedding"]);
    assert_eq!(parsed(&rows[1]["tokens"]), expected[1]["predictions"][0]["tokens"]);
    let found = run(&["embed", "-q", "-m", &model, "--attentions", "--format", "csv", "a"], b"");
    assert!(found.code == 2 && found.err.contains("--attentions"), "{}", found.err);

    let args = ["tokenize", "-q", "-m", &model, "--input-format", "csv"];
    let rows = records(&well(&[&args[..], &["--format", "csv"]].concat(), table.as_bytes()));
    let expected = lines(&well(&args, table.as_bytes()));
    for name in ["ids", "tokens", "offsets", "type_ids", "special_tokens_mask"] {
        assert_eq!(parsed(&rows[1][name]), expected[1]["predictions"][0][name], "{name}");
    }
}

#[test]
fn what_is_written_can_be_read() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let input = file(&folder, "in.csv", hard_table());
    assert_eq!(classify(&["-i", &input, "-o", &path("a.csv")], b"").code, 0);
    assert_eq!(classify(&["-i", &path("a.csv"), "-o", &path("b.csv")], b"").code, 0);
    let found = records(&std::fs::read_to_string(path("b.csv")).expect("reads"));
    assert_eq!(found.len(), HARD.len());
    for (row, text) in found.iter().zip(HARD) {
        assert_eq!(row["text"], text);
        assert_eq!((&row["label"], &row["score"]), (&row["albert_label"], &row["albert_score"]));
    }
    let found = classify(&["-i", &input, "-o", &path("c.csv.gz")], b"");
    assert_eq!(found.code, 2);
    assert!(found.err.contains("output is not compressed"), "{}", found.err);
    assert!(!Path::new(&path("c.csv.gz")).exists());
}

#[test]
fn a_long_table_keeps_its_order() {
    let mut table = "id,text\n".to_owned();
    for i in 0..3000 {
        table.push_str(&format!("{i},\"{}\"\n", "old captain\n".repeat((i * 7) % 5)));
    }
    let out = classify(&["--input-format", "csv", "--format", "csv"], table.as_bytes()).out;
    let found = rows(&out, b',');
    assert_eq!(found.len(), 3001);
    for (i, row) in found[1..].iter().enumerate() {
        assert_eq!(
            (row[0].as_str(), row[1].as_str()),
            (i.to_string().as_str(), "old captain\n".repeat((i * 7) % 5).as_str())
        );
    }
}

/// A stopped run leaves complete rows.
#[test]
fn finished_rows_are_kept() {
    let folder = folder();
    let input = file(&folder, "in.csv", "text\na\nb\n\"c\" x\n");
    let output: PathBuf = folder.path().join("out.csv");
    let found = classify(&["-i", &input, "-o", output.to_str().expect("a path")], b"");
    assert_eq!(found.code, 1);
    assert!(!output.exists());
    let kept = std::fs::read_to_string(folder.path().join("out.csv.partial")).expect("reads");
    assert_eq!(rows(&kept, b',').len(), 3);
}
