//! Lines of a byte stream. Lines beyond a limit are returned in parts.

use std::io::{self, BufRead, Read};

/// Lines longer than this many bytes are split, at white space if the second half has any.
pub(super) const MAX_LINE: usize = 256 << 10;

/// Result of [`Lines::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A complete line, or the last part of one.
    End,
    /// A part of a line. The next call returns the following part.
    Cut,
}

/// Reads lines in parts of bounded length.
pub(super) struct Lines<R> {
    stream: R,
    /// Bytes read beyond the last split.
    rest: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, rest: Vec::new() }
    }

    /// Returns the next line, or a part of at most `limit` bytes, without its `\n` or `\r\n`; `None` at the end of the
    /// stream.
    pub(super) fn next(&mut self, line: &mut Vec<u8>, limit: usize) -> io::Result<Option<Part>> {
        line.clear();
        std::mem::swap(line, &mut self.rest);
        if line.last() != Some(&b'\n') {
            // Leave space for the `\r\n` of a line of exactly the limit.
            let room = (limit + 2).saturating_sub(line.len()) as u64;
            self.stream.by_ref().take(room).read_until(b'\n', line)?;
        }
        if line.is_empty() {
            return Ok(None);
        }
        let whole = line.last() == Some(&b'\n');
        if whole {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
        }
        if line.len() <= limit {
            return Ok(Some(Part::End));
        }
        let at = cut(line, limit);
        self.rest.extend_from_slice(&line[at..]);
        if whole {
            // Removed above, but needed in the remainder.
            self.rest.push(b'\n');
        }
        line.truncate(at);
        Ok(Some(Part::Cut))
    }

    /// Skips the remainder of a line that was split.
    pub(super) fn skip_line(&mut self) -> io::Result<()> {
        if self.rest.last() == Some(&b'\n') {
            self.rest.clear();
            return Ok(());
        }
        self.rest.clear();
        loop {
            let buffer = self.stream.fill_buf()?;
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let (taken, done) = match newline {
                Some(at) => (at + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.stream.consume(taken);
            if done {
                return Ok(());
            }
        }
    }
}

/// The position at which to split bytes longer than `limit`: after white space, otherwise between characters.
pub(super) fn cut(bytes: &[u8], limit: usize) -> usize {
    let half = limit / 2;
    if let Some(space) = bytes[half..limit].iter().rposition(u8::is_ascii_whitespace) {
        return half + space + 1;
    }
    let is_inside = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (limit.saturating_sub(3).max(1)..=limit).rev().find(|at| !is_inside(at)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(bytes: &[u8], limit: usize) -> Vec<(String, Part)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(3, bytes));
        let (mut line, mut out) = (Vec::new(), Vec::new());
        while let Some(part) = lines.next(&mut line, limit).expect("reads") {
            out.push((String::from_utf8(line.clone()).expect("whole characters"), part));
        }
        out
    }

    fn show(bytes: &[u8], limit: usize) -> Vec<String> {
        let mark = |(text, part)| format!("{text}{}", if part == Part::Cut { "+" } else { "" });
        parts(bytes, limit).into_iter().map(mark).collect()
    }

    #[test]
    fn lines_and_their_ends() {
        assert_eq!(show(b"a\r\n\nb\n", 8), ["a", "", "b"]);
        assert_eq!(show(b"", 8), Vec::<String>::new());
        assert_eq!(show(b"a\rb\r\r\nc", 8), ["a\rb\r", "c"]);
        assert_eq!(show(b"12345678\r\n12345678\n12345678", 8), ["12345678", "12345678", "12345678"]);
    }

    #[test]
    fn long_lines_come_in_parts() {
        assert_eq!(show(b"123456789\nx", 8), ["12345678+", "9", "x"]);
        assert_eq!(show(b"12345 789\r\nx", 8), ["12345 +", "789", "x"]);
        assert_eq!(show("äöüäöü\n".as_bytes(), 5), ["äö+", "üä+", "öü"]);
        assert_eq!(show(b"1234567890123456789", 4), ["1234+", "5678+", "9012+", "3456+", "789"]);
    }

    #[test]
    fn the_rest_of_a_line_can_be_skipped() {
        for text in ["1234567890123\nx", "123456789\nx"] {
            let mut lines = Lines::new(text.as_bytes());
            let mut line = Vec::new();
            assert_eq!(lines.next(&mut line, 8).expect("reads"), Some(Part::Cut));
            lines.skip_line().expect("reads");
            assert_eq!(lines.next(&mut line, 8).expect("reads"), Some(Part::End));
            assert_eq!(line, b"x");
        }
    }
}
