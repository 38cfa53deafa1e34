//! Reads the records of a table.

use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::names::{REPEATED_HEADER, check_names, name_blanks, quoted, ragged, repeats_header};
use super::row_start::row_start;
use super::rows::{Broken, Row, Rows};
use super::{Delimited, Needed, TableColumns, TableKind, csv_separator, is_separator_line};
use crate::error::{Error, Result};
use crate::io::compressed::{decompressed, unreadable};
use crate::io::fields::Fields;
use crate::io::open_file::open_file;
use crate::io::part::{Section, Shard, refused};
use crate::io::queue::{Counted, ReadProgress};
use crate::io::shape::Shape;

const BUFFER: usize = 1 << 16;

/// Number of bytes that tell whether a stream is text.
const HEAD: u64 = 16;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A table whose header has been read.
pub(in crate::io) struct TableInput {
    path: PathBuf,
    content: Content,
    /// The columns.
    pub(in crate::io) columns: TableColumns,
    /// Number of bytes to read, if they are counted.
    pub(in crate::io) bytes: Option<u64>,
    /// The part of the file that is read, if its lines are counted from its start.
    pub(in crate::io) section: Option<Arc<Section>>,
}

/// The remaining rows.
enum Content {
    /// Rows that start in this byte range.
    Text(Delimited, Rows<BufReader<Box<dyn Read + Send>>>, Range<u64>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::ParquetInput>),
}

impl TableInput {
    /// Opens a file, or standard input for `-`. Bytes read from a text file are counted.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] for a table that is damaged, lacks a needed column, or is not supported by this
    /// build.
    pub(in crate::io) fn open(
        path: &Path,
        kind: TableKind,
        needed: &[Needed],
        counted: ReadProgress,
    ) -> Result<Self> {
        match (kind.delimited(), path == Path::new("-")) {
            (Some(kind), true) => Self::of_text(std::io::stdin(), Path::new("<stdin>"), kind, needed),
            (Some(kind), false) => {
                let file = open_file(path)?;
                let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
                let table = Self::of_text(Counted::new(file, counted), path, kind, needed)?;
                Ok(Self { bytes, ..table })
            }
            (None, true) => Err(Error::bad_file(
                "<stdin>",
                "Parquet is read from files only, because their last bytes are read first; name one with option input",
            )),
            (None, false) => Self::of_parquet(open_file(path)?, path, needed, None),
        }
    }

