//! Strings, numbers and literal names of a JSON text.

use std::io::BufRead;

use super::{Problem, Result, Scanner, Sink};

impl<R: BufRead> Scanner<R> {
    pub(super) fn string(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.pass(sink, b'"')?;
        loop {
            match self.peek()? {
                None => return Err(self.fail(Problem::End("a string"))),
                Some(b'"') => return self.pass(sink, b'"'),
                Some(b'\\') => self.escape(sink)?,
                Some(0..=0x1f) => {
                    let problem = "control character (\\u0000-\\u001F) found while parsing a string";
                    return Err(self.error(problem));
                }
                Some(_) => self.plain(sink)?,
            }
        }
    }

    /// Reads the characters of a string up to the next special character or the end of the buffer.
    pub(super) fn plain(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut part = Vec::new();
        let buffer = match self.source.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) => return Err(self.fail(Problem::Stream(error))),
        };
        let length =
            buffer.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(buffer.len());
        if sink.is_some() {
            part.extend_from_slice(&buffer[..length]);
        }
        self.source.consume(length);
        self.column += length as u64;
        self.keep(sink, &part)
    }

    pub(super) fn escape(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        self.pass(sink, b'\\')?;
        match self.peek()? {
            Some(byte @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => self.pass(sink, byte),
            Some(b'u') => {
                self.pass(sink, b'u')?;
                for _ in 0..4 {
                    match self.peek()? {
                        Some(byte) if byte.is_ascii_hexdigit() => self.pass(sink, byte)?,
                        Some(_) => return Err(self.error("invalid escape")),
                        None => return Err(self.fail(Problem::End("a string"))),
                    }
                }
                Ok(())
            }
            Some(_) => Err(self.error("invalid escape")),
            None => Err(self.fail(Problem::End("a string"))),
        }
    }

    pub(super) fn number(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        if self.peek()? == Some(b'-') {
            self.pass(sink, b'-')?;
            if self.peek()? == Some(b'I') {
                return self.word(sink, "Infinity");
            }
        }
        match self.peek()? {
            Some(b'0') => self.pass(sink, b'0')?,
            _ => self.digits(sink)?,
        }
        if self.peek()? == Some(b'.') {
            self.pass(sink, b'.')?;
            self.digits(sink)?;
        }
        if let Some(byte @ (b'e' | b'E')) = self.peek()? {
            self.pass(sink, byte)?;
            if let Some(sign @ (b'+' | b'-')) = self.peek()? {
                self.pass(sink, sign)?;
            }
            self.digits(sink)?;
        }
        match self.peek()? {
            Some(b'0'..=b'9') => Err(self.error("invalid number")),
            _ => Ok(()),
        }
    }

    /// Reads at least one digit.
    pub(super) fn digits(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut any = false;
        loop {
            match self.peek()? {
                Some(byte @ b'0'..=b'9') => {
                    self.pass(sink, byte)?;
                    any = true;
                }
                _ if any => return Ok(()),
                Some(_) => return Err(self.error("invalid number")),
                None => return Err(self.fail(Problem::End("a value"))),
            }
        }
    }

    pub(super) fn word(&mut self, sink: &mut Sink<'_>, word: &str) -> Result<()> {
        for expected in word.bytes() {
            match self.peek()? {
                Some(byte) if byte == expected => self.pass(sink, byte)?,
                Some(_) => return Err(self.error("expected value")),
                None => return Err(self.fail(Problem::End("a value"))),
            }
        }
        Ok(())
    }
}
