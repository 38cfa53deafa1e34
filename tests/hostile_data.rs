//! Labelled data in damaged files: for any bytes, the readers return valid examples or an error.

use std::path::Path;

use albert::data::{
    ChoiceOptions, DataFormat, QuestionOptions, TargetKind, TextOptions, TokenOptions, read_choices,
    read_questions, read_texts, read_tokens,
};

const SQUAD: &str = r#"{"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"qas": [{"question": "Who?",
    "id": "b", "answers": [], "is_impossible": true}, {"question": "Where?", "id": "c", "answers": [{"text": "Nice",
    "answer_start": 9}], "is_impossible": false}], "context": "It is in Nice."}]}]}"#;

const FORMATS: [DataFormat; 8] = [
    DataFormat::Auto,
    DataFormat::Jsonl,
    DataFormat::Csv,
    DataFormat::Tsv,
    DataFormat::Conll,
    DataFormat::Squad,
    DataFormat::Race,
    DataFormat::Swag,
];

/// SplitMix64 (Steele et al. 2014).
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut x = *state;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 1) as usize
}

/// Reads a file with every reader, and checks the examples.
fn read_all(path: &Path, format: DataFormat, kind: TargetKind, unlabelled: bool) {
    let texts = TextOptions { format, kind, unlabelled, ..TextOptions::default() };
    if let Ok(loaded) = read_texts(path, &texts) {
        assert!(!loaded.examples.is_empty());
    }
    let tokens = TokenOptions { format, unlabelled, ..TokenOptions::default() };
    for example in read_tokens(path, &tokens).map(|loaded| loaded.examples).unwrap_or_default() {
        assert!(!example.words.is_empty());
        assert!(example.tags.len() == example.words.len() || (unlabelled && example.tags.is_empty()));
    }
    let questions = QuestionOptions { format, unlabelled, ..QuestionOptions::default() };
    for example in read_questions(path, &questions).map(|loaded| loaded.examples).unwrap_or_default() {
        for answer in &example.answers {
            let place = example.context.chars().skip(answer.start.expect("a place"));
            assert_eq!(place.take(answer.text.chars().count()).collect::<String>(), answer.text);
        }
    }
    let choices = ChoiceOptions { format, unlabelled, ..ChoiceOptions::default() };
    for example in read_choices(path, &choices).map(|loaded| loaded.examples).unwrap_or_default() {
        assert!(
            example.choices.len() >= 2 && example.label.is_none_or(|label| label < example.choices.len())
        );
        assert!(unlabelled || example.label.is_some());
    }
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let seeds: [&[u8]; 8] = [
        b"text,label\n\"a\n\"\"b\",1\nc,2\n",
        b"gj04\t1\t\tA.\ngj04\t0\t*\tB.\n",
        b"{\"text\": \"a\", \"label\": [1, \"b\"], \"score\": 1.5, \"tokens\": [\"a\"], \"ner_tags\": [1]}\n",
        b"# text = a\n1\ta\tO\n2-3\tb\tB-X\t_\n\n-DOCSTART- O\n",
        SQUAD.as_bytes(),
        "{\"question\": \"q\", \"context\": \"é b\", \"answers\": {\"text\": [\"b\"], \"answer_start\": [2]}}\n".as_bytes(),
        b"{\"prompt\": \"p\", \"choices\": [\"a\", \"b\"], \"label\": \"B\"}\n",
        b"sent1,sent2,ending0,ending1,label\na,b,\"c\",d,1\n",
    ];
    let marks = b"\n\r\t\",{}[]:0-\\e#\xc3\xff\x00 ";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    let mut state = 7;
    for round in 0..1000 {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..random(&mut state) % 6 {
            let (a, b) = (random(&mut state) % (bytes.len() + 1), random(&mut state) % (bytes.len() + 1));
            match random(&mut state) % 5 {
                0 => bytes.truncate(a),
                1 => bytes.insert(a, marks[random(&mut state) % marks.len()]),
                2 => bytes.insert(a, (random(&mut state) % 256) as u8),
                3 => bytes.extend_from_within(a.min(b)..a.max(b)),
                _ => bytes.drain(a.min(b)..a.max(b)).for_each(drop),
            }
        }
        if round % 10 == 0 {
            bytes = (0..random(&mut state) % 200).map(|_| (random(&mut state) % 256) as u8).collect();
        }
        std::fs::write(&path, &bytes).expect("writes");
        let kind = [TargetKind::Label, TargetKind::Labels, TargetKind::Number][round % 3];
        for format in FORMATS {
            read_all(&path, format, kind, random(&mut state).is_multiple_of(2));
        }
    }
}

#[test]
fn values_nested_without_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    let deep = "[".repeat(200_000);
    for name in ["label", "text", "tokens", "tags", "answers", "choices", "data", "article"] {
        for end in ["", &"]".repeat(200_000)] {
            std::fs::write(&path, format!("{{\"x\": 1, \"{name}\": {deep}{end}}}")).expect("writes");
            for format in FORMATS {
                read_all(&path, format, TargetKind::Label, true);
            }
        }
    }
}