    /// Reads the header of a stream, which messages call `path`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] for a header that is missing, has duplicate names or lacks a needed column, and
    /// for UTF-16 and compression other than gzip and Zstandard.
    fn of_text(
        stream: impl Read + Send + 'static,
        path: &Path,
        kind: Delimited,
        needed: &[Needed],
    ) -> Result<Self> {
        let bad = |problem: String| Error::bad_file(path, problem);
        let read = |e| Error::io(path, "read")(e);
        let mut stream = decompressed(BufReader::with_capacity(BUFFER, stream)).map_err(read)?;
        let mut head = Vec::new();
        stream.by_ref().take(HEAD).read_to_end(&mut head).map_err(read)?;
        if let Some(problem) = unreadable(&head) {
            return Err(bad(problem.to_owned()));
        }
        let mut start = 0;
        if head.starts_with(BYTE_ORDER_MARK) {
            start = BYTE_ORDER_MARK.len() as u64;
            head.drain(..BYTE_ORDER_MARK.len());
        }
        let stream: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(head).chain(stream));
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        let mut head = Vec::new();
        let mut kind = kind;
        if kind == Delimited::Csv {
            read_header(&mut stream, &mut head).map_err(read)?;
            let separator = csv_separator(&head);
            if separator != b',' {
                kind = Delimited::Separated(separator);
            }
        }
        let stream: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(head).chain(stream));
        let mut rows = Rows::new(BufReader::with_capacity(BUFFER, stream), kind, start);
        let names = loop {
            let header = rows.next().map_err(|broken| error(broken, path, None))?;
            let Some(Row { line, cells, .. }) = header else {
                return Err(bad("is empty; a table begins with a header that names its columns".to_owned()));
            };
            let names = cells.map_err(|problem| record(path, line, format!("the header: {problem}")))?;
            if !is_separator_line(names.iter().map(String::as_str)) {
                break names;
            }
        };
        let names = name_blanks(names);
        check_names(&names, needed).map_err(bad)?;
        let columns = TableColumns::of_text(names);
        Ok(Self {
            path: path.to_owned(),
            content: Content::Text(kind, rows, 0..u64::MAX),
            columns,
            bytes: None,
            section: None,
        })
    }

    /// Opens a part of a file, without reading the others.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`Error::InvalidOption`] for a file that cannot be split.
    pub(in crate::io) fn open_shard(
        path: &Path,
        kind: TableKind,
        shard: Shard,
        needed: &[Needed],
        counted: ReadProgress,
    ) -> Result<Self> {
        let file = open_file(path)?;
        if !kind.is_text() {
            return Self::of_parquet(file, path, needed, Some(shard));
        }
        let mut section = Section::find(path, &file, shard, |_| Ok(Shape::Lines))?;
        let mut table = Self::open(path, kind, needed, counted.clone())?;
        let (text, rows, within) = match &mut table.content {
            Content::Text(text, rows, within) => (*text, rows, within),
            #[cfg(feature = "parquet")]
            Content::Parquet(_) => return Ok(table),
        };
        if !rows.ends_lines_with_feeds() {
            return Err(refused(
                path,
                "has lines that end with a carriage return alone; convert it with tr '\\r' '\\n'",
            ));
        }
        if text.has_quotes() {
            let start = rows.position();
            section.move_bounds(|from, length| {
                row_start(&file, text, start, from, length).map_err(|broken| error(broken, path, None))
            })?;
        }
        if section.start == 0 {
            *within = 0..section.end;
            table.bytes = Some(within.end);
            return Ok(table);
        }
        // A part may start in the header, or in blank lines before it.
        *within = rows.position()..section.end;
        let length = section.end - section.start;
        table.bytes = Some(length + counted.read());
        (&file).seek(SeekFrom::Start(section.start)).map_err(Error::io(path, "read"))?;
        let stream: Box<dyn Read + Send> = Box::new(Counted::new(file, counted));
        *rows = Rows::within(BufReader::with_capacity(BUFFER, stream), text, section.start);
        table.section = Some(Arc::new(section));
        Ok(table)
    }

    /// Opens a Parquet file, or the row groups of a shard.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] for a file that is damaged, has duplicate names or lacks a needed column.
    #[cfg(feature = "parquet")]
    fn of_parquet(file: std::fs::File, path: &Path, needed: &[Needed], shard: Option<Shard>) -> Result<Self> {
        let bad = |problem: String| Error::bad_file(path, problem);
        let input = super::parquet::ParquetInput::open(file, shard).map_err(bad)?;
        let names = input.names();
        check_names(&names, needed).map_err(bad)?;
        let columns = TableColumns { names: names.into(), schema: Some(input.schema.clone()) };
        Ok(Self {
            path: path.to_owned(),
            content: Content::Parquet(Box::new(input)),
            columns,
            bytes: None,
            section: None,
        })
    }

    #[cfg(not(feature = "parquet"))]
    fn of_parquet(
        _file: std::fs::File,
        path: &Path,
        _needed: &[Needed],
        _shard: Option<Shard>,
    ) -> Result<Self> {
        Err(Error::bad_file(path, "is a Parquet file, and this albert was built without the feature parquet"))
    }

    /// Returns the name that precedes the number of a record in messages.
    pub(in crate::io) fn name(&self) -> String {
        match &self.content {
            Content::Text(..) => self.path.display().to_string(),
            #[cfg(feature = "parquet")]
            Content::Parquet(_) => format!("{}: row", self.path.display()),
        }
    }

    /// Checks that another table has the same columns.
    ///
    /// # Errors
    /// [`Error::BadFile`] that names both.
    pub(in crate::io) fn check_same(&self, other: &Self) -> Result<()> {
        if self.columns.names == other.columns.names {
            #[cfg(feature = "parquet")]
            super::parquet::check_same(
                self.columns.schema.as_ref(),
                &self.path,
                other.columns.schema.as_ref(),
            )
            .map_err(|problem| Error::bad_file(&other.path, problem))?;
            return Ok(());
        }
        Err(Error::bad_file(
            &other.path,
            format!(
                "has the columns {}, but {} has {}; files that are read together have the same columns in the same \
                 order",
                quoted(&other.columns.names),
                self.path.display(),
                quoted(&self.columns.names)
            ),
        ))
    }

    /// Calls `record` for each row, with the line at which it starts, until it returns false. A row whose number of cells
    /// differs from the header is an error of that record alone.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Record`] for an unterminated quote, after which the ends of rows are unknown.
    pub(in crate::io) fn read(
        self,
        record: &mut dyn FnMut(u64, std::result::Result<Fields, String>) -> bool,
    ) -> Result<()> {
        let names = &self.columns.names;
        let (kind, mut rows, within) = match self.content {
            Content::Text(kind, rows, within) => (kind, rows, within),
            #[cfg(feature = "parquet")]
            Content::Parquet(input) => {
                let result = input.read(names, &mut |row, fields| record(row, Ok(fields)));
                return result.map_err(|problem| Error::bad_file(&self.path, problem));
            }
        };
        // Do not read past the end of this part. Errors after it belong to the next part.
        while rows.position() < within.end {
            let row = rows.next().map_err(|broken| error(broken, &self.path, self.section.as_deref()))?;
            let Some(Row { line, start, cells }) = row.filter(|row| row.start < within.end) else { break };
            if start < within.start {
                continue;
            }
            let fields = cells.and_then(|cells| {
                if repeats_header(cells.iter().map(String::as_str), names.iter().map(String::as_str)) {
                    Err(REPEATED_HEADER.to_owned())
                } else if cells.len() == names.len() {
                    Ok(Fields::of_cells(names, cells))
                } else {
                    Err(ragged(cells.len(), names, kind))
                }
            });
            if !record(line, fields) {
                break;
            }
        }
        Ok(())
    }
}

