//! A pull parser for JSON as programs write it, for streams of any length.
//!
//! It differs from serde_json in two ways: it returns values as text, so that they pass through unchanged, and it accepts
//! the numbers `NaN`, `Infinity` and `-Infinity` of Python's `json` module.

mod literals;
mod non_finite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, BufRead};

use super::fields::{Fields, JsonText, Name};
pub(super) use non_finite::without_non_finite;

/// Maximum size in bytes of a value that is kept in memory.
const MAX_VALUE_BYTES: usize = 64 << 20;

/// An error in a JSON text.
#[derive(Debug)]
pub(super) struct JsonError {
    pub(super) problem: Problem,
    /// The line, counted from 1.
    pub(super) line: u64,
    /// The column in bytes, counted from 1.
    pub(super) column: u64,
}

/// The kinds of errors.
#[derive(Debug)]
pub(super) enum Problem {
    /// The text ends too early.
    End(&'static str),
    /// The text is not JSON, or not the expected JSON.
    Syntax(String),
    /// The stream cannot be read.
    Stream(io::Error),
}

impl JsonError {
    pub(super) fn is_end(&self) -> bool {
        matches!(self.problem, Problem::End(_))
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::End(within) => write!(f, "EOF while parsing {within}")?,
            Problem::Syntax(problem) => f.write_str(problem)?,
            Problem::Stream(error) => return error.fmt(f),
        }
        write!(f, " at line {} column {}", self.line, self.column)
    }
}

type Result<T> = std::result::Result<T, JsonError>;

/// The destination for the text of a value: memory, or nowhere.
type Sink<'a> = Option<&'a mut Vec<u8>>;

/// Reads a JSON text incrementally.
pub(super) struct Scanner<R> {
    source: R,
    line: u64,
    column: u64,
}

impl<R: BufRead> Scanner<R> {
    /// Creates a scanner for `source`, which must not start with a byte order mark.
    pub(super) fn new(source: R) -> Self {
        Self { source, line: 1, column: 0 }
    }

    /// Returns an error at the current position.
    pub(super) fn error(&self, problem: impl Into<String>) -> JsonError {
        self.fail(Problem::Syntax(problem.into()))
    }

    fn fail(&self, problem: Problem) -> JsonError {
        JsonError { problem, line: self.line, column: self.column }
    }

