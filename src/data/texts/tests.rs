//! Tests of reading texts from a stream. Tests of complete files are in `tests/labelled_data.rs`.

use super::*;
use std::io::Cursor;

fn read_as(name: &str, text: &str, options: &TextOptions) -> Result<Loaded<Vec<TextExample>>> {
    let source = Source::new(Path::new(name), Cursor::new(text.to_owned().into_bytes()))?;
    read(Vec::new(), source, options)
}

fn show(name: &str, text: &str, options: &TextOptions) -> Vec<String> {
    match read_as(name, text, options) {
        Err(error) => vec![error.to_string()],
        Ok(loaded) => loaded
            .examples
            .iter()
            .map(|e| {
                let (id, pair) = (e.id.as_deref().unwrap_or("-"), e.text_pair.as_deref().unwrap_or("-"));
                format!("{} {id} {} {pair} {}", e.place.line, e.text, e.target.labels().join("+"))
            })
            .collect(),
    }
}

#[test]
fn formats_are_guessed() {
    let options = TextOptions::default();
    for text in ["{\"text\": \"a\", \"label\": 1}", "text,label\na,1\n", "label\ttext\n1\ta\n"] {
        let shown = show("<stdin>", text, &options);
        assert!(shown[0].ends_with(" - a - 1"), "{shown:?}");
    }
    for (text, part) in
        [("word", "set option data_format to one of"), ("[{}]", "jq -c"), (" \n", "holds no examples")]
    {
        assert!(show("a.txt", text, &options)[0].contains(part), "{text}");
    }
    assert_eq!(
        show("a.tsv", "text\n", &options)[0],
        "a.tsv:1: column \"label\" is missing; the table has text \
        (option label_field names another)"
    );
    assert_eq!(show("a.tsv", "text\tlabel\n", &options), ["a.tsv holds no examples"]);
}

#[test]
fn json_lines() {
    let options = TextOptions::default();
    let text = "{\"id\": [1], \"text\": \"a\", \"text_pair\": null, \"label\": \"x\"}\n\n\
                {\"text\": \"b\", \"text_pair\": \"c\", \"label\": true}\n\
                {\"sentence1\": \"d\", \"sentence2\": \"e\", \"gold_label\": \"-\"}\n\
                {\"sentence1\": \"d\", \"sentence2\": \"e\", \"gold_label\": \"neutral\"}\n";
    assert_eq!(show("a.jsonl", text, &options), ["1 [1] a - x", "3 - b c true", "5 - d e neutral"]);
    let loaded = read_as("a.jsonl", text, &options).expect("reads");
    assert_eq!(loaded.left_out, 1);
    assert!(
        loaded.notes[0].starts_with("a.jsonl: 1 example is left out: the annotators"),
        "{:?}",
        loaded.notes
    );
    for (line, part) in [
        ("{\"text\": 5, \"label\": 1}", "a.jsonl:1: field \"text\" is 5; expected a string"),
        ("{\"text\": null, \"label\": 1}", "field \"text\" is null"),
        ("{\"text\": \"a\", \"text_pair\": 1, \"label\": 1}", "field \"text_pair\" is 1"),
        ("{\"text\": \"a\", \"label\": null}", "field \"label\" is null; expected a label"),
        (
            "{\"text\": \"a\"}",
            "field \"label\" is missing; the object has text (option label_field names another)",
        ),
        (
            "{\"label\": \"a\"}",
            "field \"text\" is missing; the object has label (option text_field names another)",
        ),
    ] {
        assert!(show("a.jsonl", line, &options)[0].contains(part), "{:?}", show("a.jsonl", line, &options));
    }
}

#[test]
fn cola_has_no_header() {
    let options = TextOptions::default();
    let text = "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\t\"Odd one.\n";
    assert_eq!(show("a.tsv", text, &options), ["1 - Our friends won't buy this. - 1", "2 - \"Odd one. - 0"]);
    let bad = format!("{text}gj04\t1\n");
    assert!(show("a.tsv", &bad, &options)[0].starts_with("a.tsv:3: 2 columns, but a file of CoLA has 4"));
    let test = TextOptions { unlabelled: true, ..TextOptions::default() };
    assert_eq!(show("a.tsv", "index\tsentence\n0\tA.\n", &test), ["2 \"0\" A. - "]);
}

#[test]
fn ambiguous_columns_are_refused() {
    let shown = show("a.csv", "text,text,label\na,b,1\n", &TextOptions::default());
    assert_eq!(shown, ["a.csv:1: several columns are named \"text\"; rename all but one"]);
}

#[test]
fn columns_of_0_and_1_in_json() {
    let options = TextOptions {
        kind: TargetKind::Labels,
        label_columns: vec!["a".to_owned(), "b".to_owned()],
        ..TextOptions::default()
    };
    let text = "{\"text\": \"t\", \"a\": 1, \"b\": true}\n{\"text\": \"t\", \"a\": 0, \"b\": false}\n";
    assert_eq!(show("a.jsonl", text, &options), ["1 - t - a+b", "2 - t - "]);
    let shown = show("a.jsonl", "{\"text\": \"t\", \"a\": \"1\", \"b\": 1}", &options);
    assert_eq!(shown, ["a.jsonl:1: label column \"a\" is \"1\"; expected 0 or 1"]);
}

#[test]
fn examples_of_snli_without_a_label() {
    let json = |label: &str| format!("{{\"premise\": \"a\", \"hypothesis\": \"b\", \"label\": {label}}}\n");
    let text = json("0") + &json("-1") + &json("2");
    let found = show("a.jsonl", &text, &TextOptions::default());
    assert_eq!(found[..2], ["1 - a b 0".to_owned(), "3 - a b 2".to_owned()], "{found:?}");
    let table = "premise,hypothesis,label\na,b,-1\nc,d,1\n";
    assert_eq!(show("a.csv", table, &TextOptions::default())[0], "3 - c d 1");
    let sentiment = "{\"text\": \"a\", \"label\": -1}\n";
    assert_eq!(show("a.jsonl", sentiment, &TextOptions::default())[0], "1 - a - -1");
}

#[test]
fn a_repeated_header_is_no_example() {
    let shown = show("a.csv", "text,label\na,1\ntext, label\nb,0\n", &TextOptions::default());
    assert!(shown[0].starts_with("a.csv:3: repeats the header"), "{shown:?}");
}
