//! The tokenizers compared with transformers 4.57 (`tests/golden/tokenizer`, made by its `make.py`), and the handling
//! of damaged files.

use albert::tokenizer::{Encoding, Tokenizer, TokenizerKind};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizer").join(name)
}

#[derive(Deserialize)]
struct Strings {
    singles: Vec<String>,
    pairs: Vec<(String, String)>,
    truncations: Vec<(String, Option<String>, usize)>,
}

#[derive(Deserialize)]
struct Expected {
    ids: Vec<u32>,
    tokens: Option<Vec<String>>,
    offsets: Option<Vec<usize>>,
    decode: Option<String>,
    decode_skip: Option<String>,
    type_ids: Option<Vec<u32>>,
    special: Option<Vec<u8>>,
}

fn plain_tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokenizer.tokens(&tokenizer.encode_without_special_tokens(text).expect("encodes"))
}

fn strings() -> Strings {
    serde_json::from_slice(&fs::read(golden("strings.json")).expect("strings.json")).expect("strings.json")
}

/// Compares `tokenizer` with `expected_<name>.jsonl`. That file omits truncations shorter than `shortest`.
fn check(tokenizer: &Tokenizer, name: &str, shortest: usize) {
    let text = fs::read_to_string(golden(&format!("expected_{name}.jsonl"))).expect("expectations");
    let mut expected = text.lines().map(|line| serde_json::from_str::<Expected>(line).expect("a line"));
    let mut next = || expected.next().expect("as many lines as texts");
    let strings = strings();
    let mut wrong = Vec::new();
    let mut same = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            wrong.push(format!("{what}\n  ours   {ours}\n  theirs {theirs}"));
        }
    };
    for text in &strings.singles {
        let (want, ours) = (next(), tokenizer.encode(text, None).expect("encodes"));
        let tokens = tokenizer.tokens(&ours);
        let what = format!("{text:?} {tokens:?}");
        same(&what, format!("{:?}", ours.ids), format!("{:?}", want.ids));
        same(&what, format!("{:?}", Some(&tokens)), format!("{:?}", want.tokens.as_ref()));
        same(&what, format!("{:?}", Some(flat(&ours))), format!("{:?}", want.offsets));
        same(&what, format!("{:?}", tokenizer.decode(&want.ids, false).ok()), format!("{:?}", want.decode));
        same(
            &what,
            format!("{:?}", tokenizer.decode(&want.ids, true).ok()),
            format!("{:?}", want.decode_skip),
        );
        let last = ours.ids.len() - 1;
        let framed = (0..=last).map(|n| n == 0 || n == last).collect::<Vec<_>>();
        assert_eq!(ours.special_tokens_mask, framed, "{what}");
        assert!(ours.type_ids.iter().all(|t| *t == 0), "{what}");
        let plain = tokenizer.encode_without_special_tokens(text).expect("encodes");
        assert_eq!(
            (plain.ids.as_slice(), plain.offsets.as_slice()),
            (&ours.ids[1..last], &ours.offsets[1..last])
        );
        assert_consistent(&ours, &[text]);
    }
    for (a, b) in &strings.pairs {
        let (want, ours) = (next(), tokenizer.encode(a, Some(b)).expect("encodes"));
        let what = format!("{a:?} + {b:?} {:?}", tokenizer.tokens(&ours));
        same(&what, format!("{:?}", ours.ids), format!("{:?}", want.ids));
        same(&what, format!("{:?}", Some(&ours.type_ids)), format!("{:?}", want.type_ids.as_ref()));
        let special = ours.special_tokens_mask.iter().map(|s| u8::from(*s)).collect::<Vec<_>>();
        same(&what, format!("{:?}", Some(special)), format!("{:?}", want.special));
        same(&what, format!("{:?}", Some(flat(&ours))), format!("{:?}", want.offsets));
        assert_consistent(&ours, &[a, b]);
    }
    for (a, b, max) in strings.truncations.iter().filter(|t| t.2 >= shortest) {
        let (want, ours) = (next(), tokenizer.encode_truncated(a, b.as_deref(), *max).expect("encodes"));
        let what = format!("{a:?} + {b:?} at most {max}");
        same(&what, format!("{:?}", ours.ids), format!("{:?}", want.ids));
        same(&what, format!("{:?}", Some(&ours.type_ids)), format!("{:?}", want.type_ids.as_ref()));
        let whole = tokenizer.encode(a, b.as_deref()).expect("encodes");
        assert_eq!(ours.truncated, whole.ids.len() > *max, "{what}");
        assert!(!whole.truncated && ours.ids.len() <= *max, "{what}");
    }
    assert!(expected.next().is_none(), "more lines than texts");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

