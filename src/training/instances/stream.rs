//! The endless stream of instances to train on, epoch after epoch, and the held-out ones.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::options::InstanceOptions;
use super::permutation::Permutation;
use super::pieces::PieceTable;
use super::plan::{InstancePlan, Planner};
use super::random::{Purpose, generator};
use super::realize::Realizer;
use super::split::{Part, Split};
use super::{Instance, SpecialIds};
use crate::error::{Error, Result};
use crate::training::Documents;

/// Documents planned at a time, by all threads.
const BLOCK: u64 = 1024;

/// The seed and the epoch of held-out instances, whatever those of the stream: runs can be compared.
const HELD_OUT: (u64, u64) = (0, u64::MAX);

/// Where a stream is: enough to go on exactly there, with the same corpus, options and seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Passes over the corpus before this one.
    pub epoch: u64,
    /// Documents of this epoch before the chunk of instances that are shuffled together.
    pub documents: u64,
    /// Instances given out of that chunk.
    pub offset: u64,
}

/// Instances in an order that follows from the seed alone, whatever the number of threads.
///
/// Each epoch takes the documents in another pseudo-random order, with other chunks, splits and masks. Memory does
/// not grow with the corpus: plans are made and shuffled in chunks.
pub struct InstanceStream {
    realizer: Realizer,
    split: Split,
    seed: u64,
    chunk: Chunk,
    offset: usize,
}

/// Instances that are planned and shuffled together.
#[derive(Default)]
struct Chunk {
    epoch: u64,
    first_document: u64,
    next_document: u64,
    plans: Vec<InstancePlan>,
}

impl InstanceStream {
    /// A stream at its beginning.
    ///
    /// # Errors
    /// [`Error::Usage`] of [`InstanceOptions::check`]; [`Error::Input`] if there are no documents, or no ordinary
    /// pieces in the vocabulary.
    pub fn new(
        documents: Arc<dyn Documents + Send + Sync>,
        table: PieceTable,
        special: SpecialIds,
        options: InstanceOptions,
        seed: u64,
    ) -> Result<Self> {
        options.check()?;
        if documents.count() == 0 {
            return Err(Error::Input("the corpus has no documents".to_owned()));
        }
        if table.ordinary().is_empty() {
            return Err(Error::Input("the vocabulary has special tokens only".to_owned()));
        }
        let split = Split::new(documents.count(), options.eval_fraction);
        let realizer = Realizer { documents, table: Arc::new(table), special, options };
        Ok(Self { realizer, split, seed, chunk: Chunk::default(), offset: 0 })
    }

    /// What makes instances of this stream's plans, also in other threads.
    pub fn realizer(&self) -> Realizer {
        self.realizer.clone()
    }

    /// How many documents are trained on.
    pub fn train_documents(&self) -> u64 {
        self.split.count(Part::Train)
    }

    /// How many documents are held out.
    pub fn held_out_documents(&self) -> u64 {
        self.split.count(Part::HeldOut)
    }

