//! All logs of a run.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::training::Report;

/// `metrics.jsonl`.
pub struct RunLog {
    file: File,
}

impl RunLog {
    /// Opens.
    ///
    /// # Errors
    /// Io.
    pub fn open(output: &Path, _step: u64) -> Result<Self> {
        let path = output.join("metrics.jsonl");
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(Error::io(&path, "open"))?;
        Ok(Self { file })
    }

    fn put(&mut self, kind: &str, report: &Report) -> Result<()> {
        let mut map = Map::new();
        map.insert("kind".into(), kind.into());
        map.insert("step".into(), report.step.into());
        map.insert("epoch".into(), report.epoch.into());
        for (name, value) in &report.values {
            map.insert((*name).into(), (*value).into());
        }
        if let Some(rate) = report.learning_rate {
            map.insert("learning_rate".into(), rate.into());
        }
        if let Some(norm) = report.gradient_norm {
            map.insert("gradient_norm".into(), norm.into());
        }
        map.insert("tokens".into(), report.tokens.into());
        map.insert("tokens_per_second".into(), report.tokens_per_second.into());
        map.insert("seconds".into(), report.seconds.into());
        writeln!(self.file, "{}", Value::Object(map)).map_err(Error::io("metrics.jsonl", "write"))
    }

    /// Steps.
    ///
    /// # Errors
    /// Io.
    pub fn trained(&mut self, report: &Report) -> Result<()> {
        self.put("train", report)
    }

    /// Held out.
    ///
    /// # Errors
    /// Io.
    pub fn evaluated(&mut self, report: &Report) -> Result<()> {
        self.put("eval", report)
    }
}
