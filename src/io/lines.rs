//! Lines of a stream, with a limit on their size.

use std::io::{BufRead, Read};

use super::compressed::NOT_UTF8_ADVICE;

/// Maximum length of a line in bytes. A longer line is an error of that line alone; the rest of it is skipped, not
/// stored.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Lines of a stream, each at most [`MAX_LINE_BYTES`] long.
pub struct LineReader<R> {
    stream: R,
}

impl<R: BufRead> LineReader<R> {
    /// Reads lines from `stream`.
    pub fn new(stream: R) -> Self {
        Self { stream }
    }

    /// Returns the next line without its `\n` or `\r\n`; `None` at the end of the stream. The inner error concerns that
    /// line alone: it is too long, or not UTF-8.
    ///
    /// # Errors
    /// Errors from the stream.
    pub fn next_line(&mut self) -> std::io::Result<Option<std::result::Result<String, String>>> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE_BYTES as u64 + 2;
        let read = self.stream.by_ref().take(limit).read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if read as u64 == limit {
            self.skip_line()?;
        }
        if bytes.len() > MAX_LINE_BYTES {
            return Ok(Some(Err(format!("the line is longer than {} MiB", MAX_LINE_BYTES >> 20))));
        }
        Ok(Some(String::from_utf8(bytes).map_err(|e| {
            let byte = e.utf8_error().valid_up_to() + 1;
            format!("not valid UTF-8 (byte {byte} of the line){NOT_UTF8_ADVICE}")
        })))
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.stream.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            match buffer.iter().position(|b| *b == b'\n') {
                Some(end) => {
                    self.stream.consume(end + 1);
                    return Ok(());
                }
                None => {
                    let all = buffer.len();
                    self.stream.consume(all);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<std::result::Result<String, String>> {
        let mut reader = LineReader::new(bytes);
        std::iter::from_fn(|| reader.next_line().expect("reads")).collect()
    }

    #[test]
    fn blank_lines_are_records_and_line_ends_are_not_text() {
        assert_eq!(lines(b"a\r\n\nb"), [Ok("a".to_owned()), Ok(String::new()), Ok("b".to_owned())]);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_bad_line_leaves_its_neighbours_alone() {
        let mut bytes = b"a\n\xff\xfe\n".to_vec();
        bytes.extend(vec![b'x'; MAX_LINE_BYTES + 10]);
        bytes.extend(b"\nb\n");
        let got = lines(&bytes);
        assert_eq!(got.len(), 4);
        assert_eq!(got[1], Err(format!("not valid UTF-8 (byte 1 of the line){NOT_UTF8_ADVICE}")));
        assert_eq!(got[2], Err("the line is longer than 16 MiB".to_owned()));
        assert_eq!(got[3], Ok("b".to_owned()));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_fine() {
        let mut bytes = vec![b'x'; MAX_LINE_BYTES];
        bytes.extend(b"\r\nb");
        let got = lines(&bytes);
        assert_eq!(got[0].as_ref().map(String::len), Ok(MAX_LINE_BYTES));
        assert_eq!(got[1], Ok("b".to_owned()));
    }
}
