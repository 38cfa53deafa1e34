//! `metrics.jsonl`: one record per line, appended during the run.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::io::OutputTarget;

/// The metrics file of a run. Records are JSON objects. Records of a step have its number in the field `step`.
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Creates an empty file and replaces an existing one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io(path, "create"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Opens the file of a run that resumes after `step`, and returns its records.
    ///
    /// Drops records of later steps, which the run will write again, and lines that are not records, such as an
    /// incomplete last line. Creates the file if it does not exist.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`].
    pub fn resume(path: &Path, step: u64) -> Result<(Self, Vec<Map<String, Value>>)> {
        let (records, whole) = match File::open(path) {
            Ok(file) => read(path, file, step)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (Vec::new(), true),
            Err(error) => return Err(Error::io(path, "read")(error)),
        };
        if !whole {
            let mut target = OutputTarget::open(Some(path))?;
            for record in &records {
                target.write(&line(path, record)?)?;
            }
            target.finish()?;
        }
        let file =
            OpenOptions::new().append(true).create(true).open(path).map_err(Error::io(path, "write"))?;
        Ok((Self { path: path.to_owned(), file }, records))
    }

    /// Appends a record and flushes it. Numbers that are not finite become `null`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] if `record` is not a JSON object.
    pub fn append(&mut self, record: &impl Serialize) -> Result<()> {
        let line = line(&self.path, record)?;
        self.file.write_all(&line).map_err(Error::io(&self.path, "write"))
    }
}

/// Reads the records up to `step`. Also returns whether the file contains nothing else.
fn read(path: &Path, file: File, step: u64) -> Result<(Vec<Map<String, Value>>, bool)> {
    let mut reader = BufReader::new(file);
    let (mut records, mut whole) = (Vec::new(), true);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(Error::io(path, "read"))? == 0 {
            return Ok((records, whole));
        }
        let record: Option<Map<String, Value>> = serde_json::from_slice(&line).ok();
        let record =
            record.filter(|record| record.get("step").and_then(Value::as_u64).is_none_or(|s| s <= step));
        // A last line without a newline may end in a truncated number.
        match record {
            Some(record) if line.ends_with(b"\n") => records.push(record),
            _ => whole = false,
        }
    }
}

fn line(path: &Path, record: &impl Serialize) -> Result<Vec<u8>> {
    let bad = |problem: String| Error::bad_file(path, format!("a record cannot be written: {problem}"));
    let mut line = serde_json::to_vec(record).map_err(|e| bad(e.to_string()))?;
    if !line.starts_with(b"{") {
        return Err(bad("it is not a JSON object".to_owned()));
    }
    line.push(b'\n');
    Ok(line)
}