    /// Returns the next byte without reading it; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.source.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fail(Problem::Stream(error))),
            }
        }
    }

    /// Reads the byte that [`Self::peek`] returned.
    fn take(&mut self, byte: u8) {
        self.source.consume(1);
        if byte == b'\n' {
            self.line += 1;
            self.column = 0;
        } else {
            self.column += 1;
        }
    }

    /// Skips white space and returns the byte after it without reading it; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<u8>> {
        self.space(&mut None)
    }

    /// Reads white space. Passes it on, unless it contains a line break.
    fn space(&mut self, sink: &mut Sink<'_>) -> Result<Option<u8>> {
        let mut run = Vec::new();
        let mut broken = false;
        loop {
            match self.peek()? {
                Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) => {
                    broken |= matches!(byte, b'\r' | b'\n');
                    if sink.is_some() && !broken {
                        run.push(byte);
                    }
                    self.take(byte);
                }
                other => {
                    if !broken {
                        self.keep(sink, &run)?;
                    }
                    return Ok(other);
                }
            }
        }
    }

    fn keep(&self, sink: &mut Sink<'_>, bytes: &[u8]) -> Result<()> {
        if let Some(out) = sink {
            if out.len() + bytes.len() > MAX_VALUE_BYTES {
                return Err(self.error(format!("a value is longer than {} MiB", MAX_VALUE_BYTES >> 20)));
            }
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Reads a byte and passes it on.
    fn pass(&mut self, sink: &mut Sink<'_>, byte: u8) -> Result<()> {
        self.take(byte);
        self.keep(sink, &[byte])
    }

    /// Enters an object (`{`) or a list (`[`).
    ///
    /// # Errors
    /// A message with `expected` if something else comes.
    pub(super) fn enter(&mut self, open: u8, expected: &str) -> Result<()> {
        match self.next()? {
            Some(byte) if byte == open => {
                self.take(byte);
                Ok(())
            }
            Some(_) => Err(self.error(format!("expected {expected}"))),
            None => Err(self.fail(Problem::End("a value"))),
        }
    }

    /// Moves to the next element of the current list. Returns false after its end. `first` is true before the first
    /// element.
    pub(super) fn next_element(&mut self, first: &mut bool) -> Result<bool> {
        self.next_item(first, b']', "a list")
    }

    /// Reads the next name of the current object, up to its value; `None` after its end. `first` is true before the first
    /// name.
    pub(super) fn next_name(&mut self, first: &mut bool) -> Result<Option<Name>> {
        if !self.next_item(first, b'}', "an object")? {
            return Ok(None);
        }
        let mut name = Vec::new();
        self.name(&mut Some(&mut name))?;
        Ok(Some(Name::of_json(self.text(name)?)))
    }

    fn next_item(&mut self, first: &mut bool, close: u8, within: &'static str) -> Result<bool> {
        let begins = std::mem::replace(first, false);
        match self.next()? {
            Some(byte) if byte == close => {
                self.take(byte);
                Ok(false)
            }
            Some(_) if begins => Ok(true),
            Some(b',') => {
                self.take(b',');
                if self.next()? == Some(close) {
                    return Err(self.error("trailing comma"));
                }
                Ok(true)
            }
            Some(_) => Err(self.error(format!("expected `,` or `{}`", close as char))),
            None => Err(self.fail(Problem::End(within))),
        }
    }

    /// Reads a value as text, on one line.
    pub(super) fn value(&mut self) -> Result<JsonText> {
        let mut out = Vec::new();
        self.pass_value(&mut Some(&mut out))?;
        Ok(JsonText::new(self.text(out)?))
    }

    /// Reads and discards a value.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.pass_value(&mut None)
    }

    /// Reads an object.
    pub(super) fn fields(&mut self) -> Result<Fields> {
        let mut fields = Fields::default();
        self.enter(b'{', "an object")?;
        let mut first = true;
        while let Some(name) = self.next_name(&mut first)? {
            fields.push(name, self.value()?);
        }
        Ok(fields)
    }

    /// Checks that nothing but white space follows.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.next()? {
            None => Ok(()),
            Some(_) => Err(self.error("trailing characters")),
        }
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String> {
        String::from_utf8(bytes).map_err(|_| self.error("not valid UTF-8"))
    }

    /// Reads any value. Does not recurse, so nesting may be arbitrarily deep.
    fn pass_value(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut open = Vec::new();
        self.next()?;
        loop {
            match self.space(sink)? {
                Some(b'"') => self.string(sink)?,
                Some(b'{') => {
                    self.pass(sink, b'{')?;
                    open.push(b'}');
                    if self.space(sink)? != Some(b'}') {
                        self.name(sink)?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.pass(sink, b'[')?;
                    open.push(b']');
                    if self.space(sink)? != Some(b']') {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number(sink)?,
                Some(b't') => self.word(sink, "true")?,
                Some(b'f') => self.word(sink, "false")?,
                Some(b'n') => self.word(sink, "null")?,
                Some(b'N') => self.word(sink, "NaN")?,
                Some(b'I') => self.word(sink, "Infinity")?,
                Some(_) => return Err(self.error("expected value")),
                None => return Err(self.fail(Problem::End("a value"))),
            }
            // A value is complete.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                match self.space(sink)? {
                    Some(byte) if byte == close => {
                        self.pass(sink, byte)?;
                        open.pop();
                    }
                    Some(b',') => {
                        self.pass(sink, b',')?;
                        if close == b'}' {
                            self.space(sink)?;
                            self.name(sink)?;
                        }
                        break;
                    }
                    Some(_) => return Err(self.error(format!("expected `,` or `{}`", close as char))),
                    None => {
                        return Err(self.fail(Problem::End(if close == b'}' {
                            "an object"
                        } else {
                            "a list"
                        })));
                    }
                }
            }
        }
    }

    /// Reads a name and the colon after it. If the sink is empty, only the name is kept, as [`Self::next_name`] needs.
    fn name(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let alone = sink.as_ref().is_some_and(|out| out.is_empty());
        match self.peek()? {
            Some(b'"') => self.string(sink)?,
            Some(_) => return Err(self.error("key must be a string")),
            None => return Err(self.fail(Problem::End("an object"))),
        }
        let found = if alone { self.space(&mut None)? } else { self.space(sink)? };
        match found {
            Some(b':') if alone => {
                self.take(b':');
                Ok(())
            }
            Some(b':') => self.pass(sink, b':'),
            Some(_) => Err(self.error("expected `:`")),
            None => Err(self.fail(Problem::End("an object"))),
        }
    }
}
