//! Reading a corpus and storing it as token ids: every form of file, damaged files, and the cache on disk.

use std::io::Write;
use std::path::{Path, PathBuf};

use albert::tokenizer::Tokenizer;
use albert::training::Documents;
use albert::training::corpus::{Corpus, CorpusOptions, CorpusReport, Item, Sentences, TokenCache};
use flate2::Compression;
use flate2::write::GzEncoder;

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(&golden("tokenizer/spiece.model")).expect("a tokenizer")
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("writes");
    encoder.finish().expect("ends")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn write(directory: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, bytes).expect("writes");
    path
}

fn open(paths: &[&Path]) -> Corpus {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    Corpus::open(&paths, CorpusOptions::default()).expect("a corpus")
}

/// The documents of a corpus, lines joined by `|`.
fn read(corpus: &Corpus) -> (Vec<String>, CorpusReport) {
    let mut reader = corpus.reader();
    let (mut documents, mut lines) = (Vec::new(), Vec::new());
    while let Some(item) = reader.next_item().expect("reads") {
        match item {
            Item::Line(line) => lines.push(line),
            Item::DocumentEnd => documents.push(std::mem::take(&mut lines).join("|")),
        }
    }
    assert!(lines.is_empty(), "the last document has an end");
    (documents, reader.report().clone())
}

fn read_file(name: &str, bytes: impl AsRef<[u8]>) -> (Vec<String>, CorpusReport) {
    let directory = directory();
    read(&open(&[&write(directory.path(), name, bytes)]))
}

fn problems(report: &CorpusReport) -> Vec<String> {
    let short = |problem: &albert::training::corpus::Problem| {
        let name = Path::new(&problem.source).file_name().expect("a name").to_string_lossy();
        format!("{name}:{}: {}", problem.line, problem.problem)
    };
    report.problems.iter().map(short).collect()
}

const TEXT: &str = "One. Two.\nThree.\n\nFour.\n";
const JSONL: &str = "{\"text\": \"One. Two.\\nThree.\", \"id\": 1}\n{\"id\": 2, \"text\": \"Four.\"}\n";

