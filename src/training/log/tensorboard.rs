//! Event files for TensorBoard, with scalars.
//!
//! References: `tensorboard/compat/proto/{event,summary}.proto`, and `tensorflow/core/lib/io/record_writer.cc` for the
//! record framing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};

#[derive(Clone, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<SummaryValue>,
}

#[derive(Clone, Message)]
struct SummaryValue {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`.
const START: i32 = 1;

/// Writes one event file. Each event is flushed immediately.
pub struct EventWriter {
    path: PathBuf,
    file: File,
}

impl EventWriter {
    /// Creates a new file in `directory`, named after the time, the host and the process. Creates the directory if
    /// necessary.
    ///
    /// A run that resumes passes the last completed step as `resumed`. TensorBoard then ignores later steps in older
    /// files of the directory.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(directory: &Path, now: SystemTime, resumed: Option<u64>) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(Error::io(directory, "create"))?;
        let name =
            format!("events.out.tfevents.{}.{}.{}", seconds(now) as u64, host_name(), std::process::id());
        let (path, file) = create_new(directory, &name)?;
        let mut writer = Self { path, file };
        let wall_time = seconds(now);
        let version = "brain.Event:2".to_owned();
        writer.write(&Event { wall_time, file_version: Some(version), ..Event::default() })?;
        if let Some(step) = resumed {
            let session_log = Some(SessionLog { status: START });
            writer.write(&Event { wall_time, step: to_i64(step) + 1, session_log, ..Event::default() })?;
        }
        Ok(writer)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the values of a step by tag. TensorBoard groups the charts of tags `group/name`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn scalars(&mut self, step: u64, now: SystemTime, values: &[(&str, f64)]) -> Result<()> {
        let value = |&(tag, value): &(&str, f64)| SummaryValue {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
        };
        let summary = Some(Summary { value: values.iter().map(value).collect() });
        self.write(&Event { wall_time: seconds(now), step: to_i64(step), summary, ..Event::default() })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        self.file.write_all(&frame(&event.encode_to_vec())).map_err(Error::io(&self.path, "write"))
    }
}

/// A record of a TFRecord file: length, checksum of the length, data, checksum of the data.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut out = Vec::with_capacity(data.len() + 16);
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
    out
}

/// CRC-32C, masked so that checksums of data that contains checksums are safe (`crc32c.h` in TensorFlow).
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Creates a file that did not exist before: `name`, or `name.1`, ...
fn create_new(directory: &Path, name: &str) -> Result<(PathBuf, File)> {
    let mut path = directory.join(name);
    let mut number = 0;
    loop {
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                number += 1;
                path = directory.join(format!("{name}.{number}"));
            }
            Err(error) => return Err(Error::io(path, "create")(error)),
        }
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn to_i64(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX - 1)
}

/// The host name, sanitized for a file name.
fn host_name() -> String {
    let of_file = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let of_variable = || ["HOSTNAME", "COMPUTERNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = of_file.or_else(of_variable).unwrap_or_default();
    let fit: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    if fit.is_empty() { "localhost".to_owned() } else { fit }
}
