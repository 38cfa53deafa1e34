//! All logs of a run, combined.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::curves::{Curves, Panel, Series, SeriesStyle};
use super::jsonl::MetricsFile;
use super::tensorboard::EventWriter;
use crate::error::Result;
use crate::training::Report;

/// `metrics.jsonl`, TensorBoard events and `curves.svg` in a run's directory.
pub struct RunLog {
    metrics: MetricsFile,
    events: EventWriter,
    curves: Curves,
    picture: PathBuf,
}

impl RunLog {
    /// Opens the logs of a run that starts, or that resumes after `step`, and drops the records of later steps. `panels`
    /// lists the titles and the names of the values to draw.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn open(output: &Path, step: u64, panels: &[(&str, &str)]) -> Result<Self> {
        let path = output.join("metrics.jsonl");
        let (metrics, records) = match step {
            0 => (MetricsFile::create(&path)?, Vec::new()),
            _ => MetricsFile::resume(&path, step)?,
        };
        let events = EventWriter::create(output, SystemTime::now(), (step > 0).then_some(step))?;
        let mut curves = curves(output, panels);
        for record in &records {
            let kind = record.get("kind").and_then(Value::as_str).unwrap_or_default();
            curves.push(&tagged(record, kind));
        }
        Ok(Self { metrics, events, curves, picture: output.join("curves.svg") })
    }

    /// Logs averages over some training steps.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn trained(&mut self, report: &Report) -> Result<()> {
        self.put("train", report)
    }

    /// Logs averages over the held-out rows and draws the curves.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn evaluated(&mut self, report: &Report) -> Result<()> {
        self.put("eval", report)?;
        self.curves.write(&self.picture)
    }

    fn put(&mut self, kind: &str, report: &Report) -> Result<()> {
        let record = record(kind, report);
        self.metrics.append(&record)?;
        let tagged = tagged(&record, kind);
        self.curves.push(&tagged);
        let scalars: Vec<(&str, f64)> = tagged
            .iter()
            .filter(|(tag, _)| tag.contains('/'))
            .filter_map(|(tag, value)| Some((tag.as_str(), value.as_f64()?)))
            .collect();
        self.events.scalars(report.step, SystemTime::now(), &scalars)
    }
}

/// Formats a report as a line of `metrics.jsonl`.
fn record(kind: &str, report: &Report) -> Map<String, Value> {
    let mut record = Map::new();
    let mut set = |name: &str, value: Value| {
        record.insert(name.to_owned(), value);
    };
    set("kind", kind.into());
    set("step", report.step.into());
    set("epoch", report.epoch.into());
    for (name, value) in &report.values {
        set(name, (*value).into());
        if *name == "mlm_loss" && kind == "eval" {
            set("perplexity", value.exp().into());
        }
    }
    if let Some(rate) = report.learning_rate {
        set("learning_rate", rate.into());
    }
    if let Some(norm) = report.gradient_norm {
        set("gradient_norm", norm.into());
    }
    set("tokens", report.tokens.into());
    set("tokens_per_second", report.tokens_per_second.into());
    set("seconds", report.seconds.into());
    record
}

/// The values of a record under `kind/name`, so that training and held-out values are separate series.
fn tagged(record: &Map<String, Value>, kind: &str) -> Map<String, Value> {
    let rename = |(name, value): (&String, &Value)| {
        let name = match name.as_str() {
            "step" => "step".to_owned(),
            name => format!("{kind}/{name}"),
        };
        (name, value.clone())
    };
    record.iter().filter(|(_, value)| !value.is_string()).map(rename).collect()
}

fn curves(output: &Path, panels: &[(&str, &str)]) -> Curves {
    let both = |name: &str| {
        vec![
            Series::new(&format!("train/{name}"), "training", SeriesStyle::Smoothed),
            Series::new(&format!("eval/{name}"), "held out", SeriesStyle::Points),
        ]
    };
    let panel = |(title, name): &(&str, &str)| Panel {
        title: (*title).to_owned(),
        range: None,
        log_if_wide: false,
        series: both(name),
    };
    let rate = Panel {
        title: "learning rate".to_owned(),
        series: vec![Series::new("train/learning_rate", "learning rate", SeriesStyle::Line)],
        ..Panel::default()
    };
    let name = output.file_name().map(|name| name.to_string_lossy().into_owned());
    Curves { title: name.unwrap_or_default(), panels: panels.iter().map(panel).chain([rate]).collect() }
}
