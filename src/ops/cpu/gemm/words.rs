//! Memory for operands.

use std::ops::{Deref, DerefMut};

/// Words in a cache line.
const LINE: usize = 16;

/// Words that begin at a cache line: AMX takes twice as long for rows that straddle two lines.
#[derive(Debug, Default)]
pub(in crate::ops::cpu) struct Words {
    memory: Vec<u32>,
    start: usize,
    count: usize,
}

impl Words {
    /// Zeros, of which the system allocates only the pages that are used.
    pub(super) fn zeros(count: usize) -> Self {
        let memory = vec![0; count + LINE];
        // Alignment affects only speed, not correctness.
        let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { memory, start, count }
    }

    /// Makes room for `count` words with unspecified contents.
    pub(in crate::ops::cpu) fn reshape(&mut self, count: usize) {
        if count + LINE > self.memory.len() {
            *self = Self::zeros(count);
        }
        self.count = count;
    }
}

impl Deref for Words {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.memory[self.start..self.start + self.count]
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [u32] {
        &mut self.memory[self.start..self.start + self.count]
    }
}