fn flat(encoding: &Encoding) -> Vec<usize> {
    encoding.offsets.iter().flat_map(|&(start, end)| [start, end]).collect()
}

/// Checks invariants of every encoding.
fn assert_consistent(e: &Encoding, texts: &[&str]) {
    let n = e.ids.len();
    assert_eq!([e.type_ids.len(), e.word_ids.len(), e.offsets.len(), e.special_tokens_mask.len()], [n; 4]);
    assert_eq!(e.sequence_ids.len(), n);
    for i in 0..n {
        let (start, end) = e.offsets[i];
        match e.sequence_ids[i] {
            None => assert!(e.special_tokens_mask[i] && (start, end) == (0, 0)),
            Some(which) => {
                assert!(!e.special_tokens_mask[i] && e.type_ids[i] == u32::from(which));
                assert!(start <= end && end <= texts[which as usize].chars().count(), "{texts:?} {e:?}");
            }
        }
    }
}

#[test]
fn sentencepiece_model_gives_what_the_slow_tokenizer_gives() {
    let tokenizer = Tokenizer::from_file(&golden("spiece.model")).expect("loads");
    assert_eq!(tokenizer.kind(), TokenizerKind::SentencePiece);
    // The slow tokenizer refuses to truncate to nothing.
    check(&tokenizer, "spiece", 5);
}

#[test]
fn tokenizer_json_of_2020_is_followed() {
    let tokenizer = Tokenizer::from_file(&golden("hub2020.json")).expect("loads");
    assert_eq!(tokenizer.kind(), TokenizerKind::TokenizerJson);
    check(&tokenizer, "hub2020", 0);
}

#[test]
fn tokenizer_json_of_today_is_followed() {
    let tokenizer = Tokenizer::from_file(&golden("fast457.json")).expect("loads");
    check(&tokenizer, "fast457", 0);
    let tokens =
        |t: &Tokenizer| t.tokens(&t.encode_without_special_tokens("U.S.A.").expect("encodes")).join(" ");
    assert_eq!(tokens(&tokenizer), "▁ u . ▁ s . ▁a .");
    assert_eq!(tokens(&Tokenizer::from_file(&golden("spiece.model")).expect("loads")), "▁ u . s . a .");
}

#[test]
fn wordpiece_vocabulary_gives_what_bert_gives() {
    let tokenizer = Tokenizer::from_file(&golden("vocab.txt")).expect("loads");
    assert_eq!(tokenizer.kind(), TokenizerKind::WordPiece);
    check(&tokenizer, "vocab", 0);
}

