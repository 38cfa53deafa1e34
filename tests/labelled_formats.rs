//! Labelled data in the formats of published data sets, compared with the readers that `golden/labelled_data/make.py`
//! lists. Also copies, conflicts, and records that can be skipped.

mod common;

use std::fs;
use std::path::PathBuf;

use albert::data::{
    ChoiceOptions, Loaded, OnBadRecord, QuestionOptions, Target, TargetKind, TextExample, TextOptions,
    TokenExample, TokenOptions, read_choices, read_questions, read_texts, read_tokens,
};
use common::cases::read_json;
use common::golden;
use serde_json::{Value, json};
use tempfile::TempDir;

fn sentences(loaded: &Loaded<Vec<TokenExample>>) -> Value {
    loaded
        .examples
        .iter()
        .map(|e| e.words.iter().zip(&e.tags).map(|(word, tag)| json!([word, tag])).collect::<Value>())
        .collect()
}

#[test]
fn every_task_of_glue_reads_as_its_reference() {
    let expected = &read_json(&golden("labelled_data/expected.json"))["glue"];
    for (task, expected) in expected.as_object().expect("tasks") {
        let kind = if task == "sts-b" { TargetKind::Number } else { TargetKind::Label };
        let options = TextOptions { kind, ..TextOptions::default() };
        let path = golden(&format!("labelled_data/glue/{task}/train.tsv"));
        let loaded = read_texts(&path, &options).unwrap_or_else(|error| panic!("{error}"));
        let show = |e: &TextExample| match &e.target {
            Target::Number(number) => json!([e.text, e.text_pair, number]),
            target => json!([e.text, e.text_pair, target.labels()[0]]),
        };
        let found: Vec<Value> = loaded.examples.iter().map(show).collect();
        let expected: Vec<Value> =
            expected.as_array().expect("rows").iter().map(as_number_if(kind)).collect();
        assert_eq!(found, expected, "{task}");
        assert_eq!(
            loaded.skipped,
            match task.as_str() {
                "qqp" => 4,
                "snli" => 2,
                _ => 0,
            },
            "{task}"
        );
    }
}

/// The reference stores regression labels as text.
fn as_number_if(kind: TargetKind) -> impl Fn(&Value) -> Value {
    move |row| {
        let mut row = row.clone();
        if kind == TargetKind::Number {
            row[2] = json!(row[2].as_str().and_then(|label| label.parse::<f64>().ok()));
        }
        row
    }
}

#[test]
fn every_format_of_columns_reads_as_its_reference() {
    let expected = &read_json(&golden("labelled_data/expected.json"))["conll"];
    for (name, expected) in expected.as_object().expect("files") {
        let path = golden(&format!("labelled_data/conll/{name}"));
        let loaded = read_tokens(&path, &TokenOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(&sentences(&loaded), expected, "{name}");
    }
}

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, text).expect("written");
        path
    }

    /// The error message without the folder's path.
    fn error<T>(&self, result: albert::Result<Loaded<T>>) -> String {
        let folder = format!("{}/", self.0.path().display());
        result.err().map(|error| error.to_string().replace(&folder, "")).expect("an error")
    }
}

