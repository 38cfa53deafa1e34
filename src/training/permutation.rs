//! Pseudo-random permutations in constant memory.

use super::seeds::finalize;

const ROUNDS: usize = 6;

/// A permutation of `0..count`: a Feistel network on the next power of four, iterated until the result is in range
/// (cycle walking; fewer than four iterations on average).
pub(super) struct Permutation {
    count: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

impl Permutation {
    /// The permutation that belongs to a key.
    pub(super) fn new(count: u64, key: u64) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        let round = |i: usize| finalize(key ^ finalize(i as u64));
        Self { count, half_bits: bits.div_ceil(2).max(1), keys: std::array::from_fn(round) }
    }

    /// The element at `index`, which must be less than `count`.
    pub(super) fn get(&self, index: u64) -> u64 {
        debug_assert!(index < self.count);
        let mut value = index;
        loop {
            value = self.network(value);
            if value < self.count {
                return value;
            }
        }
    }

    fn network(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (finalize(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_once() {
        for count in [1, 2, 3, 4, 5, 17, 64, 65, 1000, 4097] {
            let order = Permutation::new(count, 7);
            let mut seen: Vec<u64> = (0..count).map(|i| order.get(i)).collect();
            assert!(count < 17 || !seen.is_sorted(), "{count}");
            seen.sort_unstable();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn large_counts_stay_in_range() {
        for count in [u64::from(u32::MAX) + 3, 1 << 62, u64::MAX] {
            let order = Permutation::new(count, 1);
            assert!([0, 1, count / 2, count - 1].iter().all(|&i| order.get(i) < count));
        }
    }

    #[test]
    fn places_are_uniform() {
        // Destinations of element 0 over many keys: 40 cells with 1,000 expected each, tested in standard deviations.
        let mut cells = [0u32; 40];
        for key in 0..40_000 {
            cells[Permutation::new(40, key).get(0) as usize] += 1;
        }
        let worst = cells.iter().map(|&n| (f64::from(n) - 1000.0).abs()).fold(0.0, f64::max);
        assert!(worst < 5.0 * 1000f64.sqrt(), "{cells:?}");
    }
}
