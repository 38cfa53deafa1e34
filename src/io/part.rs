//! Selects the records of an input to read: a shard, without the first N, at most N.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
#[cfg(feature = "parquet")]
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use super::compressed::unreadable;
use super::shape::Shape;
use crate::error::{Error, Result};

/// A part of the records of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The shard of the file.
    pub shard: Option<Shard>,
    /// Number of records of the shard, or of the input, to skip.
    pub skip: u64,
    /// Maximum number of records to read after the skipped ones.
    pub limit: Option<u64>,
}

/// One of several parts of a file with about the same number of bytes. A line belongs to the part in which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the part, starting at 1.
    pub index: u64,
    /// The number of parts.
    pub count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("expected I/N with I from 1 to N, as in 2/8".to_owned()),
        }
    }
}

impl Shard {
    /// Returns the start of part `i`, counted from 0, of `length` bytes or rows.
    pub(super) fn bound(self, i: u64, length: u64) -> u64 {
        (u128::from(length) * u128::from(i) / u128::from(self.count)) as u64
    }

    /// Returns the range of this part, of `length` rows.
    #[cfg(feature = "parquet")]
    pub(super) fn bounds(self, length: u64) -> Range<u64> {
        self.bound(self.index - 1, length)..self.bound(self.index, length)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// The byte range of a shard.
#[derive(Debug)]
pub(super) struct Section {
    path: PathBuf,
    shard: Shard,
    /// Size of the file in bytes.
    length: u64,
    /// Offset of the first byte.
    pub(super) start: u64,
    /// Offset after the last byte.
    pub(super) end: u64,
    /// Number of lines before it, counted on demand.
    lines_before: OnceLock<u64>,
}

impl Section {
    /// Finds the lines of a shard. `shape` detects how records are arranged in a stream. Reads only the beginning of the
    /// file and the surroundings of the shard's ends.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a file that cannot be split at line ends; [`Error::Io`].
    pub(super) fn find(
        path: &Path,
        file: &File,
        shard: Shard,
        shape: impl FnOnce(&mut BufReader<&File>) -> std::io::Result<Shape>,
    ) -> Result<Self> {
        let read = |e| Error::io(path, "read")(e);
        let metadata = file.metadata().map_err(read)?;
        if !metadata.is_file() {
            return Err(refused(path, "is a pipe or a device, which cannot be split"));
        }
        let mut stream = BufReader::new(file);
        if let Some(problem) = not_lines(&mut stream, shape).map_err(read)? {
            return Err(refused(path, problem));
        }
        let length = metadata.len();
        let bound = |i: u64| shard.bound(i, length);
        let mut line_at = |at: u64| -> std::io::Result<u64> {
            if at == 0 || at >= length {
                return Ok(at.min(length));
            }
            // The line that contains the preceding byte belongs to the preceding shard.
            stream.seek(SeekFrom::Start(at - 1))?;
            Ok(at - 1 + stream.skip_until(b'\n')? as u64)
        };
        let start = line_at(bound(shard.index - 1)).map_err(read)?;
        let end = line_at(bound(shard.index)).map_err(read)?;
        stream.seek(SeekFrom::Start(start)).map_err(read)?;
        Ok(Self { path: path.to_owned(), shard, length, start, end, lines_before: OnceLock::new() })
    }

    /// Moves both ends to the start of a record, as found by `record_start`, which is called with the start of a line and
    /// the length of the file.
    ///
    /// # Errors
    /// Errors from `record_start`.
    pub(super) fn move_bounds(&mut self, record_start: impl Fn(u64, u64) -> Result<u64>) -> Result<()> {
        self.start = record_start(self.start, self.length)?;
        self.end = record_start(self.end, self.length)?.max(self.start);
        Ok(())
    }

    /// Returns the number of lines before this section. The first call reads them.
    pub(super) fn lines_before(&self) -> u64 {
        *self.lines_before.get_or_init(|| {
            let Ok(file) = File::open(&self.path) else { return 0 };
            let mut stream = BufReader::with_capacity(1 << 18, file.take(self.start));
            let mut lines = 0;
            while stream.skip_until(b'\n').is_ok_and(|length| length > 0) {
                lines += 1;
            }
            lines
        })
    }

    /// Returns the location of a line for messages, without counting the preceding lines.
    pub(super) fn name(&self, source: &str) -> String {
        format!("{source}: shard {}, line", self.shard)
    }
}

/// Returns the reason why a file cannot be split at lines, if there is one.
fn not_lines<R: BufRead>(
    stream: &mut R,
    shape: impl FnOnce(&mut R) -> std::io::Result<Shape>,
) -> std::io::Result<Option<&'static str>> {
    if let [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] = stream.fill_buf()? {
        return Ok(Some("is compressed, so a part of it cannot be read alone; decompress it"));
    }
    if let Some(problem) = unreadable(stream.fill_buf()?) {
        return Ok(Some(problem));
    }
    Ok(match shape(stream)? {
        Shape::Lines => None,
        Shape::Array => Some("is a JSON array; a shard needs one record per line"),
        Shape::Questions => Some("is a SQuAD file; a shard needs one record per line"),
    })
}

pub(super) fn refused(path: &Path, problem: &str) -> Error {
    Error::InvalidOption { name: "shard".to_owned(), problem: format!("{} {problem}", path.display()) }
}

/// Returns the error for a source that is not a file.
pub(super) fn not_a_file(what: &str) -> Error {
    Error::InvalidOption {
        name: "shard".to_owned(),
        problem: format!("{what} cannot be split; name a file with option input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(text: &[u8], count: u64) -> Vec<(u64, u64, u64)> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("in");
        std::fs::write(&path, text).expect("writes");
        (1..=count)
            .map(|index| {
                let file = File::open(&path).expect("opens");
                let section = Section::find(&path, &file, Shard { index, count }, |_| Ok(Shape::Lines));
                let section = section.expect("lines");
                (section.start, section.end, section.lines_before())
            })
            .collect()
    }

    #[test]
    fn shards_cover_every_line_once() {
        for text in
            ["", "a", "a\n", "\n", "\n\n\n", "a\nbb\r\n\nccc\nd", "a long line\nb\n", "a\nb a long line"]
        {
            for count in 1..=20 {
                let mut end = 0;
                for (start, next, lines) in sections(text.as_bytes(), count) {
                    assert_eq!(start, end, "{text:?} in {count}");
                    assert!(
                        start == 0
                            || start == text.len() as u64
                            || text.as_bytes()[start as usize - 1] == b'\n'
                    );
                    let before = &text[..start as usize];
                    assert_eq!(lines as usize, before.lines().count(), "{text:?} in {count}");
                    end = next;
                }
                assert_eq!(end, text.len() as u64, "{text:?} in {count}");
            }
        }
    }

    #[test]
    fn shards_have_about_the_same_size() {
        let text = "0123456\n".repeat(1000);
        for (start, end, _) in sections(text.as_bytes(), 7) {
            assert!((1136..=1152).contains(&(end - start)), "{start}..{end}");
        }
    }

    #[test]
    fn numbers_of_shards() {
        assert_eq!("2/8".parse(), Ok(Shard { index: 2, count: 8 }));
        for text in ["0/8", "9/8", "1", "1/0", "-1/2", "1/x", "", "/"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
