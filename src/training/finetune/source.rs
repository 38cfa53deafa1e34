//! Labelled examples as training rows: reshuffled for every epoch and grouped by length.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde_json::{Value, json};

use super::objective::TrainingExample;
use crate::error::{Error, Result};
use crate::training::seeds::mix;
use crate::training::source::Source;

/// Order of the examples in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Shuffled. Within a pool of several batches, examples of similar length share a batch.
    #[default]
    ByLength,
    /// Shuffled.
    Shuffled,
    /// In the order of the data.
    AsGiven,
}

/// Number of batches in a pool that is sorted by length.
const POOL_BATCHES: usize = 50;

/// The examples of a run, held in memory.
pub struct ExampleSource<'a> {
    examples: &'a [TrainingExample],
    order: Order,
    batch_size: usize,
    seed: u64,
    /// The current epoch and its next batch.
    pass: u64,
    batch: usize,
    /// The batches of this epoch.
    batches: Vec<Vec<usize>>,
}

impl<'a> ExampleSource<'a> {
    /// Creates a source at its beginning. The last batch of an epoch may be smaller than `batch_size`.
    ///
    /// # Errors
    /// [`Error::Input`] if there are no examples.
    pub fn new(examples: &'a [TrainingExample], batch_size: usize, order: Order, seed: u64) -> Result<Self> {
        if examples.is_empty() {
            return Err(Error::Input("there are no examples to learn from".to_owned()));
        }
        let mut source = Self {
            examples,
            order,
            batch_size: batch_size.max(1),
            seed,
            pass: 0,
            batch: 0,
            batches: Vec::new(),
        };
        source.batches = source.plan(0);
        Ok(source)
    }

    /// The number of batches per epoch.
    pub fn batches_per_pass(&self) -> usize {
        self.batches.len()
    }

    fn plan(&self, pass: u64) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.examples.len()).collect();
        let mut random = Pcg64Mcg::seed_from_u64(mix(self.seed, &[pass]));
        if self.order != Order::AsGiven {
            order.shuffle(&mut random);
        }
        if self.order != Order::ByLength {
            return order.chunks(self.batch_size).map(<[usize]>::to_vec).collect();
        }
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for pool in order.chunks_mut(self.batch_size * POOL_BATCHES) {
            pool.sort_by_key(|&i| self.examples[i].rows.iter().map(|row| row.ids.len()).max());
            batches.extend(pool.chunks(self.batch_size).map(<[usize]>::to_vec));
        }
        batches.shuffle(&mut random);
        batches
    }
}

impl<'a> Source for ExampleSource<'a> {
    type Plan = usize;
    type Example = TrainingExample;

    /// The next planned batch, regardless of `rows`.
    fn next_batch(&mut self, _rows: usize) -> Result<Vec<usize>> {
        if self.batch == self.batches.len() {
            self.pass += 1;
            self.batch = 0;
            self.batches = self.plan(self.pass);
        }
        self.batch += 1;
        Ok(self.batches[self.batch - 1].clone())
    }

    fn realize(&self, plans: &[usize]) -> Result<Vec<TrainingExample>> {
        Ok(plans.iter().map(|&i| self.examples[i].clone()).collect())
    }

    fn epoch(&self) -> f64 {
        self.pass as f64 + self.batch as f64 / self.batches.len().max(1) as f64
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
        self.batches = self.plan(self.pass);
        self.batch = (number("batch")? as usize).min(self.batches.len());
        Ok(())
    }
}

/// A fingerprint of the examples and their order.
pub fn digest(examples: &[TrainingExample]) -> u32 {
    examples.iter().fold(0, |sum, example| {
        let ids = example.rows.iter().flat_map(|row| &row.ids).flat_map(|id| id.to_le_bytes());
        let bytes: Vec<u8> = ids.chain(format!("{:?}", example.answer).into_bytes()).collect();
        crc32c::crc32c_append(sum, &bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::super::objective::Answer;
    use super::*;
    use crate::tokenizer::Encoding;

    fn examples(lengths: &[usize]) -> Vec<TrainingExample> {
        let row = |length: &usize| Encoding { ids: vec![1; *length], ..Encoding::default() };
        lengths.iter().map(|n| TrainingExample { rows: vec![row(n)], answer: Answer::Label(0) }).collect()
    }

    fn pass(source: &mut ExampleSource) -> Vec<Vec<usize>> {
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
                let mut all: Vec<usize> = pass.concat();
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
            let lengths = batch.iter().map(|i| examples[*i].rows[0].ids.len());
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
