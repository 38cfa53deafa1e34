//! Training curves as a picture: panels of series over steps.

mod axis;
mod draw;
mod points;

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::io::OutputTarget;

/// Values beyond this are drawn as gaps, like values that are not finite.
const LARGEST: f64 = 1e30;

/// The panels of a picture, stacked with a common step axis.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// The headline.
    pub title: String,
    /// The panels from top to bottom.
    pub panels: Vec<Panel>,
}

/// A chart of series with the same unit.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// The label of the vertical axis.
    pub title: String,
    /// The limits of the vertical axis; `None` derives them from the values.
    pub range: Option<(f64, f64)>,
    /// Use a logarithmic axis if the values are positive and span more than three orders of magnitude.
    pub log_if_wide: bool,
    /// The series, drawn in this order from bottom to top.
    pub series: Vec<Series>,
}

/// Values over steps.
#[derive(Clone, Debug)]
pub struct Series {
    /// The record field with the values.
    pub key: String,
    /// The name in the picture.
    pub label: String,
    /// The style.
    pub style: SeriesStyle,
    /// Steps, ascending, and values.
    points: Vec<(u64, f64)>,
}

/// Style of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStyle {
    /// A line.
    Line,
    /// The values in a faint color, and a line of their moving average.
    Smoothed,
    /// A mark for each value.
    Points,
}

impl Series {
    /// A series without values.
    pub fn new(key: &str, label: &str, style: SeriesStyle) -> Self {
        Self { key: key.to_owned(), label: label.to_owned(), style, points: Vec::new() }
    }
}

impl Curves {
    /// Adds the values of `record` to the matching series, at the step in its field `step`. Other fields are ignored. A
    /// `null`, which stands for a value that is not finite, is a gap.
    pub fn push(&mut self, record: &Map<String, Value>) {
        let Some(step) = record.get("step").and_then(Value::as_u64) else { return };
        for series in self.panels.iter_mut().flat_map(|panel| &mut panel.series) {
            if let Some(value) = record.get(&series.key) {
                series.points.push((step, value.as_f64().unwrap_or(f64::NAN)));
            }
        }
    }

    /// The picture as SVG.
    pub fn to_svg(&self) -> String {
        draw::draw(self)
    }

    /// Writes the picture to a file atomically.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Output`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut target = OutputTarget::open(Some(path))?;
        target.write(self.to_svg().as_bytes())?;
        target.finish()
    }
}
