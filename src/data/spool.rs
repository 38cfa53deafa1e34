//! Examples on disk, for data that does not fit into memory.

use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::example::{ChoiceExample, QuestionExample, TextExample, TokenExample};
use super::examples::Examples;
use crate::error::{Error, Result};
use crate::io::Scratch;

/// Number of bytes that are read at a time.
const BLOCK: usize = 1 << 20;

/// Size of the length before each example, in bytes.
const PREFIX: usize = size_of::<u32>();

/// An example that can be stored.
pub trait Stored: Serialize + DeserializeOwned {
    /// Shares common parts with the preceding example.
    fn share(&mut self, _before: &Self) {}
}

impl Stored for TextExample {}

impl Stored for TokenExample {}

impl Stored for ChoiceExample {}

impl Stored for QuestionExample {
    fn share(&mut self, before: &Self) {
        if self.context == before.context {
            self.context = before.context.clone();
        }
    }
}

/// Examples in a temporary file, in order. Data of less than 64 MiB stays in memory.
pub struct Spool<T> {
    scratch: Scratch,
    count: usize,
    /// The indices of removed examples, in ascending order.
    removed: Vec<usize>,
    buffer: Vec<u8>,
    kind: PhantomData<T>,
}

impl<T: Stored> Spool<T> {
    /// Creates an empty spool. A temporary file is created in `directory` on demand.
    pub fn new(directory: &Path) -> Self {
        Self {
            scratch: Scratch::new(directory),
            count: 0,
            removed: Vec::new(),
            buffer: Vec::new(),
            kind: PhantomData,
        }
    }

    /// Returns the examples in order.
    pub fn iter(&self) -> SpoolIter<'_, T> {
        SpoolIter { spool: self, offset: 0, number: 0, removed: 0, bytes: Vec::new(), start: 0, before: None }
    }
}

impl<T: Stored> Examples<T> for Spool<T> {
    fn add(&mut self, example: T) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend([0; PREFIX]);
        let mut buffer = postcard::to_extend(&example, buffer).map_err(corrupt)?;
        let length = u32::try_from(buffer.len() - PREFIX)
            .map_err(|_| Error::Input("an example is longer than 4 GiB".to_owned()))?;
        buffer[..PREFIX].copy_from_slice(&length.to_le_bytes());
        self.scratch.append(&buffer)?;
        self.buffer = buffer;
        self.count += 1;
        Ok(())
    }

    fn count(&self) -> usize {
        self.count - self.removed.len()
    }

    fn directory(&self) -> Option<&Path> {
        Some(self.scratch.directory())
    }

    /// May only be called once, after the last example has been added.
    fn remove_numbers(&mut self, numbers: &[usize]) {
        self.removed = numbers.to_vec();
    }
}

/// Reads a [`Spool`] from its beginning.
pub struct SpoolIter<'a, T> {
    spool: &'a Spool<T>,
    /// Offset in the spool after `bytes`.
    offset: u64,
    /// The index of the next example.
    number: usize,
    /// The index of the next entry in `Spool::removed`.
    removed: usize,
    bytes: Vec<u8>,
    /// The start of the next example in `bytes`.
    start: usize,
    before: Option<T>,
}

impl<T: Stored + Clone> SpoolIter<'_, T> {
    /// Makes `length` bytes available after `start`.
    fn fill(&mut self, length: usize) -> Result<()> {
        if self.bytes.len() - self.start >= length {
            return Ok(());
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        let missing = length - self.bytes.len();
        let left = self.spool.scratch.len() - self.offset;
        let more = (missing.max(BLOCK) as u64).min(left) as usize;
        let old = self.bytes.len();
        self.bytes.resize(old + more, 0);
        self.spool.scratch.read(self.offset, &mut self.bytes[old..])?;
        self.offset += more as u64;
        if self.bytes.len() < length {
            return Err(corrupt(postcard::Error::DeserializeUnexpectedEnd));
        }
        Ok(())
    }

    /// Returns the range of the next example in `bytes`.
    fn next_range(&mut self) -> Result<std::ops::Range<usize>> {
        self.fill(PREFIX)?;
        let mut prefix = [0; PREFIX];
        prefix.copy_from_slice(&self.bytes[self.start..self.start + PREFIX]);
        let length = u32::from_le_bytes(prefix) as usize;
        self.fill(PREFIX + length)?;
        let start = self.start + PREFIX;
        self.start = start + length;
        Ok(start..start + length)
    }

    fn read_next(&mut self) -> Result<Option<T>> {
        while self.number < self.spool.count {
            let range = self.next_range()?;
            self.number += 1;
            if self.spool.removed.get(self.removed) == Some(&(self.number - 1)) {
                self.removed += 1;
                continue;
            }
            let mut example: T = postcard::from_bytes(&self.bytes[range]).map_err(corrupt)?;
            if let Some(before) = &self.before {
                example.share(before);
            }
            self.before = Some(example.clone());
            return Ok(Some(example));
        }
        Ok(None)
    }
}

impl<T: Stored + Clone> Iterator for SpoolIter<'_, T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_next().transpose()
    }
}

fn corrupt(error: postcard::Error) -> Error {
    Error::Input(format!("the temporary file of the examples is damaged: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::data::{GoldAnswer, Place, Target};

    #[test]
    fn examples_come_back_without_the_removed_ones() {
        let place = |line| Place { source: "a.tsv".into(), line };
        let example = |i: u64| TextExample {
            place: place(i),
            id: i.is_multiple_of(2).then(|| i.to_string()),
            text: "x".repeat((i * 7919 % 3000) as usize),
            text_pair: i.is_multiple_of(3).then(String::new),
            target: match i % 4 {
                0 => Target::None,
                1 => Target::Label("l".to_owned()),
                2 => Target::Labels(vec!["a".to_owned(), "b".to_owned()]),
                _ => Target::Number(0.1 * i as f64),
            },
        };
        let mut spool = Spool::new(Path::new("."));
        for i in 0..3000 {
            spool.add(example(i)).expect("adds");
        }
        spool.remove_numbers(&[0, 7, 2999]);
        assert_eq!(spool.count(), 2997);
        let found: Vec<TextExample> = spool.iter().collect::<Result<_>>().expect("reads");
        let expected: Vec<_> = (0..3000).filter(|i| ![0, 7, 2999].contains(i)).map(example).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn consecutive_questions_share_their_context() {
        let mut spool = Spool::new(Path::new("."));
        for context in ["one", "one", "two"] {
            let answers = vec![GoldAnswer { text: "o".to_owned(), start: Some(0) }];
            spool
                .add(QuestionExample {
                    place: Place { source: "a".into(), line: 1 },
                    id: String::new(),
                    question: "q".to_owned(),
                    context: context.into(),
                    answers,
                    is_impossible: false,
                    title: None,
                })
                .expect("adds");
        }
        let found: Vec<QuestionExample> = spool.iter().collect::<Result<_>>().expect("reads");
        assert!(Arc::ptr_eq(&found[0].context, &found[1].context));
        assert_eq!(&*found[2].context, "two");
    }
}
