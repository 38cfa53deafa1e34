//! Tokenizers that users changed: added tokens and options in the files next to a tokenizer, compared with transformers
//! 4.57 (`golden/tokenizer/make_added.py` and the cases).

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use albert::checkpoint::TokenizerFiles;
use albert::tokenizer::{Encoding, Tokenizer, TokenizerKind};
use common::cases::{Case, case, read_json};
use common::{albert, golden};
use serde_json::{Value, json};

/// Runs the program: exit code, output, messages.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = albert().args(arguments).output().expect("runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("a code"), text(output.stdout), text(output.stderr))
}

fn answered(arguments: &[&str]) -> Value {
    let (code, out, err) = run(arguments);
    assert_eq!(code, 0, "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {out}"))
}

/// Checks the texts of a case: tokens, ids, offsets where given, and labels.
fn check_texts(model: &str, expected: &Value) {
    for text in expected["texts"].as_array().expect("texts") {
        let input = text["text"].as_str().expect("a text");
        let found = &answered(&["tokenize", "-m", model, "--format", "jsonl", input])["predictions"][0];
        assert_eq!(found["ids"], text["ids"], "{input}");
        assert_eq!(found["tokens"], text["tokens"], "{input}");
        if !text["offsets"].is_null() {
            assert_eq!(found["offsets"], text["offsets"], "{input}");
        }
        let labels = &answered(&["classify", "-q", "-k", "all", "-m", model, "--format", "jsonl", input])["predictions"];
        for (found, expected) in
            labels.as_array().expect("labels").iter().zip(text["classify"].as_array().expect("labels"))
        {
            assert_eq!(found["label"], expected["label"], "{input}");
            let off =
                found["score"].as_f64().expect("a number") - expected["score"].as_f64().expect("a number");
            assert!(off.abs() < 1e-4, "{input}: {found} {expected}");
        }
    }
}

#[test]
fn added_tokens_next_to_a_sentencepiece_model_and_a_vocabulary() {
    let case = case("01-added-tokens");
    for folder in ["spiece", "vocab"] {
        check_texts(&case.text(folder), &case.expected()[folder]);
    }
}

#[test]
fn options_next_to_a_bert_tokenizer_json() {
    let case = case("03-lower-case");
    check_texts(&case.text("model"), &case.expected()["model"]);
}

#[test]
fn convert_keeps_added_tokens() {
    let case = case("01-added-tokens");
    for (folder, length) in [("spiece", 2003), ("vocab", 2002)] {
        let target = case.text(&format!("converted-{folder}"));
        let (code, _, err) = run(&["convert", "-q", &case.text(folder), &target]);
        assert_eq!(code, 0, "{err}");
        check_texts(&target, &case.expected()[folder]);
        let tokenizer = Tokenizer::from_dir(Path::new(&target)).expect("loads");
        assert_eq!((tokenizer.kind(), tokenizer.vocab_size()), (TokenizerKind::TokenizerJson, length));
        let config = read_json(&Path::new(&target).join("tokenizer_config.json"));
        let listed = config["added_tokens_decoder"].as_object().expect("a list");
        assert_eq!(listed["2000"]["special"], true);
        assert_eq!(config["additional_special_tokens"].as_array().expect("a list").len(), 2);
        assert!(config["do_lower_case"].as_bool().expect("kept"), "the rest of the file stays");
        // Again, from the tokenizer.json that was written.
        let again = case.text(&format!("again-{folder}"));
        assert_eq!(run(&["convert", "-q", &target, &again]).0, 0);
        check_texts(&again, &case.expected()[folder]);
        // The vocabulary alone gives the same result.
        fs::remove_file(Path::new(&again).join("tokenizer.json")).expect("removed");
        check_texts(&again, &case.expected()[folder]);
    }
    assert_eq!(case.expected()["convert"]["length"], 2003);
}

#[test]
fn fine_tuning_keeps_added_tokens() {
    let case = case("01-added-tokens");
    let train = case.path("train.jsonl");
    fs::write(&train, "{\"text\": \"<e1> Anna </e1>\", \"label\": \"positive\"}\n{\"text\": \"skype\", \"label\": \"negative\"}\n")
        .expect("written");
    let output = case.text("tuned");
    let (code, _, err) = run(&[
        "finetune",
        "classify",
        "--model",
        &case.text("spiece"),
        "--train",
        train.to_str().expect("UTF-8"),
        "--output",
        &output,
        "--steps",
        "1",
        "-q",
    ]);
    assert_eq!(code, 0, "{err}");
    let tokens = |folder: &Path| {
        let tokenizer = Tokenizer::from_dir(folder).expect("loads");
        tokenizer.encode("<e1> Anna </e1> on skype", None).expect("encodes").ids
    };
    assert_eq!(tokens(Path::new(&output)), tokens(&case.path("spiece")));
}

