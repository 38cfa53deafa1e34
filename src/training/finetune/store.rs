//! Encoded examples on disk, accessed by number.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::objective::{Answer, TrainingExample};
use crate::error::{Error, Result};
use crate::io::Scratch;
use crate::tokenizer::Encoding;

/// Labelled examples that are encoded in one go.
const CHUNK: usize = 4096;

/// The examples of a run. Large data sets are in temporary files.
///
/// Only `ids` and `type_ids` of an [`Encoding`] are stored, which is all that models read.
pub struct ExampleStore {
    scratch: Scratch,
    /// The [`Place`] of each example, as two integers.
    index: Scratch,
    count: usize,
    digest: u32,
    rows: RowLengths,
    /// Maximum number of padded tokens of an example.
    largest: usize,
}

/// The location of an example.
#[derive(Clone, Copy)]
struct Place {
    /// The end offset of the example.
    end: u64,
    /// The number of tokens of its longest row.
    length: usize,
}

/// The lengths of rows in tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowLengths {
    /// The number of rows of each length.
    counts: BTreeMap<usize, u64>,
    /// The number of rows.
    pub rows: u64,
    /// The number of rows that were truncated.
    pub truncated: u64,
}

impl RowLengths {
    fn add(&mut self, row: &Encoding) {
        *self.counts.entry(row.ids.len()).or_default() += 1;
        self.rows += 1;
        self.truncated += u64::from(row.truncated);
    }

    /// The length that `percent` percent of the rows do not exceed; 0 without rows.
    pub fn percentile(&self, percent: u64) -> usize {
        let mut left = self.rows * percent.min(100) / 100;
        for (length, count) in &self.counts {
            if left < *count {
                return *length;
            }
            left -= count;
        }
        self.counts.last_key_value().map_or(0, |(length, _)| *length)
    }
}

/// An example in the file.
#[derive(Serialize, Deserialize)]
struct StoredExample {
    /// `ids` and `type_ids` of each row.
    rows: Vec<(Vec<u32>, Vec<u32>)>,
    answer: Answer,
}

impl ExampleStore {
    /// An empty store. A temporary file is created in `directory` as soon as it is needed.
    pub fn new(directory: &Path) -> Self {
        Self {
            scratch: Scratch::new(directory),
            index: Scratch::new(directory),
            count: 0,
            digest: 0,
            rows: RowLengths::default(),
            largest: 0,
        }
    }

    /// Encodes labelled examples, several thousand at a time.
    ///
    /// # Errors
    /// Errors of the examples and of `encode`; [`Error::Io`] if the temporary file cannot be written.
    pub fn encoded<T>(
        directory: &Path,
        examples: impl IntoIterator<Item = Result<T>>,
        encode: impl Fn(&[T]) -> Result<Vec<TrainingExample>>,
    ) -> Result<Self> {
        let (mut store, mut examples) = (Self::new(directory), examples.into_iter());
        loop {
            let chunk: Vec<T> = examples.by_ref().take(CHUNK).collect::<Result<_>>()?;
            if chunk.is_empty() {
                return Ok(store);
            }
            store.extend(encode(&chunk)?)?;
        }
    }

    /// Adds examples at the end.
    ///
    /// # Errors
    /// [`Error::Io`] if the temporary file cannot be written.
    pub fn extend(&mut self, examples: impl IntoIterator<Item = TrainingExample>) -> Result<()> {
        examples.into_iter().try_for_each(|example| self.push(example))
    }

    fn push(&mut self, example: TrainingExample) -> Result<()> {
        self.digest = digest(self.digest, &example);
        example.rows.iter().for_each(|row| self.rows.add(row));
        let length = example.rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        self.largest = self.largest.max(example.rows.len() * length);
        let rows = example.rows.into_iter().map(|row| (row.ids, row.type_ids)).collect();
        let stored = StoredExample { rows, answer: example.answer };
        self.scratch.append(&postcard::to_allocvec(&stored).map_err(damaged)?)?;
        self.index.append(bytemuck::bytes_of(&[self.scratch.len(), length as u64]))?;
        self.count += 1;
        Ok(())
    }

