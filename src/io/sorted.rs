//! Sorts any number of records of several numbers each, using sorted runs on disk that are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use bytemuck::{cast_slice, cast_slice_mut};

use super::scratch::Scratch;
use crate::error::Result;

/// Size in bytes of the records that are sorted in memory.
const RUN: usize = 16 << 20;

/// Number of bytes that are read from a run at a time.
const BLOCK: usize = 64 << 10;

/// Records of `N` numbers, to be read in ascending order of the first number, then of the second, and so on.
pub(crate) struct Sorted<const N: usize> {
    scratch: Scratch,
    /// The records of the next run.
    buffer: Vec<[u64; N]>,
    /// Number of records in a run.
    run: usize,
    /// The ends of the runs in `scratch`, in bytes.
    ends: Vec<u64>,
}

impl<const N: usize> Sorted<N> {
    /// Creates an empty set of records. `scratch` must be empty.
    pub(crate) fn new(scratch: Scratch) -> Self {
        Self { scratch, buffer: Vec::new(), run: RUN / size_of::<[u64; N]>().max(1), ends: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`crate::Error::Io`], for example if the disk is full.
    pub(crate) fn push(&mut self, record: [u64; N]) -> Result<()> {
        if self.buffer.len() == self.run {
            self.buffer.sort_unstable();
            self.scratch.append(cast_slice(self.buffer.as_flattened()))?;
            self.ends.push(self.scratch.len());
            self.buffer.clear();
        }
        self.buffer.push(record);
        Ok(())
    }

    /// Calls `record` for all records in ascending order, until it fails.
    ///
    /// # Errors
    /// Errors from `record`; [`crate::Error::Io`].
    pub(crate) fn each(&mut self, mut record: impl FnMut(&[u64; N]) -> Result<()>) -> Result<()> {
        self.buffer.sort_unstable();
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let mut runs: Vec<Run<'_, N>> = starts
            .zip(&self.ends)
            .map(|(next, end)| Run { scratch: &self.scratch, next, end: *end, block: Vec::new(), used: 0 })
            .collect();
        let mut rest = self.buffer.iter();
        // The records in memory form the last run.
        let in_memory = runs.len();
        let mut heads = BinaryHeap::with_capacity(in_memory + 1);
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|record| Reverse((record, number))));
        }
        heads.extend(rest.next().map(|record| Reverse((*record, in_memory))));
        while let Some(Reverse((least, number))) = heads.pop() {
            record(&least)?;
            let next = match runs.get_mut(number) {
                Some(run) => run.next()?,
                None => rest.next().copied(),
            };
            heads.extend(next.map(|record| Reverse((record, number))));
        }
        Ok(())
    }
}

/// A run that is being read.
struct Run<'a, const N: usize> {
    scratch: &'a Scratch,
    /// Offset of the next block.
    next: u64,
    end: u64,
    block: Vec<u64>,
    /// Number of numbers of the block that have been read.
    used: usize,
}

impl<const N: usize> Run<'_, N> {
    fn next(&mut self) -> Result<Option<[u64; N]>> {
        if self.used == self.block.len() {
            let record = size_of::<[u64; N]>();
            let length = (self.end - self.next).min((BLOCK / record * record) as u64);
            self.block.resize(length as usize / size_of::<u64>(), 0);
            self.scratch.read(self.next, cast_slice_mut(&mut self.block))?;
            self.next += length;
            self.used = 0;
        }
        let record = self.block.get(self.used..).and_then(<[u64]>::first_chunk).copied();
        self.used += record.map_or(0, |record: [u64; N]| record.len());
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_in_order_from_several_runs() {
        for (count, run) in [(0, 4), (1, 4), (4, 4), (5, 4), (50_000, 7_000), (50_000, 60_000)] {
            let mut sorted = Sorted::<2>::new(Scratch::in_memory());
            sorted.run = run;
            let mut expected = Vec::new();
            for i in 0..count as u32 {
                // Some records are equal.
                let record = [u64::from((i / 2).wrapping_mul(2_654_435_761) % 997), u64::from(i / 2)];
                sorted.push(record).expect("adds");
                expected.push(record);
            }
            expected.sort_unstable();
            for _ in 0..2 {
                let mut found = Vec::new();
                sorted
                    .each(|record| {
                        found.push(*record);
                        Ok(())
                    })
                    .expect("reads");
                assert!(found == expected, "{count} in runs of {run}");
            }
        }
    }
}
