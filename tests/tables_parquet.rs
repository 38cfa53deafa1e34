//! Parquet input and output, in a build with the feature `parquet`. The tests write and read files with the `parquet`
//! crate. `tests/golden/tables/check_tables.py` reads them with other programs.
#![cfg(feature = "parquet")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Int32Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::DataType;
use common::{albert, golden};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Run {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str]) -> Run {
    let output = albert().args(args).args(["-q"]).write_stdin("").output().expect("the program runs");
    Run {
        code: output.status.code().expect("a code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn classify(flags: &[&str]) -> Run {
    let model = golden("tasks/models/two").display().to_string();
    run(&[&["classify", "--device", "flex", "-m", &model], flags].concat())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Writes a file with row groups of two rows.
fn write(path: &str, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let file = std::fs::File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("writes");
    writer.close().expect("closes");
    batch
}

fn read(path: &str) -> RecordBatch {
    let file = std::fs::File::open(path).expect("a file");
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).expect("sound").with_batch_size(1 << 20).build();
    let batches: Vec<RecordBatch> = reader.expect("a reader").map(|batch| batch.expect("reads")).collect();
    let schema = batches.first().expect("rows").schema();
    arrow_select::concat::concat_batches(&schema, &batches).expect("one batch")
}

fn text(texts: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(texts.to_vec()))
}

fn lines(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Columns of several types with nulls; five rows in three row groups.
fn typed(path: &str) -> RecordBatch {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        None,
        Some(vec![Some(i64::MAX)]),
    ]);
    write(
        path,
        vec![
            ("id", Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4), Some(5)])) as ArrayRef),
            ("text", text(&[Some("good film"), Some(""), Some("two\nlines"), Some("x"), Some("y")])),
            ("half", Arc::new(Float32Array::from(vec![Some(0.1), None, Some(f32::NAN), Some(-0.0), None]))),
            ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None, None]))),
            (
                "at",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![
                        Some(1_577_934_245_678_901),
                        None,
                        None,
                        Some(0),
                        None,
                    ])
                    .with_timezone("UTC"),
                ),
            ),
            ("list", Arc::new(lists)),
        ],
    )
}

#[test]
fn types_and_nulls_pass_through() {
    let folder = folder();
    let (input, output) = (path(&folder, "in.parquet"), path(&folder, "out.parquet"));
    let own = typed(&input);
    let done = classify(&["-i", &input, "-o", &output]);
    assert_eq!((done.code, done.err.as_str()), (0, ""));
    let found = read(&output);
    let names: Vec<String> = found.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["id", "text", "half", "flag", "at", "list", "label", "score"]);
    for (i, column) in own.columns().iter().enumerate() {
        assert_eq!(found.column(i).data_type(), column.data_type(), "{}", names[i]);
        assert_eq!(found.column(i).to_data(), column.to_data(), "{}", names[i]);
    }
    let records = lines(&classify(&["-i", &input]).out);
    let scores = found.column(7).as_primitive::<Float32Type>();
    for (i, record) in records.iter().enumerate() {
        let best = &record["predictions"][0];
        assert_eq!(best["label"], found.column(6).as_string::<i32>().value(i));
        assert_eq!(best["score"].as_f64().map(|score| score as f32), Some(scores.value(i)));
    }
    // In JSON, values keep their types.
    assert_eq!(records[0]["id"], 1);
    assert_eq!((&records[0]["flag"], &records[0]["list"]), (&json!(true), &json!([1, null])));
    assert_eq!(records[0]["at"], "2020-01-02T03:04:05.678901Z");
    assert_eq!(
        (&records[1]["id"], &records[1]["text"], &records[1]["list"]),
        (&json!(null), &json!(""), &json!(null))
    );
    assert_eq!(records[2]["half"], json!(null), "a number that is not finite");
    assert_eq!(records[4]["list"], json!([i64::MAX]));
}

