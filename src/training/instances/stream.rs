//! The endless stream of training instances, and the held-out instances.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::materialize::Materializer;
use super::options::InstanceOptions;
use super::pieces::PieceTable;
use super::plan::{InstancePlan, Planner};
use super::random::{Purpose, generator, mix};
use super::split::{Part, Split};
use super::{Instance, SpecialIds};
use crate::error::{Error, Result};
use crate::training::Documents;
use crate::training::permutation::Permutation;

/// Number of documents planned at a time by all threads.
const BLOCK: u64 = 1024;

/// Fixed seed and epoch of held-out instances, so that runs can be compared.
const HELD_OUT: (u64, u64) = (0, u64::MAX);

/// Position of a stream. Together with the same corpus, options and seed, it is enough to resume exactly there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Completed passes over the corpus.
    pub epoch: u64,
    /// Documents of this epoch before the current shuffled chunk.
    pub documents: u64,
    /// Instances already taken from that chunk.
    pub offset: u64,
}

/// Instances in an order that depends only on the seed, not on the number of threads.
///
/// Each epoch visits the documents in another pseudo-random order, with other chunks, splits and masks. Memory does not
/// grow with the corpus, because plans are made and shuffled in chunks.
pub struct InstanceStream {
    materializer: Materializer,
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
    /// Creates a stream at its beginning.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] from [`InstanceOptions::check`]; [`Error::Input`] if the corpus is empty or the vocabulary
    /// has only special tokens.
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
            return Err(Error::Input("the vocabulary contains only special tokens".to_owned()));
        }
        let split = Split::new(documents.count(), options.eval_fraction);
        let materializer = Materializer { documents, table: Arc::new(table), special, options };
        Ok(Self { materializer, split, seed, chunk: Chunk::default(), offset: 0 })
    }

    /// Returns a builder of instances from the plans of this stream. It works in any thread.
    pub fn materializer(&self) -> Materializer {
        self.materializer.clone()
    }

    /// The number of training documents.
    pub fn train_documents(&self) -> u64 {
        self.split.count(Part::Train)
    }

    /// The number of held-out documents.
    pub fn held_out_documents(&self) -> u64 {
        self.split.count(Part::HeldOut)
    }

    /// Plans the next `count` instances, continuing with the next epoch at the end of this one.
    ///
    /// # Errors
    /// Errors of [`Documents::sentence_lengths`]; [`Error::Input`] if the corpus yields no instance at all.
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

    /// The current position.
    pub fn position(&self) -> Position {
        let Chunk { epoch, first_document, next_document, ref plans } = self.chunk;
        if self.offset < plans.len() {
            return Position { epoch, documents: first_document, offset: self.offset as u64 };
        }
        let (epoch, documents) = self.after(epoch, next_document);
        Position { epoch, documents, offset: 0 }
    }

    /// Moves to a position of a stream over the same corpus with the same options and seed.
    ///
    /// # Errors
    /// Errors of [`Documents::sentence_lengths`]; [`Error::Input`] if the position does not exist.
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

    /// Completed epochs as a fraction: exact at chunk boundaries, interpolated within a chunk.
    pub fn epochs(&self) -> f64 {
        let Chunk { epoch, first_document, next_document, ref plans } = self.chunk;
        let part = if plans.is_empty() { 1.0 } else { self.offset as f64 / plans.len() as f64 };
        let documents = first_document as f64 + (next_document - first_document) as f64 * part;
        epoch as f64 + documents / self.train_documents() as f64
    }

    /// The number of instances in an epoch, which varies slightly. Reads the lengths of the entire corpus.
    ///
    /// # Errors
    /// Errors of [`Documents::sentence_lengths`].
    pub fn count_instances(&self, epoch: u64) -> Result<u64> {
        let planner = self.planner(epoch);
        let documents = (0..self.train_documents()).into_par_iter();
        documents.map(|rank| Ok(planner.plan(self.split.document(Part::Train, rank))?.len() as u64)).sum()
    }

    /// The first `limit` held-out instances with fixed masks, the same for every seed. Empty if no document is held out.
    ///
    /// # Errors
    /// Errors of [`InstanceStream::next_batch`] and [`Materializer::materialize`].
    pub fn held_out(&self, limit: usize) -> Result<Vec<Instance>> {
        self.materializer.materialize(&self.held_out_plans(limit)?)
    }

    /// The plans of [`InstanceStream::held_out`].
    ///
    /// # Errors
    /// Errors of [`InstanceStream::next_batch`].
    pub fn held_out_plans(&self, limit: usize) -> Result<Vec<InstancePlan>> {
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
        Ok(plans)
    }

    /// The epoch and the document after `documents` of `epoch`.
    fn after(&self, epoch: u64, documents: u64) -> (u64, u64) {
        if documents == self.train_documents() { (epoch + 1, 0) } else { (epoch, documents) }
    }

    fn next_chunk(&mut self) -> Result<()> {
        let Position { epoch, documents, .. } = self.position();
        let mut chunk = self.plan_chunk(epoch, documents)?;
        // The remainder of an epoch may yield nothing, but a complete epoch must yield something.
        if chunk.plans.is_empty() && documents > 0 {
            chunk = self.plan_chunk(epoch + 1, 0)?;
        }
        if chunk.plans.is_empty() {
            return Err(Error::Input(format!(
                "the corpus yields no instances: none of its {} training documents has two consecutive tokens",
                self.train_documents()
            )));
        }
        (self.chunk, self.offset) = (chunk, 0);
        Ok(())
    }

    /// Plans documents of an epoch, starting with the `first`-th one in its order, until a chunk is full.
    fn plan_chunk(&self, epoch: u64, first: u64) -> Result<Chunk> {
        let planner = self.planner(epoch);
        let count = self.train_documents();
        let order = Permutation::new(count, mix(Purpose::Order, &[self.seed, epoch]));
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
                if plans.len() >= self.materializer.options.chunk_instances {
                    break 'full;
                }
            }
        }
        plans.shuffle(&mut generator(Purpose::Shuffle, &[self.seed, epoch, first]));
        Ok(Chunk { epoch, first_document: first, next_document: next, plans })
    }

    fn planner(&self, epoch: u64) -> Planner<'_> {
        Planner {
            documents: &*self.materializer.documents,
            options: &self.materializer.options,
            split: &self.split,
            part: Part::Train,
            seed: self.seed,
            epoch,
        }
    }
}
