//! Seeds made of seeds: one number for every place where something random happens.

/// A seed for the place that `parts` name (a step, a document, ...), from the run's seed; close numbers give
/// unrelated seeds (SplitMix64's finalizer, Steele et al. 2014).
pub fn mix(seed: u64, parts: &[u64]) -> u64 {
    let finalize = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    parts.iter().fold(finalize(seed.wrapping_add(GOLDEN)), |state, part| {
        finalize(state.wrapping_mul(GOLDEN).wrapping_add(*part).wrapping_add(GOLDEN))
    })
}
