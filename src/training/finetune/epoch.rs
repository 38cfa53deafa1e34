//! The batches of an epoch.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use super::store::ExampleStore;
use crate::error::Result;
use crate::training::permutation::Permutation;
use crate::training::seeds::mix;

/// Order of the examples in an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Up to this count, numbers are shuffled as a list. Beyond it, they follow a permutation that needs no memory.
const LISTED: usize = 1 << 24;

/// The batches of an epoch. Takes 4 bytes of memory per example, and at most 64 MiB.
pub(super) struct Epoch {
    order: Order,
    batch_size: usize,
    /// The number of examples.
    count: usize,
    examples: Numbers,
    batches: Numbers,
}

/// Numbers from 0 in some order.
enum Numbers {
    Ascending,
    List(Vec<u32>),
    Permuted(Permutation),
}

impl Numbers {
    /// `count` numbers in random order: a list if there are at most `listed`, otherwise a permutation.
    fn shuffled(count: usize, listed: usize, random: &mut Pcg64Mcg, key: u64) -> Self {
        if count > listed {
            return Self::Permuted(Permutation::new(count as u64, key));
        }
        let mut list: Vec<u32> = (0..count as u32).collect();
        list.shuffle(random);
        Self::List(list)
    }

    fn get(&self, index: usize) -> u32 {
        match self {
            Self::Ascending => index as u32,
            Self::List(list) => list[index],
            Self::Permuted(permutation) => permutation.get(index as u64) as u32,
        }
    }
}

impl Epoch {
    /// Plans an epoch of `count` examples, of which there must be fewer than 2^32. The last batch may be smaller.
    pub(super) fn new(count: usize, batch_size: usize, order: Order, seed: u64, pass: u64) -> Self {
        Self::with_limit(count, batch_size, order, (seed, pass), LISTED)
    }

    fn with_limit(
        count: usize,
        batch_size: usize,
        order: Order,
        (seed, pass): (u64, u64),
        listed: usize,
    ) -> Self {
        let mut random = Pcg64Mcg::seed_from_u64(mix(seed, &[pass]));
        let mut shuffled =
            |count, purpose| Numbers::shuffled(count, listed, &mut random, mix(seed, &[pass, purpose]));
        let examples = match order {
            Order::AsGiven => Numbers::Ascending,
            Order::Shuffled | Order::ByLength => shuffled(count, 1),
        };
        let batches = match order {
            Order::ByLength => shuffled(count.div_ceil(batch_size), 2),
            Order::AsGiven | Order::Shuffled => Numbers::Ascending,
        };
        Self { order, batch_size, count, examples, batches }
    }

    /// The number of batches.
    pub(super) fn batches(&self) -> usize {
        self.count.div_ceil(self.batch_size)
    }

    /// The examples of a batch, which must exist.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the lengths of the examples cannot be read.
    pub(super) fn batch(&self, number: usize, examples: &ExampleStore) -> Result<Vec<u32>> {
        let number = self.batches.get(number) as usize;
        let numbers = |batches: std::ops::Range<usize>| {
            let end = (batches.end * self.batch_size).min(self.count);
            (batches.start * self.batch_size..end).map(|index| self.examples.get(index))
        };
        if self.order != Order::ByLength {
            return Ok(numbers(number..number + 1).collect());
        }
        // Pools consist of full batches, so that batch numbers are the same as in the list of all batches.
        let first = number / POOL_BATCHES * POOL_BATCHES;
        let with_length = |number: u32| Ok((examples.length(number as usize)?, number));
        let pool: Result<Vec<_>> = numbers(first..first + POOL_BATCHES).map(with_length).collect();
        let mut pool = pool?;
        pool.sort_by_key(|(length, _)| *length);
        let batch = pool.chunks(self.batch_size).nth(number - first).unwrap_or_default();
        Ok(batch.iter().map(|(_, number)| *number).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::objective::{Answer, TrainingExample};
    use super::*;
    use crate::tokenizer::Encoding;

    fn examples(lengths: impl Iterator<Item = usize>) -> ExampleStore {
        let row = |length: usize| Encoding { ids: vec![1; length], ..Encoding::default() };
        let mut store = ExampleStore::new(Path::new("."));
        store
            .extend(lengths.map(|n| TrainingExample { rows: vec![row(n)], answer: Answer::Label(0) }))
            .expect("adds");
        store
    }

    fn batches(epoch: &Epoch, examples: &ExampleStore) -> Vec<Vec<u32>> {
        (0..epoch.batches()).map(|number| epoch.batch(number, examples).expect("reads")).collect()
    }

    #[test]
    fn every_example_once_in_lists_and_permutations() {
        let examples = examples(1..=470);
        for order in [Order::ByLength, Order::Shuffled, Order::AsGiven] {
            let mut seen = Vec::new();
            for listed in [LISTED, 0] {
                let epoch = |pass| Epoch::with_limit(470, 8, order, (1, pass), listed);
                let first = batches(&epoch(0), &examples);
                assert_eq!((first.len(), first.concat().len()), (59, 470));
                assert_eq!(first == batches(&epoch(1), &examples), order == Order::AsGiven);
                let mut all = first.concat();
                all.sort_unstable();
                assert_eq!(all, (0..470).collect::<Vec<_>>());
                seen.push(first);
            }
            assert_eq!(seen[0] == seen[1], order == Order::AsGiven);
        }
    }

    #[test]
    fn similar_lengths_share_a_batch() {
        let examples = examples((0..400).map(|i| 1 + (i * 37) % 100));
        for listed in [LISTED, 0] {
            let epoch = Epoch::with_limit(400, 8, Order::ByLength, (1, 0), listed);
            let of = |number: &u32| examples.length(*number as usize).expect("reads");
            let all = batches(&epoch, &examples);
            for batch in &all {
                let (least, most) = (batch.iter().map(of).min(), batch.iter().map(of).max());
                assert!(most <= least.map(|length| length + 4), "{least:?} to {most:?}");
            }
            let longest: Vec<usize> = all.iter().map(|batch| of(&batch[0])).collect();
            assert!(!longest.is_sorted(), "batches are shuffled");
        }
    }
}
