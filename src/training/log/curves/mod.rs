//! Training curves as a picture: panels of series over the steps.

mod axis;
mod draw;
mod points;

use std::path::Path;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::io::OutputTarget;

/// Values beyond this are drawn as gaps, as those that are not finite are.
const LARGEST: f64 = 1e30;

/// All panels of a picture, one below the other with the same steps.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// The headline.
    pub title: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// A chart of series with the same unit.
#[derive(Clone, Debug, Default)]
pub struct Panel {
    /// What the vertical axis shows.
    pub title: String,
    /// The limits of the vertical axis; `None` takes those of the values.
    pub range: Option<(f64, f64)>,
    /// A logarithmic axis, if the values are positive and the largest is more than a thousand times the smallest.
    pub log_if_wide: bool,
    /// What is drawn, the first at the bottom.
    pub series: Vec<Series>,
}

/// Values over steps.
#[derive(Clone, Debug)]
pub struct Series {
    /// The field of the records that holds the values.
    pub key: String,
    /// The name in the picture.
    pub label: String,
    /// How it is drawn.
    pub style: SeriesStyle,
    /// Steps, ascending, and values.
    points: Vec<(u64, f64)>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeriesStyle {
    /// A line.
    Line,
    /// The values faint, and a line of their moving average.
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
    /// Adds the values of `record` to the series with its keys, at the step that its field `step` tells. Fields
    /// that are no series are ignored; `null`, which stands for what is no finite number, is a gap.
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

    /// Writes the picture to a file, which is whole at any time.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Output`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut target = OutputTarget::open(Some(path))?;
        target.write(self.to_svg().as_bytes())?;
        target.finish()
    }
}