    /// The plans of the next `count` instances, from the next epoch where this one ends.
    ///
    /// # Errors
    /// Those of [`Documents::sentence_lengths`]; [`Error::Input`] if the corpus yields no instance at all.
    pub fn next_batch(&mut self, count: usize) -> Result<Vec<InstancePlan>> {
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            if self.offset == self.chunk.plans.len() {
                self.next_chunk()?;
            }
            let end = self.chunk.plans.len().min(self.offset + count - out.len());
            out.extend_from_slice(&self.chunk.plans[self.offset..end]);
            self.offset = end;
        }
        Ok(out)
    }

    /// Where the stream is.
    pub fn position(&self) -> Position {
        let Chunk { epoch, first_document, next_document, ref plans } = self.chunk;
        if self.offset < plans.len() {
            return Position { epoch, documents: first_document, offset: self.offset as u64 };
        }
        let (epoch, documents) = self.after(epoch, next_document);
        Position { epoch, documents, offset: 0 }
    }

    /// Goes to a position of a stream over the same corpus with the same options and seed.
    ///
    /// # Errors
    /// Those of [`Documents::sentence_lengths`]; [`Error::Input`] if there is no such position.
    pub fn seek(&mut self, position: Position) -> Result<()> {
        let Position { epoch, documents, offset } = position;
        let none = || {
            Error::Input(format!(
                "the corpus has no position {documents}+{offset} in epoch {epoch}: it is another corpus, or made \
                 into instances with other options, than when the position was saved"
            ))
        };
        if documents >= self.train_documents() {
            return Err(none());
        }
        let chunk = if offset > 0 {
            self.plan_chunk(epoch, documents)?
        } else {
            Chunk { epoch, first_document: documents, next_document: documents, plans: Vec::new() }
        };
        let offset = usize::try_from(offset).map_err(|_| none())?;
        if offset > chunk.plans.len() {
            return Err(none());
        }
        (self.chunk, self.offset) = (chunk, offset);
        Ok(())
    }

    /// Epochs done, with a fraction: exact at the ends of chunks, in proportion within.
    pub fn epochs(&self) -> f64 {
        let Chunk { epoch, first_document, next_document, ref plans } = self.chunk;
        let part = if plans.is_empty() { 1.0 } else { self.offset as f64 / plans.len() as f64 };
        let documents = first_document as f64 + (next_document - first_document) as f64 * part;
        epoch as f64 + documents / self.train_documents() as f64
    }

    /// How many instances an epoch has. Epochs differ a little; this reads the lengths of the whole corpus.
    ///
    /// # Errors
    /// Those of [`Documents::sentence_lengths`].
    pub fn count_instances(&self, epoch: u64) -> Result<u64> {
        let planner = self.planner(epoch);
        let documents = (0..self.train_documents()).into_par_iter();
        documents.map(|rank| Ok(planner.plan(self.split.document(Part::Train, rank))?.len() as u64)).sum()
    }

    /// The first `limit` held-out instances, masked once and for all: the same for every seed. None if no document
    /// is held out.
    ///
    /// # Errors
    /// As [`InstanceStream::next_batch`] and [`Realizer::realize`].
    pub fn held_out(&self, limit: usize) -> Result<Vec<Instance>> {
        let (seed, epoch) = HELD_OUT;
        let planner = Planner { part: Part::HeldOut, seed, ..self.planner(epoch) };
        let mut plans = Vec::new();
        for rank in 0..self.held_out_documents() {
            if plans.len() >= limit {
                break;
            }
            plans.extend(planner.plan(self.split.document(Part::HeldOut, rank))?);
        }
        plans.truncate(limit);
        self.realizer.realize(&plans)
    }

    /// The epoch and the document after `documents` of `epoch`.
    fn after(&self, epoch: u64, documents: u64) -> (u64, u64) {
        if documents == self.train_documents() { (epoch + 1, 0) } else { (epoch, documents) }
    }

    fn next_chunk(&mut self) -> Result<()> {
        let Position { epoch, documents, .. } = self.position();
        let mut chunk = self.plan_chunk(epoch, documents)?;
        // What is left of an epoch may yield nothing; a whole one must.
        if chunk.plans.is_empty() && documents > 0 {
            chunk = self.plan_chunk(epoch + 1, 0)?;
        }
        if chunk.plans.is_empty() {
            return Err(Error::Input(format!(
                "no instance can be made of the corpus: its {} documents to train on hold no two tokens in a row",
                self.train_documents()
            )));
        }
        (self.chunk, self.offset) = (chunk, 0);
        Ok(())
    }

    /// Plans from the `first`-th document of an epoch's order on, until there are enough for a chunk.
    fn plan_chunk(&self, epoch: u64, first: u64) -> Result<Chunk> {
        let planner = self.planner(epoch);
        let count = self.train_documents();
        let order = Permutation::new(count, Purpose::Order, &[self.seed, epoch]);
        let mut plans = Vec::new();
        let mut next = first;
        'full: while next < count {
            let block = next..count.min(next + BLOCK);
            let planned: Vec<Result<Vec<InstancePlan>>> = block
                .into_par_iter()
                .map(|i| planner.plan(self.split.document(Part::Train, order.get(i))))
                .collect();
            for document in planned {
                plans.extend(document?);
                next += 1;
                if plans.len() >= self.realizer.options.chunk_instances {
                    break 'full;
                }
            }
        }
        plans.shuffle(&mut generator(Purpose::Shuffle, &[self.seed, epoch, first]));
        Ok(Chunk { epoch, first_document: first, next_document: next, plans })
    }

    fn planner(&self, epoch: u64) -> Planner<'_> {
        Planner {
            documents: &*self.realizer.documents,
            options: &self.realizer.options,
            split: &self.split,
            part: Part::Train,
            seed: self.seed,
            epoch,
        }
    }
}
