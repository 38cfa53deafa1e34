//! The check that all labelled-data targets share: the result is valid examples or an error.
#![allow(dead_code, reason = "each target uses a part")]

use std::io::Write;
use std::path::Path;

use albert::data::{
    ChoiceOptions, DataFormat, OnBadRecord, QuestionOptions, TargetKind, TextOptions, TokenOptions, read_choices,
    read_questions, read_texts, read_tokens,
};

/// A file with these bytes, in memory if possible.
pub fn file(name: &str, bytes: &[u8]) -> tempfile::NamedTempFile {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let mut file = tempfile::Builder::new().suffix(name).tempfile_in(base).expect("a file");
    file.write_all(bytes).expect("writes");
    file
}

/// Stop at bad records, then skip them. A file that is read strictly must give the same result leniently.
const CHOICES: [Option<OnBadRecord>; 2] = [Some(OnBadRecord::Stop), Some(OnBadRecord::Skip)];

pub fn texts(path: &Path, format: DataFormat) {
    for kind in [TargetKind::Label, TargetKind::Labels, TargetKind::Number] {
        let read = CHOICES.map(|on_error| {
            let options = TextOptions { format, kind, on_error, ..TextOptions::default() };
            read_texts(path, &options).ok()
        });
        if let [Some(strict), lenient] = read {
            let lenient = lenient.expect("reads what can be read strictly");
            assert!(strict.examples == lenient.examples && lenient.skipped == 0 && !strict.examples.is_empty());
        }
    }
}

pub fn tokens(path: &Path, format: DataFormat) {
    for (word_column, tag_column) in [(None, None), (None, Some(2)), (Some(2), Some(3))] {
        let read = CHOICES.map(|on_error| {
            let options = TokenOptions { format, word_column, tag_column, on_error, ..TokenOptions::default() };
            read_tokens(path, &options).ok()
        });
        for example in read.iter().flatten().flat_map(|loaded| &loaded.examples) {
            assert!(!example.words.is_empty() && example.words.len() == example.tags.len());
        }
        if let [Some(strict), lenient] = read {
            assert!(lenient.is_some_and(|lenient| lenient.examples == strict.examples));
        }
    }
}

pub fn questions(path: &Path, format: DataFormat) {
    for on_error in CHOICES {
        let options = QuestionOptions { format, on_error, ..QuestionOptions::default() };
        for example in read_questions(path, &options).map(|loaded| loaded.examples).unwrap_or_default() {
            for answer in &example.answers {
                let place = example.context.chars().skip(answer.start.expect("a place"));
                assert!(place.take(answer.text.chars().count()).eq(answer.text.chars()));
            }
        }
    }
}

pub fn choices(path: &Path, format: DataFormat) {
    for on_error in CHOICES {
        let options = ChoiceOptions { format, on_error, ..ChoiceOptions::default() };
        for example in read_choices(path, &options).map(|loaded| loaded.examples).unwrap_or_default() {
            assert!(example.choices.len() > 1 && example.label.is_some_and(|label| label < example.choices.len()));
        }
    }
}
