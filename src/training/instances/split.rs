//! Which documents are trained on, and which are held out.

use super::permutation::Permutation;
use super::random::Purpose;

/// One part of the documents, by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    HeldOut,
}

/// The documents in two parts: in a fixed pseudo-random order, the same for every seed, the first are held out.
pub(super) struct Split {
    order: Permutation,
    count: u64,
    held_out: u64,
}

impl Split {
    /// Holds `fraction` of `count` documents out, one at least if that leaves one to train on.
    pub(super) fn new(count: u64, fraction: f64) -> Self {
        let wanted = (count as f64 * fraction).round() as u64;
        let held_out = if fraction > 0.0 && count > 1 { wanted.clamp(1, count - 1) } else { 0 };
        Self { order: Permutation::new(count, Purpose::Split, &[]), count, held_out }
    }

    /// How many documents a part has.
    pub(super) fn count(&self, part: Part) -> u64 {
        match part {
            Part::Train => self.count - self.held_out,
            Part::HeldOut => self.held_out,
        }
    }

    /// The document of a part's rank, which must be below [`Split::count`].
    pub(super) fn document(&self, part: Part, rank: u64) -> u64 {
        match part {
            Part::Train => self.order.get(self.held_out + rank),
            Part::HeldOut => self.order.get(rank),
        }
    }
}
