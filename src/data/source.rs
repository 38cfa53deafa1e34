//! Streams of labelled data: files and standard input as decompressed UTF-8 text, with locations for messages.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::example::Place;
use crate::error::{Error, Result};
use crate::io::{LineReader, NOT_UTF8_ADVICE, decompressed, unreadable};

/// Number of bytes of a stream that are read to detect its format.
const HEAD: usize = 1 << 16;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// An open stream whose beginning has been read.
pub(super) struct Source {
    path: PathBuf,
    name: Arc<str>,
    head: Vec<u8>,
    rest: Box<dyn Read + Send>,
    past_bad_lines: bool,
}

impl Source {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] for a folder, UTF-16, and compression other than gzip and Zstandard.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Self::new(Path::new("<stdin>"), io::stdin());
        }
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Error::bad_file(path, "is a directory; name a file"));
        }
        Self::new(path, file)
    }

    /// Wraps a stream with a name.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub(super) fn new(path: &Path, stream: impl Read + Send + 'static) -> Result<Self> {
        let mut rest =
            decompressed(BufReader::with_capacity(HEAD, stream)).map_err(Error::io(path, "read"))?;
        let mut head = Vec::new();
        rest.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(Error::io(path, "read"))?;
        if let Some(problem) = unreadable(&head) {
            return Err(Error::bad_file(path, problem));
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Self {
            path: path.to_owned(),
            name: path.display().to_string().into(),
            head,
            rest,
            past_bad_lines: false,
        })
    }

    /// Sets whether the lines continue after one that cannot be read.
    pub(super) fn past_bad_lines(self, continues: bool) -> Self {
        Self { past_bad_lines: continues, ..self }
    }

    /// Returns the path; `<stdin>` for standard input.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name used in messages.
    pub(super) fn name(&self) -> Arc<str> {
        self.name.clone()
    }

    /// Returns the first bytes, without a byte order mark.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Returns true if there is only white space.
    pub(super) fn is_blank(&self) -> bool {
        self.head.len() < HEAD - BYTE_ORDER_MARK.len() && self.head.trim_ascii().is_empty()
    }

    /// Reads more of the beginning until `tell` returns a result for it. The second argument of `tell` is true if these
    /// are all bytes. Returns `None` if there is no result for the complete stream.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn tell<T>(&mut self, tell: impl Fn(&[u8], bool) -> Option<T>) -> Result<Option<T>> {
        loop {
            if let Some(found) = tell(&self.head, false) {
                return Ok(Some(found));
            }
            let before = self.head.len();
            let more = before.max(HEAD) as u64;
            self.rest
                .by_ref()
                .take(more)
                .read_to_end(&mut self.head)
                .map_err(Error::io(&self.path, "read"))?;
            if self.head.len() == before {
                return Ok(tell(&self.head, true));
            }
        }
    }

    /// Returns the complete stream.
    pub(super) fn stream(self) -> impl BufRead + Send {
        BufReader::with_capacity(HEAD, Cursor::new(self.head).chain(self.rest))
    }

    /// Returns the lines with their locations, up to the first error.
    pub(super) fn lines(self) -> impl Iterator<Item = Result<(Place, String)>> {
        let (path, name, past_bad_lines) = (self.path.clone(), self.name.clone(), self.past_bad_lines);
        let mut reader = LineReader::new(self.stream());
        let (mut line, mut failed) = (0, false);
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            line += 1;
            let place = Place { source: name.clone(), line };
            let item = match reader.next_line() {
                Ok(None) => return None,
                Ok(Some(Ok(text))) => Ok((place, text)),
                Ok(Some(Err(problem))) => Err(place.error(problem)),
                Err(error) => Err(Error::io(&path, "read")(error)),
            };
            failed = match &item {
                Err(Error::Record { .. }) => !past_bad_lines,
                other => other.is_err(),
            };
            Some(item)
        })
    }

    /// Returns the complete text.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Record`] for a line that is not UTF-8.
    pub(super) fn text(self) -> Result<String> {
        let (path, name) = (self.path.clone(), self.name.clone());
        let mut bytes = Vec::new();
        self.stream().read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
        String::from_utf8(bytes).map_err(|error| {
            let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            not_utf8(&Place { source: name, line: 1 }, sound, b'\n')
        })
    }
}

/// Returns the error for bytes that are not UTF-8. `sound` are the valid bytes before them, which start at `start`.
pub(super) fn not_utf8(start: &Place, sound: &[u8], line_end: u8) -> Error {
    let breaks = sound.iter().filter(|byte| **byte == line_end).count() as u64;
    let line_start = sound.iter().rposition(|byte| *byte == line_end).map_or(0, |end| end + 1);
    let byte = sound.len() - line_start + 1;
    Place { source: start.source.clone(), line: start.line + breaks }
        .error(format!("not valid UTF-8 (byte {byte} of the line){NOT_UTF8_ADVICE}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn source(bytes: &[u8]) -> Result<Source> {
        Source::new(Path::new("a.txt"), Cursor::new(bytes.to_vec()))
    }

    fn lines(bytes: &[u8]) -> Vec<String> {
        let show = |line: Result<(Place, String)>| match line {
            Ok((place, text)) => format!("{place} {text}"),
            Err(error) => error.to_string(),
        };
        source(bytes).expect("opens").lines().map(show).collect()
    }

    #[test]
    fn lines_have_places_and_end_with_the_first_error() {
        assert_eq!(lines(b"\xef\xbb\xbfa\r\n\nb"), ["a.txt:1 a", "a.txt:2 ", "a.txt:3 b"]);
        let bad = lines(b"a\nb\xff\nc");
        assert_eq!(bad.len(), 2);
        assert!(bad[1].starts_with("a.txt:2: not valid UTF-8 (byte 2 of the line); convert"), "{bad:?}");
        let error = source(b"a\nb\xff\nc").and_then(Source::text).err().map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some(bad[1].as_str()));
        let all = source(b"a\nb\xff\nc").expect("opens").past_bad_lines(true).lines();
        assert_eq!(all.map(|line| line.is_ok()).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_gzip_stream_and_its_plain_text_are_the_same() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"\xef\xbb\xbfa\nb").expect("writes");
        let bytes = gzip.finish().expect("ends");
        assert_eq!(lines(&bytes), ["a.txt:1 a", "a.txt:2 b"]);
        let cut = source(&bytes[..bytes.len() - 9]).and_then(Source::text);
        assert!(matches!(cut, Err(Error::Io { .. })));
    }

    #[test]
    fn long_streams_are_complete() {
        let long = "word ".repeat(HEAD);
        assert_eq!(source(long.as_bytes()).and_then(Source::text).expect("reads"), long);
        assert!(!source(&[b' '; HEAD + 1]).expect("opens").is_blank());
        assert!(source(b" \n\r\n").expect("opens").is_blank());
    }

    #[test]
    fn utf_16_and_folders_are_refused() {
        let problem = |result: Result<Source>| result.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(problem(source(b"\xff\xfea\0")).contains("iconv -f UTF-16"));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(problem(Source::open(folder.path())).contains("is a directory"));
        assert!(problem(Source::open(&folder.path().join("none"))).contains("cannot read"));
    }
}