#[test]
fn from_and_to_text() {
    let folder = folder();
    let (input, table, again) =
        (path(&folder, "in.parquet"), path(&folder, "out.csv"), path(&folder, "b.parquet"));
    typed(&input);
    assert_eq!(classify(&["-i", &input, "-o", &table]).code, 0);
    let mut reader = csv::Reader::from_path(&table).expect("opens");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("reads")).collect();
    assert_eq!(rows[0].iter().take(4).collect::<Vec<_>>(), ["1", "good film", "0.1", "true"]);
    assert_eq!(&rows[0][5], "[1,null]");
    assert_eq!(rows[1].iter().take(6).collect::<Vec<_>>(), ["", "", "", "", "", ""]);
    // Cells are text.
    assert_eq!(classify(&["-i", &table, "-o", &again]).code, 0);
    let found = read(&again);
    assert!(found.columns()[..7].iter().all(|column| column.data_type() == &DataType::Utf8));
    assert_eq!(found.num_rows(), 5);

    let objects = path(&folder, "in.jsonl");
    std::fs::write(
        &objects,
        "{\"text\":\"a\",\"n\":1,\"x\":2,\"o\":{\"k\":1},\"l\":[\"b\"]}\n{\"text\":\"b\",\"x\":0.5,\"n\":null}\n",
    )
    .expect("writes");
    assert_eq!(classify(&["-i", &objects, "-o", &again]).code, 0);
    let found = read(&again);
    assert_eq!(found.column(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(found.column(2).data_type(), &DataType::Float64);
    assert_eq!(found.column(3).as_string::<i32>().value(0), "{\"k\":1}");
    assert_eq!(found.column(4).as_list::<i32>().value(0).as_string::<i32>().value(0), "b");

    // A value of another type is reported instead of being dropped.
    let mut late = "{\"text\":\"a\",\"n\":1}\n".repeat(1000);
    late.push_str("{\"text\":\"a\",\"n\":\"x\"}\n");
    std::fs::write(&objects, late).expect("writes");
    let found = classify(&["-i", &objects, "-o", &path(&folder, "late.parquet")]);
    assert_eq!(found.code, 1);
    assert!(
        found.err.contains("record 1001: field \"n\" is \"x\", which is not of the type Int64"),
        "{}",
        found.err
    );
}

#[test]
fn vectors_have_a_fixed_size() {
    let folder = folder();
    let (input, output) = (path(&folder, "in.parquet"), path(&folder, "out.parquet"));
    write(&input, vec![("text", text(&[Some("Paris"), None, Some("a")]))]);
    let model = golden("tasks/models/bio").display().to_string();
    let flags = ["embed", "--device", "flex", "-m", &model, "-i", &input, "--on-error", "skip"];
    let records = lines(&run(&flags).out);
    let done = run(&[&flags[..], &["-o", &output]].concat());
    assert_eq!(done.code, 1);
    assert_eq!(done.err, format!("albert: error: {input}: row 2: column \"text\" has no value\n"));
    let found = read(&output);
    let vectors = found.column(1).as_fixed_size_list();
    assert!(vectors.is_null(1) && vectors.null_count() == 1);
    assert_eq!(
        found.column(2).as_string::<i32>().iter().collect::<Vec<_>>()[1],
        Some("column \"text\" has no value")
    );
    for i in [0, 2] {
        let vector = vectors.value(i);
        let expected = vector.as_primitive::<Float32Type>().values();
        let embedding = records[i]["predictions"][0]["embedding"].as_array().expect("a list");
        assert!(
            embedding
                .iter()
                .map(|value| value.as_f64().expect("a number") as f32)
                .eq(expected.iter().copied())
        );
    }
    // Half the number of bits.
    let done = run(&[&flags[..], &["-o", &output, "--dtype-out", "f16"]].concat());
    assert_eq!(done.code, 1);
    let halves = read(&output);
    let halves = halves.column(1).as_fixed_size_list().value(0);
    let halves = halves.as_primitive::<Float16Type>().values().iter().map(|value| value.to_f32());
    let wide = vectors.value(0);
    let wide = wide.as_primitive::<Float32Type>().values().iter();
    assert!(halves.zip(wide).all(|(half, wide)| (half - wide).abs() <= 1e-3 * wide.abs().max(1e-3)));
    // Lists of predictions.
    let done = classify(&["-i", &input, "-o", &output, "--top-k", "all", "--on-error", "skip"]);
    assert_eq!(done.code, 1);
    let found = read(&output);
    let (labels, scores) = (found.column(1).as_list::<i32>(), found.column(2).as_list::<i32>());
    assert_eq!((labels.value(0).len(), scores.value(0).len(), labels.is_null(1)), (2, 2, true));
}

#[test]
fn row_groups_are_read_one_after_the_other() {
    let folder = folder();
    let (one, two, output) =
        (path(&folder, "p1.parquet"), path(&folder, "p2.parquet"), path(&folder, "out.parquet"));
    let ids = |range: std::ops::Range<i32>| Arc::new(Int32Array::from_iter_values(range)) as ArrayRef;
    let texts = |count: usize| text(&vec![Some("old captain"); count]);
    write(&one, vec![("id", ids(0..700)), ("text", texts(700))]);
    write(&two, vec![("id", ids(700..1500)), ("text", texts(800))]);
    assert_eq!(classify(&["-i", &one, &two, "-o", &output]).code, 0);
    let found = read(&output);
    assert!(found.column(0).as_primitive::<Int32Type>().values().iter().copied().eq(0..1500));

    let other = path(&folder, "other.parquet");
    write(&other, vec![("id", text(&[Some("a")])), ("text", texts(1))]);
    let found = classify(&["-i", &one, &other]);
    assert_eq!(found.code, 2);
    assert!(found.err.contains("column \"id\" has the type Utf8, but in"), "{}", found.err);
    let found = classify(&["-i", &one, "--text-field", "body"]);
    assert_eq!(found.code, 2);
    assert!(found.err.contains("has no column \"body\"; its columns are \"id\", \"text\""), "{}", found.err);
}

#[test]
fn files_that_are_not_sound() {
    let folder = folder();
    let input = path(&folder, "in.parquet");
    typed(&input);
    let sound = std::fs::read(&input).expect("reads");
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"text,id\n".to_vec()),
        ("cut", sound[..sound.len() / 2].to_vec()),
        ("zeros", vec![0; 1000]),
    ] {
        let bad = path(&folder, &format!("{name}.parquet"));
        std::fs::write(&bad, bytes).expect("writes");
        let found = classify(&["-i", &bad]);
        assert_eq!((found.code, found.out.as_str()), (2, ""), "{name}");
        assert!(found.err.contains("is not a Parquet file that can be read"), "{name}: {}", found.err);
    }
    // Damage in the pages.
    for at in (4..sound.len() - 8).step_by(7) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x5a;
        let bad = path(&folder, "damaged.parquet");
        std::fs::write(&bad, bytes).expect("writes");
        let found = run(&["tokenize", "-m", &golden("tasks/models/two").display().to_string(), "-i", &bad]);
        assert!((0..=2).contains(&found.code), "byte {at}: {}", found.err);
    }
    let found = run(&["tokenize", "--input-format", "parquet"]);
    assert_eq!(found.code, 2);
    assert!(found.err.contains("Parquet is read from files only"), "{}", found.err);
}

