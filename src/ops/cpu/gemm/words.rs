//! Memory for operands.

use std::ops::{Deref, DerefMut};

/// Words in a line of the cache.
const LINE: usize = 16;

/// Words that begin where a line of the cache does: AMX takes twice as long for rows that lie in two.
#[derive(Debug, Default)]
pub(in crate::ops::cpu) struct Words {
    memory: Vec<u32>,
    start: usize,
    count: usize,
}

impl Words {
    /// Zeros, of which the system gives those alone that are used.
    pub(super) fn zeros(count: usize) -> Self {
        let memory = vec![0; count + LINE];
        // Anywhere would do, only slower.
        let start = memory.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { memory, start, count }
    }

    /// Makes room for `length` words of any value.
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
