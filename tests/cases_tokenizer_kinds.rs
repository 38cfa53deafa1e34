//! Tokenizers of every kind: SentencePiece models of each type, `BertJapaneseTokenizer`, and classes that this program
//! does not implement. Expected values are from transformers 4.57.6 (`golden/tokenizer_kinds/make.py`, `golden/cases`).

mod common;

use std::fs;
use std::path::Path;

use albert::tokenizer::{Tokenizer, TokenizerKind};
use common::cases::{case, read_json};
use common::{albert, golden};
use serde_json::{Value, json};

/// A directory with a `tokenizer_config.json` and copies of files.
fn directory(config: &Value, files: &[(&Path, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).expect("written");
    for (from, name) in files {
        fs::copy(from, folder.path().join(name)).expect("copied");
    }
    folder
}

fn texts() -> Vec<String> {
    let texts = read_json(&golden("tokenizer_kinds/texts.json"));
    texts.as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect()
}

/// Checks everything that `expected` lists for the texts.
fn check(tokenizer: &Tokenizer, expected: &Value, name: &str) {
    for (n, text) in texts().iter().enumerate() {
        let encoding = tokenizer.encode(text, None).expect("encodes");
        let tokens = tokenizer.tokens(&encoding);
        assert_eq!(encoding.ids, ids(&expected["ids"][n]), "{name}: {text:?} {tokens:?}");
        let decoded = tokenizer.decode(&encoding.ids, true).expect("decodes");
        assert_eq!(decoded, expected["decode"][n].as_str().expect("a text"), "{name}: {text:?}");
        let (mut word, length) = (0, text.chars().count());
        for (place, number) in encoding.offsets.iter().zip(&encoding.word_ids) {
            assert!(place.0 <= place.1 && place.1 <= length, "{name}: {text:?} {place:?}");
            let number = number.unwrap_or(word);
            assert!(number == word || number == word + 1, "{name}: {text:?} {:?}", encoding.word_ids);
            word = number;
        }
    }
    let pair = tokenizer.encode("the cat", Some("ran, a")).expect("encodes");
    assert_eq!((pair.ids, pair.type_ids), (ids(&expected["pair"][0]), ids(&expected["pair"][1])), "{name}");
}

/// The expected values in a folder, by name.
fn expectations(folder: &str) -> Vec<(String, Value)> {
    let entries =
        fs::read_dir(golden(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| (path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned(), read_json(&path)))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn sentencepiece_models_of_every_type() {
    let all = expectations("tokenizer_kinds/spiece");
    assert_eq!(all.len(), 15);
    for (name, expected) in all {
        let model = golden("tokenizer_kinds/spiece").join(format!("{name}.model"));
        let folder = directory(&expected["config"], &[(&model, "spiece.model")]);
        let tokenizer = Tokenizer::from_dir(folder.path()).expect("a tokenizer");
        assert_eq!(tokenizer.kind(), TokenizerKind::SentencePiece);
        let kind = name.split('-').next().expect("a type").to_uppercase();
        assert_eq!(tokenizer.model_type(), Some(kind.as_str()));
        check(&tokenizer, &expected, &name);
        // No tokenizer.json pipeline gives the ids of these models.
        assert!(tokenizer.json_obstacle().is_some() && tokenizer.to_json().is_err(), "{name}");
    }
}

#[test]
fn the_case_of_bpe_and_char_models() {
    let case = case("13-sentencepiece-types");
    let expected = case.expected();
    for kind in ["bpe", "char"] {
        let output = albert()
            .args([
                "tokenize",
                "-q",
                "--format",
                "jsonl",
                "-m",
                &case.text(kind),
                "-i",
                &case.text("texts.jsonl"),
            ])
            .output()
            .expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines.len(), 204);
        for (line, expected) in lines.iter().zip(expected[kind].as_array().expect("a list")) {
            assert_eq!(&line["predictions"][0]["ids"], expected, "{kind}: {}", line["text"]);
        }
    }
}

#[test]
fn very_long_words_in_every_type() {
    let word = "theoldcatsatonanewmat".repeat(20_000);
    for name in
        ["bpe", "bpe-unused", "bpe-across-words", "char", "word", "word-bytes-unused", "unigram-suffix"]
    {
        let path = golden("tokenizer_kinds/spiece").join(format!("{name}.model"));
        let tokenizer = Tokenizer::from_file(&path).expect("a tokenizer");
        let encoding = tokenizer.encode_without_special_tokens(&word).expect("encodes");
        let last = encoding.offsets.last().expect("tokens");
        assert_eq!(last.1, word.len(), "{name}");
        let mut plain = Vec::new();
        tokenizer.encode_ids(&word, &mut plain).expect("encodes");
        assert_eq!(plain, encoding.ids, "{name}");
    }
}

#[test]
fn japanese_tokenizers_that_need_no_dictionary() {
    let all = expectations("tokenizer_kinds/japanese");
    assert_eq!(all.len(), 9);
    let files =
        ["vocab.txt", "spiece.model"].map(|name| (golden("tokenizer_kinds/japanese").join(name), name));
    let files = files.each_ref().map(|(path, name)| (path.as_path(), *name));
    for (name, expected) in all {
        let folder = directory(&expected["config"], &files);
        // A class without a fast version must ignore this file.
        fs::write(folder.path().join("tokenizer.json"), "{}").expect("written");
        let tokenizer = Tokenizer::from_dir(folder.path()).expect("a tokenizer");
        assert_eq!(
            (tokenizer.kind(), tokenizer.class()),
            (TokenizerKind::Japanese, Some("BertJapaneseTokenizer"))
        );
        check(&tokenizer, &expected, &name);
        assert_eq!(tokenizer.has_subword_prefix(), name.starts_with("wordpiece"), "{name}");
    }
}

#[test]
fn offsets_of_characters_are_those_of_the_text() {
    let folder = golden("tokenizer_kinds/japanese");
    let config = json!({"tokenizer_class": "BertJapaneseTokenizer", "subword_tokenizer_type": "character"});
    let folder = directory(&config, &[(&folder.join("vocab.txt"), "vocab.txt")]);
    let tokenizer = Tokenizer::from_dir(folder.path()).expect("a tokenizer");
    let encoding = tokenizer.encode_without_special_tokens("私 か\u{3099}㌔、A").expect("encodes");
    assert_eq!(tokenizer.tokens(&encoding), ["私", "が", "キ", "ロ", "、", "A"]);
    assert_eq!(encoding.offsets, [(0, 1), (2, 4), (4, 5), (4, 5), (5, 6), (6, 7)]);
    assert_eq!(encoding.word_ids, [0, 1, 1, 1, 2, 3].map(Some));
}

#[test]
fn the_case_of_a_japanese_class() {
    let case = case("02-tokenizer-class");
    let model = case.text("japanese");
    let expected = &case.expected()["japanese"];
    let texts = expected["texts"].as_array().expect("a list");
    assert!(!texts.is_empty());
    for one in texts {
        let text = one["text"].as_str().expect("a text");
        let run = |command: &[&str]| -> Value {
            let output =
                albert().args(command).args(["-q", "-m", &model, "--format", "jsonl", text]).output();
            let output = output.expect("runs");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice(&output.stdout).expect("JSON")
        };
        let tokens = &run(&["tokenize"])["predictions"][0];
        assert_eq!((&tokens["ids"], &tokens["tokens"]), (&one["ids"], &one["tokens"]), "{text}");
        let found = run(&["classify", "-k", "all"]);
        for (found, expected) in found["predictions"]
            .as_array()
            .expect("a list")
            .iter()
            .zip(one["classify"].as_array().expect("a list"))
        {
            assert_eq!(found["label"], expected["label"], "{text}");
            let score = |value: &Value| value["score"].as_f64().expect("a score");
            assert!((score(found) - score(expected)).abs() < 1e-4, "{text}: {found} {expected}");
        }
    }
    let output = albert().args(["info", "-q", "--format", "json", &model]).output().expect("runs");
    let info: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(info["tokenizer"]["class"], "BertJapaneseTokenizer");
    assert_eq!(info["tokenizer"]["kind"], "BertJapaneseTokenizer");
}

#[test]
fn what_cannot_be_run_is_an_error_that_names_it() {
    let vocab = golden("tokenizer_kinds/japanese/vocab.txt");
    let spiece = golden("tokenizer_kinds/spiece/bpe.model");
    let japanese = |word: &str, subword: &str| {
        json!({"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": word,
               "subword_tokenizer_type": subword})
    };
    for (config, named) in [
        (japanese("mecab", "wordpiece"), ["BertJapaneseTokenizer", "mecab", "do_word_tokenize"]),
        (japanese("sudachi", "character"), ["BertJapaneseTokenizer", "sudachi", "\"basic\""]),
        (japanese("jumanpp", "sentencepiece"), ["BertJapaneseTokenizer", "jumanpp", "do_word_tokenize"]),
        (japanese("janome", "wordpiece"), ["BertJapaneseTokenizer", "janome", "expected basic"]),
        (japanese("basic", "bytes"), ["BertJapaneseTokenizer", "bytes", "expected wordpiece"]),
        (
            json!({"tokenizer_class": "XLNetTokenizer"}),
            ["XLNetTokenizer", "tokenizer_config.json", "tokenizer.json"],
        ),
        (json!({"tokenizer_class": "MyTokenizerFast"}), ["MyTokenizerFast", "tokenizer_config.json", "save"]),
        (
            json!({"auto_map": {"AutoTokenizer": ["my.Tokens", null]}}),
            ["my.Tokens", "auto_map", "BertTokenizer"],
        ),
    ] {
        let folder = directory(&config, &[(&vocab, "vocab.txt"), (&spiece, "spiece.model")]);
        let error = Tokenizer::from_dir(folder.path()).expect_err("an error").to_string();
        assert!(named.iter().all(|part| error.contains(part)), "{error}");
    }
    let case = case("02-tokenizer-class");
    fs::write(case.path("japanese/tokenizer_config.json"), japanese("mecab", "wordpiece").to_string())
        .expect("written");
    let output = albert().args(["classify", "-m", &case.text("japanese"), "x"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("BertJapaneseTokenizer") && told.contains("mecab"), "{told}");
}

#[test]
fn a_class_decides_which_file_is_read_and_the_type_ids() {
    let vocab = golden("tokenizer_kinds/japanese/vocab.txt");
    let spiece = golden("tokenizer_kinds/spiece/bpe.model");
    let load = |config: Value| {
        let folder = directory(&config, &[(&vocab, "vocab.txt"), (&spiece, "spiece.model")]);
        Tokenizer::from_dir(folder.path()).expect("a tokenizer")
    };
    assert_eq!(load(json!({})).kind(), TokenizerKind::SentencePiece);
    assert_eq!(load(json!({"tokenizer_class": "AlbertTokenizerFast"})).kind(), TokenizerKind::SentencePiece);
    for class in ["BertTokenizer", "BertTokenizerFast", "ElectraTokenizer"] {
        let tokenizer = load(json!({"tokenizer_class": class}));
        assert_eq!((tokenizer.kind(), tokenizer.class()), (TokenizerKind::WordPiece, Some(class)));
        let pair = tokenizer.encode("the", Some("cat")).expect("encodes");
        assert_eq!(pair.type_ids, [0, 0, 0, 1, 1]);
    }
    // DistilBertTokenizer passes no type ids to the model, which then takes 0.
    let tokenizer = load(json!({"tokenizer_class": "DistilBertTokenizer"}));
    let pair = tokenizer.encode("the", Some("cat")).expect("encodes");
    assert_eq!(pair.type_ids, [0; 5]);
    let plain = |text| tokenizer.encode_without_special_tokens(text).expect("encodes");
    assert_eq!(tokenizer.with_special(&plain("the"), Some(&plain("cat"))), pair);
}

#[test]
fn converting_keeps_these_tokenizers() {
    let case = case("02-tokenizer-class");
    let source = case.path("japanese");
    let convert = |output: &str| {
        let path = case.path(output);
        let ran = albert().args(["convert", &case.text("japanese")]).arg(&path).output().expect("runs");
        let told = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{told}");
        assert!(!path.join("tokenizer.json").exists());
        assert!(told.contains("no tokenizer.json was written"), "{told}");
        (
            Tokenizer::from_dir(&path).expect("a tokenizer"),
            read_json(&path.join("tokenizer_config.json")),
            told,
        )
    };
    let text = "私はアリババが好きです";
    let before = Tokenizer::from_dir(&source).expect("a tokenizer").encode(text, None).expect("encodes");
    let (after, config, told) = convert("kept");
    assert_eq!(after.encode(text, None).expect("encodes"), before);
    assert_eq!(config["tokenizer_class"], "BertJapaneseTokenizer");
    assert!(told.contains("BertJapaneseTokenizer"), "{told}");

    // Only config.json names the class.
    fs::remove_file(source.join("tokenizer_config.json")).expect("removed");
    let before = Tokenizer::from_dir(&source).expect("a tokenizer").encode(text, None).expect("encodes");
    let (after, config, _) = convert("named");
    assert_eq!(after.encode(text, None).expect("encodes"), before);
    assert_eq!(config["tokenizer_class"], "BertJapaneseTokenizer");
    assert_eq!(config["do_lower_case"], false);

    // A SentencePiece model of another type.
    let mut model = read_json(&source.join("config.json"));
    model.as_object_mut().expect("an object").remove("tokenizer_class");
    fs::write(source.join("config.json"), model.to_string()).expect("written");
    fs::remove_file(source.join("vocab.txt")).expect("removed");
    let bpe = golden("tokenizer_kinds/spiece/bpe-suffix.model");
    fs::copy(&bpe, source.join("spiece.model")).expect("copied");
    let (after, config, told) = convert("bpe");
    assert_eq!(config["tokenizer_class"], "AlbertTokenizer");
    assert!(told.contains("type BPE") && told.contains("AlbertTokenizer"), "{told}");
    assert_eq!(fs::read(case.path("bpe/spiece.model")).expect("read"), fs::read(&bpe).expect("read"));
    assert_eq!(after.model_type(), Some("BPE"));
}
