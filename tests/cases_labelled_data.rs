//! Labelled data as found in practice: the cases of public bug reports, through the program.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use albert::data::{
    ChoiceOptions, OnBadRecord, TextOptions, TokenOptions, read_choices, read_texts, read_tokens,
};
use common::albert;
use common::cases::{Case, case, read_json};
use serde_json::{Value, json};

/// Runs the program. Returns the exit code, standard output and standard error.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = albert().args(arguments).args(["--device", "flex"]).output().expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Fine-tunes for one step. Returns the model's labels and the messages.
fn finetuned(task: &str, models: &Case, train: &str, more: &[&str]) -> (BTreeSet<String>, String) {
    let output = models.text(&format!("run-{task}-{}", train.len()));
    let model = models.text("base");
    let mut arguments = vec!["finetune", task, "--model", &model, "--train", train, "--output", &output];
    arguments.extend(["--steps", "1"].iter().chain(more));
    let (code, _, report) = run(&arguments);
    assert_eq!(code, Some(0), "{report}");
    let config = read_json(&Path::new(&output).join("config.json"));
    let labels = config["id2label"].as_object().expect("labels").values();
    let labels = labels.map(|label| label.as_str().expect("a name").to_owned()).collect();
    fs::remove_dir_all(output).expect("removed");
    (labels, report)
}

fn set(names: &Value) -> BTreeSet<String> {
    names.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_columns_of_conllu_plus_have_names() {
    let (models, case) = (case("00-models"), case("05-conllu-plus"));
    let (labels, report) = finetuned("ner", &models, &case.text("train.conllup"), &[]);
    assert_eq!(labels, set(&case.expected()["labels"]));
    assert!(report.contains("tags are read from column 11 (RELATE:NE)"), "{report}");
}

#[test]
fn copies_in_a_race_folder_count_once() {
    let (models, case) = (case("00-models"), case("06-race-copies"));
    let (model, data) = (models.text("choose"), case.text("train"));
    let (code, report, told) = run(&["eval", "choose", "-m", &model, "--data", &data, "--format", "json"]);
    assert_eq!(code, Some(0), "{told}");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["examples"], case.expected()["examples"]);
    assert!(told.contains("3 examples are copies of others and count once; the first: "), "{told}");
    assert!(told.contains("all.txt: question 1 repeats ") && told.contains("1.txt: question 1\n"), "{told}");
    // Without numbered files, the folder has all the questions of all.txt.
    for name in ["1.txt", "2.txt"] {
        fs::remove_file(case.path("train/high").join(name)).expect("removed");
    }
    let alone = read_choices(&case.path("train"), &ChoiceOptions::default()).expect("reads");
    assert_eq!((alone.examples.len(), alone.repeated), (3, 0));
}

#[test]
fn rows_of_glue_that_its_readers_skip() {
    let (models, case) = (case("00-models"), case("07-glue-rows"));
    let expected = case.expected();
    for (task, skipped) in [("qqp", 1), ("snli", 0)] {
        let train = case.text(&format!("{task}/train.tsv"));
        let (labels, report) = finetuned("classify", &models, &train, &[]);
        assert_eq!(labels, set(&expected[task]["labels"]), "{task}");
        assert_eq!(report.contains("train.tsv: skipped 1 bad record: "), skipped == 1, "{report}");
        let loaded = read_texts(Path::new(&train), &TextOptions::default()).expect("reads");
        assert_eq!(json!(loaded.examples.len()), expected[task]["examples"]);
        assert_eq!(loaded.skipped, skipped);
    }
    let snli = read_texts(&case.path("snli/train.tsv"), &TextOptions::default()).expect("reads").examples;
    let labels: Vec<&str> = snli.iter().flat_map(|e| e.target.labels()).map(String::as_str).collect();
    assert_eq!(json!(labels), expected["snli"]["label_of_row"]);
    assert_eq!(json!([snli[0].text, snli[0].text_pair]), expected["snli"]["first_pair"]);

    let (qqp, model) = (case.text("qqp/train.tsv"), models.text("classify"));
    let (code, _, report) = run(&["eval", "classify", "-m", &model, "--data", &qqp, "--on-error", "stop"]);
    assert_eq!(code, Some(2), "{report}");
    assert!(report.contains("train.tsv:5: 3 columns, but the header (line 1) has 6"), "{report}");
    // With another header, the same rows are errors.
    let text = fs::read_to_string(&qqp).expect("reads").replace("qid1\tqid2", "key1\tkey2");
    fs::write(case.path("own.tsv"), text).expect("written");
    let own = read_texts(&case.path("own.tsv"), &TextOptions::default()).expect_err("an error").to_string();
    assert!(own.contains("own.tsv:5: 3 columns, but the header (line 1) has 6"), "{own}");
    let skip = TextOptions { on_error: Some(OnBadRecord::Skip), ..TextOptions::default() };
    let skipped = read_texts(&case.path("own.tsv"), &skip).expect("reads");
    assert_eq!((skipped.examples.len(), skipped.skipped), (6, 1));
    assert!(skipped.warnings[0].contains("own.tsv:5: 3 columns"), "{:?}", skipped.warnings);
}

#[test]
fn comments_of_germeval_are_not_words() {
    let (models, case) = (case("00-models"), case("08-germeval"));
    let expected = case.expected();
    let (labels, report) = finetuned("ner", &models, &case.text("train.tsv"), &[]);
    assert_eq!(labels, set(&expected["labels"]));
    assert!(report.contains("tags are read from column 3, the outer entities"), "{report}");
    let loaded = read_tokens(&case.path("train.tsv"), &TokenOptions::default()).expect("reads").examples;
    let words: Vec<usize> = loaded.iter().map(|e| e.words.len()).collect();
    assert_eq!(
        (json!(loaded.len()), json!(words)),
        (expected["sentences"].clone(), expected["words"].clone())
    );
    assert_eq!(json!(loaded.iter().map(|e| &e.tags).collect::<Vec<_>>()), expected["tags"]);
}
