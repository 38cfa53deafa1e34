//! Labelled examples as training rows: reshuffled for every epoch and grouped by length.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

use super::objective::TrainingExample;
use super::store::ExampleStore;
use crate::error::{Error, Result};
use crate::training::seeds::mix;
use crate::training::source::Source;

/// Order of the examples in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Order {
    /// Shuffled. Within a pool of several batches, examples of similar length share a batch.
    #[default]
    #[cfg_attr(
        feature = "cli",
        value(help = "Shuffled; within a pool of fifty batches, examples of similar length share a batch")
    )]
    ByLength,
    /// Shuffled.
    Shuffled,
    /// In the order of the data.
    #[cfg_attr(feature = "cli", value(help = "In the order of the file"))]
    AsGiven,
}

/// Number of batches in a pool that is sorted by length.
const POOL_BATCHES: usize = 50;

/// The examples of a run in the order of training. Takes about 4 bytes of memory per example.
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

/// The batches of an epoch.
#[derive(Debug, Default, PartialEq, Eq)]
struct Epoch {
    /// The numbers of all examples, batch after batch.
    examples: Vec<u32>,
    /// The order of the batches, if it is not that of `examples`.
    batches: Option<Vec<u32>>,
}

impl Epoch {
    /// The examples of the batch with a number from 0; none beyond the last.
    fn batch(&self, number: usize, size: usize) -> &[u32] {
        let number = match &self.batches {
            Some(batches) => batches.get(number).map(|batch| *batch as usize),
            None => Some(number),
        };
        number.and_then(|number| self.examples.chunks(size).nth(number)).unwrap_or_default()
    }
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
        let mut source = Self {
            examples,
            order,
            batch_size: batch_size.max(1),
            seed,
            pass: 0,
            batch: 0,
            plan: Epoch::default(),
        };
        source.plan = source.planned(0);
        Ok(source)
    }

    /// The number of batches per epoch.
    pub fn batches_per_pass(&self) -> usize {
        self.examples.len().div_ceil(self.batch_size)
    }

    fn planned(&self, pass: u64) -> Epoch {
        let mut order: Vec<u32> = (0..self.examples.len() as u32).collect();
        let mut random = Pcg64Mcg::seed_from_u64(mix(self.seed, &[pass]));
        if self.order != Order::AsGiven {
            order.shuffle(&mut random);
        }
        if self.order != Order::ByLength {
            return Epoch { examples: order, batches: None };
        }
        for pool in order.chunks_mut(self.batch_size * POOL_BATCHES) {
            pool.sort_by_key(|number| self.examples.length(*number as usize));
        }
        // Pools hold whole batches, so that the batches of all pools are those of the list.
        let mut batches: Vec<u32> = (0..self.batches_per_pass() as u32).collect();
        batches.shuffle(&mut random);
        Epoch { examples: order, batches: Some(batches) }
    }
}

impl<'a> Source for ExampleSource<'a> {
    type Plan = u32;
    type Example = TrainingExample;

    /// The next planned batch, regardless of `rows`.
    fn next_batch(&mut self, _rows: usize) -> Result<Vec<u32>> {
        if self.batch == self.batches_per_pass() {
            self.pass += 1;
            self.batch = 0;
            self.plan = self.planned(self.pass);
        }
        self.batch += 1;
        Ok(self.plan.batch(self.batch - 1, self.batch_size).to_vec())
    }

    fn realize(&self, plans: &[u32]) -> Result<Vec<TrainingExample>> {
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
        self.pass = number("pass")?;
        self.plan = self.planned(self.pass);
        self.batch = (number("batch")? as usize).min(self.batches_per_pass());
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
    fn like_lengths_share_a_batch() {
        let examples = examples(&(0..400).map(|i| 1 + (i * 37) % 100).collect::<Vec<_>>());
        let mut source = ExampleSource::new(&examples, 8, Order::ByLength, 1).expect("a source");
        for batch in pass(&mut source) {
            let lengths = batch.iter().map(|number| examples.length(*number as usize));
            let (least, most) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
            assert!(most - least <= 4, "{least} to {most}");
        }
    }

    #[test]
    fn a_position_goes_on_where_it_was() {
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