#[test]
fn every_form_gives_the_same_documents() {
    let documents = ["One. Two.|Three.", "Four."];
    for (name, bytes) in [
        ("a.txt", TEXT.as_bytes().to_vec()),
        ("a.jsonl", JSONL.as_bytes().to_vec()),
        ("a.txt.gz", gzip(TEXT.as_bytes())),
        ("a.jsonl.gz", gzip(JSONL.as_bytes())),
        ("a.txt.zst", zstd(TEXT.as_bytes())),
        ("a.jsonl.zst", zstd(JSONL.as_bytes())),
        // A file that is given by name is recognized by its content.
        ("a.data", gzip(JSONL.as_bytes())),
        ("a", TEXT.as_bytes().to_vec()),
        ("crlf.txt", TEXT.replace('\n', "\r\n").into_bytes()),
        ("bom.txt", format!("\u{feff}{TEXT}").into_bytes()),
        ("bom.jsonl", format!("\u{feff}{JSONL}").into_bytes()),
        ("bom", format!("\u{feff}{JSONL}").into_bytes()),
        ("blank.txt", format!("\n \n\t\n{TEXT}\n\u{a0}\n").into_bytes()),
        ("open.txt", TEXT.trim_end().as_bytes().to_vec()),
        // Several gzip members and Zstandard frames, the second in the middle of a line, and a skippable frame.
        ("two.txt.gz", [gzip(b"One. Two.\nThr"), gzip(b"ee.\n\nFour.\n")].concat()),
        (
            "two.txt.zst",
            [zstd(b"One. Two.\nThr"), b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(b"ee.\n\nFour.")]
                .concat(),
        ),
    ] {
        let (found, report) = read_file(name, bytes);
        assert_eq!(found, documents, "{name}");
        assert_eq!((report.documents, report.lines, report.files), (2, 3, 1), "{name}");
        assert_eq!(report.bytes, 20, "{name}");
        assert_eq!(problems(&report), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let directory = directory();
    let root = directory.path();
    write(root, "b.txt", "3");
    write(root, "a/z.jsonl", "{\"text\": \"2\"}");
    write(root, "a/a/deep.txt.gz", gzip(b"1"));
    write(root, "c.txt.zst", zstd(b"4"));
    for name in ["readme.md", "a/data.bin", ".hidden.txt", "b.txt.bak"] {
        write(root, name, "no");
    }
    let (documents, report) = read(&open(&[root]));
    assert_eq!(documents, ["1", "2", "3", "4"]);
    assert_eq!((report.files, report.skipped_files), (4, 4));
    // Files are read in the given order, and again if they are given twice.
    let (documents, _) = read(&open(&[&root.join("c.txt.zst"), &root.join("a"), &root.join("b.txt.bak")]));
    assert_eq!(documents, ["4", "1", "2", "no"]);
}

#[cfg(unix)]
#[test]
fn circles_of_links_end() {
    let directory = directory();
    write(directory.path(), "a/a.txt", "1");
    std::os::unix::fs::symlink(directory.path(), directory.path().join("a/up")).expect("a link");
    std::os::unix::fs::symlink("nowhere", directory.path().join("a/b.txt")).expect("a link");
    let (documents, report) = read(&open(&[directory.path()]));
    assert_eq!((documents, report.skipped_files), (vec!["1".to_owned()], 1));
}

#[test]
fn missing_files_are_named() {
    let directory = directory();
    write(directory.path(), "a.md", "x");
    let error = |paths: &[PathBuf]| {
        let error = Corpus::open(paths, CorpusOptions::default()).expect_err("no corpus");
        error.to_string()
    };
    assert!(error(&[directory.path().join("no.txt")]).contains("no.txt: cannot read"));
    assert!(error(&[directory.path().to_owned()]).contains("no file in this folder ends in .txt or .jsonl"));
    assert!(error(&["-".into(), "-".into()]).contains("can be read once only"));
    assert!(error(&[]).contains("names no file"));
}

#[test]
fn damaged_text_is_repaired_and_counted() {
    let (documents, report) = read_file("a.txt", b"good\nb\xff\xfed\nnu\0l\0\n\0\0\nlast\n");
    // A line of NULs is blank.
    assert_eq!(documents, ["good|b\u{fffd}\u{fffd}d|nu l ", "last"]);
    assert_eq!((report.bad_utf8, report.nul_lines), (1, 2));
    assert_eq!(
        problems(&report),
        [
            "a.txt:2: not valid UTF-8; bad bytes were read as U+FFFD",
            "a.txt:3: holds NUL characters, read as spaces",
            "a.txt:4: holds NUL characters, read as spaces",
        ]
    );
    let (documents, report) = read_file("utf16.txt", b"\xff\xfeO\0n\0e\0");
    assert_eq!((documents.len(), report.damaged_files), (0, 1));
    assert!(problems(&report)[0].contains("UTF-16"));
}

#[test]
fn bad_records_are_left_out_and_counted() {
    let lines = [
        "{\"text\": \"one\"}",
        "{\"text\": \"broken",
        "[1, 2]",
        "{\"body\": \"other field\"}",
        "{\"text\": 5}",
        "{\"text\": null}",
        "",
        "{\"text\": \"\"}",
        "{\"text\": \" \\n\\n \"}",
        "{\"text\": \"a\\n\\nb\\r\\nc\\u0000\"}",
        "{\"text\": \"\\ud800\"}",
        "plain",
        "{\"text\": \"last\"}",
    ];
    let (documents, report) = read_file("a.jsonl", lines.join("\n"));
    assert_eq!(documents, ["one", "a|b|c ", "last"]);
    assert_eq!((report.bad_records, report.nul_lines, report.documents), (7, 1, 3));
    let found = problems(&report);
    assert!(found[0].starts_with("a.jsonl:2: this line is not a complete JSON object; "), "{found:?}");
    assert_eq!(found[2], "a.jsonl:4: has no field \"text\" (option text_field names another); left out");
    assert_eq!(found[3], "a.jsonl:5: field \"text\" is 5; expected a string; left out");
    let directory = directory();
    let path = write(directory.path(), "b.jsonl", "{\"body\": \"x\"}\n");
    let options = CorpusOptions { text_field: "body".to_owned(), ..CorpusOptions::default() };
    assert_eq!(read(&Corpus::open(&[path], options).expect("a corpus")).0, ["x"]);
}

#[test]
fn only_the_first_problems_keep_their_places() {
    let (documents, report) = read_file("a.jsonl", "x\n".repeat(1000));
    assert_eq!((documents.len(), report.bad_records, report.problems.len()), (0, 1000, 10));
    assert_eq!(report.problem_count(), 1000);
}

#[test]
fn a_compressed_file_that_ends_early_is_read_up_to_there() {
    // A Zstandard decoder holds back the text that later references may need.
    let text: String = (0..200_000).map(|n| format!("line {n} of the text\n")).collect();
    for (name, whole) in [("a.txt.gz", gzip(text.as_bytes())), ("a.txt.zst", zstd(text.as_bytes()))] {
        let directory = directory();
        let cut = write(directory.path(), name, &whole[..whole.len() / 2]);
        let next = write(directory.path(), "next.txt", "next");
        let (documents, report) = read(&open(&[&cut, &next]));
        assert_eq!((report.damaged_files, report.files, report.documents), (1, 2, 2), "{name}");
        assert!(documents[0].starts_with("line 0 of the text|line 1 "), "{name}");
        assert_eq!(documents[1], "next", "{name}");
        assert!(problems(&report)[0].contains("truncated or damaged"), "{:?}", report.problems);
    }
    let mut bytes = gzip(text.as_bytes());
    let middle = bytes.len() / 2;
    bytes[middle..middle + 100].fill(0x55);
    assert_eq!(read_file("a.txt.gz", bytes).1.damaged_files, 1);
    assert_eq!(read_file("a.txt.gz", b"\x1f\x8b\x08").1.damaged_files, 1);
    assert_eq!(read_file("a.txt.zst", b"\x28\xb5\x2f\xfd").1.damaged_files, 1);
}

#[test]
fn empty_files_are_counted() {
    for (name, bytes) in [("a.txt", Vec::new()), ("a.txt.gz", gzip(b"")), ("a.jsonl", b"\n\n".to_vec())] {
        let (documents, report) = read_file(name, bytes);
        assert_eq!((documents.len(), report.empty_files, report.documents), (0, 1, 0), "{name}");
        assert!(!report.has_problems(), "{name}");
    }
}

#[test]
fn long_lines_come_in_parts_between_words() {
    let line = "0123456 ".repeat(100_000);
    for (name, text) in
        [("a.txt", format!("{line}\nnext\n")), ("a.jsonl", format!("{{\"text\": \"{line}\\nnext\"}}\n"))]
    {
        let directory = directory();
        let corpus = open(&[&write(directory.path(), name, text)]);
        let (documents, report) = read(&corpus);
        assert_eq!((report.long_lines, report.documents, report.lines), (1, 1, 5), "{name}");
        let parts: Vec<&str> = documents[0].split('|').collect();
        assert_eq!(parts[4], "next", "{name}");
        assert_eq!(parts[..4].concat(), line, "{name}");
        assert!(parts[..4].iter().all(|part| part.len() <= 256 << 10 && part.ends_with("6 ")), "{name}");
    }
}

#[test]
fn records_beyond_the_limit_are_left_out() {
    let long = format!("{{\"text\": \"{}\"}}\n", "x".repeat(17 << 20));
    let (documents, report) = read_file("a.jsonl", format!("{long}{{\"text\": \"next\"}}\n"));
    assert_eq!((documents, report.bad_records), (vec!["next".to_owned()], 1));
    assert_eq!(problems(&report), ["a.jsonl:1: a record longer than 16 MiB; left out"]);
}

/// The test runs in a child process, whose peak memory shows what reading takes.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_a_line() {
    const CHILD: &str = "ALBERT_TEST_MEMORY_CHILD";
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("the process");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its memory");
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number")
    };
    if let Some(path) = std::env::var_os(CHILD) {
        let tokenizer = tokenizer();
        let corpus = open(&[Path::new(&path)]);
        let target = directory();
        let before = peak();
        let cache = build(&target.path().join("cache"), &corpus, &tokenizer);
        assert!(cache.summary().tokens > 19_000_000, "{:?}", cache.summary());
        // With the position of each character, the line would take more than a gigabyte.
        assert!(peak() - before < 100_000, "{} kB more", peak() - before);
        return;
    }
    let directory = directory();
    let path = write(directory.path(), "line.txt", "the of and to in ".repeat((64 << 20) / 17));
    let output = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "memory_does_not_grow_with_a_line"])
        .env(CHILD, &path)
        .env("RAYON_NUM_THREADS", "2")
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn build(folder: &Path, corpus: &Corpus, tokenizer: &Tokenizer) -> TokenCache {
    TokenCache::open_or_build(folder, corpus, tokenizer, &mut |_, _| true).expect("a cache")
}

