//! Derived seeds: an independent seed for every use of randomness.

/// Derives a seed from the run's seed and `parts` (a step, a process, ...). Similar inputs give unrelated seeds.
pub(crate) fn mix(seed: u64, parts: &[u64]) -> u64 {
    parts.iter().fold(finalize(seed), |state, part| {
        finalize(state.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*part))
    })
}

/// SplitMix64 (Steele, Lea, Flood, 2014).
pub(super) fn finalize(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
