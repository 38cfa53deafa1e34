//! A pool of reusable memory: fresh pages from the system in every call would cost a sixth of a training step.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Maximum number of values that the pool keeps (1 GiB).
const MAX_POOLED: usize = 1 << 28;

struct Pool {
    /// Free buffers, oldest first.
    free: VecDeque<Vec<f32>>,
    /// The sum of the capacities of the free buffers.
    size: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: VecDeque::new(), size: 0 });

/// Values whose memory returns to the pool when dropped.
#[derive(Default)]
pub(super) struct Buffer(Vec<f32>);

impl Buffer {
    /// A buffer of `length` values with unspecified contents.
    pub(super) fn new(length: usize) -> Self {
        let mut numbers = take(length).unwrap_or_default();
        if numbers.capacity() < length {
            // Zeroed pages come from the system.
            numbers = vec![0.0; length];
        } else {
            numbers.resize(length, 0.0);
        }
        Self(numbers)
    }
}

/// Takes the smallest free buffer that fits and is at most twice as large as needed.
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
        if numbers.capacity() == 0 || numbers.capacity() > MAX_POOLED {
            return;
        }
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        pool.size += numbers.capacity();
        pool.free.push_back(numbers);
        while pool.size > MAX_POOLED {
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