fn all(cache: &TokenCache) -> Vec<Vec<Vec<u32>>> {
    (0..cache.count())
        .map(|document| {
            let lengths = cache.sentence_lengths(document).expect("lengths");
            let sentences = cache.sentences(document, 0..lengths.len()).expect("ids");
            let found: Vec<u32> = sentences.iter().map(|ids| ids.len() as u32).collect();
            assert_eq!(found, lengths);
            sentences
        })
        .collect()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("reads"))
        })
        .collect();
    files.sort();
    files
}

/// Deterministic text of many documents and sentences.
fn text(documents: usize) -> String {
    let words = ["the", "state", "of", "New", "York", "was", "in", "1990", "won", "by", "people", "(all)"];
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % n
    };
    let mut out = String::new();
    for _ in 0..documents {
        for _ in 0..1 + random(9) {
            for _ in 0..1 + random(4) {
                let sentence: Vec<&str> = (0..1 + random(20)).map(|_| words[random(words.len())]).collect();
                out += &format!("It was {}. ", sentence.join(" "));
            }
            out += "\n";
        }
        out += "\n";
    }
    out
}

#[test]
fn the_cache_holds_the_ids_of_each_sentence() {
    let directory = directory();
    let text =
        "The state won. He left Mr. Smith in 1990!\nA [MASK] here.\n\n\u{200b}\n\n \u{fe0f} \nIn it.\n";
    let path = write(directory.path(), "a.txt", text);
    for (sentences, expected) in [
        (
            Sentences::Split,
            vec![
                vec!["The state won.", "He left Mr. Smith in 1990!", "A [MASK] here."],
                vec!["\u{fe0f}", "In it."],
            ],
        ),
        (
            Sentences::Lines,
            vec![
                vec!["The state won. He left Mr. Smith in 1990!", "A [MASK] here."],
                vec!["\u{fe0f}", "In it."],
            ],
        ),
    ] {
        for (name, model) in [("spiece.model", "a"), ("hub2020.json", "b")] {
            let tokenizer = Tokenizer::from_file(&golden(&format!("tokenizer/{name}"))).expect("a tokenizer");
            let options = CorpusOptions { sentences, ..CorpusOptions::default() };
            let corpus = Corpus::open(std::slice::from_ref(&path), options).expect("a corpus");
            let cache = build(&directory.path().join(format!("{model}{sentences:?}")), &corpus, &tokenizer);
            let ids = |sentence: &&str| {
                // Special tokens in text are ordinary characters. An inserted zero-width space keeps `[MASK]` from
                // being special here.
                let ids = tokenizer
                    .encode_without_special_tokens(&sentence.replace("[MASK]", "[\u{200b}MASK]"))
                    .expect("encodes")
                    .ids;
                let mut plain = Vec::new();
                tokenizer.encode_ids(sentence, &mut plain).expect("encodes");
                if sentence.contains('\u{fe0f}') || !sentence.contains('[') {
                    assert_eq!(plain, ids, "{sentence}");
                }
                assert!(!plain.iter().any(|id| Some(*id) == tokenizer.mask_id()), "{sentence}");
                plain
            };
            let expected: Vec<Vec<Vec<u32>>> = expected
                .iter()
                .map(|document| document.iter().map(ids).filter(|ids| !ids.is_empty()).collect())
                .collect();
            assert_eq!(all(&cache), expected, "{name} {sentences:?}");
            let summary = cache.summary();
            assert_eq!(summary.documents, 2);
            assert_eq!(summary.tokens, expected.iter().flatten().map(|ids| ids.len() as u64).sum::<u64>());
            assert_eq!(summary.vocab_size as usize, tokenizer.vocab_size());
        }
    }
}