#[test]
fn info_lists_added_tokens_and_rows_without_a_token() {
    let case = case("01-added-tokens");
    let info = answered(&["info", &case.text("spiece"), "--format", "json"]);
    assert_eq!(info["tokenizer"]["added"], json!({"<e1>": 2000, "</e1>": 2001, "skype": 2002}));
    assert_eq!((&info["tokenizer"]["pieces"], &info["warnings"]), (&json!(2003), &json!([])));
    for file in ["added_tokens.json", "special_tokens_map.json"] {
        fs::remove_file(case.path("spiece").join(file)).expect("removed");
    }
    let info = answered(&["info", &case.text("spiece"), "--format", "json"]);
    let warnings = info["warnings"].to_string();
    assert!(warnings.contains("embeddings for 2003 tokens, the tokenizer has 2000"), "{warnings}");
}

#[test]
fn a_token_that_the_model_has_no_embedding_for_is_an_error() {
    let case = case("01-added-tokens");
    fs::write(case.path("vocab/added_tokens.json"), r#"{"[E1]": 2000, "[E2]": 2001, "[E3]": 2002}"#)
        .expect("written");
    let (code, _, err) = run(&["classify", "-m", &case.text("vocab"), "--format", "jsonl", "a [E3] b"]);
    assert_eq!(code, 1);
    assert!(
        err.contains(
            "the added token \"[E3]\" has id 2002, but the model has embeddings for 2002 tokens only"
        ),
        "{err}"
    );
    answered(&["classify", "-q", "-m", &case.text("vocab"), "--format", "jsonl", "a [E1] b"]);
    let info = answered(&["info", &case.text("vocab"), "--format", "json"]);
    assert!(
        info["warnings"].to_string().contains("texts that contain one of the last 1 cannot be used"),
        "{info}"
    );
}

/// The directory of a flavour of `golden/tokenizer/added`.
fn flavour(name: &str, of: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    for entry in fs::read_dir(golden("tokenizer/added").join(name)).expect("the files") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    let main = golden("tokenizer").join(of["main"].as_str().expect("a name"));
    fs::copy(main, folder.path().join(of["named"].as_str().expect("a name"))).expect("copied");
    folder
}

/// All flavours with their tokenizers.
fn flavours() -> Vec<(String, Value, tempfile::TempDir, Tokenizer)> {
    let flavours = read_json(&golden("tokenizer/added/flavours.json"));
    let load = |(name, of): (&String, &Value)| {
        let folder = flavour(name, of);
        let tokenizer = Tokenizer::from_dir(folder.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        (name.clone(), of.clone(), folder, tokenizer)
    };
    flavours.as_object().expect("an object").iter().map(load).collect()
}

fn flat(encoding: &Encoding) -> Vec<usize> {
    encoding.offsets.iter().flat_map(|&(start, end)| [start, end]).collect()
}

/// Compares every line of a file of expected values with the results of the tokenizers.
fn check_lines(path: &Path) -> usize {
    let flavours = flavours();
    let text = fs::read_to_string(path).expect("reads");
    let mut wrong = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("a line");
        let (name, _, _, tokenizer) =
            flavours.iter().find(|(name, ..)| *name == line["flavour"]).expect("known");
        let input = line["text"].as_str().expect("a text");
        let found = tokenizer.encode(input, None).expect("encodes");
        let tokens = tokenizer.tokens(&found);
        let mut same = |what: &str, ours: Value| {
            if ours != line[what] {
                wrong.push(format!("{name} {input:?} {what}\n  ours   {ours}\n  theirs {}", line[what]));
            }
        };
        same("ids", json!(found.ids));
        same("tokens", json!(tokens));
        if !line["offsets"].is_null() {
            same("offsets", json!(flat(&found)));
        }
        same("decode", json!(tokenizer.decode(&found.ids, false).expect("decodes")));
        let length = input.chars().count();
        assert!(found.offsets.iter().all(|&(start, end)| start <= end && end <= length), "{input:?}");
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(30)].join("\n"));
    text.lines().count()
}

#[test]
fn random_texts_beside_a_sentencepiece_model() {
    assert_eq!(check_lines(&golden("tokenizer/added/spiece.jsonl")), 500);
}

#[test]
fn random_texts_beside_a_vocabulary() {
    assert_eq!(check_lines(&golden("tokenizer/added/vocab.jsonl")), 500);
}

#[test]
fn random_texts_beside_a_tokenizer_json() {
    assert_eq!(check_lines(&golden("tokenizer/added/json.jsonl")), 500);
}

/// For manual comparisons: ALBERT_TEST_ADDED names a file that `make_added.py --fuzz` wrote.
#[test]
fn more_random_texts() {
    if let Some(path) = std::env::var_os("ALBERT_TEST_ADDED") {
        assert!(check_lines(&PathBuf::from(path)) > 0);
    }
}

