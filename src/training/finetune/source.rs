//! Labelled examples as training rows: reshuffled for every epoch and grouped by length.

use serde_json::{Value, json};

use super::epoch::{Epoch, Order};
use super::objective::TrainingExample;
use super::store::ExampleStore;
use crate::error::{Error, Result};
use crate::training::source::Source;

/// The examples of a run in the order of training.
pub struct ExampleSource<'a> {
    examples: &'a ExampleStore,
    order: Order,
    batch_size: usize,
    seed: u64,
    /// The current epoch and its next batch.
    pass: u64,
    batch: usize,
    plan: Epoch,
}

impl<'a> ExampleSource<'a> {
    /// Creates a source at its beginning. The last batch of an epoch may be smaller than `batch_size`.
    ///
    /// # Errors
    /// [`Error::Input`] if `examples` is empty or holds more than 2^32 examples.
    pub fn new(examples: &'a ExampleStore, batch_size: usize, order: Order, seed: u64) -> Result<Self> {
        if examples.is_empty() {
            return Err(Error::Input("there are no examples to learn from".to_owned()));
        }
        if u32::try_from(examples.len()).is_err() {
            return Err(Error::Input(format!("{} training examples are more than 2^32", examples.len())));
        }
        let batch_size = batch_size.max(1);
        let plan = Epoch::new(examples.len(), batch_size, order, seed, 0);
        Ok(Self { examples, order, batch_size, seed, pass: 0, batch: 0, plan })
    }

    /// The number of batches per epoch.
    pub fn batches_per_pass(&self) -> usize {
        self.plan.batches()
    }

    fn begin(&mut self, pass: u64) {
        self.pass = pass;
        self.plan = Epoch::new(self.examples.len(), self.batch_size, self.order, self.seed, pass);
    }
}

impl<'a> Source for ExampleSource<'a> {
    type Plan = u32;
    type Example = TrainingExample;

    /// Returns the next planned batch, regardless of `rows`.
    fn next_batch(&mut self, _rows: usize) -> Result<Vec<u32>> {
        if self.batch == self.batches_per_pass() {
            self.begin(self.pass + 1);
            self.batch = 0;
        }
        self.batch += 1;
        self.plan.batch(self.batch - 1, self.examples)
    }

    fn materialize(&self, plans: &[u32]) -> Result<Vec<TrainingExample>> {
        plans.iter().map(|number| self.examples.get(*number as usize)).collect()
    }

    fn epoch(&self) -> f64 {
        self.pass as f64 + self.batch as f64 / self.batches_per_pass() as f64
    }

    fn position(&self) -> Value {
        json!({"pass": self.pass, "batch": self.batch})
    }

    fn seek(&mut self, position: &Value) -> Result<()> {
        let number = |name: &str| {
            position[name]
                .as_u64()
                .ok_or_else(|| Error::Input(format!("{position} is not a position in labelled data")))
        };
        let (pass, batch) = (number("pass")?, number("batch")?);
        self.begin(pass);
        self.batch = (batch as usize).min(self.batches_per_pass());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::objective::Answer;
    use super::*;
    use crate::tokenizer::Encoding;

    fn examples(lengths: &[usize]) -> ExampleStore {
        let row = |length: &usize| Encoding { ids: vec![1; *length], ..Encoding::default() };
        let mut store = ExampleStore::new(Path::new("."));
        let all = lengths.iter().map(|n| TrainingExample { rows: vec![row(n)], answer: Answer::Label(0) });
        store.extend(all).expect("adds");
        store
    }

    fn pass(source: &mut ExampleSource) -> Vec<Vec<u32>> {
        (0..source.batches_per_pass()).map(|_| source.next_batch(0).expect("a batch")).collect()
    }

    #[test]
    fn a_pass_has_every_example_once_and_passes_differ() {
        let examples = examples(&(1..=70).collect::<Vec<_>>());
        for order in [Order::ByLength, Order::Shuffled, Order::AsGiven] {
            let mut source = ExampleSource::new(&examples, 8, order, 1).expect("a source");
            let first = pass(&mut source);
            let second = pass(&mut source);
            for pass in [&first, &second] {
                let mut all: Vec<u32> = pass.concat();
                all.sort_unstable();
                assert_eq!(all, (0..70).collect::<Vec<_>>());
            }
            assert_eq!(first == second, order == Order::AsGiven);
        }
    }

    #[test]
    fn seek_resumes_at_the_position() {
        let examples = examples(&[3; 50]);
        let mut source = ExampleSource::new(&examples, 8, Order::ByLength, 5).expect("a source");
        for _ in 0..9 {
            source.next_batch(8).expect("a batch");
        }
        let position = source.position();
        let next: Vec<_> = (0..20).map(|_| source.next_batch(8).expect("a batch")).collect();
        let mut other = ExampleSource::new(&examples, 8, Order::ByLength, 5).expect("a source");
        other.seek(&position).expect("a position");
        assert_eq!((0..20).map(|_| other.next_batch(8).expect("a batch")).collect::<Vec<_>>(), next);
        assert!(other.seek(&json!({"pass": "x"})).is_err());
    }
}
