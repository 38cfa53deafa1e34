//! The split of documents into training and held-out parts.

use super::random::{Purpose, mix};
use crate::training::permutation::Permutation;

/// One part of the documents, addressed by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Train,
    HeldOut,
}

/// The documents in two parts. The first ones of a fixed pseudo-random order, which is the same for every seed, are held
/// out.
pub(super) struct Split {
    order: Permutation,
    count: u64,
    held_out: u64,
}

impl Split {
    /// Holds out `fraction` of `count` documents, and at least one if that leaves one for training.
    pub(super) fn new(count: u64, fraction: f64) -> Self {
        let wanted = (count as f64 * fraction).round() as u64;
        let held_out = if fraction > 0.0 && count > 1 { wanted.clamp(1, count - 1) } else { 0 };
        Self { order: Permutation::new(count, mix(Purpose::Split, &[])), count, held_out }
    }

    /// The number of documents in a part.
    pub(super) fn count(&self, part: Part) -> u64 {
        match part {
            Part::Train => self.count - self.held_out,
            Part::HeldOut => self.held_out,
        }
    }

    /// The document at a rank of a part. The rank must be less than [`Split::count`].
    pub(super) fn document(&self, part: Part, rank: u64) -> u64 {
        match part {
            Part::Train => self.order.get(self.held_out + rank),
            Part::HeldOut => self.order.get(rank),
        }
    }
}
