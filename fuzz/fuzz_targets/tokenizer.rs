//! Common to all tokenizer targets: the files become a directory, and its tokenizer encodes texts.

use std::path::Path;

use albert::tokenizer::{Encoding, Tokenizer};

/// Texts that reach every step: symbols, numbers, white space, marks, other scripts, special tokens.
const TEXTS: [&str; 4] =
    ["", "The U.S.A., 1,000 (ﬁve) caf\u{e9}s e\u{301} \u{1f600}\t", "[CLS] a[MASK]b  [E1] <e1>\u{a0}</e1>", "我爱[E1]北京 ΑΣ İ \0\u{1f}"];

/// A directory in memory if possible, otherwise in the temporary directory.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(base).expect("a directory")
}

/// Loads the tokenizer in these files, then encodes and decodes the texts and `more`.
pub fn use_all(files: &[(&str, &[u8])], more: &[u8]) {
    let directory = directory();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), bytes).expect("writes");
    }
    let Ok(tokenizer) = Tokenizer::from_dir(directory.path()) else { return };
    let bound = tokenizer.id_bound();
    let more = String::from_utf8_lossy(&more[..more.len().min(2000)]).into_owned();
    for text in TEXTS.into_iter().chain([more.as_str()]) {
        let Ok(encoding) = tokenizer.encode(text, None) else { continue };
        check(&encoding, text, bound);
        let _ = tokenizer.decode(&encoding.ids, true);
        let _ = tokenizer.decode(&encoding.ids, false);
        let _ = tokenizer.join(&tokenizer.tokens(&encoding));
        let mut ids = Vec::new();
        if tokenizer.encode_ids(text, &mut ids).is_ok() {
            assert!(ids.iter().all(|id| (*id as usize) < bound), "{text:?}");
        }
        let _ = tokenizer.encode_truncated(text, Some("b"), 7);
    }
    for (id, token) in tokenizer.added_tokens() {
        assert!((id as usize) < bound, "{token:?}");
    }
    if let Ok(json) = tokenizer.to_json() {
        let _ = Tokenizer::from_json_bytes(json.as_bytes(), Path::new("again.json"));
    }
}

/// Checks that all lists have the same length, and that offsets and ids are in range.
fn check(encoding: &Encoding, text: &str, bound: usize) {
    let (length, characters) = (encoding.ids.len(), text.chars().count());
    let lengths = [
        encoding.type_ids.len(),
        encoding.offsets.len(),
        encoding.special_tokens_mask.len(),
        encoding.sequence_ids.len(),
        encoding.word_ids.len(),
    ];
    assert_eq!(lengths, [length; 5]);
    for (n, &(start, end)) in encoding.offsets.iter().enumerate() {
        assert!(start <= end && end <= characters, "{text:?} {encoding:?}");
        // The template in a file may name any id.
        assert!(encoding.special_tokens_mask[n] || (encoding.ids[n] as usize) < bound, "{text:?} {encoding:?}");
    }
}