#[test]
fn columns_that_nothing_settles_are_shown() {
    let files = Files::new();
    let read =
        |name: &str, text: &str, options: &TokenOptions| read_tokens(&files.write(name, text), options);
    let options = TokenOptions::default();
    for (name, text, message) in [
        (
            "lemmas.conllu",
            "1\tAna\tana\n2\tmerge\tmerge\n",
            "lemmas.conllu:1: cannot tell which column holds the tags; choose one with option tag_column: 1 \"1\", 2 \
             \"Ana\", 3 \"ana\"",
        ),
        (
            "plus.conllup",
            "# global.columns = ID FORM LEMMA UPOS\n1\tAna\tana\tX\n",
            "plus.conllup:2: cannot tell which column holds the tags; choose one with option tag_column: 1 ID \"1\", 2 \
             FORM \"Ana\", 3 LEMMA \"ana\", 4 UPOS \"X\"",
        ),
        (
            "two.conllup",
            "# global.columns = ID FORM A:NE B:NE\n1\tAna\tB-PER\tO\n",
            "two.conllup:2: several columns could hold the tags; choose one with option tag_column: 1 ID \"1\", 2 FORM \
             \"Ana\", 3 A:NE \"B-PER\", 4 B:NE \"O\"",
        ),
        (
            "wordless.conllup",
            "# global.columns = ID LEMMA NER\n1\tana\tB-PER\n",
            "wordless.conllup:2: no column is named FORM; choose one with option word_column: 1 ID \"1\", 2 LEMMA \
             \"ana\", 3 NER \"B-PER\"",
        ),
        (
            "narrow.conllup",
            "# global.columns = ID FORM NER\n1\tAna\tB-PER\n2\tare\n",
            "narrow.conllup:3: 2 columns, but the header (line 1) names 3",
        ),
        (
            "twice.conllu",
            "1\tAna\tB-PER\n2\tare\tO\n1\tSi\tO\n",
            "twice.conllu:3: word 1 follows word 2 of the same sentence; a blank line ends a sentence (if these are not \
             numbers of words, option word_column and option tag_column name the columns)",
        ),
        (
            "open.conll",
            "d/1 0 0 Ana NNP (S* - - - x (PERSON* -\nd/1 0 1 . . *) - - - x * -\n",
            "open.conll:1: the sentence ends inside PERSON: a bracket is not closed",
        ),
        (
            "empty.tsv",
            "Ana\tB-PER\n\tO\n",
            "empty.tsv:2: the word (column 1) is blank; remove the line, or leave it entirely blank where a sentence ends",
        ),
        (
            "empty.txt",
            "Ana B-PER\n O\n",
            "empty.txt:2: the word is blank; remove the line, or leave it entirely blank where a sentence ends",
        ),
    ] {
        assert_eq!(files.error(read(name, text, &options)), message, "{name}");
    }
    let third = TokenOptions { tag_column: Some(3), ..TokenOptions::default() };
    let lemmas = read("lemmas.conllu", "1\tAna\tana\n2\tmerge\tmerge\n", &third).expect("reads");
    assert_eq!(sentences(&lemmas), json!([[["Ana", "ana"], ["merge", "merge"]]]));
    let skip = TokenOptions { on_error: Some(OnBadRecord::Skip), ..TokenOptions::default() };
    let skipped = read("empty.tsv", "Ana\tB-PER\n\tO\n\nare\tO\n", &skip).expect("reads");
    assert_eq!((sentences(&skipped), skipped.skipped), (json!([[["are", "O"]]]), 1));
}

