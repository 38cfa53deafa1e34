//! Finds word-piece vocabularies under any name among the text files of a directory.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Maximum size of a candidate file in bytes. A vocabulary of a million tokens is smaller.
const LONGEST: u64 = 64 << 20;

/// The tokens that every word-piece vocabulary contains.
const NEEDED: [&str; 3] = ["[CLS]", "[SEP]", "[UNK]"];

/// Returns the text files (`*.txt`) of a directory that are word-piece vocabularies, sorted by name.
///
/// # Errors
/// If the directory cannot be read.
pub(super) fn vocabularies(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir, "read"))? {
        let path = entry.map_err(Error::io(dir, "read"))?.path();
        let text = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt")) && path.is_file();
        if text && read(&path).is_some_and(|text| is_vocabulary(&text)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > LONGEST {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// Returns true if `text` has one token per line, including the special tokens and others.
fn is_vocabulary(text: &str) -> bool {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut needed = [false; NEEDED.len()];
    let (mut tokens, mut sentences) = (0usize, 0usize);
    for line in text.lines() {
        if let Some(place) = NEEDED.iter().position(|token| *token == line) {
            needed[place] = true;
        } else if line.trim().contains([' ', '\t']) {
            sentences += 1;
        } else if !(line.starts_with('[') && line.ends_with(']')) {
            tokens += 1;
        }
    }
    needed == [true; NEEDED.len()] && tokens > 20 * sentences
}

#[cfg(test)]
mod tests {
    use super::is_vocabulary;

    #[test]
    fn vocabularies_are_known_by_their_content() {
        assert!(is_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n"));
        assert!(is_vocabulary("\u{feff}[CLS]\r\n[SEP]\r\n[UNK]\r\n我\r\n"));
        // A README that names the tokens; lists of special tokens, merges and requirements.
        assert!(!is_vocabulary("[CLS]\n[SEP]\n[UNK]\nThese are special tokens of the model.\nword\n"));
        assert!(!is_vocabulary("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"));
        assert!(!is_vocabulary("#version: 0.2\nt h\nth e\n"));
        assert!(!is_vocabulary("torch==2.0\ntransformers\n"));
        assert!(!is_vocabulary(""));
    }
}