#[test]
fn ranges_of_sentences_and_bad_ranges() {
    let directory = directory();
    let corpus = open(&[&write(directory.path(), "a.txt", text(50))]);
    let cache = build(&directory.path().join("cache"), &corpus, &tokenizer());
    for (document, sentences) in all(&cache).iter().enumerate() {
        let last = sentences.len();
        for range in [0..0, 0..1, last / 2..last, last..last] {
            let found = cache.sentences(document as u64, range.clone()).expect("ids");
            assert_eq!(found, sentences[range]);
        }
    }
    let error = cache.sentences(0, 0..10_000).expect_err("too many");
    assert!(error.to_string().contains("document 0 has "), "{error}");
    #[allow(clippy::reversed_empty_ranges, reason = "it must not panic")]
    let reversed = cache.sentences(0, 3..1);
    assert!(reversed.is_err());
    for document in [cache.count(), u64::MAX] {
        assert!(cache.sentence_lengths(document).is_err() && cache.sentences(document, 0..1).is_err());
    }
}

#[test]
fn long_documents_and_sentences_are_cut() {
    let directory = directory();
    let mut text = "the of and to in\n".repeat(20_000);
    text += &"the of and to in ".repeat(1000);
    let corpus = open(&[&write(directory.path(), "a.txt", text)]);
    let cache = build(&directory.path().join("cache"), &corpus, &tokenizer());
    let documents = all(&cache);
    assert_eq!(cache.summary().report.documents, 1);
    assert_eq!(cache.summary().tokens, 105_000);
    assert_eq!(documents.len(), 4);
    for document in &documents {
        assert!(document.iter().map(Vec::len).sum::<usize>() <= 1 << 15);
        assert!(document.iter().all(|sentence| sentence.len() <= 512));
    }
    let last: Vec<usize> = documents[3].iter().rev().take(11).map(Vec::len).collect();
    assert_eq!(last, [392, 512, 512, 512, 512, 512, 512, 512, 512, 512, 5]);
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let directory = directory();
    let path = write(directory.path(), "a.txt", text(20_000));
    let tokenizer = tokenizer();
    let mut made = Vec::new();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let folder = directory.path().join(format!("cache{threads}"));
        pool.install(|| build(&folder, &open(&[&path]), &tokenizer));
        made.push(files(&folder));
    }
    assert!(made[0].iter().map(|file| file.1.len()).sum::<usize>() > 1 << 20);
    assert_eq!(made[0], made[1]);
    assert_eq!(made[0], made[2]);
}