#[test]
fn tables_that_number_their_words() {
    let files = Files::new();
    for (text, expected) in [
        // Without a header, this is the only column with tags. Ranges and empty nodes are not words.
        (
            "# text = du\n1-2\tdu\t_\t_\t_\n1\tde\tde\tO\tx\n2\tle\tle\tB-LOC\tx\n2.1\te\te\t_\t_\n",
            json!([[["de", "O"], ["le", "B-LOC"]]]),
        ),
        // Cells without a tag stand for O.
        ("1\ta\t_\tB-LOC\n2\tb\t_\t_\n", json!([[["a", "B-LOC"], ["b", "O"]]])),
        // Spaces between columns, Windows line endings.
        ("# x\r\n1 a X B-LOC\r\n2 b Y O\r\n", json!([[["a", "B-LOC"], ["b", "O"]]])),
        ("ID\tTOKEN\tPOS_TAG\tNER_TAG\n1\ta\tNN\tPER\n2\tb\tNN\tO\n", json!([[["a", "PER"], ["b", "O"]]])),
        ("token\tlabel\nOne\tB-X\n#two\tO\n", json!([[["One", "B-X"], ["#two", "O"]]])),
        // Words that are numbers.
        ("1\tO\n2\tB-X\n", json!([[["1", "O"], ["2", "B-X"]]])),
        (
            "\u{feff}#begin document (a); part 0\na NN O\n# NN O\n#b NN B-X\n#end document\n",
            json!([[["a", "O"], ["#", "O"], ["#b", "B-X"]]]),
        ),
        (
            "a\tO\n#\thttp://x.org [2009]\n# id 3\n#\tO\n\u{a0}\tO\n",
            json!([[["a", "O"], ["#", "O"], ["\u{a0}", "O"]]]),
        ),
    ] {
        let path = files.write("a.conll", text);
        let loaded = read_tokens(&path, &TokenOptions::default()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(sentences(&loaded), expected, "{text}");
    }
}

#[test]
fn test_files_of_glue_have_no_labels() {
    let files = Files::new();
    for (text, task) in [
        ("index\tsentence\n0\ta\n", "CoLA or SST-2"),
        ("id\tquestion1\tquestion2\n0\ta\tb\n", "QQP"),
        ("index\tsentence1\tsentence2\n0\ta\tb\n", "RTE, WNLI or the diagnostic set"),
    ] {
        let error = files.error(read_texts(&files.write("test.tsv", text), &TextOptions::default()));
        let end = format!(
            "it looks like a test file of {task}, and those have no labels: use train.tsv or dev.tsv"
        );
        assert!(error.ends_with(&end), "{error}");
    }
    let full = "Lexical Semantics\tPredicate-Argument Structure\tLogic\tKnowledge\tDomain\tPremise\tHypothesis\tLabel\n\
                \t\t\t\tNews\tA.\tB.\tneutral\n";
    let loaded =
        read_texts(&files.write("diagnostic-full.tsv", full), &TextOptions::default()).expect("reads");
    let example = &loaded.examples[0];
    assert_eq!((example.text.as_str(), example.text_pair.as_deref()), ("A.", Some("B.")));
    assert_eq!(example.target, Target::Label("neutral".to_owned()));
}

#[test]
fn tables_of_other_origin_with_a_header_of_glue() {
    let files = Files::new();
    let read = |labels: [&str; 2]| {
        let [first, second] = labels;
        let text = format!("index\tsentence1\tsentence2\tlabel\n0\ta\tb\t{first}\n1\tc\td\t{second}\n2\te\n");
        read_texts(&files.write("a.tsv", &text), &TextOptions::default())
    };
    assert_eq!(read(["entailment", "not_entailment"]).expect("reads").skipped, 1);
    assert!(
        files.error(read(["yes", "no"])).starts_with("a.tsv:4: 2 columns, but the header (line 1) has 4")
    );
}

#[test]
fn one_id_is_one_example_in_every_format() {
    let files = Files::new();
    let texts = |text: &str| read_texts(&files.write("a.jsonl", text), &TextOptions::default());
    let line = |id: &str, text: &str| format!("{{\"id\": {id}, \"text\": \"{text}\", \"label\": \"x\"}}\n");
    let copies = texts(&(line("1", "a") + &line("2", "b") + &line("1", "a"))).expect("reads");
    assert_eq!((copies.examples.len(), copies.repeated), (2, 1));
    assert!(copies.warnings[0].contains("a.jsonl:3 repeats ") && copies.warnings[0].ends_with("a.jsonl:1"));
    let conflict = files.error(texts(&(line("1", "a") + &line("2", "b") + &line("1", "c"))));
    assert!(
        conflict.starts_with("a.jsonl:3: the id 1 already belongs to a different example (a.jsonl:1)"),
        "{conflict}"
    );
    // Article ids that several examples share, and ids in a field that is not named id.
    let shared =
        texts(&["a", "b", "c", "d"].map(|text| line("\"article 1\"", text)).concat()).expect("reads");
    assert_eq!((shared.examples.len(), shared.repeated), (4, 0));
    let index = "index\tquestion\tsentence\tlabel\n0\ta\tb\tentailment\n0\tc\td\tentailment\n";
    assert_eq!(
        read_texts(&files.write("a.tsv", index), &TextOptions::default()).expect("reads").examples.len(),
        2
    );

    let csv = "id,text,label\n7,a,x\n7,a,x\n";
    assert_eq!(read_texts(&files.write("a.csv", csv), &TextOptions::default()).expect("reads").repeated, 1);
    let words = "{\"id\": 1, \"tokens\": [\"a\"], \"tags\": [\"O\"]}\n";
    let tokens = |text: &str| read_tokens(&files.write("t.jsonl", text), &TokenOptions::default());
    assert_eq!(tokens(&words.repeat(2)).expect("reads").examples.len(), 1);
    assert!(
        files.error(tokens(&(words.to_owned() + &words.replace("\"O\"", "\"B-X\"")))).contains("(t.jsonl:1)")
    );

    let squad = |questions: &[(&str, &str)]| {
        let questions: Vec<Value> = questions
            .iter()
            .map(|(id, question)| {
                json!({"id": id, "question": question, "answers": [{"text": "b", "answer_start": 2}]})
            })
            .collect();
        let data = json!({"data": [{"paragraphs": [{"context": "a b", "qas": questions}]}]});
        read_questions(&files.write("squad.json", &data.to_string()), &QuestionOptions::default())
    };
    let copies = squad(&[("q", "Who?"), ("q", "Who?"), ("r", "Who?")]).expect("reads");
    assert_eq!((copies.examples.len(), copies.repeated), (2, 1));
    let conflict = files.error(squad(&[("q", "Who?"), ("q", "What?"), ("q", "Where?")]));
    assert!(
        conflict.starts_with("squad.json: question 2: the id \"q\" already belongs to a different example (squad.json: question 1)"),
        "{conflict}"
    );

    let swag = |rows: &str| {
        let text = format!("video-id,fold-ind,sent1,sent2,ending0,ending1,label\n{rows}");
        read_choices(&files.write("swag.csv", &text), &ChoiceOptions::default())
    };
    assert_eq!(swag("v,1,a,b,c,d,0\nv,1,a,b,c,d,0\nv,2,a,b,c,d,0\n").expect("reads").examples.len(), 2);
    assert!(files.error(swag("v,1,a,b,c,d,0\nv,2,a,b,c,d,0\nv,1,a,b,c,d,1\n")).contains("(swag.csv:2)"));
    let prompt = "{\"id\": 1, \"prompt\": \"p\", \"choices\": [\"a\", \"b\"], \"label\": 0}\n";
    let choices = read_choices(&files.write("c.jsonl", &prompt.repeat(3)), &ChoiceOptions::default());
    assert_eq!(choices.expect("reads").repeated, 2);
}

#[test]
fn copies_of_race_whatever_their_place() {
    let files = Files::new();
    let article = |id: &str, text: &str, questions: &[(&str, &str)]| {
        json!({
            "id": id, "article": text,
            "questions": questions.iter().map(|(question, _)| question).collect::<Vec<_>>(),
            "options": questions.iter().map(|_| ["x", "y"]).collect::<Vec<_>>(),
            "answers": questions.iter().map(|(_, answer)| answer).collect::<Vec<_>>(),
        })
        .to_string()
    };
    let read = |folder: &str| read_choices(&files.0.path().join(folder), &ChoiceOptions::default());
    files.write("a/train/high/1.txt", &article("high1.txt", "T.", &[("Q?", "A"), ("Q?", "A"), ("R?", "B")]));
    files.write("a/train/all.txt", &article("high1.txt", "T.", &[("Q?", "A"), ("R?", "B")]));
    files.write("a/old/copy of 1.txt", &article("", "T.", &[("R?", "B"), ("S?", "B")]));
    let loaded = read("a").expect("reads");
    let shown: Vec<_> = loaded.examples.iter().map(|e| (e.prompt.as_str(), e.group.as_deref())).collect();
    // An article that repeats a question keeps both. A copy with additional questions adds those.
    let high = Some("high");
    assert_eq!(shown, [("Q?", high), ("Q?", high), ("R?", high), ("S?", None)]);
    assert_eq!(loaded.repeated, 3);

    files.write(
        "b/all.txt",
        &(article("high1.txt", "T.", &[("Q?", "A")]) + "\n" + &article("high1.txt", "T.", &[("R?", "A")])),
    );
    assert_eq!(read("b").expect("reads").examples.len(), 2, "different questions about one article");
    for (folder, other) in
        [("c", article("high1.txt", "T.", &[("Q?", "B")])), ("d", article("high1.txt", "U.", &[("Q?", "A")]))]
    {
        files.write(&format!("{folder}/high/1.txt"), &article("high1.txt", "T.", &[("Q?", "A")]));
        files.write(&format!("{folder}/high/2.txt"), &other);
        let error = files.error(read(folder));
        assert!(
            error.starts_with(&format!(
                "{folder}/high/2.txt: question 1: the id high1.txt already belongs to a different"
            )) && error.contains(&format!("({folder}/high/1.txt: question 1)")),
            "{error}"
        );
    }
    // File numbers are not unique across the data set.
    files.write("e/middle/1.txt", &article("1.txt", "T.", &[("Q?", "A")]));
    files.write("e/high/1.txt", &article("1.txt", "U.", &[("Q?", "A")]));
    assert_eq!(read("e").expect("reads").examples.len(), 2);
}

#[test]
fn bad_records_of_every_format_can_be_skipped() {
    let files = Files::new();
    let on_error = Some(OnBadRecord::Skip);
    let texts = TextOptions { on_error, ..TextOptions::default() };
    let json = files.write(
        "a.jsonl",
        "{\"text\": \"a\", \"label\": 1}\n{\"text\": 1}\nx\n{\"text\": \"b\", \"label\": 2}\n",
    );
    let loaded = read_texts(&json, &texts).expect("reads");
    assert_eq!((loaded.examples.len(), loaded.skipped), (2, 2));
    assert!(loaded.warnings[0].contains("skipped 2 bad records: "), "{:?}", loaded.warnings);
    let csv = files.write("a.csv", "text,label\na,1\nb\nc,\nd,2\n");
    assert_eq!(read_texts(&csv, &texts).expect("reads").skipped, 2);
    // An unclosed quote may hide any number of rows.
    let open = files.write("b.csv", "text,label\na,1\n\"b,2\nc,3\nd,4\n");
    assert!(
        files.error(read_texts(&open, &texts)).starts_with("b.csv:3: a quote of this row is never closed")
    );
    let none = files.write("c.csv", "text,label\na,\n");
    assert!(
        files.error(read_texts(&none, &texts)).starts_with("c.csv holds no examples; c.csv: skipped 1 bad")
    );

    let questions = QuestionOptions { on_error, ..QuestionOptions::default() };
    let lines = "{\"question\": \"q\", \"context\": \"a\", \"answers\": \"a\"}\n{\"question\": \"q\", \"context\": \"a\", \"answers\": \"b\"}\n";
    assert_eq!(read_questions(&files.write("q.jsonl", lines), &questions).expect("reads").skipped, 1);
    let choices = ChoiceOptions { on_error, ..ChoiceOptions::default() };
    let race = "{\"article\": \"a\", \"questions\": [\"q\", \"r\"], \"options\": [[\"x\", \"y\"], [\"x\", \"y\"]], \"answers\": [\"A\", \"C\"]}";
    assert_eq!(read_choices(&files.write("high/1.txt", race), &choices).expect("reads").skipped, 1);
    let swag = "sent1,sent2,ending0,ending1,label\na,b,c,d,0\na,b,c,d,2\n";
    assert_eq!(read_choices(&files.write("s.csv", swag), &choices).expect("reads").skipped, 1);
}