#[test]
fn special_tokens_are_those_of_the_file() {
    for name in ["spiece.model", "hub2020.json", "fast457.json"] {
        let t = Tokenizer::from_file(&golden(name)).expect("loads");
        let ids = [t.pad_id(), t.unk_id(), t.cls_id(), t.sep_id(), t.mask_id()];
        assert_eq!(ids, [0, 1, 2, 3, 4].map(Some), "{name}");
        let names = [t.pad_token(), t.unk_token(), t.cls_token(), t.sep_token(), t.mask_token()];
        assert_eq!(names, ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"].map(Some), "{name}");
        assert_eq!(
            (t.num_special_tokens(false), t.num_special_tokens(true), t.vocab_size()),
            (2, 3, 1500),
            "{name}"
        );
        assert_eq!(t.token_to_id("▁the").and_then(|id| t.id_to_token(id)).as_deref(), Some("▁the"), "{name}");
        assert_eq!((t.token_to_id("no such token"), t.id_to_token(1500)), (None, None), "{name}");
    }
    let t = Tokenizer::from_file(&golden("vocab.txt")).expect("loads");
    assert_eq!(
        (t.pad_id(), t.unk_id(), t.cls_id(), t.sep_id(), t.mask_id()),
        (Some(0), Some(10), Some(11), Some(12), Some(13))
    );
}

#[test]
fn exported_json_gives_the_same_ids() {
    let slow = Tokenizer::from_file(&golden("spiece.model")).expect("loads");
    let json = Tokenizer::from_json_bytes(slow.to_json().expect("JSON").as_bytes(), Path::new("exported"));
    let json = json.expect("loads");
    let texts = strings().singles;
    let differs = |text: &&String| {
        slow.encode(text, None).expect("encodes").ids != json.encode(text, None).expect("encodes").ids
    };
    let different: Vec<_> = texts.iter().filter(differs).collect();
    // Marks of combining class 0, and special tokens in upper case.
    let allowed = |text: &&&String| {
        let mark =
            |c: char| matches!(c, '\u{34f}' | '\u{fe0f}' | '\u{20dd}' | '\u{20e3}' | '\u{900}'..='\u{109f}');
        text.chars().any(mark) || text.contains("<PAD>") || text.contains("<UNK>")
    };
    let unexpected: Vec<_> = different.iter().filter(|t| !allowed(t)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert!(different.len() < 30, "{} of {} differ: {different:?}", different.len(), texts.len());
    for name in ["hub2020.json", "vocab.txt"] {
        let t = Tokenizer::from_file(&golden(name)).expect("loads");
        let again = Tokenizer::from_json_bytes(t.to_json().expect("JSON").as_bytes(), Path::new("again"))
            .expect("loads");
        for text in &texts {
            assert_eq!(
                t.encode(text, None).expect("encodes"),
                again.encode(text, None).expect("encodes"),
                "{text:?}"
            );
        }
    }
}

#[test]
fn padding_and_truncation_in_the_file_are_not_applied() {
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(golden("fast457.json")).expect("file")).expect("JSON");
    json["truncation"] =
        serde_json::json!({"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = serde_json::json!({"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"});
    // The template also gives every token type 0, as in recent files.
    for piece in json["post_processor"]["pair"].as_array_mut().expect("a template") {
        for inner in piece.as_object_mut().expect("a piece").values_mut() {
            inner["type_id"] = 0.into();
        }
    }
    let padded =
        Tokenizer::from_json_bytes(json.to_string().as_bytes(), Path::new("padded.json")).expect("loads");
    let plain = Tokenizer::from_file(&golden("fast457.json")).expect("loads");
    for pair in [None, Some("and a second, longer text")] {
        let text = "a text of several words";
        assert_eq!(padded.encode(text, pair).expect("encodes"), plain.encode(text, pair).expect("encodes"));
    }
    assert_eq!(padded.encode("a", Some("b")).expect("encodes").type_ids.last(), Some(&1));
    // Without a template, no special tokens are added, as in transformers.
    json["post_processor"] = serde_json::Value::Null;
    let bare =
        Tokenizer::from_json_bytes(json.to_string().as_bytes(), Path::new("bare.json")).expect("loads");
    let both = bare.encode("a", Some("b")).expect("encodes");
    assert_eq!(both.special_tokens_mask, vec![false; both.ids.len()]);
    assert_eq!(both.type_ids, [0, 1]);
    let without = plain.encode_without_special_tokens("a").expect("encodes");
    assert_eq!(bare.encode("a", None).expect("encodes").ids, without.ids);
}

#[test]
fn directories_and_their_configuration() {
    let dir = tempfile::tempdir().expect("a directory");
    let put = |from: &str, to: &str| fs::copy(golden(from), dir.path().join(to)).expect("copies");
    let load = || Tokenizer::from_dir(dir.path()).expect("loads");
    put("vocab.txt", "vocab.txt");
    assert_eq!(load().kind(), TokenizerKind::WordPiece);
    assert_eq!(plain_tokens(&load(), "Hello"), ["he", "##ll", "##o"]);
    fs::write(
        dir.path().join("tokenizer_config.json"),
        r#"{"do_lower_case": false, "clean_up_tokenization_spaces": true}"#,
    )
    .expect("writes");
    assert_eq!(plain_tokens(&load(), "Hello"), ["Hello"]);
    put("spiece.model", "other.model");
    assert_eq!(load().kind(), TokenizerKind::SentencePiece);
    assert_eq!(plain_tokens(&load(), "É É"), ["▁", "<unk>", "▁", "<unk>"]);
    let ids =
        [" the", " '", " s"].map(|t| load().encode_without_special_tokens(t).expect("encodes").ids).concat();
    assert_eq!(load().decode(&ids, false).expect("decodes"), "the's");
    let file = Tokenizer::from_file(&dir.path().join("other.model")).expect("loads");
    assert_eq!(file.decode(&ids, false).expect("decodes"), "the ' s");
    put("spiece.model", "spiece.model");
    fs::write(
        dir.path().join("special_tokens_map.json"),
        r#"{"mask_token": {"content": "▁the", "lstrip": false}}"#,
    )
    .expect("writes");
    assert_eq!(load().mask_token(), Some("▁the"));
    put("hub2020.json", "tokenizer.json");
    assert_eq!(load().kind(), TokenizerKind::TokenizerJson);
    fs::write(dir.path().join("special_tokens_map.json"), "[1]").expect("writes");
    let message = Tokenizer::from_dir(dir.path()).expect_err("not an object").to_string();
    assert!(message.contains("special_tokens_map.json: not a JSON object"), "{message}");
}

#[test]
fn accents_case_and_spaces_as_configured() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::copy(golden("spiece.model"), dir.path().join("30k-clean.model")).expect("copies");
    let tokens = |config: &str, text: &str| {
        fs::write(dir.path().join("tokenizer_config.json"), config).expect("writes");
        plain_tokens(&Tokenizer::from_dir(dir.path()).expect("loads"), text).join(" ")
    };
    assert_eq!(tokens("{}", "é"), "▁ e");
    assert_eq!(tokens(r#"{"keep_accents": true}"#, "é"), "▁ <unk>");
    assert_eq!(tokens("{}", "THE"), "▁the");
    assert_eq!(tokens(r#"{"do_lower_case": false}"#, "THE"), "▁ <unk>");
    assert_eq!(tokens(r#"{"remove_space": false}"#, " the  the "), "▁the ▁the");
}

#[test]
fn maximum_lengths_too_small_for_the_special_tokens() {
    let tokenizer = Tokenizer::from_file(&golden("spiece.model")).expect("loads");
    for (pair, least) in [(None, 2), (Some("b"), 3)] {
        let short = tokenizer.encode_truncated("a", pair, least).expect("fits");
        assert_eq!((short.ids.len(), short.truncated), (least, true));
        let message = tokenizer.encode_truncated("a", pair, least - 1).expect_err("too small").to_string();
        assert!(
            message.contains(&format!("is too small; the minimum is {least}, since"))
                && message.starts_with(&format!("a maximum length of {} token", least - 1)),
            "{message}"
        );
    }
}

/// The error message for a file of this name and content.
fn refused(name: &str, bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    fs::write(&path, bytes).expect("writes");
    let message =
        Tokenizer::from_file(&path).err().unwrap_or_else(|| panic!("{name} was accepted")).to_string();
    assert!(message.starts_with(&path.display().to_string()), "names the file: {message}");
    message
}

#[test]
fn damaged_files_are_refused_with_advice() {
    let model = fs::read(golden("spiece.model")).expect("file");
    let json = fs::read(golden("hub2020.json")).expect("file");
    for (name, bytes, part) in [
        ("spiece.model", &model[..model.len() - 100_000], "not a complete SentencePiece model"),
        ("spiece.model", &model[..10], "not a complete SentencePiece model"),
        ("spiece.model", b"hello, this is text", "not a complete SentencePiece model"),
        ("spiece.model", b"", "an empty file"),
        ("tokenizer.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        ("tokenizer.json", &json[..json.len() / 2], "not a tokenizer.json that can be used"),
        ("tokenizer.json", b"{}", "not a tokenizer.json that can be used"),
        ("tokenizer.json", b"[1, 2", "not a tokenizer.json that can be used"),
        ("tokenizer.json", b"\xff\xfe\x00", "not a tokenizer.json that can be used"),
        ("vocab.txt", b"\n", "an empty vocabulary"),
        ("vocab.txt", b"", "an empty file"),
        ("vocab.txt", b"\xff\xfe", "not UTF-8"),
        ("vocab.txt", b"hello\nworld\n", "[CLS], [SEP] and [UNK]"),
        ("unnamed", b"{\"a\": 1}", "not a tokenizer.json that can be used"),
    ] {
        let message = refused(name, bytes);
        assert!(message.contains(part), "{message}");
    }
    let damaged =
        String::from_utf8_lossy(&json).replace("\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"!");
    let message = refused("tokenizer.json", damaged.as_bytes());
    assert!(message.contains("the normalization table is damaged"), "{message}");
    // Truncated models are refused or loaded, but never cause a panic.
    for end in (0..model.len()).step_by(4001) {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("cut.model"), &model[..end]).expect("writes");
        if let Ok(tokenizer) = Tokenizer::from_file(&dir.path().join("cut.model")) {
            tokenizer.encode("any text, 1,000 é", None).expect("encodes");
        }
    }
}

#[test]
fn missing_files_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = Tokenizer::from_file(&dir.path().join("nothing.model")).expect_err("missing").to_string();
    assert!(missing.contains("nothing.model: cannot read"), "{missing}");
    let empty = Tokenizer::from_dir(dir.path()).expect_err("empty").to_string();
    for name in ["tokenizer.json", "spiece.model", "30k-clean.model", "*.model", "vocab.txt"] {
        assert!(empty.contains(name), "{empty}");
    }
    fs::write(dir.path().join("a.model"), "x").expect("writes");
    fs::write(dir.path().join("b.model"), "x").expect("writes");
    let two = Tokenizer::from_dir(dir.path()).expect_err("two models").to_string();
    assert!(two.contains("found 2 *.model files"), "{two}");
    let gone = Tokenizer::from_dir(&dir.path().join("gone")).expect_err("no directory").to_string();
    assert!(gone.contains("gone: cannot read"), "{gone}");
}

#[test]
fn very_long_texts_take_linear_time() {
    let word = "x".repeat(100_000);
    let marks = "\u{301}".repeat(100_000);
    let quotes = "'".repeat(100_001);
    let numbers = "9,".repeat(50_000);
    let masks = "[MASK]".repeat(20_000);
    let spaces = "▁".repeat(100_000) + "x";
    let blanks = " ".repeat(100_000) + "[MASK]";
    for name in ["spiece.model", "hub2020.json", "vocab.txt"] {
        let tokenizer = Tokenizer::from_file(&golden(name)).expect("loads");
        for text in [&word, &marks, &quotes, &numbers, &masks, &spaces, &blanks] {
            let begun = std::time::Instant::now();
            let encoding = tokenizer.encode(text, None).expect("encodes");
            assert_consistent(&encoding, &[text]);
            assert!(begun.elapsed().as_secs() < 10, "{name}: {:?} for {:?}...", begun.elapsed(), &text[..10]);
        }
    }
}

#[test]
fn many_threads_share_one_tokenizer() {
    let tokenizer = Tokenizer::from_file(&golden("spiece.model")).expect("loads");
    let texts = strings().singles;
    let encode = || texts.iter().map(|t| tokenizer.encode(t, None).expect("encodes").ids).collect::<Vec<_>>();
    let alone = encode();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(encode)).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), alone);
        }
    });
}

/// A vocabulary file with duplicate lines has fewer tokens than ids.
#[test]
fn ids_stay_below_their_bound() {
    let directory = tempfile::tempdir().expect("a directory");
    let lines = ["[PAD]", "[UNK]", "[CLS]", "the", "[CLS]", "the", "[SEP]", "[MASK]", "a", "##b", "end"];
    std::fs::write(directory.path().join("vocab.txt"), lines.join("\n")).expect("writes");
    let tokenizer = Tokenizer::from_dir(directory.path()).expect("loads");
    let encoding = tokenizer.encode("the ab end", None).expect("encodes");
    assert_eq!(encoding.ids, [4, 5, 8, 9, 10, 6]);
    assert_eq!(tokenizer.id_bound(), 11);
}