/// Reads the first two lines that are not blank, and at most a buffer more, to see how their cells are separated.
fn read_header(stream: &mut impl BufRead, head: &mut Vec<u8>) -> std::io::Result<()> {
    while head.len() < BUFFER {
        let buffer = match stream.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        let read = buffer.len();
        head.extend_from_slice(buffer);
        stream.consume(read);
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let lines = head.split(is_end).filter(|line| !line.is_empty()).count();
        // The last one may be incomplete.
        if read == 0 || lines > 2 || (lines == 2 && head.last().is_some_and(is_end)) {
            break;
        }
    }
    Ok(())
}

fn error(broken: Broken, path: &Path, section: Option<&Section>) -> Error {
    match broken {
        Broken::Stream(e) => Error::io(path, "read")(e),
        Broken::Lost(line, problem) => record(path, line + section.map_or(0, Section::lines_before), problem),
    }
}

fn record(path: &Path, line: u64, problem: String) -> Error {
    Error::Record { source_name: path.display().to_string(), line, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &'static [u8], needed: &[Needed]) -> Result<TableInput> {
        TableInput::of_text(bytes, Path::new("t.csv"), Delimited::Csv, needed)
    }

    fn records(bytes: &'static [u8]) -> Vec<String> {
        let mut seen = Vec::new();
        let result = open(bytes, &[]).expect("a header").read(&mut |line, fields| {
            seen.push(match fields {
                Ok(fields) => {
                    format!("{line}: {}", String::from_utf8_lossy(&fields.to_json().expect("JSON")))
                }
                Err(problem) => format!("{line}! {problem}"),
            });
            true
        });
        seen.extend(result.err().map(|e| e.to_string()));
        seen
    }

    #[test]
    fn rows_become_records() {
        assert_eq!(
            records(b"\xef\xbb\xbftext,id\n\"a \"\"b\"\"\n\",007\n,\nx\ny,1,2\n\"open,1\n"),
            [
                r#"2: {"text":"a \"b\"\n","id":"007"}"#,
                r#"4: {"text":"","id":""}"#,
                "5! 1 cell, but the header has 2: \"text\", \"id\"; every row needs all cells, even empty ones",
                "6! 3 cells, but the header has 2: \"text\", \"id\"; a cell with commas needs quotes around it",
                "t.csv:7: a quote of this row is never closed",
            ]
        );
    }

    #[test]
    fn shards_cover_every_row_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("t");
        let csv = "\u{feff}\n\ntext,id\r\n\"a\n\nb\",1\n5\" disk,2\n\n\"\"\"c\n\"\"\",3\r\nx,4,\nd,5";
        let semicolons = "sep=;\ntext;id\n\"a\n;\n\";1\n,;2\n\"\"\"c;\n\"\"\";3\nx;4;\nd;5";
        let tsv = "\n\ntext\tid\n\"a\t1\r\n\n\"\t2\nx\nlonger than the others\t3\n";
        for (kind, text) in [(TableKind::Csv, csv), (TableKind::Csv, semicolons), (TableKind::Tsv, tsv)] {
            std::fs::write(&path, text).expect("writes");
            let rows = |table: TableInput| {
                let mut rows = Vec::new();
                let read = table.read(&mut |line, fields| {
                    rows.push((line, fields.map(|fields| fields.to_json().expect("JSON"))));
                    true
                });
                read.expect("reads");
                rows
            };
            let whole = rows(TableInput::open(&path, kind, &[], ReadProgress::default()).expect("opens"));
            assert_eq!(whole.len(), if kind == TableKind::Csv { 5 } else { 4 });
            for count in 1..=text.len() as u64 + 2 {
                let mut all = Vec::new();
                for index in 1..=count {
                    let shard = Shard { index, count };
                    let table = TableInput::open_shard(&path, kind, shard, &[], ReadProgress::default());
                    let table = table.expect("opens");
                    let before = table.section.as_ref().map_or(0, |section| section.lines_before());
                    all.extend(rows(table).into_iter().map(|(line, fields)| (line + before, fields)));
                }
                assert_eq!(all, whole, "{kind:?} in {count}");
            }
        }
        std::fs::write(&path, "a,b\r1,2\r").expect("writes");
        let shard = Shard { index: 1, count: 2 };
        assert!(TableInput::open_shard(&path, TableKind::Csv, shard, &[], ReadProgress::default()).is_err());
    }

    #[test]
    fn semicolons_of_spreadsheets() {
        let text = b"\xef\xbb\xbfsep=;\r\ntext;\"id, number\"\r\n\"a; \"\"b\"\"\";1,5\r\nx;y;z\r\n";
        assert_eq!(
            records(text),
            [
                r#"3: {"text":"a; \"b\"","id, number":"1,5"}"#,
                "4! 3 cells, but the header has 2: \"text\", \"id, number\"; a cell with semicolons needs quotes around it",
            ]
        );
        assert_eq!(records(b"sep=,\na,b;c\n1,2\n"), [r#"3: {"a":"1","b;c":"2"}"#]);
    }

    #[test]
    fn rows_that_repeat_the_header_and_columns_without_a_name() {
        assert_eq!(
            records(b"text,label\na,b\ntext,label\n"),
            [r#"2: {"text":"a","label":"b"}"#, &format!("3! {REPEATED_HEADER}")]
        );
        assert_eq!(records(b"text\ntext\n"), [r#"2: {"text":"text"}"#]);
        assert_eq!(records(b",v1,,\n0,a,,\n"), [r#"2: {"":"0","v1":"a","column 3":"","column 4":""}"#]);
    }

    #[test]
    fn headers_that_are_not_sound() {
        let problem = |bytes, needed: &[Needed]| open(bytes, needed).err().map(|e| e.to_string());
        let text = [Needed::new("text", "text_field")];
        assert_eq!(problem(b"text\n", &text), None);
        assert_eq!(
            problem(b"id, text\n1,2\n", &text).as_deref(),
            Some(
                "t.csv has no column \"text\"; its columns are \"id\", \" text\" (option text_field names another)"
            )
        );
        for (bytes, start) in [
            (&b""[..], "t.csv is empty"),
            (b"\n\n", "t.csv is empty"),
            (b"a,b,a\n", "t.csv: columns 1 and 3 are both named \"a\""),
            (b"\xff\xfea\x00", "t.csv is UTF-16"),
            (b"a,\"b\n", "t.csv:1: a quote of this row is never closed"),
            (b"a,\xff\n", "t.csv:1: the header: not valid UTF-8 (cell 2)"),
        ] {
            let found = problem(bytes, &[]).unwrap_or_default();
            assert!(found.starts_with(start), "{found}");
        }
        let (one, other) = (open(b"a,b\n", &[]).expect("opens"), open(b"b,a\n", &[]).expect("opens"));
        assert!(one.check_same(&open(b"a,b\nx,y\n", &[]).expect("opens")).is_ok());
        let error = one.check_same(&other).expect_err("differs").to_string();
        assert!(error.contains("has the columns \"b\", \"a\", but t.csv has \"a\", \"b\""), "{error}");
    }
}
