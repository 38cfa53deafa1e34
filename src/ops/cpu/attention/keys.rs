//! The keys of a sequence that take part in attention.

/// The keys of a sequence that take part in attention.
#[derive(Clone, Debug)]
pub(in crate::ops::cpu) struct Keys {
    /// All keys from this index on are hidden.
    pub(in crate::ops::cpu) count: usize,
    /// The hidden keys below `count`.
    pub(in crate::ops::cpu) hidden: Vec<usize>,
}

impl Keys {
    /// Creates the keys from a sequence's mask, which is true where a key is hidden. If all keys are hidden, all of them
    /// take part with equal scores, as with the additive mask of transformers.
    pub(in crate::ops::cpu) fn new(mask: &[bool]) -> Self {
        let count = mask.iter().rposition(|hidden| !hidden).map_or(mask.len(), |last| last + 1);
        Self { count, hidden: (0..count).filter(|&i| mask[i]).collect() }
    }

    /// All `length` keys, none of them hidden.
    pub(in crate::ops::cpu) fn all(length: usize) -> Self {
        Self { count: length, hidden: Vec::new() }
    }

    /// The number of keys up to and including the last one that is not hidden.
    pub(in crate::ops::cpu) fn count(&self) -> usize {
        self.count
    }

    /// Writes `value` to the hidden keys of each row.
    pub(in crate::ops::cpu) fn fill(&self, rows: &mut [f32], value: f32) {
        if !self.hidden.is_empty() {
            for row in rows.chunks_exact_mut(self.count) {
                for &key in &self.hidden {
                    row[key] = value;
                }
            }
        }
    }
}