#[test]
fn added_tokens_have_the_ids_of_the_reference() {
    for (name, of, _, tokenizer) in flavours() {
        for (token, id) in of["added"].as_object().expect("an object") {
            // Names that only the tokenizer class supplies, and that are not in the vocabulary, do not exist here.
            let absent = name.starts_with("json-albert") || name == "json-other";
            let Some(found) = tokenizer.token_to_id(token) else {
                assert!(absent, "{name}: {token} is missing");
                continue;
            };
            assert_eq!(json!(found), *id, "{name}: {token}");
            assert_eq!(tokenizer.id_to_token(found).as_deref(), Some(token.as_str()), "{name}");
        }
        assert_eq!(json!(tokenizer.vocab_size()), of["tokens"], "{name}");
    }
}

#[test]
fn saved_files_give_the_same_tokens() {
    let texts = [
        "a <l> b <r> c",
        "paris Paris LONDON cat cats",
        "[MASK] ab abcd e1 <e1>x",
        "the <a> <B> (x) <c>",
        "Covid skype <ENT>",
    ];
    for (name, _, folder, tokenizer) in flavours() {
        let target = tempfile::tempdir().expect("a directory");
        TokenizerFiles::at(folder.path()).write(target.path(), &tokenizer, 512).expect("writes");
        let saved = Tokenizer::from_dir(target.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (id, token) in tokenizer.user_tokens() {
            assert_eq!(saved.token_to_id(&token.content), Some(id), "{name}: {}", token.content);
        }
        // The only difference is the one that `Tokenizer::to_json` documents: the case of normalized tokens.
        if name.starts_with("spiece") {
            continue;
        }
        for text in texts {
            let ids = |tokenizer: &Tokenizer| tokenizer.encode(text, None).expect("encodes").ids;
            // "e" and "E" are two tokens that become one in lower case, so the result depends on their order.
            if name != "json-bert-cased" && !(name == "vocab-overlap" && text.contains('e')) {
                assert_eq!(ids(&saved), ids(&tokenizer), "{name}: {text}");
            }
        }
    }
}

#[test]
fn a_list_of_extra_special_tokens_is_read_and_written_for_both_versions() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::copy(golden("tokenizer/vocab.txt"), folder.path().join("vocab.txt")).expect("copied");
    fs::write(
        folder.path().join("tokenizer_config.json"),
        r#"{"extra_special_tokens": ["<a>", "[unused1]"]}"#,
    )
    .expect("written");
    let tokenizer = Tokenizer::from_dir(folder.path()).expect("loads");
    let tokens =
        |t: &Tokenizer| t.tokens(&t.encode_without_special_tokens("x<a>[unused1]").expect("encodes"));
    assert_eq!(tokens(&tokenizer), ["x", "<a>", "[unused1]"]);
    let target = tempfile::tempdir().expect("a directory");
    TokenizerFiles::at(folder.path()).write(target.path(), &tokenizer, 512).expect("writes");
    let config = read_json(&target.path().join("tokenizer_config.json"));
    assert!(config.get("extra_special_tokens").is_none());
    assert_eq!(config["additional_special_tokens"], json!(["[unused1]", "<a>"]));
    assert_eq!(tokens(&Tokenizer::from_dir(target.path()).expect("loads")), ["x", "<a>", "[unused1]"]);
}

#[test]
fn symbols_that_a_converter_lists_stay_ordinary_pieces() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::copy(golden("tokenizer/spiece.model"), folder.path().join("spiece.model")).expect("copied");
    let plain = Tokenizer::from_dir(folder.path()).expect("loads");
    let id = plain.token_to_id(".").expect("a symbol");
    let entry = json!({"content": ".", "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": false});
    let tokens = |config: Value| {
        fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).expect("written");
        let tokenizer = Tokenizer::from_dir(folder.path()).expect("loads");
        tokenizer.tokens(&tokenizer.encode_without_special_tokens("U.S.").expect("encodes")).join(" ")
    };
    let listed = json!({"added_tokens_decoder": {id.to_string(): entry}});
    assert_eq!(tokens(listed.clone()), "▁ u . s .");
    // As in the slow AlbertTokenizer of transformers 4.57 with the same files.
    let mut named = listed;
    named["additional_special_tokens"] = json!(["."]);
    assert_eq!(tokens(named), "▁ u . ▁ s .");
}

#[test]
fn damaged_lists_are_named() {
    let case: Case = case("01-added-tokens");
    for (file, content, part) in [
        (
            "added_tokens.json",
            "{\"<e1>\": \"2000\"}",
            "added_tokens.json: the id of the token \"<e1>\" is not a number",
        ),
        ("added_tokens.json", "{\"<e1>\": 99999999999}", "is not a number from 0 to"),
        ("added_tokens.json", "[]", "added_tokens.json: not a JSON object"),
        (
            "tokenizer_config.json",
            "{\"added_tokens_decoder\": {\"5\": \"a\"}}",
            "tokenizer_config.json: \"added_tokens_decoder\" has an entry 5",
        ),
    ] {
        let path = case.path("spiece").join(file);
        let sound = fs::read(&path).expect("read");
        fs::write(&path, content).expect("written");
        let (code, _, err) = run(&["tokenize", "-m", &case.text("spiece"), "x"]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(part), "{err}");
        fs::write(&path, sound).expect("written");
    }
}
