//! Memory that is used again: fresh pages from the system for every call would cost a sixth of a training step.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Maximum number of values that are kept for later (1 GiB).
const KEPT: usize = 1 << 28;

struct Pool {
    /// Oldest first.
    free: VecDeque<Vec<f32>>,
    /// The sum of their capacities.
    size: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: VecDeque::new(), size: 0 });

/// Values whose memory goes back to a pool.
#[derive(Default)]
pub(super) struct Buffer(Vec<f32>);

impl Buffer {
    /// `length` values, which are not initialized to anything.
    pub(super) fn new(length: usize) -> Self {
        let mut numbers = take(length).unwrap_or_default();
        if numbers.capacity() < length {
            // The system's own zeros.
            numbers = vec![0.0; length];
        } else {
            numbers.resize(length, 0.0);
        }
        Self(numbers)
    }
}

/// The tightest fit that does not waste half.
fn take(length: usize) -> Option<Vec<f32>> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |numbers: &Vec<f32>| (length..=2 * length).contains(&numbers.capacity());
    let (best, _) = pool
        .free
        .iter()
        .enumerate()
        .filter(|(_, numbers)| fits(numbers))
        .min_by_key(|(_, numbers)| numbers.capacity())?;
    let numbers = pool.free.remove(best)?;
    pool.size -= numbers.capacity();
    Some(numbers)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.0);
        if numbers.capacity() == 0 || numbers.capacity() > KEPT {
            return;
        }
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.size += numbers.capacity();
        pool.free.push_back(numbers);
        while pool.size > KEPT {
            let Some(oldest) = pool.free.pop_front() else { break };
            pool.size -= oldest.capacity();
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}
