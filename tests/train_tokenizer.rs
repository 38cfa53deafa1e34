//! `albert train-tokenizer`: from text to a directory that all tokenizers read the same way.

mod common;

use std::path::Path;

use albert::tokenizer::{Tokenizer, TokenizerKind};
use common::albert;
use serde_json::Value;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Deterministic English-like text in which "the" and "ing" are frequent.
fn text() -> String {
    let stems =
        ["walk", "talk", "sing", "look", "play", "call", "ask", "need", "turn", "help", "show", "open"];
    let nouns = ["house", "river", "garden", "teacher", "window", "letter", "mountain", "kitchen", "doctor"];
    let mut state = 7u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut out = String::new();
    for n in 0..3000 {
        let (a, b) = (nouns[random(nouns.len())], nouns[random(nouns.len())]);
        let (stem, ending) = (stems[random(stems.len())], ["ed", "ing", "s"][random(3)]);
        out +=
            &format!("The {a} {stem}{ending} near the {b}'s café (No. {}), in {},", n % 50, 1900 + n % 100);
        out += [" \u{2013} again.\n", " for £3,000.\n", ". \"Why?\"\n\n"][random(3)];
    }
    out
}

/// Runs `albert train-tokenizer --corpus FILE --output DIR FLAGS...`: exit code, output, messages.
fn train(corpus: &Path, output: &Path, flags: &[&str]) -> (Option<i32>, String, String) {
    let mut command = albert();
    command.arg("train-tokenizer").arg("--corpus").arg(corpus).arg("--output").arg(output).args(flags);
    let output = command.output().expect("runs");
    (
        output.status.code(),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

/// Trains a tokenizer on [`text`] in `directory`. Returns the output directory.
fn trained(directory: &Path) -> std::path::PathBuf {
    let (corpus, output) = (directory.join("a.txt"), directory.join("tokenizer"));
    std::fs::write(&corpus, text()).expect("writes");
    let (code, out, err) = train(&corpus, &output, &["--vocab-size", "120"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("3000 lines") && out.contains("vocabulary     120 pieces"), "{out}");
    assert_eq!(err, "");
    output
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            (
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                std::fs::read(path).expect("reads"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn the_first_ids_are_those_of_albert() {
    let directory = directory();
    let output = trained(directory.path());
    let names: Vec<String> = files(&output).into_iter().map(|file| file.0).collect();
    assert_eq!(names, ["special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"]);
    for file in ["spiece.model", "tokenizer.json"] {
        let tokenizer = Tokenizer::from_file(&output.join(file)).expect("a tokenizer");
        let first = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]", "(", ")", "\"", "-", ".", "–", "£", "€"];
        for (id, piece) in (0..).zip(first) {
            assert_eq!(tokenizer.id_to_token(id).as_deref(), Some(piece), "{file}");
        }
        assert_eq!(tokenizer.vocab_size(), 120);
        assert_eq!((tokenizer.pad_id(), tokenizer.unk_id()), (Some(0), Some(1)));
        assert_eq!(
            (tokenizer.cls_id(), tokenizer.sep_id(), tokenizer.mask_id()),
            (Some(2), Some(3), Some(4))
        );
        // Frequent words are single pieces, required pieces exist separately, and no piece is a number with a comma.
        for piece in ["▁the", "▁", "▁opening", "▁garden", "▁mountain", "s", "'", "▁cafe"] {
            assert!(tokenizer.token_to_id(piece).is_some(), "{file}: {piece}");
        }
        let pieces: Vec<String> = (13..120).filter_map(|id| tokenizer.id_to_token(id)).collect();
        assert_eq!(pieces.len(), 107);
        for piece in &pieces {
            let mut last = piece.chars().rev();
            let number = last.next() == Some(',') && last.next().is_some_and(|c| c.is_ascii_digit());
            assert!(
                !number && !piece.contains(['(', ')', '"', '-', '.', '–', '£', '€', 'É', 'é']),
                "{piece}"
            );
            assert!(piece.chars().skip(1).all(|c| c != '▁') && piece.chars().count() <= 16, "{piece}");
        }
    }
    let config = std::fs::read(output.join("tokenizer_config.json")).expect("reads");
    let config: Value = serde_json::from_slice(&config).expect("JSON");
    assert_eq!(config["tokenizer_class"], "AlbertTokenizer");
    assert_eq!(config["model_max_length"], 512);
    assert_eq!(config["mask_token"]["lstrip"], true);
}

#[test]
fn both_files_give_the_same_ids() {
    let directory = directory();
    let output = trained(directory.path());
    let model = Tokenizer::from_file(&output.join("spiece.model")).expect("a model");
    let json = Tokenizer::from_dir(&output).expect("a tokenizer");
    assert_eq!((model.kind(), json.kind()), (TokenizerKind::SentencePiece, TokenizerKind::TokenizerJson));
    let text = text();
    let nasty = [
        "",
        " ",
        "''quoted``",
        "U.S.A.",
        "1,000, 3.50, 1990, 7,",
        "ÉCOLE ﬁne Ⅷ ½ ①",
        "[MASK] [mask] <unk>",
        "don't stop",
        "\u{feff}x\u{200b}y\u{a0}z",
        "日本語カタカナ 한국어",
        "Ελλάς ΣΑΣ",
        "naïve coöperate",
        "a\tb\r\nc\u{b}d",
        "😀👨‍👩‍👧",
        "▁under▁score",
        "नमस्ते दुनिया",
        "สวัสดีชาวโลก ที่นี่",
        "হ্যালো বিশ্ব வணக்கம் សួស្តី",
        "❤️ 1️⃣ a⃣ x́y̧",
    ];
    for text in text.lines().chain(nasty) {
        let (a, b) = (model.encode(text, None).expect("ids").ids, json.encode(text, None).expect("ids").ids);
        assert_eq!(a, b, "{text:?}");
        let mut plain = Vec::new();
        model.encode_ids(text, &mut plain).expect("ids");
        if !text.contains("[MASK]") && !text.contains("<unk>") {
            assert_eq!(plain, a[1..a.len() - 1], "{text:?}");
        }
        let mut plain_json = Vec::new();
        json.encode_ids(text, &mut plain_json).expect("ids");
        // In text, the added tokens of a tokenizer.json are matched whether special or not, if they are in lower case.
        if !text.contains("<unk>") {
            assert_eq!(plain, plain_json, "{text:?}");
        }
        assert!(!plain.contains(&4), "{text:?}");
    }
    // The training text has no unknown tokens.
    let unknown =
        text.lines().any(|line| json.encode_without_special_tokens(line).expect("ids").ids.contains(&1));
    assert!(!unknown);
    // The program reads the directory as it reads that of any model.
    let output = albert()
        .args(["tokenize", "--offline", "--model"])
        .arg(&output)
        .arg("The Gardens are opening.")
        .output()
        .expect("runs");
    let record: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let tokens: Vec<&str> = record["predictions"][0]["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(tokens[..4], ["[CLS]", "▁the", "▁garden", "s"]);
    assert_eq!(tokens[tokens.len() - 3..], ["▁opening", ".", "[SEP]"]);
}

#[test]
fn vowel_signs_of_hindi() {
    let directory = directory();
    let corpus = directory.path().join("hindi.txt");
    std::fs::write(&corpus, "नमस्ते दुनिया यह एक परीक्षण है\nहिन्दी भाषा भारत की राजभाषा है\n".repeat(60))
        .expect("writes");
    let tokens = |name: &str, flags: &[&str]| {
        let output = directory.path().join(name);
        let (code, _, err) = train(&corpus, &output, &[&["--vocab-size", "60"], flags].concat());
        assert_eq!(code, Some(0), "{err}");
        let config = std::fs::read(output.join("tokenizer_config.json")).expect("reads");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        assert_eq!(config["keep_accents"], flags.contains(&"--keep-accents"));
        let tokenizer = Tokenizer::from_dir(&output).expect("a tokenizer");
        let ids = tokenizer.encode("नमस्ते हिन्दी", None).expect("encodes").ids;
        let tokens = ids.into_iter().filter_map(|id| tokenizer.id_to_token(id)).collect::<Vec<_>>();
        (tokens.concat(), err)
    };
    let (without, warning) = tokens("without", &[]);
    assert_eq!(without, "[CLS]▁नमसते▁हिनदी[SEP]", "only marks with a combining class are removed");
    assert!(warning.contains("--keep-accents keeps them"), "{warning}");
    let (with, warning) = tokens("with", &["--keep-accents"]);
    assert_eq!((with.as_str(), warning.contains("keep-accents")), ("[CLS]▁नमस्ते▁हिन्दी[SEP]", false));
}

#[test]
fn the_same_corpus_gives_the_same_bytes_in_every_form() {
    let directory = directory();
    let first = files(&trained(directory.path()));
    let root = directory.path();
    let records: String =
        text().split("\n\n").map(|d| format!("{}\n", serde_json::json!({"body": d}))).collect();
    std::fs::create_dir(root.join("folder")).expect("a folder");
    std::fs::write(root.join("folder/a.jsonl"), records).expect("writes");
    for (n, (corpus, flags)) in [
        (root.join("a.txt"), vec!["--threads", "1"]),
        (root.join("a.txt"), vec!["--threads", "3", "--sample-bytes", "64M", "--seed", "5"]),
        (root.join("folder"), vec!["--text-field", "body"]),
    ]
    .into_iter()
    .enumerate()
    {
        let output = root.join(format!("again{n}"));
        let (code, _, err) = train(&corpus, &output, &[&flags[..], &["--vocab-size", "120"]].concat());
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(files(&output), first, "{flags:?}");
    }
    // From standard input, into an empty directory that is there already.
    let output = root.join("piped");
    std::fs::create_dir(&output).expect("a directory");
    let mut command = albert();
    command.args(["train-tokenizer", "--corpus", "-", "--vocab-size", "120", "--output"]).arg(&output);
    command.write_stdin(text()).assert().success();
    assert_eq!(files(&output), first);
}

#[test]
fn a_sample_depends_on_its_seed_alone() {
    let directory = directory();
    let corpus = directory.path().join("a.txt");
    std::fs::write(&corpus, text()).expect("writes");
    let model = |name: &str, seed: &str| {
        let output = directory.path().join(name);
        let flags = ["--vocab-size", "120", "--sample-bytes", "20K", "--seed", seed];
        let (code, out, err) = train(&corpus, &output, &flags);
        assert_eq!(code, Some(0), "{err}");
        // The sampling rate halves each time `--sample-bytes` bytes are taken, so that the total is a small multiple of
        // it.
        let counted = out.split(" distinct words in ").nth(1).and_then(|rest| rest.split(' ').next());
        let counted: u64 = counted.and_then(|bytes| bytes.parse().ok()).expect("a number");
        assert!((40_000..100_000).contains(&counted), "{counted}");
        std::fs::read(output.join("spiece.model")).expect("reads")
    };
    let one = model("one", "1");
    assert_eq!(one, model("again", "1"));
    assert_ne!(one, model("two", "2"));
}

#[test]
fn a_small_corpus_has_fewer_pieces() {
    let directory = directory();
    let (corpus, output) = (directory.path().join("a.txt"), directory.path().join("out"));
    std::fs::write(&corpus, "a b a b c\n").expect("writes");
    let (code, out, err) = train(&corpus, &output, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the corpus has no more than 19 pieces; --vocab-size was 30000"), "{err}");
    assert!(out.contains("vocabulary     19 pieces, 4 of them single characters"), "{out}");
    let tokenizer = Tokenizer::from_dir(&output).expect("a tokenizer");
    assert_eq!(tokenizer.vocab_size(), 19);
}

#[test]
fn corpus_damage_is_reported_with_its_location() {
    let directory = directory();
    let (corpus, output) = (directory.path().join("a.jsonl"), directory.path().join("out"));
    std::fs::write(&corpus, "{\"text\": \"some words\"}\nnonsense\n").expect("writes");
    let (code, out, err) = train(&corpus, &output, &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("a.jsonl:2: not a JSON object"), "{err}");
    assert!(out.contains("1 record left out"), "{out}");
}

#[test]
fn errors_are_reported_and_leave_no_output() {
    let directory = directory();
    let root = directory.path();
    let (corpus, empty) = (root.join("a.txt"), root.join("empty.txt"));
    std::fs::write(&corpus, text()).expect("writes");
    std::fs::write(&empty, "\n").expect("writes");
    std::fs::create_dir(root.join("full")).expect("a folder");
    std::fs::write(root.join("full/x"), "x").expect("writes");
    for (corpus, output, flags, code, part) in [
        (&corpus, "full", vec![], 2, "exists and is not empty"),
        (&root.join("no.txt"), "out", vec![], 2, "no.txt: cannot read"),
        (&root.join("full"), "out", vec![], 2, "no file in this folder ends in .txt"),
        (&corpus, "out", vec!["--vocab-size", "30"], 2, "--vocab-size: 30 is too small"),
        (&corpus, "out", vec!["--vocab-size", "0"], 2, "--vocab-size"),
        (&corpus, "out", vec!["--sample-bytes", "0"], 2, "--sample-bytes"),
        (&corpus, "out", vec!["--character-coverage", "2"], 2, "--character-coverage"),
        (&empty, "out", vec![], 2, "the corpus has no words"),
    ] {
        let (found, out, err) = train(corpus, &root.join(output), &flags);
        assert_eq!((found, out.as_str()), (Some(code), ""), "{flags:?}: {err}");
        assert!(err.contains(part), "{err}");
        assert_eq!(files(&root.join("full")).len(), 1);
        assert_eq!(std::fs::read_dir(root).expect("a folder").count(), 3, "{flags:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing() {
    let directory = directory();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("albert"))
        .args(["train-tokenizer", "--corpus", "-", "--output"])
        .arg(directory.path().join("out"))
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // The pipe holds less than this text, so the program is reading and already handles signals.
    std::io::Write::write_all(&mut pipe, text().as_bytes()).expect("writes");
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let output = child.wait_with_output().expect("ends");
    drop(pipe);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted; nothing was written"));
    assert_eq!(std::fs::read_dir(directory.path()).expect("a folder").count(), 0);
}
