//! Files of questions and choices: SQuAD, the Hugging Face data sets, RACE, SWAG, and invalid files.

use std::path::{Path, PathBuf};

use albert::data::{ChoiceExample, ChoiceOptions, Loaded, QuestionOptions, read_choices, read_questions};
use tempfile::TempDir;

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, bytes).expect("writes");
        path
    }
}

/// The error, without the folder's path.
fn message<T>(result: albert::Result<Loaded<T>>, path: &Path) -> String {
    let folder = format!("{}/", path.parent().map(|folder| folder.display().to_string()).unwrap_or_default());
    result.err().map(|error| error.to_string().replace(&folder, "")).unwrap_or_default()
}

const SQUAD_1: &str = r#"{"data": [{"title": "Nice", "paragraphs": [{"context": "It is in Nice.", "qas": [
    {"id": "a", "question": "Where?", "answers": [{"answer_start": 9, "text": "Nice"}, {"answer_start": 6, "text": "in Nice"}]}]}]}],
    "version": "1.1"}"#;

const SQUAD_2: &str = r#"{"version": "v2.0", "data": [{"title": "Nice", "paragraphs": [{"qas": [
    {"plausible_answers": [{"text": "Nice", "answer_start": 9}], "question": "Who?", "id": "b", "answers": [],
     "is_impossible": true},
    {"question": "Where?", "id": "c", "answers": [{"text": "Nice", "answer_start": 9}], "is_impossible": false}],
    "context": "It is in Nice."}]}]}"#;

#[test]
fn questions_of_squad() {
    let files = Files::new();
    let options = QuestionOptions::default();
    let first = read_questions(&files.write("train-v1.1.json", SQUAD_1), &options).expect("reads");
    let example = &first.examples[0];
    assert_eq!(
        (example.id.as_str(), example.question.as_str(), &*example.context),
        ("a", "Where?", "It is in Nice.")
    );
    assert_eq!(
        example.answers.iter().map(|a| (a.text.as_str(), a.start)).collect::<Vec<_>>(),
        [("Nice", Some(9)), ("in Nice", Some(6))]
    );
    assert_eq!((example.is_impossible, example.title.as_deref()), (false, Some("Nice")));
    let path = files.write("dev-v2.0.json", format!("\u{feff}{SQUAD_2}"));
    let second = read_questions(&path, &options).expect("reads");
    assert_eq!(second.examples.iter().map(|e| e.is_impossible).collect::<Vec<_>>(), [true, false]);
    assert_eq!(second.examples[1].place.to_string(), format!("{}: question 2", path.display()));
    let wrong = files.write(
        "wrong.json",
        SQUAD_2.replace(
            "\"text\": \"Nice\", \"answer_start\": 9}], \"is",
            "\"text\": \"Rome\", \"answer_start\": 9}], \"is",
        ),
    );
    assert_eq!(
        message(read_questions(&wrong, &options), &wrong),
        "wrong.json: question 2: answer \"Rome\" is not at its answer_start 9 or near it; \"Nice\" is there"
    );
}

#[test]
fn questions_of_data_sets() {
    let files = Files::new();
    let text = "{\"id\": 1, \"context\": \"Été: Nice.\", \"question\": \"?\", \"answers\": {\"text\": [\"Nice\"], \
                \"answer_start\": [5]}}\n\
                {\"id\": 2, \"context\": \"Été: Nice.\", \"question\": \"?\", \"answers\": {\"text\": [], \
                \"answer_start\": []}}\n\
                {\"id\": 3, \"context\": \"Été: Nice.\", \"question\": \"?\", \"answers\": \"Nice\"}\n";
    let loaded = read_questions(&files.write("a.jsonl", text), &QuestionOptions::default()).expect("reads");
    let shown: Vec<_> =
        loaded.examples.iter().map(|e| (e.answers.first().and_then(|a| a.start), e.is_impossible)).collect();
    assert_eq!(shown, [(Some(5), false), (None, true), (Some(5), false)]);
    let bytes = files.write("b.jsonl", text.replace("[5]", "[50]"));
    let problem = message(read_questions(&bytes, &QuestionOptions::default()), &bytes);
    assert!(problem.starts_with("b.jsonl:1: answer \"Nice\" is not at its answer_start 50"), "{problem}");
}