/// Opens or builds the cache. Returns true if it was built.
fn was_built(folder: &Path, corpus: &Corpus, tokenizer: &Tokenizer) -> bool {
    let mut built = false;
    let mut progress = |_, _| {
        built = true;
        true
    };
    TokenCache::open_or_build(folder, corpus, tokenizer, &mut progress).expect("a cache");
    built
}

#[test]
fn a_cache_is_used_again_until_something_changes() {
    let directory = directory();
    let path = write(directory.path(), "corpus/a.txt", text(10));
    let root = directory.path().join("corpus");
    let folder = directory.path().join("cache");
    let slow = tokenizer();
    assert!(was_built(&folder, &open(&[&root]), &slow));
    assert!(!was_built(&folder, &open(&[&root]), &slow));
    let before = files(&folder);
    // A tokenizer of another kind with the same vocabulary, then another option, then the original again.
    let fast = Tokenizer::from_json_bytes(slow.to_json().expect("JSON").as_bytes(), Path::new("t.json"));
    assert!(was_built(&folder, &open(&[&root]), &fast.expect("a tokenizer")));
    let lines = CorpusOptions { sentences: Sentences::Lines, ..CorpusOptions::default() };
    let corpus = Corpus::open(std::slice::from_ref(&root), lines).expect("a corpus");
    assert!(was_built(&folder, &corpus, &slow));
    assert!(was_built(&folder, &open(&[&root]), &slow));
    assert_eq!(files(&folder), before);
    // Another modification time, another size, another file.
    let file = std::fs::File::options().write(true).open(&path).expect("opens");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1)).expect("sets");
    assert!(was_built(&folder, &open(&[&root]), &slow));
    std::fs::write(&path, text(11)).expect("writes");
    assert!(was_built(&folder, &open(&[&root]), &slow));
    write(&root, "b.txt", "more");
    assert!(was_built(&folder, &open(&[&root]), &slow));
    assert!(!was_built(&folder, &open(&[&root]), &slow));
    let names: Vec<_> = std::fs::read_dir(directory.path()).expect("a folder").collect();
    assert_eq!(names.len(), 2, "nothing else is left: {names:?}");
}

