//! The keys of a sequence that take part in attention.

/// The keys of a sequence that take part.
#[derive(Clone, Debug)]
pub(in crate::ops::cpu) struct Keys {
    /// Keys from here on are all hidden.
    pub(in crate::ops::cpu) count: usize,
    /// Hidden keys before that.
    pub(in crate::ops::cpu) hidden: Vec<usize>,
}

impl Keys {
    /// From the sequence's mask, true where hidden. When all are hidden, all take part with equal
    /// scores, as with transformers' additive mask.
    pub(in crate::ops::cpu) fn new(mask: &[bool]) -> Self {
        let count = mask.iter().rposition(|hidden| !hidden).map_or(mask.len(), |last| last + 1);
        Self { count, hidden: (0..count).filter(|&i| mask[i]).collect() }
    }

    /// All of `length` keys.
    pub(in crate::ops::cpu) fn all(length: usize) -> Self {
        Self { count: length, hidden: Vec::new() }
    }

    /// Keys up to the last one that takes part.
    pub(in crate::ops::cpu) fn count(&self) -> usize {
        self.count
    }

    /// Puts `value` at the hidden keys of each row.
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