#[test]
fn folders_of_race() {
    let files = Files::new();
    let article = |answer: &str| {
        format!(
            "{{\"answers\": [\"{answer}\"], \"options\": [[\"w\", \"x\", \"y\", \"z\"]], \"questions\": [\"Q _ ?\"], \
             \"article\": \"Text.\"}}"
        )
    };
    for (name, answer) in [
        ("train/middle/2.txt", "A"),
        ("train/high/10.txt", "B"),
        ("train/high/1.txt", "C"),
        ("dev/high/3.txt", "D"),
    ] {
        files.write(&format!("RACE/{name}"), article(answer));
    }
    files.write("RACE/README", "not an article");
    files.write("RACE/train/.hidden.txt", "not an article");
    let options = ChoiceOptions::default();
    let read = |folder: &str| {
        let loaded = read_choices(&files.0.path().join(folder), &options).expect("reads");
        let show = |e: &ChoiceExample| {
            format!(
                "{} {:?} {}",
                e.id.as_deref().unwrap_or_default(),
                e.label,
                e.group.as_deref().unwrap_or_default()
            )
        };
        (loaded.examples.iter().map(show).collect::<Vec<_>>(), loaded.notes)
    };
    let train = ["high1.txt-1 Some(2) high", "high10.txt-1 Some(1) high", "middle2.txt-1 Some(0) middle"];
    assert_eq!(read("RACE/train"), (train.map(str::to_owned).to_vec(), Vec::new()));
    assert_eq!(read("RACE/train/high").0, train[..2]);
    assert_eq!(read("RACE/train/middle/2.txt").0, train[2..]);
    let (all, notes) = read("RACE");
    assert_eq!(all.len(), 4);
    assert!(notes[0].contains("read train, dev together"), "{notes:?}");
    files.write("RACE/test/high/1.txt", article("E"));
    let problem =
        message(read_choices(&files.0.path().join("RACE/test"), &options), &files.0.path().join("RACE/test"));
    assert!(
        problem.ends_with("1.txt: question 1: answer \"E\", beyond the 4 choices (0 to 3, A to D)"),
        "{problem}"
    );
    let empty = files.0.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    assert!(message(read_choices(&empty, &options), &empty).contains("no file in this folder ends in .txt"));
}

#[test]
fn rows_of_swag_and_our_own_choices() {
    let files = Files::new();
    let swag = ",video-id,fold-ind,startphrase,sent1,sent2,gold-source,ending0,ending1,ending2,ending3,label\n\
                0,v,17,\"A, b. She\",\"A, b.\",She,gold,runs.,sits.,flies.,sings.,2\n";
    let loaded = read_choices(&files.write("train.csv", swag), &ChoiceOptions::default()).expect("reads");
    let example = &loaded.examples[0];
    assert_eq!((example.prompt.as_str(), example.choices[2].as_str()), ("A, b.", "She flies."));
    assert_eq!((example.label, example.context.as_deref(), example.place.line), (Some(2), None, 2));
    let own = "{\"prompt\": \"p\", \"choices\": [\"x\", \"y\", \"z\"], \"label\": \"C\", \"context\": \"c\", \"id\": 5}\n\
               {\"prompt\": \"p\", \"choices\": [\"x\", \"y\"], \"label\": 2}\n";
    let path = files.write("own.jsonl", own);
    let problem = message(read_choices(&path, &ChoiceOptions::default()), &path);
    assert_eq!(problem, "own.jsonl:2: field \"label\" is 2, beyond the 2 choices (0 to 1, A to B)");
    let first = files.write("own.jsonl", own.lines().next().expect("a line"));
    let loaded = read_choices(&first, &ChoiceOptions::default()).expect("reads");
    assert_eq!((loaded.examples[0].label, loaded.examples[0].id.as_deref()), (Some(2), Some("5")));
}