#[test]
fn a_damaged_cache_is_found_and_made_again() {
    let directory = directory();
    let corpus = open(&[&write(directory.path(), "a.txt", text(100))]);
    let folder = directory.path().join("cache");
    let tokenizer = tokenizer();
    let cache = build(&folder, &corpus, &tokenizer);
    let (whole, documents) = (files(&folder), all(&cache));
    drop(cache);
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    for (name, bytes) in &whole {
        let mut damages =
            vec![bytes[..bytes.len() - 1].to_vec(), [bytes.as_slice(), b"\0"].concat(), Vec::new()];
        if name != "tokens.bin" {
            damages.push(flip(bytes, bytes.len() / 2));
        }
        for damaged in damages {
            std::fs::write(folder.join(name), &damaged).expect("writes");
            let opened = TokenCache::open(&folder);
            // An additional byte after the JSON or another digit in its report is harmless.
            if name != "cache.json" {
                let error = opened.expect_err(name).to_string();
                assert!(
                    error.contains("the token cache is damaged") && error.contains("delete it"),
                    "{error}"
                );
            }
            let again = build(&folder, &corpus, &tokenizer);
            assert_eq!(all(&again), documents, "{name}");
        }
        std::fs::remove_file(folder.join(name)).expect("removes");
        if name == "cache.json" {
            // Without this file, the folder may belong to anything.
            let error = TokenCache::open_or_build(&folder, &corpus, &tokenizer, &mut |_, _| true);
            assert!(error.expect_err("not ours").to_string().contains("holds something else"));
            std::fs::write(folder.join(name), bytes).expect("writes");
        } else {
            build(&folder, &corpus, &tokenizer);
        }
        assert_eq!(files(&folder), whole);
    }
    // An id beyond the vocabulary is detected on reading.
    let path = folder.join("tokens.bin");
    let mut tokens = std::fs::read(&path).expect("reads");
    tokens[..2].copy_from_slice(&[0xff, 0xff]);
    std::fs::write(&path, tokens).expect("writes");
    let cache = TokenCache::open(&folder).expect("opens");
    assert!(cache.sentences(0, 0..1).is_err() && cache.sentences(1, 0..1).is_ok());
}

#[test]
fn nothing_is_left_of_a_cache_that_was_not_finished() {
    let directory = directory();
    let corpus = open(&[&write(directory.path(), "a.txt", text(3000))]);
    let folder = directory.path().join("cache");
    let end = |folder: &Path, corpus: &Corpus, calls: u32| {
        let mut left = calls;
        let result = TokenCache::open_or_build(folder, corpus, &tokenizer(), &mut |done, total| {
            assert!(done <= total);
            left = left.saturating_sub(1);
            left > 0
        });
        result.expect_err("ended").to_string()
    };
    assert!(end(&folder, &corpus, 1).contains("interrupted"));
    assert_eq!(std::fs::read_dir(directory.path()).expect("a folder").count(), 1);
    // An older cache is kept.
    build(&folder, &corpus, &tokenizer());
    let before = files(&folder);
    let other = open(&[&write(directory.path(), "b.txt", text(3000))]);
    assert!(end(&folder, &other, 2).contains("interrupted"));
    assert_eq!(files(&folder), before);
    // No text at all.
    let empty = open(&[&write(directory.path(), "c.txt", " \n\u{200b}\n")]);
    let error = TokenCache::open_or_build(&folder, &empty, &tokenizer(), &mut |_, _| true);
    assert!(error.expect_err("no text").to_string().contains("the corpus has no text"));
    assert_eq!(files(&folder), before);
}

#[test]
fn large_vocabularies_have_wide_ids() {
    let directory = directory();
    let mut vocab = vec![("<unk>".to_owned(), 0.0)];
    vocab.extend((0..70_000).map(|n| (format!("▁w{n}"), -10.0 - f64::from(n % 7))));
    let json = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"},
            {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
        "post_processor": null, "decoder": null,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false},
    });
    let tokenizer =
        Tokenizer::from_json_bytes(json.to_string().as_bytes(), Path::new("t.json")).expect("a tokenizer");
    let corpus = open(&[&write(directory.path(), "a.txt", "w5 w69999\nw65536")]);
    let cache = build(&directory.path().join("cache"), &corpus, &tokenizer);
    assert_eq!(all(&cache), [vec![vec![6, 70_000], vec![65_537]]]);
}