#[test]
fn shards_are_row_groups() {
    let folder = folder();
    let (input, output) = (path(&folder, "in.parquet"), path(&folder, "out.parquet"));
    let own = typed(&input);
    let mut rows = 0;
    for index in 1..=4 {
        let done = classify(&["-i", &input, "-o", &output, "--shard", &format!("{index}/4")]);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        let found = read_or_empty(&output);
        for (i, column) in found.columns().iter().take(6).enumerate() {
            assert_eq!(column.to_data(), own.column(i).slice(rows, column.len()).to_data());
        }
        rows += found.num_rows();
    }
    assert_eq!(rows, 5);
}

fn read_or_empty(path: &str) -> RecordBatch {
    let file = std::fs::File::open(path).expect("a file");
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("sound");
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> =
        builder.build().expect("a reader").map(|batch| batch.expect("reads")).collect();
    arrow_select::concat::concat_batches(&schema, &batches).expect("one batch")
}

#[test]
fn numbered_files_are_continued_after_the_last_complete_one() {
    let folder = folder();
    let (input, output) = (path(&folder, "in.jsonl"), path(&folder, "out.parquet"));
    let text: String = (0..1000).map(|i| format!("{{\"id\":{i},\"text\":\"old captain\"}}\n")).collect();
    std::fs::write(&input, text).expect("writes");
    let args = ["-i", &input, "-o", &output, "--records-per-file", "300"];
    assert_eq!(classify(&args).code, 0);
    let file = |number: usize| path(&folder, &format!("out-{number:05}.parquet"));
    let whole: Vec<Vec<u8>> = (1..=4).map(|number| std::fs::read(file(number)).expect("a file")).collect();
    let ids = read(&file(4)).column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(ids, (900..1000).collect::<Vec<i64>>());
    // The files that a run leaves if it is killed in the third one.
    let stopped = classify(&[&args[..], &["--limit", "1"]].concat());
    assert_eq!(stopped.code, 2, "the files are there");
    for number in 1..=4 {
        std::fs::remove_file(file(number)).expect("removes");
    }
    let mut text = std::fs::read_to_string(&input).expect("reads");
    let sound = text.clone();
    text = text.replace("{\"id\":700,\"text\":", "{\"id\":700,\"tex_\":");
    std::fs::write(&input, text).expect("writes");
    let stopped = classify(&args);
    assert_eq!(stopped.code, 1, "{}", stopped.err);
    assert!(Path::new(&format!("{}.partial", file(3))).exists());
    let refused = classify(&[&args[..], &["--resume"]].concat());
    assert_eq!(refused.code, 1, "{}", refused.err);
    std::fs::write(&input, sound).expect("writes");
    let changed = classify(&[&args[..], &["--resume"]].concat());
    assert_eq!(changed.code, 2, "the input is another: {}", changed.err);
    let description = std::fs::read_to_string(format!("{}.partial.json", file(3))).expect("reads");
    assert!(description.starts_with("{\"albert\""));
    for number in 1..=2 {
        assert_eq!(std::fs::read(file(number)).expect("a file"), whole[number - 1]);
    }
}

/// A stopped run leaves a complete file.
#[test]
fn finished_rows_are_kept() {
    let folder = folder();
    let (input, output) = (path(&folder, "in.parquet"), folder.path().join("out.parquet"));
    write(&input, vec![("text", text(&[Some("a"), Some("b"), None, Some("c")]))]);
    let found = classify(&["-i", &input, "-o", output.to_str().expect("a path")]);
    assert_eq!(found.code, 1);
    assert!(!Path::new(&output).exists());
    let kept: PathBuf = folder.path().join("out.parquet.partial");
    assert_eq!(read(kept.to_str().expect("a path")).num_rows(), 2);
}