    /// The number of examples.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns true if the store is empty.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the example with this number, counted from 0.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none; [`Error::Io`].
    pub fn get(&self, number: usize) -> Result<TrainingExample> {
        let place = self.place(number)?;
        let start = number.checked_sub(1).map(|before| self.place(before)).transpose()?;
        let start = start.map_or(0, |before| before.end);
        let mut bytes = vec![0; (place.end - start) as usize];
        self.scratch.read(start, &mut bytes)?;
        let stored: StoredExample = postcard::from_bytes(&bytes).map_err(damaged)?;
        let row = |(ids, type_ids)| Encoding { ids, type_ids, ..Encoding::default() };
        Ok(TrainingExample { rows: stored.rows.into_iter().map(row).collect(), answer: stored.answer })
    }

    /// The number of tokens of an example's longest row.
    ///
    /// # Errors
    /// Same as [`Self::get`].
    pub fn length(&self, number: usize) -> Result<usize> {
        Ok(self.place(number)?.length)
    }

    fn place(&self, number: usize) -> Result<Place> {
        if number >= self.count {
            return Err(Error::Input(format!("there is no training example {number}")));
        }
        let mut place = [0u64; 2];
        self.index.read((number * size_of_val(&place)) as u64, bytemuck::bytes_of_mut(&mut place))?;
        Ok(Place { end: place[0], length: place[1] as usize })
    }

    /// The lengths of all rows.
    pub fn row_lengths(&self) -> &RowLengths {
        &self.rows
    }

    /// Maximum number of tokens of an example whose rows are padded to the longest of them.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// A fingerprint of the examples and their order.
    pub fn digest(&self) -> u32 {
        self.digest
    }
}

/// Extends the fingerprint `before` of the preceding examples by another one.
fn digest(before: u32, example: &TrainingExample) -> u32 {
    let ids = example.rows.iter().flat_map(|row| &row.ids).flat_map(|id| id.to_le_bytes());
    let bytes: Vec<u8> = ids.chain(format!("{:?}", example.answer).into_bytes()).collect();
    crc32c::crc32c_append(before, &bytes)
}

fn damaged(error: postcard::Error) -> Error {
    Error::Input(format!("the temporary file of the training examples is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ids: &[u32], truncated: bool) -> Encoding {
        let type_ids = ids.iter().map(|id| id % 2).collect();
        Encoding { ids: ids.to_vec(), type_ids, truncated, ..Encoding::default() }
    }

    #[test]
    fn examples_come_back_in_any_order() {
        let answers = [
            Answer::Label(3),
            Answer::Labels(vec![true, false]),
            Answer::Number(-0.1),
            Answer::Tags(vec![None, Some(70_000)]),
            Answer::Span(1, 2),
        ];
        let examples: Vec<TrainingExample> = answers
            .into_iter()
            .enumerate()
            .map(|(i, answer)| TrainingExample {
                rows: vec![row(&[2, 70_000, i as u32], false), row(&[], i == 4)],
                answer,
            })
            .collect();
        let mut store = ExampleStore::new(Path::new("."));
        store.extend(examples.iter().cloned()).expect("adds");
        for number in [4, 0, 2, 1, 3] {
            let mut expected = examples[number].clone();
            expected.rows.iter_mut().for_each(|row| row.truncated = false);
            assert_eq!(store.get(number).expect("reads"), expected);
            assert_eq!(store.length(number).expect("reads"), 3);
        }
        assert!(store.get(5).is_err());
        assert_eq!((store.len(), store.largest()), (5, 6));
        assert_eq!((store.row_lengths().rows, store.row_lengths().truncated), (10, 1));
        let whole = examples.iter().fold(0, digest);
        assert_eq!(store.digest(), whole);
    }

    #[test]
    fn percentiles_are_those_of_a_sorted_list() {
        let lengths = [5, 1, 9, 9, 2, 7, 7, 7, 3, 40];
        let mut all = RowLengths::default();
        lengths.iter().for_each(|length| all.add(&row(&vec![1; *length], false)));
        let mut sorted = lengths;
        sorted.sort_unstable();
        for percent in [0, 10, 50, 95, 99] {
            assert_eq!(all.percentile(percent), sorted[sorted.len() * percent as usize / 100]);
        }
        assert_eq!(all.percentile(100), 40);
        assert_eq!(RowLengths::default().percentile(50), 0);
    }
}
