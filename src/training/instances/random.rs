//! One random generator per purpose, so that results do not depend on the order of draws.

use rand_pcg::Pcg64Mcg;

use crate::training::seeds::finalize;

/// The purpose of a generator. Generators of different purposes are independent.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Split = 1,
    Order = 2,
    Plan = 3,
    Shuffle = 4,
    Realize = 5,
    Sentence = 6,
}

/// A hash of a purpose and its keys.
pub(super) fn mix(purpose: Purpose, keys: &[u64]) -> u64 {
    keys.iter().fold(finalize(purpose as u64), |state, &key| finalize(state ^ finalize(key)))
}

/// A generator for a purpose and its keys.
pub(super) fn generator(purpose: Purpose, keys: &[u64]) -> Pcg64Mcg {
    let low = mix(purpose, keys);
    Pcg64Mcg::new(u128::from(finalize(low)) << 64 | u128::from(low))
}
