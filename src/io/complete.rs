//! The complete records in an output that broke off.

use std::fs::File;
use std::io::{BufRead, BufReader};

use super::array::{ArrayKind, Rows};
use super::fields::Fields;
use super::output::{Format, OutputTarget};
use crate::error::{Error, Result};

/// How far an interrupted output came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// Number of complete records.
    pub records: u64,
    /// Bytes up to the end of the last of them.
    pub bytes: u64,
    /// Records that hold an error instead of predictions. Not known of arrays.
    pub failed: u64,
}

impl Complete {
    /// True if the records of an interrupted output of this format can be counted.
    pub fn is_known(format: Format) -> bool {
        match format {
            Format::Jsonl => true,
            Format::Array(layout) => layout.kind == ArrayKind::Npy && !layout.ragged,
            Format::Text | Format::Json | Format::Conll | Format::Squad | Format::Table(_) => false,
        }
    }

    /// Counts the records in the partial file that an interrupted run left for `target`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(target: &OutputTarget, format: Format) -> Result<Self> {
        let Some(leftover) = target.leftover() else { return Ok(Self::default()) };
        let read = File::open(&leftover.path).and_then(|file| Self::in_file(file, format));
        read.map_err(Error::io(leftover.path, "read"))
    }

    fn in_file(file: File, format: Format) -> std::io::Result<Self> {
        match format {
            Format::Jsonl => lines(BufReader::with_capacity(1 << 18, file)),
            Format::Array(layout) if Self::is_known(format) => {
                let (header, row) = (layout.header(&Rows::new(0)).len() as u64, layout.row_bytes() as u64);
                let records = file.metadata()?.len().saturating_sub(header) / row.max(1);
                let bytes = if records > 0 { header + records * row } else { 0 };
                Ok(Self { records, bytes, failed: 0 })
            }
            _ => Ok(Self::default()),
        }
    }
}

/// Counts lines up to the first that is not complete. A disk that lost power may have zeros in place of data.
fn lines(mut stream: impl BufRead) -> std::io::Result<Complete> {
    let mut complete = Complete::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = stream.read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') || line.contains(&0) {
            return Ok(complete);
        }
        let Ok(text) = std::str::from_utf8(&line) else { return Ok(complete) };
        complete.records += 1;
        complete.bytes += length as u64;
        complete.failed += u64::from(text.contains("\"error\":") && is_failure(text));
    }
}

/// True for a record with an error in place of predictions.
fn is_failure(line: &str) -> bool {
    Fields::parse(line.trim_end())
        .is_ok_and(|fields| fields.raw("error").is_some() && fields.raw("predictions").is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ArrayLayout;
    use std::io::{Seek, Write};

    fn complete(bytes: &[u8], format: Format) -> (u64, u64, u64) {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).and_then(|()| file.rewind()).expect("writes");
        let found = Complete::in_file(file, format).expect("reads");
        (found.records, found.bytes, found.failed)
    }

    #[test]
    fn lines_count_up_to_the_first_that_is_not_complete() {
        let of = |text: &[u8]| complete(text, Format::Jsonl);
        assert_eq!(of(b""), (0, 0, 0));
        assert_eq!(of(b"{}\n{}"), (1, 3, 0));
        assert_eq!(of(b"{}\n{\"error\":\"x\"}\n{\"error\":1,\"predictions\":[]}\n{"), (3, 46, 1));
        assert_eq!(of(b"{}\n{\"text\":\"\\\"error\\\":\",\"predictions\":[]}\n"), (2, 42, 0));
        assert_eq!(of(b"{}\n\0\0\0\0\n{}\n"), (1, 3, 0));
        assert_eq!(of(b"{}\n\xff\n{}\n"), (1, 3, 0));
    }

    #[test]
    fn rows_of_an_array_are_counted_by_its_length() {
        let layout = ArrayLayout { kind: ArrayKind::Npy, columns: 2, ragged: false, half: false };
        let of = |length: usize, layout| complete(&vec![1; length], Format::Array(layout));
        assert_eq!(of(0, layout), (0, 0, 0));
        assert_eq!(of(100, layout), (0, 0, 0));
        assert_eq!(of(128 + 7, layout), (0, 0, 0));
        assert_eq!(of(128 + 8 + 8 + 3, layout), (2, 144, 0));
        assert_eq!(of(128 + 8 + 8 + 3, ArrayLayout { half: true, ..layout }), (4, 144, 0));
        assert!(!Complete::is_known(Format::Array(ArrayLayout { ragged: true, ..layout })));
    }
}
