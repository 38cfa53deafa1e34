//! Pretraining instances as training rows.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::training::instances::{Instance, InstancePlan, InstanceStream, Materializer, Position};
use crate::training::source::Source;

/// The instances of a corpus.
pub struct PretrainingSource {
    stream: InstanceStream,
    materializer: Materializer,
}

impl PretrainingSource {
    /// Continues from the current position of `stream`.
    pub fn new(stream: InstanceStream) -> Self {
        Self { materializer: stream.materializer(), stream }
    }
}

impl Source for PretrainingSource {
    type Plan = InstancePlan;
    type Example = Instance;

    fn next_batch(&mut self, rows: usize) -> Result<Vec<InstancePlan>> {
        self.stream.next_batch(rows)
    }

    fn materialize(&self, plans: &[InstancePlan]) -> Result<Vec<Instance>> {
        self.materializer.materialize(plans)
    }

    fn epoch(&self) -> f64 {
        self.stream.epochs()
    }

    fn position(&self) -> Value {
        serde_json::to_value(self.stream.position()).unwrap_or_default()
    }

    fn seek(&mut self, position: &Value) -> Result<()> {
        let position: Position = serde_json::from_value(position.clone())
            .map_err(|e| Error::Input(format!("{position} is not a position in a corpus: {e}")))?;
        self.stream.seek(position)
    }
}
